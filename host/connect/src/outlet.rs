//! A source's way into its channels: interceptors, then the selector, then one put over all channels.
//!
//! Flume's `ChannelProcessor`, with two differences: several channels get a batch together or not at all, and
//! a batch larger than a channel is split instead of refused for ever.
//!
//! ```text
//! batch ─▶ routing: interceptors, selector ─▶ budget of the tenant ─▶ put_all: required legs, dead letters
//!                                                                     optional: what fits, without waiting, beside the source
//! ```

mod optional;
mod routing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use flumen_channel::{Channel, Gate, Patience, PutError, put_all, put_all_here};
use flumen_event::Batch;

use crate::budget::{Budget, OverBudget};
use crate::interceptor::{AnyInterceptor, InterceptError, Interceptor};
use crate::ledger::{SourceCounters, add};
use crate::selector::{AnySelector, Selector};
use optional::Asides;

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
    /// An interceptor failed, or a selector that is a plugin.
    #[error("{0}")]
    Interceptor(InterceptError),
    /// The tenant's ceiling is reached.
    #[error("{0}")]
    Budget(OverBudget),
}

/// Handle on a source's way into its channels. Clones share everything.
#[derive(Clone)]
pub struct Outlet(Arc<Inner>, Meanwhile);

/// What the task of the source does while a channel stores.
#[derive(Clone, Copy)]
enum Meanwhile {
    /// It may have other work, which must go on.
    Anything,
    /// Nothing: its thread may be held.
    Nothing,
}

struct Inner {
    parts: OutletParts,
    /// No batch larger than the smallest channel can be stored in one piece.
    batch_max: usize,
    /// What optional channels have not stored yet.
    asides: Asides,
}

/// What an outlet is made of.
pub struct OutletParts {
    /// In the order of the configuration.
    pub interceptors: Vec<AnyInterceptor>,
    /// Which events go to which of the channels.
    pub selector: AnySelector,
    /// The source's channels, in the agent's order, so that sources that share some reserve room in one order.
    pub channels: Vec<NamedChannel>,
    /// Where its interceptors may put dead letters: channels in the agent's order, then files.
    pub dead_letters: Vec<Arc<dyn Channel>>,
    /// Every channel of the agent, in its order; only needed where there are dead letters.
    pub put_order: Vec<Arc<dyn Channel>>,
    /// The agent's.
    pub gate: Arc<Gate>,
    /// The source's.
    pub counters: Arc<SourceCounters>,
    /// The tenant's, if it has one.
    pub budget: Option<Arc<Budget>>,
}

/// A channel under its name in the configuration.
#[derive(Clone)]
pub struct NamedChannel {
    /// The name.
    pub name: Arc<str>,
    /// The channel.
    pub channel: Arc<dyn Channel>,
}

impl Outlet {
    /// The way of one source that has no plugins.
    #[must_use]
    pub fn new(
        interceptors: Vec<Box<dyn Interceptor>>,
        selector: Box<dyn Selector>,
        channels: Vec<NamedChannel>,
        gate: Arc<Gate>,
        counters: Arc<SourceCounters>,
    ) -> Self {
        Self::of(OutletParts {
            interceptors: interceptors.into_iter().map(AnyInterceptor::from).collect(),
            selector: selector.into(),
            channels,
            dead_letters: Vec::new(),
            put_order: Vec::new(),
            gate,
            counters,
            budget: None,
        })
    }
    /// The way of one source.
    #[must_use]
    pub fn of(parts: OutletParts) -> Self {
        let requires = |at: usize| match &parts.selector {
            AnySelector::Native(selector) => selector.requires(at),
            AnySelector::Waiting(_) => true,
        };
        let required = parts.channels.iter().enumerate().filter(|(at, _)| requires(*at));
        let required = required.map(|(_, c)| c.channel.limits().capacity);
        let letters = parts.dead_letters.iter().map(|channel| channel.limits().capacity);
        let batch_max = required.chain(letters).min().unwrap_or(usize::MAX).max(1);
        let asides = Asides::new(parts.channels.len());
        Self(Arc::new(Inner { parts, batch_max, asides }), Meanwhile::Anything)
    }
    /// The same way for a task that has nothing else to do until its events are stored, because its sender waits for that
    /// too: a durable channel may then hold the task's thread, and spares the way to another one and back. Not for a task
    /// that goes on receiving meanwhile, nor for one that must give up in time.
    #[must_use]
    pub fn here(&self) -> Self {
        Self(self.0.clone(), Meanwhile::Nothing)
    }

