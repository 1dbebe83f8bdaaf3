//! The optional channels of a batch: best effort, beside the source, which never waits for them with an answer.
//!
//! ```text
//! required legs are stored ─▶ leg ─▶ lane of its channel ─┬─ nobody before it, and done at once (memory) ─▶ counted
//!                                                         └─ else it waits: a worker stores in order     ─▶ counted
//! ```
//!
//! A channel on disk or in a database takes as long as those take, which may be for ever. So what is not done at the
//! first poll goes on without the source. What waits is bounded; what does not fit is dropped and counted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use flumen_channel::{Channel, Patience, Reservation};
use flumen_event::Batch;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Inner;
use super::routing::Routed;
use crate::ledger::add;

/// Most bytes of bodies that wait for one optional channel, and most batches.
const WAITING_BYTES_MAX: usize = 16 << 20;
const WAITING_BATCHES_MAX: usize = 1024;
/// So many batches are handed to a channel at once: channels on disk make one sync of them.
const UNDER_WAY_MAX: usize = 32;
/// A source whose input can wait gives an optional channel that has fallen behind this long for one more batch.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(1);

/// A batch that is being made as durable as its channel promises.
type Storing = Pin<Box<dyn Future<Output = Held> + Send>>;

/// What is on its way to the optional channels of a source: a lane for each channel of the source.
pub(super) struct Asides(Vec<Lane>);

#[derive(Default)]
struct Lane {
    state: Mutex<LaneState>,
    /// Told of every batch that is done with.
    progress: Notify,
}

#[derive(Default)]
struct LaneState {
    waiting: VecDeque<Leg>,
    /// Batches that wait or are under way, and their bytes.
    batches: usize,
    bytes: usize,
    /// Somebody stores batches of this lane: a source that tries its own, or the worker.
    is_working: bool,
    worker: Option<AbortHandle>,
    /// Nothing has moved for too long: no source waits any more until something does.
    is_stalled: bool,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        // Nothing under this lock is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn leave(&self, bytes: usize) {
        let mut state = self.state();
        state.batches -= 1;
        state.bytes -= bytes;
        state.is_stalled = false;
        drop(state);
        self.progress.notify_waiters();
    }
}

impl LaneState {
    fn has_room_for(&self, bytes: usize) -> bool {
        let fits =
            self.bytes.saturating_add(bytes) <= WAITING_BYTES_MAX && self.batches < WAITING_BATCHES_MAX;
        fits || self.batches == 0
    }
    fn is_behind(&self) -> bool {
        self.bytes * 2 > WAITING_BYTES_MAX || self.batches * 2 > WAITING_BATCHES_MAX
    }
}

impl Asides {
    pub(super) fn new(channels: usize) -> Self {
        Self((0..channels).map(|_| Lane::default()).collect())
    }
    /// Waits until nothing is on its way any more.
    pub(super) async fn settled(&self) {
        for lane in &self.0 {
            loop {
                let progress = lane.progress.notified();
                if lane.state().batches == 0 {
                    break;
                }
                progress.await;
            }
        }
    }
    /// Gives up what is on its way. It is counted as dropped.
    pub(super) fn abandon(&self) {
        for lane in &self.0 {
            let (waiting, worker) = {
                let mut state = lane.state();
                (std::mem::take(&mut state.waiting), state.worker.take())
            };
            drop(waiting);
            worker.inspect(AbortHandle::abort);
        }
    }
    /// For sources whose input can wait: lets channels that have fallen behind catch up, as long as they move at all.
    pub(super) async fn catch_up(&self) {
        for lane in &self.0 {
            loop {
                let progress = lane.progress.notified();
                {
                    let state = lane.state();
                    if !state.is_behind() || state.is_stalled {
                        break;
                    }
                }
                if tokio::time::timeout(CATCH_UP_WITHIN, progress).await.is_err() {
                    lane.state().is_stalled = true;
                    tracing::warn!(
                        "an optional channel stores nothing: what it should get is dropped and counted"
                    );
                }
            }
        }
    }
}

/// Sends the optional legs of a batch, whose required legs are stored, on their way. Waits for none of them.
pub(super) async fn store(inner: &Arc<Inner>, routed: Routed) {
    // In a list: what is not sent when this is dropped is counted by its own drop.
    for leg in legs(inner, routed) {
        let Some((turn, leg)) = leg.enter() else { continue };
        let mut storing: Storing = Box::pin(leg.persist());
        match futures_util::poll!(storing.as_mut()) {
            Poll::Ready(held) => {
                held.commit();
                if let Some(turn) = turn.end() {
                    spawn_worker(turn, None);
                }
            }
            Poll::Pending => spawn_worker(turn, Some(storing)),
        }
    }
}

fn legs(inner: &Arc<Inner>, routed: Routed) -> Vec<Leg> {
    // Whichever leg of an event is first counts it as received, the others as copies. Only sums matter.
    let (mut home_left, mut made_left) = (routed.only_optional, routed.made_optional());
    let leg = |(channel, batch): (usize, Batch)| {
        let home = home_left.min(batch.len());
        let made = made_left.min(home);
        home_left -= home;
        made_left -= made;
        Leg { inner: inner.clone(), channel, batch, home, made, entered_bytes: None, is_counted: false }
    };
    routed.optional.into_iter().map(leg).collect()
}

