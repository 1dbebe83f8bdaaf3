//! Reads from disk what did not fit into memory, in the order of the channel.
//!
//! ```text
//! folder 0   cursor ─▶ put 7 ─┐
//! folder 1   cursor ─▶ put 5 ─┴─▶ the lowest sequence ─▶ unpack ─▶ what is not done of it ─▶ queue
//! ```
//!
//! One reader at a time. It changes nothing until a record is passed, which happens under the lock of the index, so
//! that a put that is committed in the meantime is either found here or goes to the queue by itself, never both.
//! Damage costs what is damaged: it is set aside, counted, and passed.

use std::io::{ErrorKind, Result};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flumen_event::Batch;

use crate::counters::ChannelCounters;
use crate::file::index::{Cursor, Stretch};
use crate::file::log::{Log, now_ms};
use crate::file::metrics::LogMetrics;
use crate::file::record::{Kind, RECORDS_AT, RecordHead, SEALED, SegmentHead};
use crate::file::scan::{self, Item, Scanner};
use crate::file::segment::path_of;
use crate::file::storage::{Storage, read_full_at, write_all_at};
use crate::gate::Gate;
use crate::queue::Origin;

/// The folder, in a folder of segments, for what is damaged.
const DAMAGED_DIR: &str = "damaged";

/// The places at which the folders are read.
pub(super) struct Reader {
    lanes: Vec<LaneReader>,
}

#[derive(Default)]
struct LaneReader {
    open: Option<(Scanner, SegmentHead)>,
    next: Option<Found>,
    /// Damage since the last good record. Whether events were in it shows what follows: what a crash has torn is
    /// damage without any.
    damage: Vec<Range<u64>>,
}

/// A put that has been read and not passed.
struct Found {
    at: Cursor,
    /// Where the next record begins.
    behind: u64,
    head: RecordHead,
    /// Nothing if it is damaged.
    payload: Option<Bytes>,
}

/// Who is told of lost events.
#[derive(Clone, Copy)]
pub(super) struct Ledger<'a> {
    pub(super) gate: &'a Gate,
    pub(super) counters: &'a ChannelCounters,
}

impl Reader {
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| LaneReader::default()).collect() }
    }
}

