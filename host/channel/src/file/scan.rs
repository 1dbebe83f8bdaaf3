//! Reads a segment from front to end, around whatever is damaged in it.
//!
//! ```text
//! offset ─▶ head good, payload good     a record
//!           head good, payload bad      damage of exactly this record: its events are known
//!           head bad                    damage up to the next good head (searched at multiples of 16)
//!           nothing good behind         the end; what is not zero there is damage as well, unless it is what another
//!                                       segment has left in the same file
//! ```
//!
//! Bodies are not copied: records are pieces of the buffer that was read.

use std::io::Result;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::file::record::{
    ALIGN, HeadError, RECORD_BYTES, RECORDS_AT, RECYCLED, RecordHead, SEGMENT_AT, Seed, SegmentHead,
};
use crate::file::storage::{Storage, StoredFile, read_full_at};

/// How much is read at once, unless a record is larger.
const CHUNK_BYTES: usize = 1 << 20;

/// What lies at a place of a segment.
#[derive(Clone, Debug)]
pub enum Item {
    /// An undamaged record.
    Record {
        /// Its head.
        head: RecordHead,
        /// Its payload as stored.
        payload: Bytes,
    },
    /// A record with a good head and a damaged payload.
    DamagedPayload {
        /// Its head.
        head: RecordHead,
    },
    /// Bytes in which no record can be recognised.
    Damaged {
        /// How many.
        bytes: u64,
    },
}

/// Walks over a segment.
pub struct Scanner {
    file: Arc<dyn StoredFile>,
    segment: u64,
    seed: Seed,
    /// The next place to read.
    offset: u64,
    /// Nothing is read from here on.
    limit: u64,
    /// What lies behind the last record is of an earlier life of the file, and no damage.
    is_recycled: bool,
    buffer: Bytes,
    buffer_at: u64,
}

