//! Datagrams that wait for room in the channel: a bounded queue between receiving and storing.
//!
//! What is left to do for a batch that does not matter to the receiving half, such as asking for the names of its
//! senders, is done by the storing half, in front of the channel.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flumen_event::Batch;
use tokio::sync::Notify;

use crate::outlet::Outlet;

/// Most memory that waiting datagrams hold.
const HELD_BYTES_MAX: usize = 16 << 20;

/// The causes of drops.
#[derive(Clone, Copy)]
pub(super) struct Causes {
    /// Too much waited already.
    pub full: &'static str,
    /// The source stopped before there was room.
    pub stopped: &'static str,
}

/// The queue, of batches and what is still to be known of each. Whatever is still in it when it is dropped is counted
/// as dropped.
pub(super) struct Backlog<N> {
    outlet: Outlet,
    causes: Causes,
    state: Mutex<State<N>>,
    changed: Notify,
}

struct State<N> {
    waiting: VecDeque<(Batch, N)>,
    held_bytes: usize,
    closed: bool,
}

impl<N> Backlog<N> {
    /// An empty one.
    pub fn new(outlet: Outlet, causes: Causes) -> Self {
        let state = State { waiting: VecDeque::new(), held_bytes: 0, closed: false };
        Self { outlet, causes, state: Mutex::new(state), changed: Notify::new() }
    }
    /// Adds datagrams, or drops and counts them if too many wait already.
    pub fn push(&self, batch: Batch, note: N) {
        let mut state = self.lock();
        let held_bytes = batch.held_bytes();
        if state.held_bytes + held_bytes > HELD_BYTES_MAX {
            drop(state);
            self.outlet.give_up(self.causes.full, batch.len());
            return;
        }
        state.held_bytes += held_bytes;
        state.waiting.push_back((batch, note));
        drop(state);
        self.changed.notify_one();
    }
    /// Nothing more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }
    /// Stores what comes, in order, until the backlog is closed and empty; each batch as `complete` makes it, which
    /// keeps its events.
    pub async fn store_all<F: Future<Output = Batch>>(&self, complete: impl Fn(Batch, N) -> F) {
        loop {
            let next = self.lock().waiting.pop_front();
            let Some((batch, note)) = next else {
                if self.lock().closed {
                    return;
                }
                self.changed.notified().await;
                continue;
            };
            let held_bytes = batch.held_bytes();
            let mut moving = Moving { backlog: self, stored: 0, batch, held_bytes };
            moving.batch = complete(moving.batch.clone(), note).await;
            self.outlet.deliver_patiently(&moving.batch, &mut moving.stored).await;
        }
    }
    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N> Drop for Backlog<N> {
    fn drop(&mut self) {
        let events = self.lock().waiting.iter().map(|(batch, _)| batch.len()).sum();
        self.outlet.give_up(self.causes.stopped, events);
    }
}

/// The batch being stored. It counts against the bound until it is; given up, its rest is counted.
struct Moving<'a, N> {
    backlog: &'a Backlog<N>,
    batch: Batch,
    stored: usize,
    /// Of the batch as it came.
    held_bytes: usize,
}

impl<N> Drop for Moving<'_, N> {
    fn drop(&mut self) {
        self.backlog.lock().held_bytes -= self.held_bytes;
        self.backlog.outlet.give_up(self.backlog.causes.stopped, self.batch.len() - self.stored);
    }
}
