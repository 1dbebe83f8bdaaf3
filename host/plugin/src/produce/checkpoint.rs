//! Where a source plugin goes on after a restart: one file for each source.
//!
//! ```text
//! STATE_DIR/checkpoints/a1.sources.r1
//!   "flumen checkpoint 1\n" │ SHA-256 of the rest, 32 bytes │ the checkpoint, at most 64 KiB
//! ```
//!
//! Invariants: the file holds an older checkpoint or the new one, never a part of one: it is written beside, forced to
//! the disk, renamed, and the folder forced to the disk as well. A file that was changed is an error: beginning from
//! the start instead would deliver everything again without a word.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::world::v0_1_0::source::CHECKPOINT_BYTES_MAX;

const MAGIC: &[u8] = b"flumen checkpoint 1\n";
const DIGEST_BYTES: usize = 32;
/// Names beyond this many bytes are cut, with their digest behind the rest.
const NAME_BYTES_MAX: usize = 150;

/// Why a checkpoint cannot be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk failed.
    #[error("cannot {doing} the checkpoint {}: {cause}", file.display())]
    Io {
        /// "read" or "store".
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file was not written like this.
    #[error("the checkpoint {} is damaged ({reason}): restore it, or remove it to begin from the start", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The checkpoint of one source.
#[derive(Clone, Debug)]
pub struct CheckpointFile(PathBuf);

impl CheckpointFile {
    /// The file of the source with this path in the configuration, below the host's state folder.
    #[must_use]
    pub fn new(state_dir: &Path, source_path: &str) -> Self {
        Self(state_dir.join("checkpoints").join(file_name(source_path)))
    }

    /// The newest checkpoint that was stored; none if there never was one.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn load(&self) -> Result<Option<Vec<u8>>, CheckpointError> {
        let bytes = match fs::read(&self.0) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|cause| self.io("read", cause))?,
        };
        let damaged = |reason| CheckpointError::Damaged { file: self.0.clone(), reason };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as one"))?;
        let (digest, checkpoint) =
            rest.split_at_checked(DIGEST_BYTES).ok_or_else(|| damaged("it is too short"))?;
        if Sha256::digest(checkpoint)[..] != *digest {
            return Err(damaged("its digest is another"));
        }
        Ok(Some(checkpoint.to_vec()))
    }

    /// Puts a checkpoint in the place of the former one. On the disk when it returns.
    ///
    /// # Errors
    /// If the disk fails; the former one, or the new one, is then in place.
    pub fn store(&self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        assert!(checkpoint.len() <= CHECKPOINT_BYTES_MAX, "checkpoints are checked when they are answered");
        self.write(checkpoint).map_err(|cause| self.io("store", cause))
    }

    fn write(&self, checkpoint: &[u8]) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut beside = self.0.clone().into_os_string();
        beside.push(".new");
        let mut file = File::create(&beside)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(checkpoint))?;
        file.write_all(checkpoint)?;
        file.sync_all()?;
        fs::rename(&beside, &self.0)?;
        File::open(folder)?.sync_all()
    }

    fn io(&self, doing: &'static str, cause: io::Error) -> CheckpointError {
        CheckpointError::Io { doing, file: self.0.clone(), cause }
    }
}

/// The path as a file's name: every byte that a path in a configuration seldom has, as `%` and two digits.
fn file_name(source_path: &str) -> String {
    let mut name = String::new();
    for byte in source_path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(char::from(byte)),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    if name.len() > NAME_BYTES_MAX {
        name.truncate(NAME_BYTES_MAX);
        name.push('~');
        Sha256::digest(source_path).iter().for_each(|byte| name.push_str(&format!("{byte:02x}")));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_a_folder() -> (tempfile::TempDir, CheckpointFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = CheckpointFile::new(folder.path(), "a1.sources.r1");
        (folder, file)
    }

    #[test]
    fn what_was_stored_last_is_read() {
        let (_folder, file) = in_a_folder();
        assert_eq!(file.load().expect("readable"), None);
        for checkpoint in [&b"one"[..], b"", &[7; CHECKPOINT_BYTES_MAX]] {
            file.store(checkpoint).expect("stored");
            assert_eq!(file.load().expect("readable").as_deref(), Some(checkpoint));
        }
    }

    #[test]
    fn any_changed_byte_is_found() {
        let (_folder, file) = in_a_folder();
        file.store(b"position 17").expect("stored");
        let good = fs::read(&file.0).expect("there");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&file.0, bad).expect("written");
            assert!(matches!(file.load(), Err(CheckpointError::Damaged { .. })), "byte {at}");
            fs::write(&file.0, &good[..at]).expect("written");
            assert!(matches!(file.load(), Err(CheckpointError::Damaged { .. })), "cut at {at}");
        }
    }

    #[test]
    fn a_half_written_successor_is_not_read() {
        let (folder, file) = in_a_folder();
        file.store(b"old").expect("stored");
        fs::write(folder.path().join("checkpoints/a1.sources.r1.new"), b"flumen checkpoint")
            .expect("written");
        assert_eq!(file.load().expect("readable").as_deref(), Some(&b"old"[..]));
        file.store(b"new").expect("stored over it");
        assert_eq!(file.load().expect("readable").as_deref(), Some(&b"new"[..]));
    }

    #[test]
    fn names_stay_in_the_folder_and_apart() {
        assert_eq!(file_name("a1.sources.r1"), "a1.sources.r1");
        assert_eq!(file_name("a/..b é"), "a%2f..b%20%c3%a9");
        let long = |end: &str| file_name(&format!("{}{end}", "x".repeat(300)));
        assert!(long("1").len() < 255 && long("1") != long("2"));
    }
}
