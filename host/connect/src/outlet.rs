//! A source's way into its channels: interceptors, then the selector, then one put over all channels.
//!
//! Flume's `ChannelProcessor`, with two differences: several channels get a batch together or not at all, and
//! a batch larger than a channel is split instead of refused for ever.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use flumen_channel::{Channel, Gate, Patience, PutError, Reservation, put_all};
use flumen_event::Batch;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::interceptor::{Drops, InterceptError, Interceptor};
use crate::ledger::{SourceCounters, add};
use crate::selector::{Leg, Rows, Selector};

/// A source that waits for room says so this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// A refusal that came at once (a failing interceptor) must not become a busy loop.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Not all events were stored. The first `accepted` ones were; the others are still the caller's.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// How many events from the front were accepted.
    pub accepted: usize,
    /// Why the next one was not.
    pub reason: RejectReason,
}

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub enum RejectReason {
    /// A required channel refused it.
    #[error("{0}")]
    Channel(PutError),
    /// An interceptor failed.
    #[error("{0}")]
    Interceptor(InterceptError),
}

/// Handle on a source's way into its channels. Clones share everything.
#[derive(Clone)]
pub struct Outlet(Arc<Inner>);

struct Inner {
    interceptors: Vec<Box<dyn Interceptor>>,
    selector: Box<dyn Selector>,
    channels: Vec<NamedChannel>,
    gate: Arc<Gate>,
    counters: Arc<SourceCounters>,
    /// No batch larger than the smallest channel can be stored in one piece.
    batch_max: usize,
    /// Optional legs whose channels write to disk, in their order; made when the first comes.
    late: OnceLock<UnboundedSender<LateLegs>>,
}

/// A channel under its name in the configuration.
#[derive(Clone)]
pub struct NamedChannel {
    /// The name.
    pub name: Arc<str>,
    /// The channel.
    pub channel: Arc<dyn Channel>,
}

/// A batch that interceptors and selector are done with.
struct Routed {
    drops: Drops,
    /// Events with at least one required leg.
    covered: usize,
    /// Events with optional legs only.
    only_optional: usize,
    required: Vec<(Arc<dyn Channel>, Batch)>,
    optional: Vec<(NamedChannel, Batch)>,
}

impl Outlet {
    /// The way of one source. Sources that share channels list them in the same order (the agent's).
    #[must_use]
    pub fn new(
        interceptors: Vec<Box<dyn Interceptor>>,
        selector: Box<dyn Selector>,
        channels: Vec<NamedChannel>,
        gate: Arc<Gate>,
        counters: Arc<SourceCounters>,
    ) -> Self {
        let required = channels.iter().enumerate().filter(|(at, _)| selector.requires(*at));
        let capacities = required.map(|(_, c)| c.channel.limits().capacity);
        let batch_max = capacities.min().unwrap_or(usize::MAX).max(1);
        Self(Arc::new(Inner {
            interceptors,
            selector,
            channels,
            gate,
            counters,
            batch_max,
            late: OnceLock::new(),
        }))
    }

    /// Stores the batch: all of it in one transaction, if it is not larger than a channel.
    /// Waits as long as the channels' keep-alive. Events not stored are counted as rejected: the caller
    /// tells its sender.
    ///
    /// # Errors
    /// See [`Rejected`]: with a batch larger than a channel a part may have been accepted.
    pub async fn deliver(&self, batch: Batch) -> Result<(), Rejected> {
        let mut accepted = 0;
        while accepted < batch.len() {
            let part = batch.slice(accepted..batch.len().min(accepted + self.0.batch_max));
            let count = part.len();
            let stored = self.store(part, Patience::KeepAlive, || accepted += count).await;
            if let Err(reason) = stored {
                return Err(self.reject(batch.len(), accepted, reason));
            }
        }
        Ok(())
    }

    /// Stores as many events from the front as there is room for right now, and says how many: at least one.
    /// Only when not even one fits does it wait, for the channels' keep-alive. For sources that answer every
    /// event for itself: the caller answers, then comes again with the rest.
    ///
    /// # Errors
    /// The first event was refused (and counted as rejected); nothing is stored.
    pub async fn deliver_from_front(&self, batch: &Batch) -> Result<usize, Rejected> {
        let mut wanted = self.0.batch_max.min(batch.len());
        while wanted > 1 {
            if self.store(batch.slice(0..wanted), Patience::None, || ()).await.is_ok() {
                return Ok(wanted);
            }
            wanted /= 2;
        }
        if batch.is_empty() {
            return Ok(0);
        }
        let first = self.store(batch.slice(0..1), Patience::KeepAlive, || ()).await;
        first.map(|()| 1).map_err(|reason| self.reject(1, 0, reason))
    }

