//! The segment that is being written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::cipher::RecordCipher;
use crate::file::record::{
    HEAD_BYTES, Kind, NUMBER_MAX, RECORD_BYTES, RECORDS_AT, RECYCLED, RecordHead, SEALED, SegmentHead, padded,
};
use crate::file::seal::Sealed;
use crate::file::spare::Past;
use crate::file::storage::{Storage, StoredFile, write_all_at};

/// Set aside at the end of a segment for takes, so that a channel that has no room for puts can still be drained.
pub(super) fn set_aside_bytes(segment_bytes: u64) -> u64 {
    (segment_bytes / 16).min(64 << 10)
}
const PREFIX: &str = "segment-";
const SUFFIX: &str = ".log";

/// The file of a segment.
pub(super) fn path_of(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{segment:016}{SUFFIX}"))
}
/// The file of a folder that was a segment and will be one again.
pub(super) fn spare_of(dir: &Path) -> PathBuf {
    dir.join("spare")
}
/// The number of the segment that a file of this name is.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let number: Option<u64> = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok();
    number.filter(|number| *number < NUMBER_MAX)
}

/// A segment that is open for writing. Dropping it leaves the file as it is.
pub(super) struct Active {
    pub(super) head: SegmentHead,
    pub(super) file: Arc<dyn StoredFile>,
    /// Where the next record goes.
    pub(super) offset: u64,
    /// Up to where everything is known to be durable.
    pub(super) durable: u64,
    /// Bytes of the file.
    pub(super) capacity: u64,
    /// Up to where the file's blocks have been written, be it with zeros.
    filled: u64,
    /// Whether that is done ahead of the records: where each group is synced.
    pub(super) fills_ahead: bool,
    /// Events put into it.
    pub(super) events: u32,
    /// Where the last record that was written begins.
    pub(super) last_record: u64,
    /// Whether all of its blocks had been written before it was begun.
    pub(super) was_written: bool,
    /// How often it was synced.
    pub(super) syncs: u64,
    /// Whether a file for the next segment was asked for.
    pub(super) has_prepared_next: bool,
}

/// A record before it has its place.
pub(super) struct Draft<'a> {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) events: u32,
    pub(super) sequence: u64,
    pub(super) put_at_ms: u64,
    pub(super) body_bytes: u32,
    pub(super) pieces: [&'a [u8]; 2],
    pub(super) crc: u32,
}

impl<'a> Draft<'a> {
    /// A record without events.
    pub(super) fn of(kind: Kind, payload: &'a [u8], put_at_ms: u64) -> Self {
        let crc = crc32c::crc32c(payload);
        let pieces = [payload, &[]];
        Draft { kind, flags: 0, events: 0, sequence: 0, put_at_ms, body_bytes: 0, pieces, crc }
    }
}

