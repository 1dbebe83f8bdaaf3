//! What the log needs of a file system, as a trait: the real disk, and one that fails on purpose.
//!
//! The log relies on this much and no more:
//! * what was written is durable after `sync` of the file returned well; before that any part of it, cut at
//!   512 bytes or 4 KiB, may be there or not;
//! * a name (made, changed or removed) is durable after `sync_dir` of its folder returned well;
//! * after a `sync` that failed nothing is known of what was written since the last good one, and a second `sync`
//!   that returns well means nothing.
//!
//! Calls block; they are made from threads that may.

mod disk;
#[cfg(any(test, feature = "contract"))]
pub mod simulated;

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::path::Path;
use std::sync::Arc;

pub use disk::Disk;

/// A file system.
pub trait Storage: Send + Sync {
    /// Makes a folder and those above it, durably.
    ///
    /// # Errors
    /// The system's.
    fn make_dir(&self, dir: &Path) -> Result<()>;
    /// Names of the files in a folder, in any order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, dir: &Path) -> Result<Vec<String>>;
    /// Makes a file that must not exist yet.
    ///
    /// # Errors
    /// The system's.
    fn create(&self, path: &Path) -> Result<Arc<dyn StoredFile>>;
    /// Opens a file for reading.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path) -> Result<Arc<dyn StoredFile>>;
    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// The system's.
    fn open_to_write(&self, path: &Path) -> Result<Arc<dyn StoredFile>>;
    /// Gives a file another name; what had that name is gone. Durable after `sync_dir`.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file. Durable after `sync_dir`.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self, dir: &Path) -> Result<()>;
    /// Bytes that may still be written below a folder.
    ///
    /// # Errors
    /// The system's.
    fn free_bytes(&self, dir: &Path) -> Result<u64>;
    /// Takes a folder for this process until what is returned is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if another has it; the error's text then says who.
    fn lock(&self, dir: &Path) -> Result<Box<dyn Send + Sync>>;
}

/// An open file.
pub trait StoredFile: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn len(&self) -> Result<u64>;
    /// Whether there is nothing in it.
    ///
    /// # Errors
    /// The system's.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads some bytes at an offset; none at the end of the file.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes some of the bytes at an offset, and says how many.
    ///
    /// # Errors
    /// The system's.
    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> Result<usize>;
    /// Takes room for this many bytes from the start, read as zeros until written. Where the file system cannot
    /// take room, only the length changes.
    ///
    /// # Errors
    /// The system's: [`ErrorKind::StorageFull`] above all.
    fn allocate(&self, bytes: u64) -> Result<()>;
    /// Cuts the file.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&self, bytes: u64) -> Result<()>;
    /// Makes what was written durable.
    ///
    /// # Errors
    /// The system's. Nothing written since the last good call can be relied on.
    fn sync(&self) -> Result<()>;
    /// Asks that the next read comes from the disk and not from memory. Best effort.
    fn forget_cache(&self);
}

/// How many pieces are handed to one call of the system; Linux takes 1,024.
const PIECES_MAX: usize = 1000;
/// A call that is interrupted this often in a row is given up as failed.
const INTERRUPTIONS_MAX: usize = 100;

/// Writes all pieces one behind the other.
///
/// # Errors
/// The first that is no interruption; any part may have been written.
pub fn write_all_at(file: &dyn StoredFile, pieces: &[&[u8]], mut offset: u64) -> Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        pieces.iter().filter(|p| !p.is_empty()).map(|p| IoSlice::new(p)).collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        let some = rest.len().min(PIECES_MAX);
        let written = uninterrupted(|| file.write_at(&rest[..some], offset))?;
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        offset += written as u64;
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}

/// Reads until the buffer is full or the file ends, and says how much.
///
/// # Errors
/// The first that is no interruption.
pub fn read_full_at(file: &dyn StoredFile, into: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        let read = uninterrupted(|| file.read_at(&mut into[filled..], offset + filled as u64))?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    Ok(filled)
}

/// Repeats a call as long as a signal interrupts it.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 0..INTERRUPTIONS_MAX {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
    Err(Error::other("interrupted again and again"))
}
