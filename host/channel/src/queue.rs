//! The concurrent core of the channels: a bounded queue of batches with transactions.
//!
//! ```text
//! room      events ≤ capacity, slots ≤ slot capacity, where both count
//!           reserved (a put under way) + queued (committed) + taken (a take under way)
//!           + behind (committed, and only on disk until it is loaded: the file channel's backlog)
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

mod held;
pub use held::{QueueTake, Reserved};

/// What a put needs room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Events.
    pub events: usize,
    /// Byte slots (see the memory channel's `byteCapacity`).
    pub slots: usize,
}

/// Where an event is stored besides: a segment of the durable log, and the event's number in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The segment.
    pub segment: u64,
    /// The event; those of a batch follow one another.
    pub event: u32,
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
    /// Committed events that are not in memory, and the bytes of their bodies, as far as they are known.
    behind: Behind,
    /// What the batches of `entries` keep alive in memory.
    held_bytes: usize,
    /// Sequence numbers and times of takes under way, for the age of the oldest event.
    open_takes: Vec<(u64, Instant)>,
    putters: VecDeque<Putter>,
    /// Ids of putters whose room has been granted but who have not been polled since.
    granted: Vec<u64>,
    takers: VecDeque<(u64, Waker)>,
    next_id: u64,
}

#[derive(Clone, Copy, Default)]
struct Behind {
    events: usize,
    body_bytes: usize,
    since: Option<Instant>,
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
    /// What the batch keeps alive; its first part takes none of it along when it is split.
    held_bytes: usize,
    origin: Origin,
    batch: Batch,
}

/// What of the queue is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Events that can be taken at once.
    pub queued: usize,
    /// Events that have to be loaded first.
    pub behind: usize,
    /// Memory that the former keep alive.
    pub held_bytes: usize,
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
        let is_left = state.queued > 0 || state.behind.events > 0;
        let next = if is_left { state.takers.pop_front() } else { None };
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
            if state.queued > 0 || state.behind.events > 0 {
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
                let (sequence, put_at, origin) = (front.sequence, front.put_at, front.origin);
                let head = Entry { sequence, put_at, slots, body_bytes, held_bytes: 0, origin, batch };
                front.origin.event += wanted as u32;
                front.sequence += wanted as u64;
                front.slots -= slots;
                front.body_bytes -= body_bytes;
                head
            };
            wanted -= entry.batch.len();
            state.held_bytes -= entry.held_bytes;
            entries.push(entry);
        }
        let first = entries.first()?;
        state.open_takes.push((first.sequence, first.put_at));
        let count = max - wanted;
        state.queued -= count;
        state.taken += count;
        Some(entries)
    }

    /// Events of an earlier life of the channel, to be loaded. They take their room even where there is none.
    pub fn recover(&self, events: usize, body_bytes: usize, since: Option<Instant>) {
        let mut state = self.lock();
        state.use_room(Demand { events, slots: 0 });
        state.behind.events += events;
        state.behind.body_bytes += body_bytes;
        state.behind.since = state.behind.since.into_iter().chain(since).min();
        wake_taker(state);
    }
    /// Committed events have been read: they can be taken.
    pub fn load(&self, batch: Batch, origin: Origin, put_at: Instant) {
        let body_bytes = batch.body_bytes();
        let mut state = self.lock();
        state.leave_behind(batch.len(), body_bytes, Some(put_at));
        state.append(Entry { sequence: 0, put_at, slots: 0, body_bytes, held_bytes: 0, origin, batch });
        wake_taker(state);
    }
    /// Committed events cannot be read, and never will: they are no longer here.
    pub fn lose(&self, events: usize, body_bytes: usize) {
        let mut state = self.lock();
        state.leave_behind(events, body_bytes, None);
        let woken = self.free_room(&mut state, Demand { events, slots: 0 });
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
    /// How many events wait in memory, how many only on disk, and what the former keep alive.
    pub fn window(&self) -> Window {
        let state = self.lock();
        let entries = state.entries.len() * size_of::<Entry>();
        Window { queued: state.queued, behind: state.behind.events, held_bytes: state.held_bytes + entries }
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
        state.queued + state.taken + state.behind.events
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
        let body_bytes = state.body_bytes + state.behind.body_bytes;
        (body_bytes, [queued, open, state.behind.since].into_iter().flatten().min())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Assertions are the only panics under the lock, and after one the counts are what they were.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the work on the state and wakes the first taker in line, because there is something for it.
fn wake_taker(mut state: MutexGuard<'_, State>) {
    let taker = state.takers.pop_front();
    drop(state);
    if let Some((_, waker)) = taker {
        waker.wake();
    }
}

impl State {
    /// Puts an entry behind all others.
    fn append(&mut self, mut entry: Entry) {
        entry.sequence = self.next_sequence;
        entry.held_bytes = entry.batch.held_bytes();
        self.next_sequence += entry.batch.len() as u64;
        self.queued += entry.batch.len();
        self.body_bytes += entry.body_bytes;
        self.held_bytes += entry.held_bytes;
        self.entries.push_back(entry);
    }
    fn leave_behind(&mut self, events: usize, body_bytes: usize, put_at: Option<Instant>) {
        assert!(self.behind.events >= events, "more events loaded than were behind");
        self.behind.events -= events;
        self.behind.body_bytes = self.behind.body_bytes.saturating_sub(body_bytes);
        match self.behind.events {
            0 => self.behind = Behind::default(),
            // The rest was put later.
            _ => self.behind.since = put_at.or(self.behind.since),
        }
    }
    fn use_room(&mut self, demand: Demand) {
        self.used.events += demand.events;
        self.used.slots += demand.slots;
    }
    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
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
        let next = if was_woken && (state.queued > 0 || state.behind.events > 0) {
            state.takers.pop_front()
        } else {
            None
        };
        drop(state);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}
