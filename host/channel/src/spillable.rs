//! The memory part of a spillable channel: how much of a file channel may be in memory only.
//!
//! ```text
//! put ─▶ room in memory? ── yes ─▶ queue                                           not durable
//!             └─ not within overflowTimeout ─▶ log ─▶ queue, or read from disk     durable ("spilling")
//! ```
//!
//! There is one queue for both, so order is kept, and a take may hold events of both kinds. While events are on disk
//! only, every put goes there: one that went to memory would overtake them. Memory is used again when everything has
//! been read from disk and enough of it is free (`overflowDeactivationThreshold`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flumen_event::Batch;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::queue::Queue;

/// How much may be in memory only.
#[derive(Clone, Copy, Debug)]
pub struct SpillLimits {
    /// Most events.
    pub events_max: usize,
    /// Most byte slots: each body is rounded up to whole ones.
    pub slots_max: usize,
    /// Bytes of a slot (`avgEventSize`).
    pub slot_bytes: usize,
    /// How long a put waits for room in memory before it goes to disk.
    pub overflow_timeout: Duration,
    /// Percent of the events in memory that must be free before memory is used again.
    pub resume_free_percent: usize,
}

#[derive(Debug)]
pub(crate) struct Memory {
    limits: SpillLimits,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    events: usize,
    slots: usize,
    spilling: bool,
}

/// Room for a put in memory; given back when it is dropped.
pub(crate) struct MemoryRoom {
    memory: Arc<Memory>,
    events: usize,
    slots: usize,
}

impl Memory {
    pub(crate) fn new(limits: SpillLimits) -> Self {
        Self { limits, used: Mutex::default(), freed: Notify::new() }
    }
    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Events that are in memory only.
    pub(crate) fn events(&self) -> usize {
        self.used().events
    }
    fn slots_of(&self, batch: &Batch) -> usize {
        batch.spans().iter().map(|s| (s.len as usize).div_ceil(self.limits.slot_bytes.max(1))).sum()
    }

    /// Room for the batch, or nothing: then it is to be spilled.
    pub(crate) async fn room_or_spill(self: &Arc<Self>, batch: &Batch, queue: &Queue) -> Option<MemoryRoom> {
        let (events, slots) = (batch.len(), self.slots_of(batch));
        let until = Instant::now() + self.limits.overflow_timeout;
        loop {
            let freed = self.freed.notified();
            if self.try_use(events, slots, queue) {
                return Some(MemoryRoom { memory: self.clone(), events, slots });
            }
            let never = events > self.limits.events_max || slots > self.limits.slots_max;
            let is_spilling = self.used().spilling;
            if never || is_spilling || tokio::time::timeout_at(until, freed).await.is_err() {
                self.used().spilling = true;
                return None;
            }
        }
    }
    fn try_use(&self, events: usize, slots: usize, queue: &Queue) -> bool {
        let is_all_read = queue.window().behind == 0;
        let mut used = self.used();
        let free = self.limits.events_max.saturating_sub(used.events);
        let is_enough_free = free * 100 >= self.limits.resume_free_percent * self.limits.events_max;
        used.spilling = !is_all_read || (used.spilling && !is_enough_free);
        let fits = !used.spilling && events <= free && used.slots + slots <= self.limits.slots_max;
        if fits {
            used.events += events;
            used.slots += slots;
        }
        fits
    }
    /// Events of memory have left the channel.
    pub(crate) fn release(&self, batch: &Batch) {
        self.give_back(batch.len(), self.slots_of(batch));
    }
    fn give_back(&self, events: usize, slots: usize) {
        let mut used = self.used();
        assert!(used.events >= events && used.slots >= slots, "more memory given back than was used");
        used.events -= events;
        used.slots -= slots;
        drop(used);
        self.freed.notify_waiters();
    }
}

impl MemoryRoom {
    /// The put is committed: its events give the room back when they leave.
    pub(crate) fn keep(mut self) {
        (self.events, self.slots) = (0, 0);
    }
}

impl Drop for MemoryRoom {
    fn drop(&mut self) {
        self.memory.give_back(self.events, self.slots);
    }
}
