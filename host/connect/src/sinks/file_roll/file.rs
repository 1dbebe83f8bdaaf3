//! One open file and its serializer.
//!
//! ```text
//! batch ─▶ serializer ─▶ Gathered ─▶ write(2)
//!                        small pieces are copied together up to 256 KiB,
//!                        a piece of 32 KiB or more goes out of the arena in one call with what waits
//! ```
//! Invariant: between two calls the file holds exactly `kept` bytes, all of whole batches; nothing waits.

use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};

use flumen_event::Batch;

use super::Fsync;
use super::disk::{Disk, DiskFile};
use super::error::Failed;
use crate::serializer::{Serializer, SerializerFactory};

/// Small pieces are copied together up to this size before they are written.
const GATHER_BYTES_MAX: usize = 256 * 1024;
/// From this size on a piece is written from where it lies: a system call costs less than the copy.
const DIRECT_BYTES_MIN: usize = 32 * 1024;

/// An open file.
pub(super) struct RollFile {
    path: PathBuf,
    serializer: Box<dyn Serializer>,
    out: Gathered,
    kept: u64,
    has_events: bool,
}

impl RollFile {
    /// Makes the file and writes what stands at its start. If that fails there is no file.
    pub(super) fn create(
        disk: &dyn Disk,
        path: &Path,
        serializers: &dyn SerializerFactory,
        fsync: Fsync,
    ) -> io::Result<Self> {
        let mut file = Self {
            path: path.to_owned(),
            serializer: serializers.create(),
            out: Gathered { file: disk.create(path)?, waiting: Vec::new(), len: 0 },
            kept: 0,
            has_events: false,
        };
        if let Err(failed) = file.begin(disk, fsync) {
            file.remove(disk);
            return Err(failed.source);
        }
        Ok(file)
    }

    fn begin(&mut self, disk: &dyn Disk, fsync: Fsync) -> Result<(), Failed> {
        self.serializer.begin(&mut self.out).map_err(Failed::write)?;
        self.keep(fsync)?;
        match (fsync, self.path.parent()) {
            (Fsync::Batch, Some(directory)) => disk.sync_directory(directory).map_err(Failed::sync),
            _ => Ok(()),
        }
    }

    /// Writes the events. After an error [`cut_back`](Self::cut_back) must be called, or the file be left.
    pub(super) fn append(&mut self, events: &[Batch], fsync: Fsync) -> Result<(), Failed> {
        let mut written = events.iter().try_for_each(|batch| self.serializer.write(batch, &mut self.out));
        written = written.and_then(|()| self.serializer.flush(&mut self.out));
        written.map_err(Failed::write)?;
        self.keep(fsync)?;
        self.has_events |= events.iter().any(|batch| !batch.is_empty());
        Ok(())
    }

    fn keep(&mut self, fsync: Fsync) -> Result<(), Failed> {
        self.out.flush().map_err(Failed::write)?;
        if fsync == Fsync::Batch {
            self.out.file.sync().map_err(Failed::sync)?;
        }
        self.kept = self.out.len;
        Ok(())
    }

    /// Takes back what the last `append` left behind.
    pub(super) fn cut_back(&mut self) -> io::Result<()> {
        self.serializer.discard();
        self.out.waiting.clear();
        self.out.len = self.kept;
        self.out.file.cut_back(self.kept)
    }

    /// Writes what stands at the end of the file.
    pub(super) fn finish(mut self, fsync: Fsync) -> io::Result<()> {
        let ended = self.serializer.end(&mut self.out).map_err(Failed::write);
        if let Err(failed) = ended.and_then(|()| self.keep(fsync)) {
            // The batches in it are safe either way; a torn end would only make readers complain.
            self.cut_back()?;
            return Err(failed.source);
        }
        Ok(())
    }

    /// Removes a file in which no events are. Says whether its name is free.
    pub(super) fn remove(self, disk: &dyn Disk) -> bool {
        assert!(!self.has_events, "a file with delivered events is never removed");
        let removed = disk.remove(&self.path);
        if let Err(error) = &removed {
            tracing::warn!(path = %self.path.display(), %error, "an unusable new file could not be removed");
        }
        removed.is_ok()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
    pub(super) fn has_events(&self) -> bool {
        self.has_events
    }
    pub(super) fn is_deleted(&self) -> bool {
        self.out.file.is_deleted()
    }
}

/// A file behind a buffer for small pieces.
struct Gathered {
    file: Box<dyn DiskFile>,
    waiting: Vec<u8>,
    len: u64,
}

impl Gathered {
    fn write_out(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut parts = [IoSlice::new(&self.waiting), IoSlice::new(piece)];
        let mut left = &mut parts[..];
        // Also skips parts that are empty to begin with.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match self.file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.waiting.clear();
        Ok(())
    }
}

impl Write for Gathered {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() >= DIRECT_BYTES_MIN {
            self.write_out(piece)?;
        } else {
            if self.waiting.len() + piece.len() > GATHER_BYTES_MAX {
                self.write_out(&[])?;
            }
            self.waiting.extend_from_slice(piece);
        }
        self.len += piece.len() as u64;
        Ok(piece.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.write_out(&[])
    }
}
