//! What an operator can do with a channel that no agent runs: look at it, check it, take events out, put it in order.
//!
//! All of it locks the folders first: an agent that is using them is named in the error. Nothing here deletes
//! anything that has not been copied before.

use std::io::{Error, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flumen_event::Batch;

use crate::channel::Channel;
use crate::counters::ChannelCounters;
use crate::error::TakeError;
use crate::file::channel::{FileChannel, FileLimits};
use crate::file::cipher::RecordCipher;
use crate::file::log::Parts;
use crate::file::metrics::LogMetrics;
use crate::file::open_error::OpenError;
use crate::file::reader::Ledger;
use crate::file::record::{Kind, RECORDS_AT};
use crate::file::recover;
use crate::file::scan::{self, Item};
use crate::file::segment::path_of;
use crate::file::storage::Disk;
use crate::gate::Gate;
use crate::put_all::put_all;
use crate::queue::{Demand, Queue};
use crate::{Patience, PutAllError};

/// A channel as its options name it.
#[derive(Clone)]
pub struct Target {
    /// Its folders.
    pub limits: FileLimits,
    /// Its keys, if it has any.
    pub cipher: Option<Arc<dyn RecordCipher>>,
}

/// Something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The channel cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be read or written.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: Error,
    },
    /// A folder of events is not there. Nothing is made: a wrong path would look like an empty channel.
    #[error("there is no folder {}: is the path right, and the user the one that runs the agent?", .0.display())]
    NoFolder(PathBuf),
    /// The backup would overwrite something.
    #[error("the backup folder {} is not empty: name a new one", .0.display())]
    BackupExists(PathBuf),
    /// The channel did not take the events back. They are still in it.
    #[error("the events could not be written again: {0}")]
    Put(#[from] PutAllError),
    /// The channel did not give the events. They are still in it.
    #[error("the events could not be read: {0}")]
    Take(#[from] TakeError),
    /// A runtime is needed and cannot be had.
    #[error("no threads: {0}")]
    Runtime(Error),
}

/// One segment of a channel.
#[derive(Clone, Debug)]
pub struct SegmentReport {
    /// Its file.
    pub path: PathBuf,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Events ever put into it.
    pub events: u64,
    /// Events of it that are still to be delivered.
    pub pending: u64,
    /// When the first was put, in milliseconds since 1970; 0 if there is none.
    pub put_at_ms: u64,
    /// Cipher and key of its events, if they are sealed.
    pub sealed_with: Option<(String, String)>,
}

/// A damaged place.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// How many events a record had of which the head can be read.
    pub events: Option<u32>,
}

impl Target {
    fn parts(&self, queue: Queue) -> Parts {
        Parts {
            storage: Arc::new(Disk),
            options: self.limits.log.clone(),
            cipher: self.cipher.clone(),
            metrics: Arc::default(),
            queue,
        }
    }
    /// The channel is there.
    fn check_folders(&self) -> std::result::Result<(), ToolError> {
        match self.limits.log.data_dirs.iter().find(|dir| !dir.is_dir()) {
            Some(missing) => Err(ToolError::NoFolder(missing.clone())),
            None => Ok(()),
        }
    }
    fn queue() -> Queue {
        Queue::new(Demand { events: usize::MAX, slots: usize::MAX }, |_| 0)
    }

    /// What is in the channel, segment by segment. Keys are not needed for that.
    ///
    /// # Errors
    /// If the folders cannot be read, or are in use.
    pub fn inspect(&self) -> std::result::Result<Vec<SegmentReport>, ToolError> {
        self.check_folders()?;
        let parts = self.parts(Self::queue());
        let (index, _locks) = recover::survey(&parts, recover::Keys::NotNeeded)?;
        let segments = index.segments.iter().map(|(&number, segment)| {
            let path = path_of(&self.limits.log.data_dirs[segment.lane], number);
            let head =
                scan::open(&Disk, &path, RECORDS_AT, RECORDS_AT).ok().and_then(std::result::Result::ok);
            let sealed_with = head.map(|(_, head)| (head.cipher, head.key)).filter(|(c, _)| !c.is_empty());
            SegmentReport {
                path,
                file_bytes: segment.file_bytes,
                events: u64::from(segment.known.events),
                pending: segment.known.pending(),
                put_at_ms: segment.known.put_at_ms,
                sealed_with,
            }
        });
        Ok(segments.collect())
    }

    /// Reads every byte of every segment, and says what is damaged.
    ///
    /// # Errors
    /// If the folders cannot be read, or are in use.
    pub fn verify(&self) -> std::result::Result<(u64, Vec<Damage>), ToolError> {
        self.check_folders()?;
        let parts = self.parts(Self::queue());
        let (index, _locks) = recover::survey(&parts, recover::Keys::NotNeeded)?;
        let (mut records, mut damage) = (0, Vec::new());
        for (&number, segment) in &index.segments {
            let path = path_of(&self.limits.log.data_dirs[segment.lane], number);
            let failed = |cause| ToolError::File { path: path.clone(), cause };
            let length = std::fs::metadata(&path).map_err(failed)?.len();
            let Ok((mut scanner, _)) = scan::open(&Disk, &path, RECORDS_AT, length).map_err(failed)? else {
                damage.push(Damage { path, offset: 0, bytes: length, events: None });
                continue;
            };
            while let Some((offset, item)) = scanner.next_item().map_err(failed)? {
                let bytes = scanner.offset() - offset;
                let path = path.clone();
                match item {
                    Item::Record { .. } => records += 1,
                    Item::DamagedPayload { head } => {
                        let events = (head.kind == Kind::Put).then_some(head.events);
                        damage.push(Damage { path, offset, bytes, events });
                    }
                    Item::Damaged { bytes } => damage.push(Damage { path, offset, bytes, events: None }),
                }
            }
        }
        Ok((records, damage))
    }

