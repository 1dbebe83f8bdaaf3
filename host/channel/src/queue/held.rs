//! What callers hold of the queue: room for a put, and a take under way.
//!
//! Each is finished by its `commit`, or undone when it is dropped.

use std::task::Waker;
use std::time::Instant;

use flumen_event::Batch;

use super::{Demand, Entry, Origin, Queue, State, wake_taker};

/// Room for a put; dropping it gives the room back.
pub struct Reserved {
    pub(super) queue: Queue,
    pub(super) demand: Demand,
    pub(super) committed: bool,
}

/// A take under way; dropping it puts the events back.
pub struct QueueTake {
    pub(super) queue: Queue,
    pub(super) entries: Vec<Entry>,
    pub(super) batches: Vec<Batch>,
    pub(super) finished: bool,
}

impl Reserved {
    /// Makes the batch visible to takers.
    pub fn commit(self, batch: Batch) {
        self.commit_stored(batch, Origin::default());
    }
    /// Makes the batch visible to takers, who are told where it is stored.
    pub fn commit_stored(mut self, batch: Batch, origin: Origin) {
        assert_eq!(batch.len(), self.demand.events, "committed batch is not the reserved one");
        self.committed = true;
        let body_bytes = batch.body_bytes();
        let mut state = self.queue.lock();
        let (put_at, slots) = (Instant::now(), self.demand.slots);
        state.append(Entry { sequence: 0, put_at, slots, body_bytes, held_bytes: 0, origin, batch });
        wake_taker(state);
    }
    /// Makes events visible to takers that are to be [`load`](Queue::load)ed before they can be taken.
    pub fn commit_behind(mut self, body_bytes: usize) {
        self.committed = true;
        let mut state = self.queue.lock();
        state.behind.events += self.demand.events;
        state.behind.body_bytes += body_bytes;
        state.behind.since.get_or_insert_with(Instant::now);
        wake_taker(state);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.committed {
            let woken = self.queue.free_room(&mut self.queue.lock(), self.demand);
            woken.into_iter().for_each(Waker::wake);
        }
    }
}

impl QueueTake {
    /// The events.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }
    /// Where the events are stored, with how many follow one another there.
    pub fn origins(&self) -> impl Iterator<Item = (Origin, usize)> {
        self.entries.iter().map(|e| (e.origin, e.batch.len()))
    }
    /// Removes the events for good and frees their room.
    pub fn commit(mut self) {
        self.finished = true;
        let count: usize = self.batches.iter().map(Batch::len).sum();
        let slots = self.entries.iter().map(|e| e.slots).sum();
        let mut state = self.queue.lock();
        assert!(state.taken >= count, "more events finished than taken");
        state.taken -= count;
        state.body_bytes -= self.entries.iter().map(|e| e.body_bytes).sum::<usize>();
        self.close(&mut state);
        let woken = self.queue.free_room(&mut state, Demand { events: count, slots });
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
    fn close(&self, state: &mut State) {
        let first = self.entries.first().map(|e| e.sequence);
        if let Some(at) = state.open_takes.iter().position(|(s, _)| Some(*s) == first) {
            state.open_takes.swap_remove(at);
        }
    }
}

impl Drop for QueueTake {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let mut state = self.queue.lock();
        self.close(&mut state);
        for entry in std::mem::take(&mut self.entries).into_iter().rev() {
            state.taken -= entry.batch.len();
            state.queued += entry.batch.len();
            state.held_bytes += entry.held_bytes;
            let at = state.entries.partition_point(|e| e.sequence < entry.sequence);
            state.entries.insert(at, entry);
        }
        wake_taker(state);
    }
}
