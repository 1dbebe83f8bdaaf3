//! The system calls of the sink, behind traits so that tests can make disks that are full or broken.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where files are made.
pub(super) trait Disk: Send {
    /// Makes a file that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names of new files durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
}

/// An open file, written at its end.
pub(super) trait DiskFile: Send {
    /// Writes some of the bytes; says how many.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Cuts the file back to a length it once had. Fails if it is shorter, which then is another's doing.
    fn cut_back(&mut self, len: u64) -> io::Result<()>;
    /// Forces what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Whether the file has no name in any directory any more: what is written to it goes when it is closed.
    fn is_deleted(&self) -> bool;
}

/// The operating system's files.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // Append mode: after a cut the next write lands at the new end without a seek, also if an administrator
        // has emptied the file meanwhile.
        Ok(Box::new(OpenOptions::new().append(true).create_new(true).open(path)?))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }
}

impl DiskFile for File {
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(self, pieces)
    }
    fn cut_back(&mut self, len: u64) -> io::Result<()> {
        let present = self.metadata()?.len();
        if present < len {
            return Err(io::Error::other(format!("it has {present} bytes where {len} were written")));
        }
        self.set_len(len)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
    fn is_deleted(&self) -> bool {
        // A file whose state cannot be asked for is written on: its next write will say what is wrong.
        self.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }
}
