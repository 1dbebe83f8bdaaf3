//! What recovery learns from one segment while it reads it.

use crate::file::ranges::Ranges;
use crate::file::record::RecordHead;
use crate::file::state::{State, Summary};

/// A segment as far as it has been read.
pub(super) struct Scanned {
    pub(super) known: Summary,
    /// Events whose records are good.
    pub(super) seen: Ranges,
    /// From, to, and whether what was there had been durable.
    pub(super) damage: Vec<(u64, u64, bool)>,
    /// Events before the last place at which damage was found to be confirmed.
    pub(super) confirmed_events: u32,
    pub(super) last_record: u64,
}

impl Scanned {
    /// With what is known of its first part.
    pub(super) fn behind(known: Summary, last_record: u64) -> Self {
        let mut seen = Ranges::default();
        seen.insert(0..known.events);
        Self { known, seen, damage: Vec::new(), confirmed_events: 0, last_record }
    }
    pub(super) fn put(&mut self, head: &RecordHead, is_good: bool) {
        let events = head.first_event..head.first_event.saturating_add(head.events);
        self.known.events = self.known.events.max(events.end);
        if is_good {
            self.seen.insert(events);
            self.known.body_bytes += u64::from(head.body_bytes);
            if self.known.put_at_ms == 0 {
                self.known.put_at_ms = head.put_at_ms;
            }
        }
    }
    /// A state in the middle of a segment says how many events were before it, also those in damaged records.
    pub(super) fn note_own(&mut self, state: &State, number: u64) {
        let own = state.segments.iter().find(|(id, _)| *id == number);
        self.known.events = self.known.events.max(own.map_or(0, |(_, known)| known.events));
    }
    /// Everything before this place was durable at some time.
    pub(super) fn confirm(&mut self, durable: u64) {
        for (_, _, confirmed) in self.damage.iter_mut().filter(|(from, ..)| *from < durable) {
            *confirmed = true;
        }
        if !self.damage.is_empty() && self.damage.iter().all(|(_, _, confirmed)| *confirmed) {
            self.confirmed_events = self.known.events;
        }
    }
}
