//! The real file system.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, FlockOperation};
use rustix::io::Errno;

use super::{Storage, StoredFile, uninterrupted};

/// Marks a folder as taken; Flume's name for it.
const LOCK_FILE: &str = "in_use.lock";

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn make_dir(&self, dir: &Path) -> Result<()> {
        let missing: Vec<&Path> =
            dir.ancestors().take_while(|d| !d.as_os_str().is_empty() && !d.exists()).collect();
        std::fs::create_dir_all(dir)?;
        for made in missing {
            if let Some(above) = made.parent().filter(|p| !p.as_os_str().is_empty()) {
                self.sync_dir(above)?;
            }
        }
        Ok(())
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }
    fn create(&self, path: &Path) -> Result<Arc<dyn StoredFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(DiskFile(file)))
    }
    fn open(&self, path: &Path) -> Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(DiskFile(File::open(path)?)))
    }
    fn open_to_write(&self, path: &Path) -> Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(DiskFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }
    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let dir = File::open(dir)?;
        uninterrupted(|| dir.sync_all())
    }
    fn free_bytes(&self, dir: &Path) -> Result<u64> {
        let room = rustix::fs::statvfs(dir)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }
    fn lock(&self, dir: &Path) -> Result<Box<dyn Send + Sync>> {
        let path = dir.join(LOCK_FILE);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        if let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != Errno::WOULDBLOCK {
                return Err(error.into());
            }
            let mut holder = String::new();
            // Who holds it is a help, not a need: a lock file that cannot be read names nobody.
            let _unknown = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { "unknown" } else { holder };
            return Err(Error::new(
                ErrorKind::WouldBlock,
                format!("{} is locked by process {holder}", dir.display()),
            ));
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Box::new(file))
    }
}

struct DiskFile(File);

impl StoredFile for DiskFile {
    fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        self.0.read_at(into, offset)
    }
    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> Result<usize> {
        Ok(rustix::io::pwritev(&self.0, pieces, offset)?)
    }
    fn allocate(&self, bytes: u64) -> Result<()> {
        match uninterrupted(|| Ok(rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, bytes)?)) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => self.0.set_len(bytes),
            done => done,
        }
    }
    fn truncate(&self, bytes: u64) -> Result<()> {
        self.0.set_len(bytes)
    }
    fn sync(&self) -> Result<()> {
        uninterrupted(|| self.0.sync_data())
    }
    fn forget_cache(&self) {
        // Advice only: where it is not taken, reads are served from memory.
        let _advice = rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed);
    }
}
