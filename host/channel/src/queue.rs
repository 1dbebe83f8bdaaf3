//! The concurrent core of the memory channel: a bounded queue of batches with transactions.
//!
//! ```text
//! room      events ≤ capacity, slots ≤ slot capacity, where both count
//!           reserved (a put under way) + queued (committed) + taken (a take under way)
//! entries   batches by sequence number; a rolled-back take is put back at its number
//! waiting   putters: first come first served, room is granted by whoever frees it
//!           takers: one is woken per arrival; whoever leaves the line, or events behind, wakes the next
//! ```
//!
//! No runtime inside: futures register wakers, so that the model checker (`tests/shuttle.rs`) can drive it.
//! The lock is held for O(batches touched), never over an await, and wakers are called after it is released.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use flumen_event::Batch;

use crate::sync::{Mutex, MutexGuard};

/// What a put needs room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Events.
    pub events: usize,
    /// Byte slots (see the memory channel's `byteCapacity`).
    pub slots: usize,
}

/// The queue. Clones are handles on the same one.
#[derive(Clone)]
pub struct Queue {
    state: Arc<Mutex<State>>,
    capacity: Demand,
    slots_of: fn(&Batch) -> usize,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    next_sequence: u64,
    queued: usize,
    taken: usize,
    used: Used,
    /// Bytes of the bodies queued and taken.
    body_bytes: usize,
    /// Sequence numbers and times of takes under way, for the age of the oldest event.
    open_takes: Vec<(u64, Instant)>,
    putters: VecDeque<Putter>,
    /// Ids of putters whose room has been granted but who have not been polled since.
    granted: Vec<u64>,
    takers: VecDeque<(u64, Waker)>,
    next_id: u64,
}

#[derive(Default)]
struct Used {
    events: usize,
    slots: usize,
}

struct Putter {
    id: u64,
    demand: Demand,
    waker: Waker,
}

struct Entry {
    sequence: u64,
    put_at: Instant,
    slots: usize,
    body_bytes: usize,
    batch: Batch,
}

/// Room for a put; dropping it gives the room back.
pub struct Reserved {
    queue: Queue,
    demand: Demand,
    committed: bool,
}

/// A take under way; dropping it puts the events back.
pub struct QueueTake {
    queue: Queue,
    entries: Vec<Entry>,
    batches: Vec<Batch>,
    finished: bool,
}

impl Queue {
    /// An empty queue. `slots_of` says how many byte slots a batch takes.
    pub fn new(capacity: Demand, slots_of: fn(&Batch) -> usize) -> Self {
        Self { state: Arc::default(), capacity, slots_of }
    }
    /// What a batch needs.
    pub fn demand(&self, batch: &Batch) -> Demand {
        Demand { events: batch.len(), slots: (self.slots_of)(batch) }
    }
    /// Whether the demand could be met by the empty queue.
    pub fn could_fit(&self, demand: Demand) -> bool {
        demand.events <= self.capacity.events && demand.slots <= self.capacity.slots
    }
    /// Whether what is missing for the demand right now are byte slots and not events.
    pub fn lacks_slots_only(&self, demand: Demand) -> bool {
        let state = self.lock();
        state.used.events + demand.events <= self.capacity.events
            && state.used.slots + demand.slots > self.capacity.slots
    }

    /// Room at once, or nothing. Does not overtake those who wait.
    pub fn try_reserve(&self, demand: Demand) -> Option<Reserved> {
        let mut state = self.lock();
        let free = state.putters.is_empty() && self.fits(&state, demand);
        if free {
            state.use_room(demand);
        }
        drop(state);
        // Made only when room was taken: dropping one gives room back.
        free.then(|| self.reserved(demand))
    }

    /// Room as soon as it is this caller's turn. The demand must be one that [`could_fit`](Self::could_fit).
    pub async fn reserve(&self, demand: Demand) -> Reserved {
        assert!(self.could_fit(demand), "{demand:?} can never fit");
        let mut waiting = WaitingPutter { queue: self, id: None, demand };
        poll_fn(|cx| {
            let mut state = self.lock();
            let Some(id) = waiting.id else {
                if state.putters.is_empty() && self.fits(&state, demand) {
                    state.use_room(demand);
                    return Poll::Ready(());
                }
                let id = state.new_id();
                state.putters.push_back(Putter { id, demand, waker: cx.waker().clone() });
                waiting.id = Some(id);
                return Poll::Pending;
            };
            if let Some(at) = state.granted.iter().position(|&g| g == id) {
                state.granted.swap_remove(at);
                waiting.id = None;
                return Poll::Ready(());
            }
            if let Some(putter) = state.putters.iter_mut().find(|p| p.id == id) {
                putter.waker.clone_from(cx.waker());
            }
            Poll::Pending
        })
        .await;
        self.reserved(demand)
    }

    fn reserved(&self, demand: Demand) -> Reserved {
        Reserved { queue: self.clone(), demand, committed: false }
    }

    /// Up to `max` events, if there are any.
    pub fn try_take(&self, max: usize) -> Option<QueueTake> {
        let mut state = self.lock();
        let taken = self.take_entries(&mut state, max);
        let next = if state.queued > 0 { state.takers.pop_front() } else { None };
        drop(state);
        if let Some((_, waker)) = next {
            waker.wake();
        }
        let entries = taken?;
        let batches = entries.iter().map(|e| e.batch.clone()).collect();
        Some(QueueTake { queue: self.clone(), entries, batches, finished: false })
    }