    /// Stores the whole batch, however long its channels stay full: for sources that can make their input
    /// wait. `progress` tells how many events from the front are stored; when the caller drops the future, it
    /// still knows what is left, and may call again with it or [`give_up`](Self::give_up).
    ///
    /// A part that is too large even for an empty channel goes on in halves. A single event that is, would
    /// block its source for ever: it is dropped and counted.
    pub async fn deliver_patiently(&self, batch: &Batch, progress: &mut usize) {
        let mut complained: Option<Instant> = None;
        let mut wanted = self.0.batch_max;
        while *progress < batch.len() {
            let count = wanted.min(batch.len() - *progress);
            let part = batch.slice(*progress..*progress + count);
            match self.store(part, Patience::KeepAlive, || *progress += count).await {
                Ok(()) => wanted = wanted.saturating_mul(2).min(self.0.batch_max),
                Err(RejectReason::Channel(PutError::TooLarge { .. })) if count > 1 => wanted = count / 2,
                Err(reason @ RejectReason::Channel(PutError::TooLarge { .. })) => {
                    tracing::warn!(%reason, "an event is larger than its whole channel: dropped");
                    self.give_up("larger than the channel", 1);
                    *progress += 1;
                }
                Err(reason) => {
                    if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
                        complained = Some(Instant::now());
                        tracing::warn!(%reason, events = batch.len() - *progress, "no room: the input is made to wait");
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Counts events that were received and will never be stored, with the cause.
    pub fn give_up(&self, cause: &str, events: usize) {
        let _movement = self.0.gate.movement();
        add(&self.0.counters.received, events);
        self.0.counters.dropped.add(cause, events);
    }
    /// Counts events that the source itself refused, and told its sender so (a line that is too long).
    pub fn refuse(&self, events: usize) {
        let _movement = self.0.gate.movement();
        add(&self.0.counters.received, events);
        add(&self.0.counters.rejected, events);
    }

    fn reject(&self, total: usize, accepted: usize, reason: RejectReason) -> Rejected {
        self.refuse(total - accepted);
        Rejected { accepted, reason }
    }

    /// `settled` is called in the movement in which the required channels get the events: when this future is
    /// dropped later, on its way to the optional channels, the caller already knows that they are stored.
    async fn store(
        &self,
        batch: Batch,
        patience: Patience,
        settled: impl FnOnce(),
    ) -> Result<(), RejectReason> {
        // Where input never ends and channels are never full nothing else would make the source's task pause, and
        // as many such sources as there are threads would keep all others from running.
        tokio::task::coop::consume_budget().await;
        let inner = &*self.0;
        let routed = self.route(batch).map_err(|error| {
            add(&inner.counters.generic_processing_fail, 1);
            RejectReason::Interceptor(error)
        })?;
        let since = Instant::now();
        let count_and_tell = || {
            inner.count_stored(&routed);
            settled();
        };
        let put = put_all(&routed.required, patience, &inner.gate, count_and_tell).await;
        let waited_ms = usize::try_from(since.elapsed().as_millis()).unwrap_or(usize::MAX);
        add(&inner.counters.back_pressure_ms, waited_ms);
        if let Err(refused) = put {
            if patience == Patience::KeepAlive {
                add(&inner.counters.channel_write_fail, 1);
            }
            return Err(RejectReason::Channel(refused.error));
        }
        if !routed.optional.is_empty() {
            OptionalLegs::new(self.0.clone(), routed).store().await;
        }
        Ok(())
    }

    fn route(&self, mut batch: Batch) -> Result<Routed, InterceptError> {
        let mut drops = Drops::default();
        for interceptor in &self.0.interceptors {
            batch = interceptor.intercept(batch, &mut drops)?;
            if batch.is_empty() {
                break;
            }
        }
        let legs = if batch.is_empty() { Vec::new() } else { self.0.selector.route(&batch) };
        let required = covered(batch.len(), legs.iter().filter(|leg| leg.required));
        let routable = covered(batch.len(), legs.iter());
        drops.add("selector: no channel", batch.len() - routable);
        let mut routed = Routed {
            drops,
            covered: required,
            only_optional: routable - required,
            required: vec![],
            optional: vec![],
        };
        for leg in legs {
            let channel = &self.0.channels[leg.channel];
            let part = match leg.rows {
                Rows::All => batch.clone(),
                Rows::Some(rows) => batch.select(&rows),
            };
            if part.is_empty() {
                continue;
            }
            if leg.required {
                routed.required.push((channel.channel.clone(), part));
            } else {
                routed.optional.push((channel.clone(), part));
            }
        }
        Ok(routed)
    }
}

impl Inner {
    /// Called in the movement in which the required channels get the events.
    fn count_stored(&self, routed: &Routed) {
        let legs: usize = routed.required.iter().map(|(_, part)| part.len()).sum();
        let settled = routed.drops.total() + routed.covered;
        add(&self.counters.received, settled);
        add(&self.counters.accepted, settled);
        add(&self.counters.copies, legs - routed.covered);
        routed.drops.iter().for_each(|(cause, events)| self.counters.dropped.add(cause, events));
    }
}

/// The optional legs of a batch whose required legs are stored. Counted as dropped if abandoned.
struct OptionalLegs {
    inner: Arc<Inner>,
    only_optional: usize,
    legs: Vec<(NamedChannel, Batch)>,
}

/// Room in an optional channel, and for how many events from the front.
type Room = Option<(Box<dyn Reservation>, usize)>;

/// Optional legs that wait for a disk. The source does not: what it has room for is in memory, within the channels'
/// capacities, until it is written, and counted when it is.
struct LateLegs {
    legs: OptionalLegs,
    rooms: Vec<Room>,
}

impl OptionalLegs {
    fn new(inner: Arc<Inner>, routed: Routed) -> Self {
        Self { inner, only_optional: routed.only_optional, legs: routed.optional }
    }
    /// Each channel gets what fits of the front: at most its capacity, else half of that, a quarter, …
    async fn store(self) {
        let mut rooms = Vec::new();
        for (channel, batch) in &self.legs {
            rooms.push(reserve_from_front(&channel.channel, batch).await);
        }
        let has_disk = |c: &NamedChannel| c.channel.is_durable() || c.channel.log_metrics().is_some();
        let late = LateLegs { rooms, legs: self };
        if !late.legs.legs.iter().any(|(channel, _)| has_disk(channel)) {
            return late.finish().await;
        }
        let inner = late.legs.inner.clone();
        // A worker that is gone drops what it is sent, which counts it.
        drop(inner.late.get_or_init(spawn_late).send(late));
    }
    fn count(&self, legs: usize) {
        let counters = &self.inner.counters;
        add(&counters.received, self.only_optional);
        add(&counters.accepted, self.only_optional);
        add(&counters.copies, legs - self.only_optional);
    }
}

impl LateLegs {
    async fn finish(self) {
        let LateLegs { mut legs, rooms } = self;
        let mut stored = Vec::with_capacity(rooms.len());
        for (room, (_, batch)) in rooms.into_iter().zip(&legs.legs) {
            stored.push(match room {
                Some((reservation, count)) => persisted(reservation, batch.slice(0..count)).await,
                None => None,
            });
        }
        let parts = std::mem::take(&mut legs.legs);
        let _movement = legs.inner.gate.movement();
        legs.count(parts.iter().map(|(_, part)| part.len()).sum());
        for (stored, (channel, batch)) in stored.into_iter().zip(parts) {
            let count = stored.map_or(0, |(reservation, part)| {
                let count = part.len();
                reservation.commit(part);
                count
            });
            let cause = format!("optional channel {}: refused", channel.name);
            legs.inner.counters.dropped.add(&cause, batch.len() - count);
        }
    }
}

/// Writes late legs one after the other, until the source's way is gone and nothing is left.
fn spawn_late() -> UnboundedSender<LateLegs> {
    let (sender, mut late) = unbounded_channel::<LateLegs>();
    tokio::spawn(async move {
        while let Some(legs) = late.recv().await {
            legs.finish().await;
        }
    });
    sender
}

async fn persisted(
    mut reservation: Box<dyn Reservation>,
    part: Batch,
) -> Option<(Box<dyn Reservation>, Batch)> {
    match reservation.persist(&part).await {
        Ok(()) => Some((reservation, part)),
        Err(error) => {
            tracing::debug!(%error, "an optional channel could not store events");
            None
        }
    }
}

/// Room, without waiting, for events from the front, and for how many.
async fn reserve_from_front(channel: &Arc<dyn Channel>, batch: &Batch) -> Room {
    let mut wanted = batch.len().min(channel.limits().capacity);
    while wanted > 0 {
        if let Ok(reservation) = channel.reserve(&batch.slice(0..wanted), Patience::None).await {
            return Some((reservation, wanted));
        }
        wanted /= 2;
    }
    None
}

impl Drop for OptionalLegs {
    fn drop(&mut self) {
        if self.legs.is_empty() {
            return;
        }
        // The source was stopped between the required and the optional channels.
        let legs = std::mem::take(&mut self.legs);
        let _movement = self.inner.gate.movement();
        self.count(legs.iter().map(|(_, part)| part.len()).sum());
        for (channel, part) in legs {
            self.inner
                .counters
                .dropped
                .add(&format!("optional channel {}: stopped", channel.name), part.len());
        }
    }
}

/// How many of the batch's events have at least one of the legs.
fn covered<'a>(events: usize, legs: impl Iterator<Item = &'a Leg>) -> usize {
    let mut has_leg = vec![false; events];
    for leg in legs {
        match &leg.rows {
            Rows::All => return events,
            Rows::Some(rows) => rows.iter().for_each(|&row| has_leg[row as usize] = true),
        }
    }
    has_leg.iter().filter(|has| **has).count()
}
