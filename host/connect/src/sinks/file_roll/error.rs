//! What can go wrong between a batch and its file. All of it means: the batch stays in the channel, try again.

use std::io;
use std::path::PathBuf;

/// Why a batch is not in a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum RollError {
    /// Flume's "Failed to open file … while delivering event".
    #[error("directory {} does not exist: create it, this sink does not", directory.display())]
    NoDirectory { directory: PathBuf },
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("no free file name in {} after {tried} attempts, the last was {last}", directory.display())]
    NamesTaken { directory: PathBuf, tried: usize, last: String },
    #[error("no space for {}: {source}; it goes on there once there is room", path.display())]
    NoSpace { path: PathBuf, source: io::Error },
    #[error("cannot {step} {}: {source}; the next attempt is made in a new file", path.display())]
    Write { path: PathBuf, step: Step, source: io::Error },
    #[error("{} was deleted as soon as it was written, twice in a row", path.display())]
    Deleted { path: PathBuf },
}

impl RollError {
    pub(super) fn open(path: PathBuf, directory: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound if !directory.exists() => RollError::NoDirectory { directory },
            _ => RollError::Open { path, source },
        }
    }
}

/// What was being done to a file when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Write,
    Sync,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Step::Write { "write" } else { "sync" })
    }
}

/// A file did not take what it was given.
#[derive(Debug)]
pub(super) struct Failed {
    pub step: Step,
    pub source: io::Error,
}

impl Failed {
    pub(super) fn write(source: io::Error) -> Self {
        Self { step: Step::Write, source }
    }
    pub(super) fn sync(source: io::Error) -> Self {
        Self { step: Step::Sync, source }
    }
    /// Whether it passes when somebody makes room, so that another file would be no better. After a failed
    /// sync it cannot be said which bytes the disk has, so that the file is not gone on with in any case.
    pub(super) fn is_no_space(&self) -> bool {
        let full = matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        full && self.step == Step::Write
    }
}