    /// Hands all pending events out, oldest first. They stay in the channel.
    ///
    /// # Errors
    /// If the channel cannot be read, or `give` fails.
    pub fn export(&self, mut give: impl FnMut(&Batch) -> Result<()>) -> std::result::Result<u64, ToolError> {
        self.check_folders()?;
        let queue = Self::queue();
        let (log, pending) = recover::open_to_read(self.parts(queue.clone()))?;
        queue.recover(pending.events, pending.body_bytes, pending.since);
        let (gate, counters) = (Gate::default(), ChannelCounters::default());
        let ledger = Ledger { gate: &gate, counters: &counters };
        let mut given = 0;
        let failed = |cause| ToolError::File { path: self.limits.log.data_dirs[0].clone(), cause };
        loop {
            log.load(1, ledger).map_err(failed)?;
            let Some(take) = queue.try_take(usize::MAX) else { break };
            for batch in take.batches() {
                give(batch).map_err(|cause| ToolError::File { path: "the output".into(), cause })?;
                given += batch.len() as u64;
            }
            // Out of memory, not out of the log: that would need a record.
            take.commit();
        }
        Ok(given)
    }

    /// Copies all folders to `backup`, then writes every pending event that can be read to new segments; the old
    /// ones, damage and all, come free. Says how many events there are, and how many could not be read.
    ///
    /// # Errors
    /// Before anything is changed, if the backup cannot be made. Later, if the channel fails: run it again then;
    /// events may be there twice, none is missing.
    pub fn repair(&self, backup: &Path) -> std::result::Result<(u64, u64), ToolError> {
        self.check_folders()?;
        self.back_up(backup)?;
        let unlimited =
            FileLimits { capacity: usize::MAX, transaction_capacity: 10_000, ..self.limits.clone() };
        let gate = Arc::new(Gate::default());
        let channel = Arc::new(FileChannel::new(unlimited, self.cipher.clone(), gate.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(ToolError::Runtime)?;
        runtime.block_on(async {
            channel.try_open()?;
            let before = channel.status().events as u64;
            let mut written = 0;
            let lost = || channel.counters().damaged.load(std::sync::atomic::Ordering::Relaxed);
            while written + lost() < before {
                let left = (before - written - lost()).min(10_000) as usize;
                let Some(take) = channel.try_take(left).await? else { break };
                for batch in take.batches() {
                    let parts: [(Arc<dyn Channel>, Batch); 1] = [(channel.clone(), batch.clone())];
                    put_all(&parts, Patience::None, &gate, || ()).await?;
                }
                written += take.len() as u64;
                take.commit(&mut || ()).await?;
            }
            let lost = lost() + LogMetrics::get(&channel.metrics().quarantined_events).saturating_sub(lost());
            channel.close();
            Ok((written, lost))
        })
    }

    fn back_up(&self, backup: &Path) -> std::result::Result<(), ToolError> {
        // Locked while it is copied: what is copied belongs together.
        let parts = self.parts(Self::queue());
        let _locks = recover::take_dirs(&parts)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| ToolError::File { path, cause }
        };
        std::fs::create_dir_all(backup).map_err(failed(backup))?;
        if std::fs::read_dir(backup).map_err(failed(backup))?.next().is_some() {
            return Err(ToolError::BackupExists(backup.to_owned()));
        }
        let options = &self.limits.log;
        let mut dirs: Vec<(PathBuf, &PathBuf)> = vec![(backup.join("checkpoint"), &options.checkpoint_dir)];
        dirs.extend(options.data_dirs.iter().enumerate().map(|(n, d)| (backup.join(format!("data-{n}")), d)));
        dirs.extend(options.backup_checkpoint_dir.iter().map(|d| (backup.join("backup-checkpoint"), d)));
        for (to, from) in dirs {
            std::fs::create_dir(&to).map_err(failed(&to))?;
            for entry in std::fs::read_dir(from).map_err(failed(from))? {
                let entry = entry.map_err(failed(from))?;
                if entry.file_type().map_err(failed(from))?.is_file() {
                    copy(&entry.path(), &to.join(entry.file_name())).map_err(failed(&entry.path()))?;
                }
            }
            std::fs::File::open(&to).and_then(|dir| dir.sync_all()).map_err(failed(&to))?;
        }
        std::fs::File::open(backup).and_then(|dir| dir.sync_all()).map_err(failed(backup))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut target = std::fs::File::create_new(to)?;
    std::io::copy(&mut std::fs::File::open(from)?, &mut target)?;
    target.flush()?;
    target.sync_all()
}