    /// Stores the batch: all of it in one transaction, if it is not larger than a channel.
    /// Waits as long as the channels' keep-alive. Events not stored are counted as rejected: the caller
    /// tells its sender.
    ///
    /// # Errors
    /// See [`Rejected`]: with a batch larger than a channel a part may have been accepted.
    pub async fn deliver(&self, batch: Batch) -> Result<(), Rejected> {
        let mut accepted = 0;
        let mut wanted = self.0.batch_max;
        while accepted < batch.len() {
            let part = batch.slice(accepted..batch.len().min(accepted.saturating_add(wanted)));
            let count = part.len();
            match self.store(part, Patience::KeepAlive, || accepted += count).await {
                Ok(()) => {}
                // Interceptors that make events can make a batch too large that was not.
                Err(RejectReason::Channel(PutError::TooLarge { .. })) if count > 1 && self.0.may_grow() => {
                    wanted = count / 2;
                }
                Err(reason) => return Err(self.reject(batch.len(), accepted, reason)),
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
                Ok(()) => {
                    wanted = wanted.saturating_mul(2).min(self.0.batch_max);
                    self.0.asides.catch_up().await;
                }
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

    /// Waits until the optional channels have, or have refused, what they were to get. Called when the source has ended.
    pub async fn settled(&self) {
        self.0.asides.settled().await;
    }
    /// What the optional channels do not have yet is dropped, and counted as that.
    pub fn abandon_optional(&self) {
        self.0.asides.abandon();
    }

    /// The most events that are stored in one piece: a larger batch goes in parts, each of which can be refused.
    #[must_use]
    pub fn events_max(&self) -> usize {
        self.0.batch_max
    }

    /// Events in those channels that would be lost with the process.
    #[must_use]
    pub fn volatile_events(&self) -> usize {
        let parts = &self.0.parts;
        let own = parts.channels.iter().map(|named| &named.channel).chain(&parts.put_order);
        own.filter(|channel| !channel.is_durable()).map(|channel| channel.status().events).max().unwrap_or(0)
    }

    /// Counts events that were received and will never be stored, with the cause.
    pub fn give_up(&self, cause: &str, events: usize) {
        let _movement = self.0.parts.gate.movement();
        add(&self.0.parts.counters.received, events);
        self.0.parts.counters.dropped.add(cause, events);
    }
    /// Counts events that the source itself refused, and told its sender so (a line that is too long).
    pub fn refuse(&self, events: usize) {
        let _movement = self.0.parts.gate.movement();
        add(&self.0.parts.counters.received, events);
        add(&self.0.parts.counters.rejected, events);
    }

    fn reject(&self, total: usize, accepted: usize, reason: RejectReason) -> Rejected {
        self.refuse(total - accepted);
        Rejected { accepted, reason }
    }

    /// `settled` is called in the movement in which the required channels get the events. The optional ones get
    /// theirs beside the source: a disk that hangs below one of them keeps no sender from its answer.
    async fn store(
        &self,
        batch: Batch,
        patience: Patience,
        settled: impl FnOnce(),
    ) -> Result<(), RejectReason> {
        // Where input never ends and channels are never full nothing else would make the source's task pause, and
        // as many such sources as there are threads would keep all others from running.
        tokio::task::coop::consume_budget().await;
        let inner = &self.0;
        let counters = &inner.parts.counters;
        let routed = inner.route(batch).await.map_err(|error| {
            add(&counters.generic_processing_fail, 1);
            RejectReason::Interceptor(error)
        })?;
        let since = Instant::now();
        let put = inner.put(&routed, patience, self.1, settled).await;
        let waited_ms = usize::try_from(since.elapsed().as_millis()).unwrap_or(usize::MAX);
        add(&counters.back_pressure_ms, waited_ms);
        if let Err(refused) = put {
            if patience == Patience::KeepAlive {
                add(&counters.channel_write_fail, 1);
            }
            return Err(refused);
        }
        if !routed.optional.is_empty() {
            optional::store(inner, routed).await;
        }
        Ok(())
    }
}

impl Inner {
    /// Whether a batch may have more events behind the interceptors than in front of them.
    fn may_grow(&self) -> bool {
        self.parts.interceptors.iter().any(|interceptor| matches!(interceptor, AnyInterceptor::Waiting(_)))
    }

    /// All required legs and dead letters, or none, as far as the tenant's budget goes.
    async fn put(
        &self,
        routed: &routing::Routed,
        patience: Patience,
        meanwhile: Meanwhile,
        settled: impl FnOnce(),
    ) -> Result<(), RejectReason> {
        let budget = self.parts.budget.as_deref();
        let room = match budget {
            None => None,
            Some(budget) => {
                let bytes = routed.required.iter().map(|(_, part)| part.body_bytes()).sum();
                Some(budget.admit(bytes, patience).await.map_err(RejectReason::Budget)?)
            }
        };
        let count_and_tell = || {
            let received = self.count_stored(routed);
            if let Some(budget) = budget {
                budget.spend(received);
            }
            settled();
        };
        let (parts, gate) = (&routed.required, &self.parts.gate);
        let put = match meanwhile {
            Meanwhile::Anything => put_all(parts, patience, gate, count_and_tell).await,
            Meanwhile::Nothing => put_all_here(parts, patience, gate, count_and_tell).await,
        };
        drop(room);
        put.map_err(|refused| RejectReason::Channel(refused.error))
    }
}
