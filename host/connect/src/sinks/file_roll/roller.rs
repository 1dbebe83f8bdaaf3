//! Which file is open, and what becomes of it when something fails.
//!
//! ```text
//!            open, deliver                    interval over
//!  no file ───────────────▶ file open ──────────────────────▶ next file
//!     ▲                      │  │  no space: cut back, same file again
//!     │   other error        │  └──────────────▶ file open
//!     └── (cut back, left) ──┘
//! ```
//! Invariant: when a call returns, open files hold whole delivered batches and nothing else.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flumen_event::Batch;
use jiff::Zoned;

use super::Fsync;
use super::disk::Disk;
use super::error::{Failed, RollError};
use super::file::RollFile;
use super::names::Names;
use crate::ledger::{SinkCounters, add};
use crate::serializer::SerializerFactory;

/// Flume's name in logs.
pub(super) const LOG: &str = "org.apache.flume.sink.RollingFileSink";

/// How many names that are taken are passed over before it is an error.
const NAMES_TRIED_MAX: usize = 10_000;

/// What a roller is made of.
pub(super) struct RollerParts {
    pub directory: PathBuf,
    pub interval: Option<Duration>,
    pub fsync: Fsync,
    pub names: Names,
    pub serializers: Arc<dyn SerializerFactory>,
    pub disk: Box<dyn Disk>,
}

/// Writes batches into one file after the other.
pub(super) struct Roller {
    parts: RollerParts,
    counters: Arc<SinkCounters>,
    file: Option<RollFile>,
    /// The name of the file that is open or could not be opened yet: a failed attempt uses up no number.
    name: Option<String>,
    roll_at: Option<Instant>,
}

impl Roller {
    pub(super) fn new(parts: RollerParts) -> Self {
        Self { parts, counters: Arc::default(), file: None, name: None, roll_at: None }
    }
    pub(super) fn count_in(&mut self, counters: Arc<SinkCounters>) {
        self.counters = counters;
    }
    /// When the next file is due.
    pub(super) fn roll_at(&self) -> Option<Instant> {
        self.roll_at
    }

    /// Opens the first file and starts the clock. Intervals are counted from here, as by Flume's scheduler.
    pub(super) fn open(&mut self, now: Instant) -> Result<(), RollError> {
        self.ready()?;
        self.roll_at = self.parts.interval.map(|interval| now + interval);
        Ok(())
    }

    /// Writes the events, all or none.
    pub(super) fn deliver(&mut self, events: &[Batch], now: Instant) -> Result<(), RollError> {
        self.roll_if_due(now);
        self.write(events)?;
        if !self.left_deleted_file() {
            return Ok(());
        }
        let path = self.write(events)?;
        if self.left_deleted_file() { Err(RollError::Deleted { path }) } else { Ok(()) }
    }

    /// Begins a new file if it is time for one.
    pub(super) fn idle(&mut self, now: Instant) -> Result<(), RollError> {
        self.roll_if_due(now);
        self.ready()
    }

    /// Ends the open file.
    pub(super) fn close(&mut self) {
        if let Some(file) = self.file.take() {
            let path = file.path().to_owned();
            let counter = match file.finish(self.parts.fsync) {
                Ok(()) => &self.counters.connection_closed,
                Err(error) => {
                    let path = path.display();
                    tracing::error!(target: LOG, %path, %error, "a file could not be ended; its events are safe");
                    &self.counters.connection_failed
                }
            };
            add(counter, 1);
        }
        self.name = None;
    }

    fn roll_if_due(&mut self, now: Instant) {
        let (Some(due), Some(interval)) = (self.roll_at, self.parts.interval) else { return };
        if now < due {
            return;
        }
        // Rolls that were missed are not made up for.
        let missed = now.duration_since(due).as_nanos() / interval.as_nanos();
        let passed = u32::try_from(missed).ok().and_then(|missed| interval.checked_mul(missed + 1));
        self.roll_at = Some(passed.map_or(now + interval, |passed| due + passed));
        self.close();
    }

    fn write(&mut self, events: &[Batch]) -> Result<PathBuf, RollError> {
        let mut file = self.take_file()?;
        match file.append(events, self.parts.fsync) {
            Ok(()) => Ok(self.file.insert(file).path().to_owned()),
            Err(failed) => Err(self.recover(file, failed)),
        }
    }

    fn ready(&mut self) -> Result<(), RollError> {
        self.file = Some(self.take_file()?);
        Ok(())
    }

    /// The open file, or a new one.
    fn take_file(&mut self) -> Result<RollFile, RollError> {
        if let Some(file) = self.file.take() {
            return Ok(file);
        }
        let created = self.create();
        let counters = &self.counters;
        add(if created.is_ok() { &counters.connection_created } else { &counters.connection_failed }, 1);
        created
    }

    fn create(&mut self) -> Result<RollFile, RollError> {
        let parts = &mut self.parts;
        for _ in 0..NAMES_TRIED_MAX {
            let name = self.name.take().unwrap_or_else(|| parts.names.next(&Zoned::now()));
            // A prefix that begins with a slash stays below the directory, as in Java.
            let path = parts.directory.join(name.trim_start_matches('/'));
            match RollFile::create(&*parts.disk, &path, &*parts.serializers, parts.fsync) {
                Ok(file) => {
                    self.name = Some(name);
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    self.name = Some(name);
                    return Err(RollError::open(path, parts.directory.clone(), error));
                }
            }
        }
        let last = parts.names.next(&Zoned::now());
        Err(RollError::NamesTaken { directory: parts.directory.clone(), tried: NAMES_TRIED_MAX, last })
    }

    /// Takes back what a failed write left in the file, and decides whether the file is used further.
    fn recover(&mut self, mut file: RollFile, failed: Failed) -> RollError {
        let path = file.path().to_owned();
        let cut = file.cut_back();
        if cut.is_ok() && failed.is_no_space() {
            self.file = Some(file);
            return RollError::NoSpace { path, source: failed.source };
        }
        add(&self.counters.connection_failed, 1);
        if !file.has_events() {
            // Left behind, there would be one more such file after each attempt.
            self.name.take_if(|_| !file.remove(&*self.parts.disk));
            return RollError::Write { path, step: failed.step, source: failed.source };
        }
        if let Err(error) = cut {
            tracing::error!(target: LOG, path = %path.display(), %error,
                "a failed write could not be taken back: its events come again in the next file");
        }
        self.name = None;
        RollError::Write { path, step: failed.step, source: failed.source }
    }

    /// Leaves the open file if it was deleted: nobody could read what is written there.
    fn left_deleted_file(&mut self) -> bool {
        let Some(file) = self.file.take_if(|file| file.is_deleted()) else { return false };
        tracing::warn!(target: LOG, path = %file.path().display(), "the open file was deleted; a new one is begun");
        self.name = None;
        add(&self.counters.connection_closed, 1);
        true
    }
}
