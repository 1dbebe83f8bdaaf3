//! Datagrams that wait for room in the channel: a bounded queue between receiving and storing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flumen_event::Batch;
use tokio::sync::Notify;

use crate::outlet::Outlet;

/// Most memory that waiting datagrams hold.
const HELD_BYTES_MAX: usize = 16 << 20;
const FULL: &str = "netcatudp: channel full";
const STOPPED: &str = "netcatudp: stopped while the channel was full";

/// The queue. Whatever is still in it when it is dropped is counted as dropped.
pub(super) struct Backlog {
    outlet: Outlet,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Batch>,
    held_bytes: usize,
    closed: bool,
}

impl Backlog {
    /// An empty one.
    pub fn new(outlet: Outlet) -> Self {
        Self { outlet, state: Mutex::default(), changed: Notify::new() }
    }
    /// Adds datagrams, or drops and counts them if too many wait already.
    pub fn push(&self, batch: Batch) {
        let mut state = self.lock();
        let held_bytes = batch.held_bytes();
        if state.held_bytes + held_bytes > HELD_BYTES_MAX {
            drop(state);
            self.outlet.give_up(FULL, batch.len());
            return;
        }
        state.held_bytes += held_bytes;
        state.waiting.push_back(batch);
        drop(state);
        self.changed.notify_one();
    }
    /// Nothing more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }
    /// Stores what comes, in order, until the backlog is closed and empty.
    pub async fn store_all(&self) {
        loop {
            let next = self.lock().waiting.pop_front();
            let Some(batch) = next else {
                if self.lock().closed {
                    return;
                }
                self.changed.notified().await;
                continue;
            };
            let mut moving = Moving { backlog: self, stored: 0, batch };
            self.outlet.deliver_patiently(&moving.batch, &mut moving.stored).await;
        }
    }
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        let events = self.lock().waiting.iter().map(Batch::len).sum();
        self.outlet.give_up(STOPPED, events);
    }
}

/// The batch being stored. It counts against the bound until it is; given up, its rest is counted.
struct Moving<'a> {
    backlog: &'a Backlog,
    batch: Batch,
    stored: usize,
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.backlog.lock().held_bytes -= self.batch.held_bytes();
        self.backlog.outlet.give_up(STOPPED, self.batch.len() - self.stored);
    }
}
