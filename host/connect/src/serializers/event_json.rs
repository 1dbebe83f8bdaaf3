//! `event_json`: one JSON object a line, headers and body: the format of dead letters, which `flumen replay` reads.
//! Flumen only.

use std::io;

use flumen_config::{ComponentKind, ComponentSpec, options};
use flumen_event::Batch;

use crate::catalog::SerializerType;
use crate::dead_letter::line;
use crate::serializer::{Serializer, SerializerFactory};

options! {
    /// One JSON object a line: `{"body":"text","headers":{"name":"value"}}`; a body that is no UTF-8 stands under
    /// `bodyBase64`. The format of dead letters: `flumen replay` reads such files. Flumen only.
    pub struct EventJsonOptions {}
}

pub(super) const EVENT_JSON: SerializerType = SerializerType {
    spec: ComponentSpec::of::<EventJsonOptions>(ComponentKind::Serializer, "event_json", &[]),
    build: |_| Ok(Box::new(Factory)),
};

struct Factory;

impl SerializerFactory for Factory {
    fn create(&self) -> Box<dyn Serializer> {
        Box::new(EventJson { lines: Vec::new() })
    }
}

struct EventJson {
    /// Kept between batches for its memory.
    lines: Vec<u8>,
}

impl Serializer for EventJson {
    fn begin(&mut self, _: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
    fn write(&mut self, batch: &Batch, out: &mut dyn io::Write) -> io::Result<()> {
        self.lines.clear();
        batch.iter().for_each(|event| line::write(event, &mut self.lines));
        out.write_all(&self.lines)
    }
    fn flush(&mut self, _: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
    fn end(&mut self, _: &mut dyn io::Write) -> io::Result<()> {
        Ok(())
    }
}
