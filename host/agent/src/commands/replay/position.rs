//! How far a file of dead letters was replayed for one plugin: a small file beside it.
//!
//! ```text
//! INODE OFFSET\n      written beside, synced, renamed: whole or as before
//! ```
//! Held by a lock while a replay runs: two at a time would give everything twice.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Why a replay cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum PositionError {
    /// A file cannot be used.
    #[error("{}: {cause}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Another replay runs.
    #[error("another replay of {} is under way (it holds {})", letters.display(), lock.display())]
    InUse {
        /// The dead letters.
        letters: PathBuf,
        /// Its lock.
        lock: PathBuf,
    },
    /// The position was written for a file that was there before.
    #[error(
        "{} is of another file that was called {} before; remove it to replay this one from its start",
        position.display(), letters.display()
    )]
    OtherFile {
        /// The position file.
        position: PathBuf,
        /// The dead letters.
        letters: PathBuf,
    },
}

/// The place from which on dead letters were not replayed yet.
pub(super) struct Position {
    letters: PathBuf,
    path: PathBuf,
    inode: u64,
    /// Bytes that are done.
    pub(super) offset: u64,
    /// Where the file ended when the replay began: what is appended later is for the next one.
    pub(super) end: u64,
    _lock: File,
}

impl Position {
    /// Finds the place, and keeps others away from it.
    pub(super) fn open(letters: &Path, plugin: &str) -> Result<Self, PositionError> {
        let failed = |file: &Path| {
            let file = file.to_owned();
            move |cause| PositionError::File { file, cause }
        };
        let found = std::fs::metadata(letters).map_err(failed(letters))?;
        let beside = |ending: &str| {
            let safe: String = plugin.chars().map(|c| if c == '/' { '_' } else { c }).collect();
            let mut name = letters.as_os_str().to_owned();
            name.push(format!(".{safe}.{ending}"));
            PathBuf::from(name)
        };
        let (path, lock_path) = (beside("position"), beside("lock"));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(failed(&lock_path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(PositionError::InUse { letters: letters.to_owned(), lock: lock_path });
        }
        let offset = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let known = text
                    .trim()
                    .split_once(' ')
                    .and_then(|(i, o)| Some((i.parse::<u64>().ok()?, o.parse::<u64>().ok()?)));
                match known {
                    Some((inode, offset)) if inode == found.ino() && offset <= found.len() => offset,
                    _ => {
                        return Err(PositionError::OtherFile { position: path, letters: letters.to_owned() });
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failed(&path)(error)),
        };
        let (inode, end) = (found.ino(), found.len());
        Ok(Self { letters: letters.to_owned(), path, inode, offset, end, _lock: lock })
    }

    /// The dead letters.
    pub(super) fn letters(&self) -> &Path {
        &self.letters
    }

    /// Everything before this is done.
    pub(super) fn save(&mut self, offset: u64) -> io::Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let mut file = File::create(&beside)?;
        writeln!(file, "{} {offset}", self.inode)?;
        file.sync_data()?;
        std::fs::rename(&beside, &self.path)?;
        self.offset = offset;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_and_belongs_to_one_file_and_one_replay() {
        let dir = tempfile::tempdir().expect("a folder");
        let letters = dir.path().join("dead.jsonl");
        std::fs::write(&letters, "0123456789").expect("written");
        let mut position = Position::open(&letters, "a1.sources.r1.interceptors.i1").expect("new");
        assert_eq!((position.offset, position.end), (0, 10));
        position.save(7).expect("written");
        let other = Position::open(&letters, "a1.sources.r1.interceptors.i1").err().expect("held");
        assert!(matches!(other, PositionError::InUse { .. }), "{other}");
        assert_eq!(Position::open(&letters, "another").expect("its own").offset, 0);
        drop(position);
        assert_eq!(Position::open(&letters, "a1.sources.r1.interceptors.i1").expect("known").offset, 7);
        std::fs::rename(&letters, dir.path().join("old")).expect("moved");
        std::fs::write(&letters, "0123456789").expect("written");
        let other = Position::open(&letters, "a1.sources.r1.interceptors.i1").err().expect("another file");
        assert!(matches!(other, PositionError::OtherFile { .. }), "{other}");
    }
}