impl Log {
    /// Reads until at least `wanted` events wait in memory, or a few megabytes do, or everything is read.
    pub(super) fn load(&self, wanted: usize, ledger: Ledger<'_>) -> Result<()> {
        let mut reader = self.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            let window = self.queue.window();
            if window.behind == 0 || (window.queued >= wanted && window.held_bytes >= self.options.load_bytes)
            {
                return Ok(());
            }
            let held_bytes_max = self.options.window_bytes.max(self.options.load_bytes);
            if window.held_bytes >= held_bytes_max && window.queued > 0 {
                return Ok(());
            }
            for lane in 0..self.lanes.len() {
                self.find_next(lane, &mut reader.lanes[lane], ledger)?;
            }
            let with_next = reader.lanes.iter_mut().enumerate().filter(|(_, lane)| lane.next.is_some());
            let first = with_next.min_by_key(|(_, lane)| lane.next.as_ref().map(|found| found.head.sequence));
            let Some((number, lane)) = first else {
                self.write_off_phantoms(ledger);
                return Ok(());
            };
            if let Some(found) = lane.next.take() {
                self.pass(number, lane, found, ledger);
            }
        }
    }

    /// Everything is read, so nothing can be behind: what still counts as that was never there. Only a state or record
    /// with a good checksum and wrong numbers leads here.
    fn write_off_phantoms(&self, ledger: Ledger<'_>) {
        let _movement = ledger.gate.movement();
        // Commits add to what is behind under this lock, and only what the reader has not passed.
        let index = self.index();
        let phantoms = self.queue.window().behind;
        if phantoms == 0 || !index.is_caught_up() {
            return;
        }
        self.queue.lose(phantoms, 0);
        drop(index);
        ChannelCounters::add(&ledger.counters.damaged, phantoms);
        LogMetrics::add(&self.metrics.quarantined_events, phantoms as u64);
        tracing::error!(events = phantoms, "events that the log speaks of are not in it");
    }

    /// Finds the next put of a folder, if it has not been found already.
    fn find_next(&self, number: usize, lane: &mut LaneReader, ledger: Ledger<'_>) -> Result<()> {
        loop {
            let Some(stretch) = self.index().next_to_read(number) else {
                lane.next = None;
                return Ok(());
            };
            let cursor = stretch.from;
            if lane.next.as_ref().is_some_and(|found| found.at == cursor) {
                return Ok(());
            }
            lane.next = None;
            if !self.seek(number, lane, stretch, ledger)? {
                continue;
            }
            let Some((scanner, _)) = lane.open.as_mut() else { continue };
            let item = scanner.next_item()?;
            let behind = scanner.offset();
            match item {
                Some((_, Item::Record { head, payload })) if head.kind == Kind::Put => {
                    lane.next = Some(Found { at: cursor, behind, head, payload: Some(payload) });
                }
                Some((_, Item::DamagedPayload { head })) if head.kind == Kind::Put => {
                    lane.next = Some(Found { at: cursor, behind, head, payload: None });
                }
                Some((_, Item::Record { .. })) => self.skip(number, lane, stretch, behind, ledger),
                Some((offset, Item::DamagedPayload { .. } | Item::Damaged { .. })) => {
                    lane.damage.push(offset..behind);
                    self.skip(number, lane, stretch, behind, ledger);
                }
                None => {
                    lane.damage.push(cursor.offset.max(RECORDS_AT)..stretch.length);
                    self.skip(number, lane, stretch, stretch.length, ledger);
                }
            }
        }
    }

    /// Opens the segment at the cursor; says whether that is possible. One that is gone, or cannot be understood,
    /// is passed as a whole.
    fn seek(
        &self,
        number: usize,
        lane: &mut LaneReader,
        stretch: Stretch,
        ledger: Ledger<'_>,
    ) -> Result<bool> {
        let Stretch { from: cursor, length, .. } = stretch;
        let offset = cursor.offset.max(RECORDS_AT);
        if let Some((scanner, _)) = lane.open.as_mut()
            && scanner.segment() == cursor.segment
            && scanner.offset() == offset
        {
            scanner.extend(length);
            return Ok(true);
        }
        lane.open = None;
        let path = path_of(&self.lanes[number].dir, cursor.segment);
        let why = match scan::open(&*self.storage, &path, offset, length) {
            Ok(Ok(open)) => {
                lane.open = Some(open);
                return Ok(true);
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) if error.kind() == ErrorKind::NotFound => error.to_string(),
            Err(error) => return Err(error),
        };
        tracing::error!(segment = %path.display(), why, "the segment cannot be read: its events are lost");
        lane.damage.push(offset..length);
        self.skip(number, lane, stretch, length, ledger);
        Ok(false)
    }

    /// Passes something that holds no events. Events that should have come before the end, and have not, are lost.
    fn skip(&self, number: usize, lane: &mut LaneReader, stretch: Stretch, behind: u64, ledger: Ledger<'_>) {
        let Stretch { from, length, events } = stretch;
        let mut cursor = Cursor { offset: behind, ..from };
        if behind >= length {
            self.lose(number, lane, from.segment, from.event..events.max(from.event), ledger);
            cursor.event = events.max(from.event);
        }
        self.index().cursors[number] = cursor;
    }

    /// Passes a put: what is not done of it goes to the queue.
    fn pass(&self, number: usize, lane: &mut LaneReader, found: Found, ledger: Ledger<'_>) {
        let Found { at, behind, head, payload } = found;
        if head.first_event > at.event {
            self.lose(number, lane, at.segment, at.event..head.first_event, ledger);
        }
        // A record that claims numbers that were passed already is a copy or a lie: no event comes twice.
        let end = head.first_event.saturating_add(head.events).max(at.event);
        let events = head.first_event.max(at.event)..end;
        let segment_head = lane.open.as_ref().map(|(_, segment_head)| segment_head);
        let batch = payload
            .zip(segment_head)
            .map(|(payload, segment_head)| self.unpack(&head, segment_head, payload));
        match batch {
            Some(Ok(batch)) => {
                lane.damage.clear();
                let put_at = instant_of(head.put_at_ms);
                let mut index = self.index();
                for run in index.unread(at.segment, events.clone()) {
                    let rows = (run.start - head.first_event) as usize..(run.end - head.first_event) as usize;
                    let origin = Origin { segment: at.segment, event: run.start };
                    self.queue.load(batch.slice(rows), origin, put_at);
                }
                index.cursors[number] = Cursor { segment: at.segment, offset: behind, event: events.end };
                return;
            }
            Some(Err(why)) => {
                tracing::warn!(segment = at.segment, offset = at.offset, why, "a record is damaged")
            }
            None => {
                tracing::warn!(segment = at.segment, offset = at.offset, "the checksum of a record is wrong")
            }
        }
        lane.damage.push(at.offset.max(RECORDS_AT)..behind);
        self.lose(number, lane, at.segment, events.clone(), ledger);
        self.index().cursors[number] = Cursor { segment: at.segment, offset: behind, event: events.end };
    }

    /// The batch of a put.
    pub(super) fn unpack(
        &self,
        head: &RecordHead,
        segment: &SegmentHead,
        payload: Bytes,
    ) -> std::result::Result<Batch, String> {
        let plain = match (&self.cipher, head.flags & SEALED != 0) {
            (_, false) => payload,
            (None, true) => return Err(format!("it is sealed with the key `{}`", segment.key)),
            (Some(cipher), true) => cipher
                .open(&segment.cipher, &segment.key, head.nonce(segment), &payload)
                .map_err(|e| e.to_string())?
                .into(),
        };
        let batch = Batch::unpack(&plain).map_err(|e| e.to_string())?;
        let is_whole = batch.len() == head.events as usize;
        is_whole.then_some(batch).ok_or_else(|| "it has another number of events than it says".to_owned())
    }

    /// Events that cannot be read are no longer in the channel; the ledger is told in the same movement. The damage
    /// that they were in is set aside.
    fn lose(
        &self,
        number: usize,
        lane: &mut LaneReader,
        segment: u64,
        events: Range<u32>,
        ledger: Ledger<'_>,
    ) {
        let damage = std::mem::take(&mut lane.damage);
        let lost = {
            let _movement = ledger.gate.movement();
            let mut index = self.index();
            let mut lost = 0;
            for run in index.unread(segment, events) {
                lost += index.write_off(segment, run);
            }
            drop(index);
            self.queue.lose(lost as usize, 0);
            ChannelCounters::add(&ledger.counters.damaged, lost as usize);
            lost
        };
        if lost == 0 {
            return;
        }
        LogMetrics::add(&self.metrics.quarantined_events, lost);
        LogMetrics::add(&self.metrics.quarantined_records, damage.len().max(1) as u64);
        tracing::error!(segment, events = lost, "events are lost: their record is damaged");
        for bytes in damage {
            set_aside(&*self.storage, &self.lanes[number].dir, segment, bytes);
        }
    }
}