/// Records that will be written in one call. Bodies are not copied into it.
#[derive(Default)]
pub(super) struct Pages<'a> {
    heads: Vec<[u8; RECORD_BYTES]>,
    sealed: Vec<Vec<u8>>,
    /// For each record its payload: pieces of the batch, or a sealed copy.
    payloads: Vec<Payload<'a>>,
    bytes: u64,
    /// Where the last record begins.
    last_at: u64,
}
enum Payload<'a> {
    Plain([&'a [u8]; 2]),
    Sealed(usize),
}

const BLANK: [u8; 16] = [0; 16];
/// Blocks are filled up to a multiple of this.
const FILL_BYTES: u64 = 256 << 10;
static ZEROS: [u8; FILL_BYTES as usize] = [0; FILL_BYTES as usize];

impl Active {
    /// Makes a segment of `capacity` bytes with its first record, durably.
    pub(super) fn create(
        storage: &dyn Storage,
        dir: &Path,
        head: SegmentHead,
        capacity: u64,
        state: &[u8],
        now_ms: u64,
    ) -> std::io::Result<Self> {
        let path = path_of(dir, head.segment);
        let mut active = Self::on(storage.create(&path)?, head, capacity);
        let made = active.begin(state, now_ms, 0).and_then(|()| storage.sync_dir(dir));
        if made.is_err() {
            // What is left of it has no record that anybody was told of; recovery removes it.
            let _left = storage.remove(&path);
        }
        made.map(|()| active)
    }
    /// Makes a spare file of `capacity` bytes durably, for [`recycle`](Self::recycle); says how many of them are written.
    pub(super) fn prepare(storage: &dyn Storage, dir: &Path, capacity: u64) -> std::io::Result<u64> {
        let file = storage.create(&spare_of(dir))?;
        file.allocate(capacity)?;
        let written = write_zeros(&*file, 0, capacity)?;
        storage.sync_dir(dir).map(|()| written)
    }
    /// Makes a segment of the folder's spare file. It gets its name when it is one, so that nothing of its earlier
    /// life is ever found under this name; and if its blocks have been written before, syncs are quick.
    pub(super) fn recycle(
        storage: &dyn Storage,
        dir: &Path,
        past: Past,
        head: SegmentHead,
        capacity: u64,
        state: &[u8],
        now_ms: u64,
    ) -> std::io::Result<Self> {
        let (spare, path) = (spare_of(dir), path_of(dir, head.segment));
        let mut active = Self::on(storage.open_to_write(&spare)?, head, capacity);
        let length = active.file.len()?;
        let (filled, flags) = match past {
            Past::New { written } => (written.min(length), 0),
            Past::Segment => (length, RECYCLED),
        };
        (active.filled, active.was_written) = (filled, filled >= length);
        active.begin(state, now_ms, flags)?;
        storage.rename(&spare, &path)?;
        let named = storage.sync_dir(dir);
        if named.is_err() {
            let _left = storage.remove(&path);
        }
        named.map(|()| active)
    }
    fn on(file: Arc<dyn StoredFile>, head: SegmentHead, capacity: u64) -> Self {
        let (durable, filled, events, syncs) = (0, 0, 0, 0);
        let (fills_ahead, was_written, has_prepared_next) = (false, false, false);
        let (offset, last_record) = (RECORDS_AT, RECORDS_AT);
        Self {
            head,
            file,
            offset,
            durable,
            capacity,
            filled,
            fills_ahead,
            events,
            last_record,
            was_written,
            syncs,
            has_prepared_next,
        }
    }
    fn begin(&mut self, state: &[u8], now_ms: u64, flags: u8) -> std::io::Result<()> {
        self.file.allocate(self.capacity)?;
        let head = self.head.encode();
        write_all_at(&*self.file, &[&head, &head], 0)?;
        let mut pages = Pages::default();
        let draft = Draft { flags, ..Draft::of(Kind::State, state, now_ms) };
        self.add(&mut pages, &draft, None).map_err(std::io::Error::other)?;
        self.write(&pages)?;
        self.sync()
    }
    /// Adds a record behind those in the pages; returns the number of its first event in the segment.
    pub(super) fn add<'a>(
        &mut self,
        pages: &mut Pages<'a>,
        draft: &Draft<'a>,
        sealed: Option<Sealed>,
    ) -> Result<u32, String> {
        let first_event = self.events;
        let mut head = RecordHead {
            kind: draft.kind,
            flags: draft.flags,
            payload_bytes: (draft.pieces[0].len() + draft.pieces[1].len()) as u32,
            payload_crc: draft.crc,
            events: draft.events,
            segment: self.head.segment,
            sequence: draft.sequence,
            durable: self.durable,
            put_at_ms: draft.put_at_ms,
            body_bytes: draft.body_bytes,
            first_event,
        };
        let payload = match sealed {
            None => Payload::Plain(draft.pieces),
            Some(sealed) => {
                head.flags |= SEALED;
                head.payload_bytes =
                    u32::try_from(sealed.bytes.len()).map_err(|_| "sealed beyond 4 GiB".to_owned())?;
                head.payload_crc = sealed.crc;
                pages.sealed.push(sealed.bytes);
                Payload::Sealed(pages.sealed.len() - 1)
            }
        };
        self.events = first_event.checked_add(draft.events).ok_or("too many events in a segment")?;
        pages.heads.push(head.encode(self.head.seed()));
        pages.payloads.push(payload);
        pages.last_at = pages.bytes;
        pages.bytes += head.stored_bytes();
        Ok(first_event)
    }
    /// Writes the pages; they are not durable yet.
    pub(super) fn write(&mut self, pages: &Pages<'_>) -> std::io::Result<()> {
        let mut pieces: Vec<&[u8]> = Vec::with_capacity(pages.heads.len() * 4);
        for (head, payload) in pages.heads.iter().zip(&pages.payloads) {
            pieces.push(head);
            let [first, second]: [&[u8]; 2] = match payload {
                Payload::Plain(pieces) => *pieces,
                Payload::Sealed(at) => [&pages.sealed[*at], &[]],
            };
            let used = (RECORD_BYTES + first.len() + second.len()) as u64;
            pieces.extend([first, second, &BLANK[..(padded(used) - used) as usize]]);
        }
        let end = self.offset + pages.bytes;
        let fill = self.fill_behind(end, pages.bytes);
        pieces.push(&ZEROS[..fill as usize]);
        write_all_at(&*self.file, &pieces, self.offset)?;
        self.filled = self.filled.max(end + fill);
        self.last_record = self.offset + pages.last_at;
        self.offset = end;
        Ok(())
    }
    /// How many zeros go behind a group that ends here.
    ///
    /// The first write to a preallocated block changes the file system's own records, which the sync then has to make
    /// durable as well: twice the time of a sync of blocks that were written before. So one small group in many writes
    /// the blocks of those that follow.
    fn fill_behind(&self, end: u64, bytes: u64) -> u64 {
        if !self.fills_ahead || end <= self.filled || bytes > FILL_BYTES / 8 {
            return 0;
        }
        end.next_multiple_of(FILL_BYTES).min(self.capacity).saturating_sub(end)
    }
    /// Makes all that was written durable.
    pub(super) fn sync(&mut self) -> std::io::Result<()> {
        self.file.sync()?;
        self.durable = self.offset;
        self.syncs += 1;
        Ok(())
    }
}