impl Scanner {
    /// Over the records of a segment from one that begins at `offset`, up to `limit`.
    #[must_use]
    pub fn new(file: Arc<dyn StoredFile>, head: &SegmentHead, offset: u64, limit: u64) -> Self {
        let (segment, seed) = (head.segment, head.seed());
        let offset = offset.max(RECORDS_AT);
        let is_recycled = false;
        Self { file, segment, seed, offset, limit, is_recycled, buffer: Bytes::new(), buffer_at: 0 }
    }
    /// Where the next item begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }
    /// The segment.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.segment
    }
    /// More may be read, because more has been written.
    pub fn extend(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// The next item, with the place where it begins; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read. The place stays: the call may be repeated.
    pub fn next_item(&mut self) -> Result<Option<(u64, Item)>> {
        let at = self.offset;
        if at + RECORD_BYTES as u64 > self.limit {
            return self.end_of_segment(at);
        }
        let Some(head) = RecordHead::decode(&self.piece(at, RECORD_BYTES)?, self.segment, self.seed) else {
            return self.damage(at);
        };
        if at + head.stored_bytes() > self.limit {
            return self.damage(at);
        }
        let payload = self.piece(at + RECORD_BYTES as u64, head.payload_bytes as usize)?;
        self.offset = at + head.stored_bytes();
        let good =
            payload.len() == head.payload_bytes as usize && crc32c::crc32c(&payload) == head.payload_crc;
        let item = if good { Item::Record { head, payload } } else { Item::DamagedPayload { head } };
        Ok(Some((at, item)))
    }

    /// Less than a record is left: nothing, unless something is written there.
    fn end_of_segment(&mut self, at: u64) -> Result<Option<(u64, Item)>> {
        let rest = self.limit.saturating_sub(at) as usize;
        let is_blank = self.piece(at, rest)?.iter().all(|&b| b == 0);
        self.offset = at.max(self.limit);
        let is_blank = is_blank || self.is_recycled;
        Ok((!is_blank).then_some((at, Item::Damaged { bytes: rest as u64 })))
    }

    /// Goes on to the next good head.
    fn damage(&mut self, at: u64) -> Result<Option<(u64, Item)>> {
        let mut next = at + ALIGN as u64;
        // How far the damage reaches if nothing good follows: up to the last byte that is not zero.
        let mut used = if self.piece(at, ALIGN)?.iter().any(|&b| b != 0) { next } else { at };
        while next + RECORD_BYTES as u64 <= self.limit {
            let wanted = CHUNK_BYTES.min((self.limit - next) as usize);
            let chunk = self.piece(next, wanted)?;
            if chunk.len() < RECORD_BYTES {
                break;
            }
            if let Some(found) = find_head(&chunk, self.segment, self.seed) {
                self.offset = next + found as u64;
                return Ok(Some((at, Item::Damaged { bytes: self.offset - at })));
            }
            if let Some(last) = chunk.iter().rposition(|&b| b != 0) {
                used = next + last as u64 + 1;
            }
            // The last places of the chunk were too near to its end to hold a whole head.
            next += ((chunk.len() - RECORD_BYTES) / ALIGN * ALIGN + ALIGN) as u64;
        }
        self.offset = self.limit;
        if self.is_recycled && !self.is_own(at)? {
            return Ok(None);
        }
        Ok((used > at).then_some((at, Item::Damaged { bytes: used - at })))
    }

    /// Whether a record of this segment was begun there, although it is damaged: it has the segment's number, or would
    /// be good if it had.
    fn is_own(&mut self, at: u64) -> Result<bool> {
        let mut bytes = self.piece(at, RECORD_BYTES)?.to_vec();
        let Some(number) = bytes.get_mut(SEGMENT_AT..SEGMENT_AT + 8) else { return Ok(false) };
        let says_so = number == self.segment.to_le_bytes();
        number.copy_from_slice(&self.segment.to_le_bytes());
        Ok(says_so || RecordHead::decode(&bytes, self.segment, self.seed).is_some())
    }

    /// Bytes of the file, fewer only where it ends.
    fn piece(&mut self, at: u64, count: usize) -> Result<Bytes> {
        let inside = at.checked_sub(self.buffer_at).map(|from| from as usize);
        if let Some(from) = inside.filter(|from| from + count <= self.buffer.len()) {
            return Ok(self.buffer.slice(from..from + count));
        }
        let left = self.limit.saturating_sub(at);
        let wanted = left.min(count.max(CHUNK_BYTES) as u64) as usize;
        let mut read = vec![0; wanted];
        let filled = read_full_at(&*self.file, &mut read, at)?;
        read.truncate(filled);
        self.buffer = read.into();
        self.buffer_at = at;
        Ok(self.buffer.slice(0..count.min(filled)))
    }
}

/// Opens a segment and reads its head.
///
/// # Errors
/// Outside: if the file cannot be opened or read. Inside: if it is not a segment that can be read.
pub fn open(
    storage: &dyn Storage,
    path: &Path,
    offset: u64,
    limit: u64,
) -> Result<std::result::Result<(Scanner, SegmentHead), HeadError>> {
    let file = storage.open(path)?;
    let mut bytes = vec![0; RECORDS_AT as usize + RECORD_BYTES];
    let filled = read_full_at(&*file, &mut bytes, 0)?;
    let (head, first) = bytes[..filled].split_at(filled.min(RECORDS_AT as usize));
    Ok(SegmentHead::decode(head).map(|head| {
        let first = RecordHead::decode(first, head.segment, head.seed());
        let mut scanner = Scanner::new(file, &head, offset, limit);
        scanner.is_recycled = first.is_some_and(|first| first.flags & RECYCLED != 0);
        (scanner, head)
    }))
}

/// The place of the first good head in a piece that begins at a multiple of the alignment.
fn find_head(chunk: &[u8], segment: u64, seed: Seed) -> Option<usize> {
    let last = chunk.len().checked_sub(RECORD_BYTES)?;
    (0..=last)
        .step_by(ALIGN)
        .find(|&at| chunk[at] != 0 && RecordHead::decode(&chunk[at..], segment, seed).is_some())
}
