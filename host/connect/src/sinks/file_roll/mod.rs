//! `file_roll`: events into the files of a directory, a new file every so often.
//!
//! ```text
//! sink (this file)  options; when to roll
//!   └ roller        which file is open, what becomes of it when something fails
//!       ├ names     what the next file is called
//!       └ file      one open file: serialize, gather, write, cut back
//!           └ disk  the system calls, replaceable for tests
//! ```
//!
//! Promise, which `roller` keeps: when `deliver` returns, the events are in the file as far as the operating
//! system is concerned (`write` has returned; with `sink.fsync = batch` also `fdatasync`). When it fails,
//! nothing of them stays in any file, so that they can be given again.

mod disk;
mod error;
mod file;
mod names;
mod roller;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, OptionValue, Options, Settings, options};
use flumen_event::Batch;

use crate::ComponentError;
use crate::catalog::SinkType;
use crate::ledger::SinkCounters;
use crate::serializers::build_serializer;
use crate::sink::{Delivery, Sink};

pub(super) use names::PATH_MANAGERS;
use roller::{Roller, RollerParts};

options! {
    /// Writes events into files of a local directory and begins a new file every `sink.rollInterval` seconds,
    /// events or not: an interval without events leaves an empty file, as in Flume.
    ///
    /// **What is safe when.** Each batch is written to the operating system before it leaves the channel: it
    /// survives the death of the agent, and with `sink.fsync = batch` also that of the machine.
    ///
    /// **When something fails** the batch stays in the channel and is tried again, and the file is cut back to
    /// the last whole batch, so no line is torn or doubled. If the disk is full, the same file goes on once
    /// there is room. After any other error the next attempt begins a new file. Only if the file cannot be cut
    /// back either is it left as it is, which is logged: its last lines may then stand in the next file again.
    ///
    /// **Files are never overwritten:** a name that is taken is passed over (Flume would empty the file). A file
    /// that was moved away is written on until the next roll. If the open file was deleted, which is noticed
    /// before each batch leaves the channel, the batch goes into a new file; what the deleted file held is gone.
    ///
    /// The directory must exist. It is not created; while it is missing the sink fails and tries again.
    pub struct FileRollOptions {
        /// The directory of the files.
        "sink.directory" => directory: String,
        /// Seconds after which a new file is begun. 0 or less: never.
        "sink.rollInterval" => roll_interval_s: i64 = 30,
        /// Most events in one transaction, and in one `write`.
        "sink.batchSize" => batch_size: Count = Count(100),
        /// How events become bytes: `text`, `header_and_text` or `avro_event`. The serializer's own options
        /// follow the key: `sink.serializer.appendNewline`.
        "sink.serializer" => serializer: String = crate::serializers::DEFAULT.to_owned(),
        /// How files are named: `default` or `rolltime`. Options follow the key: `sink.pathManager.prefix`.
        "sink.pathManager" => path_manager: String = names::DEFAULT.to_owned(),
        /// Whether a batch must be on the disk before it leaves the channel (`batch`), or may wait in the
        /// operating system's cache (`never`, as in Flume). `batch` costs a disk flush per transaction: choose
        /// a large `sink.batchSize` with it. Flumen only.
        "sink.fsync" => fsync: Fsync = Fsync::Never,
    }
}

/// When a file is forced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// When the operating system likes.
    Never,
    /// Before a batch is reported as delivered.
    Batch,
}

impl OptionValue for Fsync {
    const KIND: &'static str = "never|batch";
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Fsync::Never),
            "batch" => Ok(Fsync::Batch),
            _ => Err("neither `never` nor `batch`".to_owned()),
        }
    }
    fn show(&self) -> String {
        if *self == Fsync::Never { "never" } else { "batch" }.to_owned()
    }
}

pub(super) const FILE_ROLL: SinkType = SinkType {
    spec: ComponentSpec {
        batch_size: Some(|settings| FileRollOptions::of(settings).map_or(0, |o| o.batch_size.0)),
        ..ComponentSpec::of::<FileRollOptions>(
            ComponentKind::Sink,
            "file_roll",
            &["org.apache.flume.sink.RollingFileSink"],
        )
    },
    build: |settings| Ok(Box::new(FileRollSink::build(settings)?)),
};

struct FileRollSink {
    name: String,
    batch_size: usize,
    roller: Roller,
}

impl FileRollSink {
    fn build(settings: &Settings) -> Result<Self, Diagnostics> {
        let options = FileRollOptions::of(settings)?;
        let roll_interval_s = u64::try_from(options.roll_interval_s).unwrap_or(0);
        let roller = Roller::new(RollerParts {
            directory: PathBuf::from(&options.directory),
            interval: (roll_interval_s > 0).then(|| Duration::from_secs(roll_interval_s)),
            fsync: options.fsync,
            names: names::build(settings, "sink.pathManager")?,
            serializers: build_serializer(settings, "sink.serializer")?,
            disk: Box::new(disk::RealDisk),
        });
        Ok(Self { name: settings.name().to_owned(), batch_size: options.batch_size.0, roller })
    }
}

#[async_trait]
impl Sink for FileRollSink {
    fn batch_size(&self) -> usize {
        self.batch_size
    }
    fn attach(&mut self, counters: Arc<SinkCounters>) {
        self.roller.count_in(counters);
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        self.roller.open(Instant::now())?;
        tracing::info!(target: roller::LOG, "RollingFileSink {} started.", self.name);
        Ok(())
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        self.roller.deliver(events, Instant::now())?;
        Ok(Delivery::default())
    }
    fn idle_at(&self) -> Option<Instant> {
        self.roller.roll_at()
    }
    async fn idle(&mut self) -> Result<(), ComponentError> {
        Ok(self.roller.idle(Instant::now())?)
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        self.roller.close();
        tracing::info!(target: roller::LOG, "RollingFile sink {} stopped.", self.name);
        Ok(())
    }
}