impl Pages<'_> {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
    /// The memory of the sealed payloads, when they are written.
    pub(super) fn into_buffers(self) -> Vec<Vec<u8>> {
        self.sealed
    }
}

/// Writes a step of zeros, durably, into a file of `capacity` bytes; says up to where it is written then.
pub(super) fn write_zeros(file: &dyn StoredFile, from: u64, capacity: u64) -> std::io::Result<u64> {
    let bytes = FILL_BYTES.min(capacity.saturating_sub(from));
    write_all_at(file, &[&ZEROS[..bytes as usize]], from)?;
    file.sync()?;
    Ok(from + bytes)
}

/// The head of a segment, with randomness of its own.
pub(super) fn new_head(
    segment: u64,
    channel: [u8; 16],
    now_ms: u64,
    cipher: Option<&dyn RecordCipher>,
) -> std::io::Result<SegmentHead> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let (cipher, key) =
        cipher.map_or_else(Default::default, |c| (c.name().to_owned(), c.active_key().to_owned()));
    Ok(SegmentHead { segment, made_at_ms: now_ms, channel, random, cipher, key })
}

/// Room that a segment needs at least, to hold its head, its state and one record of this payload, without what is
/// set aside.
pub(super) fn bytes_needed(state: usize, payload_bytes: usize) -> u64 {
    let records = padded((RECORD_BYTES + state) as u64) + padded((RECORD_BYTES + payload_bytes) as u64);
    2 * HEAD_BYTES as u64 + records
}
