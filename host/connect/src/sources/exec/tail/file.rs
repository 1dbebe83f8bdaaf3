//! The file behind a `tail`: opened by us as well, so that it can be looked at after it was renamed.
//!
//! All reads here are small or rare, and of pages that `tail` has just read; they are done in place.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::StartAt;

const BLOCK_BYTES: usize = 64 * 1024;

/// What makes a file the same file under any name, as long as it is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub device: u64,
    pub inode: u64,
}

/// A regular file that stays the same file whatever becomes of its name.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    identity: Identity,
}

/// A byte of a file.
#[derive(Clone, Debug)]
pub(in super::super) struct Place {
    pub(super) held: Arc<Held>,
    pub(super) at: u64,
}

impl Place {
    /// Reads the file from here on.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub fn reader(&self) -> io::Result<File> {
        self.held.reader_from(self.at)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && self.held.is_same(&other.held)
    }
}

impl Held {
    /// Opens the file of this name now. `None` if there is none, or it is no regular file.
    pub fn open(path: &Path) -> Option<Self> {
        // Looked at before it is opened: opening a named pipe would wait for its writer.
        std::fs::metadata(path).ok().filter(|found| found.is_file())?;
        let file = File::open(path).ok()?;
        let found = file.metadata().ok()?;
        Some(Self { file, identity: Identity { device: found.dev(), inode: found.ino() } })
    }
    /// Which file it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }
    /// Whether both are one file.
    pub fn is_same(&self, other: &Held) -> bool {
        self.identity == other.identity
    }
    /// Its size now.
    pub fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.len())
    }
    /// When it was written to last.
    pub fn written_at(&self) -> Option<SystemTime> {
        self.file.metadata().and_then(|found| found.modified()).ok()
    }
    /// The bytes before an offset, at most this many; none if they cannot be read.
    pub fn before(&self, offset: u64, bytes_max: usize) -> Vec<u8> {
        let start = offset.saturating_sub(bytes_max as u64);
        let mut bytes = vec![0; (offset - start) as usize];
        if self.file.read_exact_at(&mut bytes, start).is_ok() { bytes } else { Vec::new() }
    }
    /// A reader of its own, that starts at an offset.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub fn reader_from(&self, offset: u64) -> io::Result<File> {
        use std::io::{Seek, SeekFrom};
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }
    /// Whether these bytes are at this offset.
    pub fn has_at(&self, offset: u64, bytes: &[u8]) -> bool {
        self.common_prefix(offset, bytes) == bytes.len()
    }
    /// How many of the bytes from the first on are at this offset.
    pub fn common_prefix(&self, offset: u64, bytes: &[u8]) -> usize {
        let mut block = vec![0; BLOCK_BYTES.min(bytes.len())];
        let mut same = 0;
        while same < bytes.len() {
            let wanted = block.len().min(bytes.len() - same);
            let count = match self.file.read_at(&mut block[..wanted], offset + same as u64) {
                Ok(0) | Err(_) => return same,
                Ok(count) => count,
            };
            let equal = block[..count].iter().zip(&bytes[same..]).take_while(|(a, b)| a == b).count();
            same += equal;
            if equal < count {
                return same;
            }
        }
        same
    }

    /// Where `tail` would start.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn start(&self, at: StartAt) -> io::Result<u64> {
        match at {
            StartAt::Line(number) => self.start_of_line(number),
            StartAt::LastLines(count) => self.start_of_last(count),
        }
    }
    fn start_of_line(&self, number: u64) -> io::Result<u64> {
        let (mut missing, mut at) = (number.saturating_sub(1), 0);
        let mut block = vec![0; BLOCK_BYTES];
        while missing > 0 {
            let count = self.file.read_at(&mut block, at)?;
            if count == 0 {
                break;
            }
            for found in memchr::memchr_iter(b'\n', &block[..count]) {
                missing -= 1;
                if missing == 0 {
                    return Ok(at + found as u64 + 1);
                }
            }
            at += count as u64;
        }
        Ok(at)
    }
    fn start_of_last(&self, count: u64) -> io::Result<u64> {
        let size = self.size();
        if count == 0 || size == 0 {
            return Ok(size);
        }
        // The line feed of the last line starts no other line; a last line without one counts as a line.
        let mut end = size - u64::from(self.has_at(size - 1, b"\n"));
        let mut missing = count;
        let mut block = vec![0; BLOCK_BYTES];
        while end > 0 {
            let start = end.saturating_sub(BLOCK_BYTES as u64);
            let part = &mut block[..(end - start) as usize];
            self.file.read_exact_at(part, start)?;
            for found in memchr::memrchr_iter(b'\n', part) {
                missing -= 1;
                if missing == 0 {
                    return Ok(start + found as u64 + 1);
                }
            }
            end = start;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(content: &[u8]) -> (tempfile::TempDir, Held) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        std::fs::write(&path, content).expect("written");
        let held = Held::open(&path).expect("a file");
        (dir, held)
    }

    #[test]
    fn starts_are_those_of_tail() {
        let long = b"0123456789\n".repeat(20_000);
        for content in [&b""[..], b"a", b"a\n", b"a\nb", b"a\nb\n", b"\n\n\n", &long] {
            let (dir, held) = held(content);
            for (number, at) in [
                ("0", StartAt::LastLines(0)),
                ("1", StartAt::LastLines(1)),
                ("2", StartAt::LastLines(2)),
                ("10000", StartAt::LastLines(10_000)),
                ("+0", StartAt::Line(0)),
                ("+1", StartAt::Line(1)),
                ("+2", StartAt::Line(2)),
                ("+15000", StartAt::Line(15_000)),
            ] {
                let real = std::process::Command::new("tail")
                    .arg("-n")
                    .arg(number)
                    .arg(dir.path().join("f"))
                    .output();
                let start = held.start(at).expect("readable") as usize;
                assert!(content[start..] == real.expect("tail runs").stdout, "tail -n {number}");
            }
        }
    }
}
