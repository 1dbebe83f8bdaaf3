//! `avro_event`: an Avro container file of Flume's events.
//!
//! `datum` encodes an event, `codec` packs a block, `container` writes the file around them.

mod codec;
pub(crate) mod container;
pub(crate) mod datum;

use std::io;

use flumen_config::{ComponentKind, ComponentSpec, OptionValue, Options, options};
use flumen_event::Batch;

pub use codec::{CODECS, Codec};
use container::ContainerWriter;

use crate::catalog::SerializerType;
use crate::serializer::{Serializer, SerializerFactory};

/// The schema, letter by letter as Flume 1.11 writes it into its files. The record has no namespace.
pub const EVENT_SCHEMA: &str = r#"{"type":"record","name":"Event","fields":[{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}"#;

options! {
    /// Writes an Avro container file of records `Event` with `headers` (a map of strings) and `body` (bytes).
    ///
    /// A block ends when it has grown to `syncIntervalBytes`, and whenever the sink flushes, which `file_roll`
    /// does after each batch: small batches make small blocks, and those compress badly.
    pub struct AvroEventOptions {
        /// Size in bytes, before compression, at which a block ends. From 32 to 1073741824.
        "syncIntervalBytes" => sync_interval_bytes: SyncInterval = SyncInterval(2_048_000),
        /// How blocks are compressed. A codec that is not known is warned of, and nothing is compressed, as in
        /// Flume; readers find the codec's name in the file. Flume's `xz` is not part of this build.
        "compressionCodec" => compression_codec: Codec = Codec::Null, lenient;
    }
}

/// Bytes at which a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncInterval(pub usize);

impl OptionValue for SyncInterval {
    const KIND: &'static str = "integer from 32 to 1073741824";
    fn parse(text: &str) -> Result<Self, String> {
        let bytes = text.parse().ok().filter(|bytes| (32..=1 << 30).contains(bytes));
        bytes.map(Self).ok_or_else(|| "not a whole number from 32 to 1073741824".to_owned())
    }
    fn show(&self) -> String {
        self.0.to_string()
    }
}

pub(super) const AVRO_EVENT: SerializerType = SerializerType {
    spec: ComponentSpec::of::<AvroEventOptions>(
        ComponentKind::Serializer,
        "avro_event",
        &["org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder"],
    ),
    build: |settings| {
        let options = AvroEventOptions::of(settings)?;
        Ok(Box::new(options))
    },
};

impl SerializerFactory for AvroEventOptions {
    fn create(&self) -> Box<dyn Serializer> {
        Box::new(AvroEvent(ContainerWriter::new(self.compression_codec, self.sync_interval_bytes.0)))
    }
}

struct AvroEvent(ContainerWriter);

impl Serializer for AvroEvent {
    fn begin(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.0.write_header(EVENT_SCHEMA, out)
    }
    fn write(&mut self, batch: &Batch, out: &mut dyn io::Write) -> io::Result<()> {
        let mut headers = Vec::new();
        batch
            .iter()
            .try_for_each(|event| self.0.append(out, |datum| datum::encode_event(event, &mut headers, datum)))
    }
    fn flush(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.0.end_block(out)
    }
    fn discard(&mut self) {
        self.0.discard();
    }
    fn end(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.0.end_block(out)
    }
}
