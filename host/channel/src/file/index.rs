//! What the log knows of its segments and of the events in them, in memory.
//!
//! ```text
//! segment   events ─────────────────────────────▶ put into it so far
//!           done.logged   events whose take (or withdrawal) has been written: what the next state repeats
//!           done.settled  how many of them are known to be durable: all of a sealed segment ⇒ it is deleted,
//!                         if a later segment of the folder begins with a state, which repeats its takes
//! folder    cursor ────────▶ end                  records between are on disk only, and will be read in this order
//! open      puts that are durable and not committed yet
//! ```
//!
//! A record is *passed* when the cursor of its folder is behind it: its events are in the queue, or will be when
//! their put is committed. While all cursors are at their ends, new records are passed as they are written: readers
//! follow the writer through memory. When the queue's window is full they are left to be read from disk.
//!
//! The lock around the index is held for O(records touched), never over a call of the storage.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::file::ranges::Ranges;
use crate::file::state::{Done, State, Summary};
use crate::queue::Origin;

/// A place in the records of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) segment: u64,
    pub(super) offset: u64,
    /// Events of the segment before it.
    pub(super) event: u32,
}

/// A part of a segment, from a cursor to the end of what may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from: Cursor,
    pub(super) length: u64,
    /// Events of the segment up to there.
    pub(super) events: u32,
}

/// Where the events of a durable put are to be found by takers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// They go to the queue when the put is committed.
    Window,
    /// They will be read from disk.
    Disk,
}

/// A durable put that is neither committed nor withdrawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) place: Place,
    pub(super) events: u32,
}

pub(super) struct Segment {
    pub(super) lane: usize,
    pub(super) known: Summary,
    /// Events of which it is durable that they are done.
    pub(super) settled: u64,
    /// Bytes of the file.
    pub(super) file_bytes: u64,
    /// Where its last record begins; 0 if that is not known.
    pub(super) last_record: u64,
    /// Whether it begins with a good state, which repeats the takes of earlier segments of its folder.
    pub(super) has_state: bool,
    /// It was ended in good order by this process: nothing speaks against its file.
    pub(super) is_sound: bool,
    /// Being deleted: its file may be gone or not.
    pub(super) leaving: bool,
}

impl Segment {
    pub(super) fn is_drained(&self) -> bool {
        self.known.sealed && self.settled >= u64::from(self.known.events)
    }
}

#[derive(Default)]
pub(super) struct Index {
    pub(super) channel: [u8; 16],
    pub(super) segments: BTreeMap<u64, Segment>,
    pub(super) open: BTreeMap<(u64, u32), Open>,
    pub(super) cursors: Vec<Cursor>,
    pub(super) next_segment: u64,
    pub(super) next_sequence: u64,
}

impl Index {
    /// Whether nothing is on disk only.
    pub(super) fn is_caught_up(&self) -> bool {
        (0..self.cursors.len()).all(|lane| self.next_to_read(lane).is_none())
    }
    /// What of a folder is to be read next.
    pub(super) fn next_to_read(&self, lane: usize) -> Option<Stretch> {
        let cursor = self.cursors[lane];
        if let Some(segment) = self.segments.get(&cursor.segment)
            && cursor.offset < segment.known.length
        {
            return Some(Stretch {
                from: cursor,
                length: segment.known.length,
                events: segment.known.events,
            });
        }
        let later = self.segments.range(cursor.segment + 1..);
        let mut to_read = later.filter(|(_, s)| s.lane == lane && (!s.known.sealed || s.known.pending() > 0));
        to_read.next().map(|(&segment, s)| Stretch {
            from: Cursor { segment, ..Cursor::default() },
            length: s.known.length,
            events: s.known.events,
        })
    }
    /// A put is durable.
    pub(super) fn register(&mut self, put: Origin, events: u32, follows: bool) {
        let place = if follows { Place::Window } else { Place::Disk };
        self.open.insert((put.segment, put.event), Open { place, events });
    }
    /// Gives out sequence numbers: the first of so many.
    pub(super) fn number(&mut self, events: u64) -> u64 {
        self.next_sequence += events;
        self.next_sequence - events
    }
    /// Nothing will be written to a segment any more.
    pub(super) fn seal(&mut self, segment: u64) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.known.sealed = true;
        }
    }
    /// Events are done, and that has been written or is about to be. Says how many were not done before.
    pub(super) fn log_done(&mut self, done: &Done) -> u64 {
        self.segments.get_mut(&done.segment).map_or(0, |s| s.known.done.insert(done.from..done.to))
    }
    /// It is durable that events are done. Says whether their segment can be deleted now.
    pub(super) fn settle_done(&mut self, segment: u64, events: u64) -> bool {
        let Some(segment) = self.segments.get_mut(&segment) else { return false };
        segment.settled += events;
        assert!(
            segment.settled <= u64::from(segment.known.events),
            "more events of a segment are done than were put into it"
        );
        segment.is_drained()
    }
    /// Events that never were, or are no more: done without a take.
    pub(super) fn write_off(&mut self, segment: u64, events: Range<u32>) -> u64 {
        let fresh = self.log_done(&Done { segment, from: events.start, to: events.end });
        self.settle_done(segment, fresh);
        fresh
    }
    /// Events of a segment that are still to be delivered.
    pub(super) fn undone(&self, segment: u64, events: Range<u32>) -> Vec<Range<u32>> {
        let known = self.segments.get(&segment);
        known.map_or_else(Vec::new, |s| s.known.done.gaps(events.start..events.end.min(s.known.events)))
    }
    /// Of these events, those that are committed and not done: what a taker would have got of them. Puts among them
    /// that are still open will come from memory.
    pub(super) fn unread(&mut self, segment: u64, events: Range<u32>) -> Vec<Range<u32>> {
        let mut covered = Ranges::default();
        if events.is_empty() {
            return Vec::new();
        }
        for ((_, from), open) in self.open.range_mut((segment, events.start)..(segment, events.end)) {
            open.place = Place::Window;
            covered.insert(*from..*from + open.events);
        }
        self.undone(segment, events).into_iter().flat_map(|gap| covered.gaps(gap)).collect()
    }
    /// Sealed segments without a pending event whose takes are repeated by a later state; they are marked, so that each
    /// is deleted by one caller.
    pub(super) fn take_drained(&mut self, lane: usize) -> Vec<u64> {
        let mut of_lane = self.segments.iter().filter(|(_, s)| s.lane == lane);
        let repeated_by = of_lane.rfind(|(_, s)| s.has_state && !s.leaving).map_or(0, |(&id, _)| id);
        let earlier = self.segments.range_mut(..repeated_by);
        let drained = earlier.filter(|(_, s)| s.lane == lane && !s.leaving && s.is_drained());
        let drained = drained.map(|(&id, segment)| {
            segment.leaving = true;
            id
        });
        drained.collect()
    }
    /// All that is known, to be stored. A segment that is being deleted is still in it: its file may come back.
    pub(super) fn state(&self) -> State {
        State {
            channel: self.channel,
            next_segment: self.next_segment,
            next_sequence: self.next_sequence,
            segments: self.segments.iter().map(|(&id, s)| (id, s.known.clone())).collect(),
        }
    }
    /// The places that a checkpoint of this moment covers.
    pub(super) fn places(&self) -> Vec<(u64, u64)> {
        let known = self.segments.iter().filter(|(_, s)| s.last_record > 0);
        known.map(|(&id, s)| (id, s.last_record)).collect()
    }
    /// Bytes of all segments' files.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.values().map(|s| s.file_bytes).sum()
    }
}