    /// Returns as soon as there is an event to take, which another taker may then be quicker to take.
    pub async fn wait_for_events(&self) {
        let mut waiting = WaitingTaker { queue: self, id: None };
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.queued > 0 {
                return Poll::Ready(());
            }
            let id = match waiting.id {
                Some(id) => id,
                None => *waiting.id.insert(state.new_id()),
            };
            match state.takers.iter_mut().find(|(other, _)| *other == id) {
                Some((_, waker)) => waker.clone_from(cx.waker()),
                None => state.takers.push_back((id, cx.waker().clone())),
            }
            Poll::Pending
        })
        .await;
        // `waiting` ends here and wakes the next in line if this one had been woken: it may not take.
    }

    fn take_entries(&self, state: &mut State, max: usize) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut wanted = max;
        while wanted > 0 {
            let Some(front) = state.entries.front_mut() else { break };
            let entry = if front.batch.len() <= wanted {
                state.entries.pop_front()?
            } else {
                let batch = front.batch.split_to(wanted);
                let (slots, body_bytes) = ((self.slots_of)(&batch), batch.body_bytes());
                let head = Entry { sequence: front.sequence, put_at: front.put_at, slots, body_bytes, batch };
                front.sequence += wanted as u64;
                front.slots -= slots;
                front.body_bytes -= body_bytes;
                head
            };
            wanted -= entry.batch.len();
            entries.push(entry);
        }
        let first = entries.first()?;
        state.open_takes.push((first.sequence, first.put_at));
        let count = max - wanted;
        state.queued -= count;
        state.taken += count;
        Some(entries)
    }

    fn fits(&self, state: &State, demand: Demand) -> bool {
        state.used.events + demand.events <= self.capacity.events
            && state.used.slots + demand.slots <= self.capacity.slots
    }

    /// Gives room back and grants it to whoever waits longest; the wakers are to be called without the lock.
    fn free_room(&self, state: &mut State, demand: Demand) -> Vec<Waker> {
        assert!(
            state.used.events >= demand.events && state.used.slots >= demand.slots,
            "more room given back than was taken"
        );
        state.used.events -= demand.events;
        state.used.slots -= demand.slots;
        self.grant(state)
    }

    fn grant(&self, state: &mut State) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some(first) = state.putters.front() {
            if !self.fits(state, first.demand) {
                break;
            }
            let Some(first) = state.putters.pop_front() else { break };
            state.use_room(first.demand);
            state.granted.push(first.id);
            woken.push(first.waker);
        }
        woken
    }

    /// Committed events that are still here: queued and taken.
    pub fn len(&self) -> usize {
        let state = self.lock();
        state.queued + state.taken
    }
    /// Whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes of the bodies, and the time at which the oldest event was put.
    pub fn contents(&self) -> (usize, Option<Instant>) {
        let state = self.lock();
        let queued = state.entries.front().map(|e| e.put_at);
        let open = state.open_takes.iter().min().map(|(_, at)| *at);
        (state.body_bytes, [queued, open].into_iter().flatten().min())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Assertions are the only panics under the lock, and after one the counts are what they were.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn use_room(&mut self, demand: Demand) {
        self.used.events += demand.events;
        self.used.slots += demand.slots;
    }
    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl Reserved {
    /// Makes the batch visible to takers.
    pub fn commit(mut self, batch: Batch) {
        assert_eq!(batch.len(), self.demand.events, "committed batch is not the reserved one");
        self.committed = true;
        let body_bytes = batch.body_bytes();
        let mut state = self.queue.lock();
        let sequence = state.next_sequence;
        state.next_sequence += batch.len() as u64;
        state.queued += batch.len();
        state.body_bytes += body_bytes;
        let (put_at, slots) = (Instant::now(), self.demand.slots);
        state.entries.push_back(Entry { sequence, put_at, slots, body_bytes, batch });
        let taker = state.takers.pop_front();
        drop(state);
        if let Some((_, waker)) = taker {
            waker.wake();
        }
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
            let at = state.entries.partition_point(|e| e.sequence < entry.sequence);
            state.entries.insert(at, entry);
        }
        let taker = state.takers.pop_front();
        drop(state);
        if let Some((_, waker)) = taker {
            waker.wake();
        }
    }
}

/// Leaves the line, or gives granted room back, when the future is dropped while waiting.
struct WaitingPutter<'a> {
    queue: &'a Queue,
    id: Option<u64>,
    demand: Demand,
}

impl Drop for WaitingPutter<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut state = self.queue.lock();
        let woken = match state.granted.iter().position(|&g| g == id) {
            Some(at) => {
                state.granted.swap_remove(at);
                self.queue.free_room(&mut state, self.demand)
            }
            None => {
                state.putters.retain(|p| p.id != id);
                self.queue.grant(&mut state)
            }
        };
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

/// Leaves the line; the next in it is woken, because this one may never take what it was woken for.
struct WaitingTaker<'a> {
    queue: &'a Queue,
    id: Option<u64>,
}

impl Drop for WaitingTaker<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut state = self.queue.lock();
        let before = state.takers.len();
        state.takers.retain(|(other, _)| *other != id);
        let was_woken = state.takers.len() == before;
        let next = if was_woken && state.queued > 0 { state.takers.pop_front() } else { None };
        drop(state);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}