/// What one optional channel is to get of a batch. Counted as dropped if abandoned.
struct Leg {
    inner: Arc<Inner>,
    /// Which of the source's channels.
    channel: usize,
    batch: Batch,
    /// Of its events, those that this leg counts as received or made.
    home: usize,
    /// Of these, those that interceptors made.
    made: usize,
    /// What it takes of its lane.
    entered_bytes: Option<usize>,
    is_counted: bool,
}

impl Leg {
    fn lane(&self) -> &Lane {
        &self.inner.asides.0[self.channel]
    }
    /// Enters its lane; comes back with the right to work there if nobody is at work.
    fn enter(mut self) -> Option<(Turn, Leg)> {
        let bytes = self.batch.body_bytes();
        let inner = self.inner.clone();
        let mut state = inner.asides.0[self.channel].state();
        if !state.has_room_for(bytes) {
            drop(state);
            self.settle(None, "behind");
            return None;
        }
        state.batches += 1;
        state.bytes += bytes;
        self.entered_bytes = Some(bytes);
        if state.is_working {
            state.waiting.push_back(self);
            return None;
        }
        state.is_working = true;
        Some((Turn { inner: inner.clone(), channel: self.channel, has_ended: false }, self))
    }
    /// The channel gets what fits of the front: at most its capacity, else half of that, a quarter, …
    async fn persist(self) -> Held {
        let channel = &self.inner.parts.channels[self.channel].channel;
        let reserved = reserve_from_front(channel, &self.batch).await;
        Held { leg: self, reserved }
    }
    /// Counts the leg, in one movement with the commit of what its channel takes.
    fn settle(&mut self, reserved: Option<(Box<dyn Reservation>, usize)>, cause: &str) {
        self.is_counted = true;
        let parts = &self.inner.parts;
        let _movement = parts.gate.movement();
        let counters = &parts.counters;
        add(&counters.made, self.made);
        add(&counters.received, self.home - self.made);
        add(&counters.accepted, self.home - self.made);
        add(&counters.copies, self.batch.len() - self.home);
        let stored = reserved.map_or(0, |(reservation, count)| {
            reservation.commit(self.batch.slice(0..count));
            count
        });
        if stored < self.batch.len() {
            let cause = format!("optional channel {}: {cause}", parts.channels[self.channel].name);
            counters.dropped.add(&cause, self.batch.len() - stored);
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        if !self.is_counted {
            // The source was stopped before the optional channel had it.
            self.settle(None, "stopped");
        }
        if let Some(bytes) = self.entered_bytes {
            self.lane().leave(bytes);
        }
    }
}

/// A leg that is as durable as its channel promises, as far as the channel takes it.
struct Held {
    leg: Leg,
    reserved: Option<(Box<dyn Reservation>, usize)>,
}

impl Held {
    fn commit(mut self) {
        self.leg.settle(self.reserved.take(), "refused");
    }
}

/// The right to store batches of a lane. Whoever loses it without an end gives up what waits.
struct Turn {
    inner: Arc<Inner>,
    channel: usize,
    has_ended: bool,
}

impl Turn {
    fn lane(&self) -> &Lane {
        &self.inner.asides.0[self.channel]
    }
    fn next(&self) -> Option<Leg> {
        self.lane().state().waiting.pop_front()
    }
    /// Ends if nothing waits; else somebody has to go on.
    fn end(mut self) -> Option<Turn> {
        let inner = self.inner.clone();
        let mut state = inner.asides.0[self.channel].state();
        if !state.waiting.is_empty() {
            return Some(self);
        }
        state.is_working = false;
        self.has_ended = true;
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut state = self.lane().state();
            state.is_working = false;
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            drop(waiting);
        }
    }
}

/// Stores what waits, in order, without the source.
fn spawn_worker(turn: Turn, first: Option<Storing>) {
    let inner = turn.inner.clone();
    let channel = turn.channel;
    let worker = tokio::spawn(work(turn, first));
    inner.asides.0[channel].state().worker = Some(worker.abort_handle());
}

async fn work(mut turn: Turn, first: Option<Storing>) {
    let mut under_way: FuturesOrdered<Storing> = first.into_iter().collect();
    loop {
        while under_way.len() < UNDER_WAY_MAX
            && let Some(leg) = turn.next()
        {
            under_way.push_back(Box::pin(leg.persist()));
        }
        match under_way.next().await {
            Some(held) => held.commit(),
            None => match turn.end() {
                Some(again) => turn = again,
                None => return,
            },
        }
    }
}

/// Room, without waiting, for events from the front, and for how many.
async fn reserve_from_front(
    channel: &Arc<dyn Channel>,
    batch: &Batch,
) -> Option<(Box<dyn Reservation>, usize)> {
    let mut wanted = batch.len().min(channel.limits().capacity);
    while wanted > 0 {
        let part = batch.slice(0..wanted);
        if let Ok(mut reservation) = channel.reserve(&part, Patience::None).await {
            let stored = reservation.persist(&part).await;
            let failed = |error| tracing::debug!(%error, "an optional channel could not store events");
            return stored.map_err(failed).ok().map(|()| (reservation, wanted));
        }
        wanted /= 2;
    }
    None
}
