//! Which folders belong to a channel, and Flume's locks on them.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use crate::error::FlumeLogError;

const LOCK_FILE: &str = "in_use.lock";
const CHECKPOINT_FILE: &str = "checkpoint";
/// Folders below the one given that are looked into: `~/.flume/file-channel` has its own one level down.
const DEPTH_MAX: usize = 3;

/// The folders of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlumeDirectories {
    /// `checkpointDir`, if there is one: without it the logs are read in full.
    pub checkpoint: Option<PathBuf>,
    /// `backupCheckpointDir`, used when the checkpoint is damaged.
    pub backup_checkpoint: Option<PathBuf>,
    /// `dataDirs`.
    pub data: Vec<PathBuf>,
}

impl FlumeDirectories {
    /// Finds them below some folders, or in these themselves: data folders by their logs, checkpoints by their name.
    ///
    /// # Errors
    /// If there are no logs, or more than one checkpoint.
    pub fn below(folders: &[PathBuf]) -> Result<Self, FlumeLogError> {
        let mut found = Self::default();
        let mut checkpoints = Vec::new();
        let mut left: Vec<(PathBuf, usize)> = folders.iter().map(|folder| (folder.clone(), 0)).collect();
        while let Some((dir, depth)) = left.pop() {
            let mut has_logs = false;
            for entry in std::fs::read_dir(&dir).map_err(FlumeLogError::io(&dir))? {
                let entry = entry.map_err(FlumeLogError::io(&dir))?;
                let kind = entry.file_type().map_err(FlumeLogError::io(entry.path()))?;
                has_logs |= kind.is_file() && log_number(&entry.path()).is_some();
                if kind.is_dir() && depth < DEPTH_MAX {
                    left.push((entry.path(), depth + 1));
                }
            }
            if has_logs {
                found.data.push(dir.clone());
            }
            if dir.join("backupComplete").is_file() {
                found.backup_checkpoint = Some(dir);
            } else if dir.join(CHECKPOINT_FILE).is_file() {
                checkpoints.push(dir);
            }
        }
        found.data.sort();
        found.data.dedup();
        checkpoints.sort();
        checkpoints.dedup();
        if found.data.is_empty() {
            return Err(FlumeLogError::NoLogs { path: folders.first().cloned().unwrap_or_default() });
        }
        if checkpoints.len() > 1 {
            let path = folders.first().cloned().unwrap_or_default();
            return Err(FlumeLogError::SeveralChannels { path, checkpoints });
        }
        found.checkpoint = checkpoints.pop();
        Ok(found)
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.checkpoint.iter().chain(&self.backup_checkpoint).chain(&self.data)
    }

    /// Takes a shared lock on each lock file that is there. Flume needs an exclusive one, so it does not run,
    /// and cannot start on these folders as long as the files are open. Where Flume has deleted its lock file
    /// (a clean stop) there is nothing to lock, and nothing is written to change that.
    pub(crate) fn lock(&self) -> Result<Vec<File>, FlumeLogError> {
        let mut locks = Vec::new();
        for path in self.all().map(|dir| dir.join(LOCK_FILE)).filter(|path| path.is_file()) {
            let file = File::open(&path).map_err(FlumeLogError::io(&path))?;
            match fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => locks.push(file),
                Err(Errno::AGAIN | Errno::ACCESS) => return Err(FlumeLogError::InUse { path }),
                Err(error) => return Err(FlumeLogError::Io { path, source: error.into() }),
            }
        }
        Ok(locks)
    }

    /// All logs with their numbers, ascending.
    pub(crate) fn logs(&self) -> Result<Vec<(i32, PathBuf)>, FlumeLogError> {
        let mut logs: Vec<(i32, PathBuf)> = Vec::new();
        for dir in &self.data {
            for entry in std::fs::read_dir(dir).map_err(FlumeLogError::io(dir))? {
                let path = entry.map_err(FlumeLogError::io(dir))?.path();
                if let Some(number) = log_number(&path).filter(|_| path.is_file()) {
                    logs.push((number, path));
                }
            }
        }
        logs.sort();
        if let Some(pair) = logs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(FlumeLogError::SameNumber { first: pair[0].1.clone(), second: pair[1].1.clone() });
        }
        if logs.is_empty() {
            let path = self.data.first().cloned().unwrap_or_default();
            return Err(FlumeLogError::NoLogs { path });
        }
        Ok(logs)
    }
}

/// The number of a log by its name: `log-12`.
fn log_number(path: &Path) -> Option<i32> {
    let digits = path.file_name()?.to_str()?.strip_prefix("log-")?;
    digits.parse().ok().filter(|n| *n >= 0 && digits.bytes().all(|b| b.is_ascii_digit()))
}
