//! The checkpoint: a state that spares the next opening from reading segments. Never needed, never believed blindly.
//!
//! ```text
//! 0 "FLUMENCP" │ 8 version u32 │ 12 CRC32C u32 of what follows │ 16 places u32 │ 20 zero u32
//! places × segment u64 │ last record u64        the last record of the segment that the state covers
//! state (see state.rs)
//! ```
//!
//! It is written to a file of another name, made durable and renamed. If it is absent, damaged, of another channel,
//! or says something of a segment that the segment does not, the segments' own states take its place.

use std::io::Result;
use std::path::Path;

use crate::file::record::{RECORD_BYTES, RecordHead, number32, number64};
use crate::file::scan;
use crate::file::state::State;
use crate::file::storage::{Storage, read_full_at, write_all_at};

const MAGIC: &[u8; 8] = b"FLUMENCP";
const VERSION: u32 = 1;
const FIXED_BYTES: usize = 24;
const PLACE_BYTES: usize = 16;
/// The file.
pub const FILE: &str = "checkpoint.flumen";
const NEW_FILE: &str = "checkpoint.flumen.new";
/// More than this is no checkpoint.
const BYTES_MAX: u64 = 1 << 30;

/// A state, and up to where it covers the segments that were being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Segments, each with the place of its last record that is covered.
    pub places: Vec<(u64, u64)>,
    /// What was known.
    pub state: State,
}

impl Checkpoint {
    /// As it is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&(self.places.len() as u32).to_le_bytes());
        body.extend_from_slice(&0u32.to_le_bytes());
        for (segment, last) in &self.places {
            body.extend_from_slice(&segment.to_le_bytes());
            body.extend_from_slice(&last.to_le_bytes());
        }
        body.extend_from_slice(&self.state.encode());
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        out.extend_from_slice(&body);
        out
    }
    /// Reads a checkpoint; `None` if it is damaged, of a later version, or none at all.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let good = &fixed[..8] == MAGIC
            && number32(fixed, 8) == VERSION
            && number32(fixed, 12) == crc32c::crc32c(&bytes[16..]);
        if !good {
            return None;
        }
        let places_bytes = (number32(fixed, 16) as usize).checked_mul(PLACE_BYTES)?;
        let (places, state) = rest.split_at_checked(places_bytes)?;
        let places = places.chunks_exact(PLACE_BYTES).map(|p| (number64(p, 0), number64(p, 8))).collect();
        Some(Self { places, state: State::decode(state)? })
    }

    /// Writes it into a folder, durably, in place of the one before.
    ///
    /// # Errors
    /// The storage's; the one before is then still there.
    pub fn write(&self, storage: &dyn Storage, dir: &Path) -> Result<()> {
        let (new, path) = (dir.join(NEW_FILE), dir.join(FILE));
        match storage.remove(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = storage.create(&new)?;
        write_all_at(&*file, &[&self.encode()], 0)?;
        file.sync()?;
        storage.rename(&new, &path)?;
        storage.sync_dir(dir)
    }
    /// Reads the one of a folder. What is wrong with it is said and makes it absent.
    #[must_use]
    pub fn read(storage: &dyn Storage, dir: &Path) -> Option<Self> {
        let path = dir.join(FILE);
        let file = match storage.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(checkpoint = %path.display(), %error, "the checkpoint cannot be opened; not needed");
                return None;
            }
        };
        let bytes = file.len().and_then(|length| {
            let mut bytes = vec![0; length.min(BYTES_MAX) as usize];
            let filled = read_full_at(&*file, &mut bytes, 0)?;
            bytes.truncate(filled);
            Ok(bytes)
        });
        let checkpoint = bytes.ok().and_then(|bytes| Self::decode(&bytes));
        if checkpoint.is_none() {
            tracing::warn!(checkpoint = %path.display(), "the checkpoint is damaged; the segments are read instead");
        }
        checkpoint
    }

    /// Whether a segment that it speaks of is as it says: the last record that it covers is there, and ends where
    /// the state says that the records end.
    pub(super) fn agrees_with(&self, storage: &dyn Storage, path: &Path, segment: u64) -> bool {
        let Some((_, known)) = self.state.segments.iter().find(|(id, _)| *id == segment) else {
            return false;
        };
        let Some((_, last)) = self.places.iter().find(|(id, _)| *id == segment) else { return false };
        let Ok(Ok((_, head))) = scan::open(storage, path, *last, known.length) else { return false };
        let mut bytes = [0; RECORD_BYTES];
        let read = storage.open(path).and_then(|file| read_full_at(&*file, &mut bytes, *last));
        let record = read.ok().and_then(|_| RecordHead::decode(&bytes, segment, head.seed()));
        head.channel == self.state.channel && record.is_some_and(|r| last + r.stored_bytes() == known.length)
    }
}