/// Copies damaged bytes to a folder of their own, where they outlive their segment. Best effort: the damage has been
/// counted, and a disk that cannot take the copy must not keep the rest from being delivered.
pub(super) fn set_aside(storage: &dyn Storage, dir: &Path, segment: u64, bytes: Range<u64>) {
    let damaged = dir.join(DAMAGED_DIR);
    let name = damaged.join(format!("segment-{segment:016}-at-{}", bytes.start));
    let copied = storage.make_dir(&damaged).and_then(|()| {
        let from = storage.open(&path_of(dir, segment))?;
        let to = storage.create(&name)?;
        let mut buffer = vec![0; 1 << 20];
        let mut at = bytes.start;
        while at < bytes.end {
            let wanted = buffer.len().min((bytes.end - at) as usize);
            let filled = read_full_at(&*from, &mut buffer[..wanted], at)?;
            if filled == 0 {
                break;
            }
            write_all_at(&*to, &[&buffer[..filled]], at - bytes.start)?;
            at += filled as u64;
        }
        to.sync()
    });
    match copied {
        Ok(()) => {
            tracing::error!(copy = %name.display(), bytes = bytes.end - bytes.start, "damaged bytes are set aside")
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => tracing::warn!(copy = %name.display(), %error, "damaged bytes could not be set aside"),
    }
}

/// When something was put, on the clock of this process.
pub(super) fn instant_of(put_at_ms: u64) -> Instant {
    let age = Duration::from_millis(now_ms().saturating_sub(put_at_ms));
    Instant::now().checked_sub(age).unwrap_or_else(Instant::now)
}
