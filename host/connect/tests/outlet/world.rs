//! One source with its interceptors, selector and memory channels, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_channel::{
    Channel, ChannelCounters, ChannelLimits, ChannelStatus, Gate, MemoryChannel, MemoryLimits, Patience,
    PutError, Reservation, Take, TakeError,
};
use flumen_config::Settings;
use flumen_connect::budget::Budget;
use flumen_connect::dead_letter::DeadLetterFile;
use flumen_connect::ledger::get;
use flumen_connect::outlet::{NamedChannel, OutletParts};
use flumen_connect::{
    AnyInterceptor, AnySelector, AsyncInterceptor, Drops, InterceptError, Interceptor, Outlet,
    SourceCounters, catalog, interceptors, selectors,
};
use flumen_event::{Batch, BatchBuilder};

pub type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Runs a test with virtual time, so that keep-alives cost none.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test);
}

/// Events whose bodies are these numbers, with the header `kind`: the last digit.
pub fn numbers(range: std::ops::Range<usize>) -> Batch {
    let mut builder = BatchBuilder::default();
    for n in range {
        let (text, kind) = (n.to_string(), (n % 10).to_string());
        builder.push(text.as_bytes(), [("kind", kind.as_str())]).expect("within limits");
    }
    builder.finish()
}

/// What makes a channel out of a memory channel.
pub type Wrap = fn(MemoryChannel) -> Arc<dyn Channel>;

pub struct World {
    pub outlet: Outlet,
    pub channels: Vec<Arc<dyn Channel>>,
    pub gate: Arc<Gate>,
    pub counters: Arc<SourceCounters>,
    /// Events that takes have removed.
    pub delivered: u64,
    /// Files that dead letters went to.
    pub files: Vec<Arc<DeadLetterFile>>,
}

/// A plugin as the outlet sees it: waits once, then does with each event what the last digit of its number says.
/// 3: a dead letter. 4: filtered. 5: makes another event behind it. 6 with `fails`: refuses the batch.
pub struct Odd {
    pub letters: Arc<dyn Channel>,
    pub fails: bool,
}

#[async_trait]
impl AsyncInterceptor for Odd {
    async fn intercept(&self, batch: Batch, drops: &mut Drops) -> Result<Batch, InterceptError> {
        tokio::task::yield_now().await;
        let has = |digit: &'static str| batch.iter().filter(move |e| e.header("kind") == Some(digit)).count();
        if self.fails && has("6") > 0 {
            return Err(InterceptError { interceptor: "odd".to_owned(), reason: "it has a 6".to_owned() });
        }
        drops.dead_letter(self.letters.clone(), batch.filter(|event| event.header("kind") == Some("3")));
        drops.add("odd: filtered", has("4"));
        drops.made(has("5"));
        let mut builder = BatchBuilder::default();
        for event in batch.iter().filter(|event| !matches!(event.header("kind"), Some("3" | "4"))) {
            let headers: Vec<_> = event.headers().collect();
            let copies = if event.header("kind") == Some("5") { 2 } else { 1 };
            for _ in 0..copies {
                builder.push(event.body(), headers.clone()).expect("within limits");
            }
        }
        Ok(builder.finish())
    }
}

/// What a world is made of.
pub struct Plan<'a> {
    pub capacities: &'a [usize],
    pub selector: (&'a str, Pairs<'a>),
    pub wrap: Wrap,
    pub budget: Option<Budget>,
}

/// An interceptor as a source's settings would make it.
pub fn interceptor(name: &str, kind: &str, pairs: Pairs) -> Box<dyn Interceptor> {
    let settings = Settings::from_pairs(&format!("a1.sources.r1.interceptors.{name}"), pairs.iter().copied());
    let found = catalog::by_name(interceptors::TYPES, kind).expect("a type");
    (found.build)(&settings).unwrap_or_else(|d| panic!("{d:?}"))
}

impl World {
    /// Channels `c1`, `c2`, … of these capacities.
    pub fn new(
        capacities: &[usize],
        selector: (&str, Pairs),
        interceptors: Vec<Box<dyn Interceptor>>,
    ) -> Self {
        Self::wrapped(capacities, selector, interceptors, |channel| Arc::new(channel))
    }
    pub fn wrapped(
        capacities: &[usize],
        (kind, pairs): (&str, Pairs),
        interceptors: Vec<Box<dyn Interceptor>>,
        wrap: Wrap,
    ) -> Self {
        let plan = Plan { capacities, selector: (kind, pairs), wrap, budget: None };
        Self::planned(plan, |_| interceptors.into_iter().map(AnyInterceptor::from).collect())
    }
    /// A world whose interceptors may know its channels.
    pub fn planned(
        plan: Plan<'_>,
        interceptors: impl FnOnce(&[Arc<dyn Channel>]) -> Vec<AnyInterceptor>,
    ) -> Self {
        let Plan { capacities, selector: (kind, pairs), wrap, budget } = plan;
        let gate = Arc::new(Gate::default());
        let channels: Vec<Arc<dyn Channel>> = capacities
            .iter()
            .map(|&capacity| {
                let keep_alive = Duration::from_secs(3);
                let limits =
                    MemoryLimits { capacity, transaction_capacity: 1000, keep_alive, body_bytes_max: 0 };
                wrap(MemoryChannel::new(limits, gate.clone()))
            })
            .collect();
        let names: Vec<String> = (1..=capacities.len()).map(|n| format!("c{n}")).collect();
        let settings = Settings::from_pairs("a1.sources.r1.selector", pairs.iter().copied());
        let found = selectors::TYPES.iter().find(|t| t.spec.name == kind).expect("a type");
        let selector = (found.build)(&settings, &names).unwrap_or_else(|d| panic!("{d:?}"));
        let named = names.iter().zip(&channels);
        let named = named
            .map(|(name, channel)| NamedChannel { name: name.as_str().into(), channel: channel.clone() });
        let counters = Arc::<SourceCounters>::default();
        let outlet = Outlet::of(OutletParts {
            interceptors: interceptors(&channels),
            selector: AnySelector::from(selector),
            channels: named.collect(),
            dead_letters: Vec::new(),
            put_order: channels.clone(),
            gate: gate.clone(),
            counters: counters.clone(),
            budget: budget.map(|budget| {
                channels.iter().for_each(|channel| budget.watch(channel));
                Arc::new(budget)
            }),
        });
        Self { outlet, channels, gate, counters, delivered: 0, files: Vec::new() }
    }

    /// Asserts the ledger, and that each received event was either accepted or rejected.
    #[track_caller]
    pub fn assert_balanced(&self) {
        self.assert_conserved();
        let c = &self.counters;
        assert_eq!(get(&c.received), get(&c.accepted) + get(&c.rejected));
    }
    /// Asserts: received + copies + made = delivered + dropped + rejected + in channels + in dead-letter files.
    #[track_caller]
    pub fn assert_conserved(&self) {
        let _still = self.gate.stillness();
        let c = &self.counters;
        let inside: usize = self.channels.iter().map(|channel| channel.status().events).sum();
        let (received, copies) = (get(&c.received), get(&c.copies));
        let (dropped, rejected) = (c.dropped.total(), get(&c.rejected));
        let in_files: u64 = self.files.iter().map(|file| file.stored()).sum();
        let made = get(&c.made);
        assert_eq!(
            received + copies + made,
            self.delivered + dropped + rejected + inside as u64 + in_files,
            "received {received} + copies {copies} + made {made} = delivered {} + dropped {dropped} + rejected {rejected} + in channels {inside}",
            self.delivered
        );
    }
    /// How many events were dropped for a cause.
    pub fn dropped(&self, cause: &str) -> u64 {
        self.counters.dropped.snapshot().get(cause).copied().unwrap_or(0)
    }
    /// How many events each channel holds.
    pub fn inside(&self) -> Vec<usize> {
        self.channels.iter().map(|channel| channel.status().events).collect()
    }
    /// Takes up to `max` events out of a channel: their bodies.
    pub async fn take(&mut self, channel: usize, max: usize) -> Vec<usize> {
        let Some(take) = self.channels[channel].try_take(max).await.expect("memory") else { return vec![] };
        let bodies = take
            .batches()
            .iter()
            .flat_map(Batch::iter)
            .map(|event| str::from_utf8(event.body()).expect("text").parse().expect("a number"));
        let bodies: Vec<usize> = bodies.collect();
        take.commit(&mut || self.delivered += bodies.len() as u64).await.expect("memory");
        bodies
    }
}

/// The capacity by which [`Hesitant::hang`] knows the channels whose disk hangs.
pub const HANGING: usize = 7_777;
/// The capacity of those that refuse to hold the thread of a put.
pub const NOT_HELD: usize = 8_888;

/// A channel that is not done at the first poll of anything, so that a put can be dropped at each await.
pub struct Hesitant(MemoryChannel);

impl Hesitant {
    pub fn wrap(channel: MemoryChannel) -> Arc<dyn Channel> {
        Arc::new(Self(channel))
    }
    /// Channels of the capacity [`HANGING`] never have anything on disk; the others are what they were.
    pub fn hang(channel: MemoryChannel) -> Arc<dyn Channel> {
        if channel.limits().capacity == HANGING { Arc::new(Self(channel)) } else { Arc::new(channel) }
    }
}

#[async_trait]
impl Channel for Hesitant {
    fn limits(&self) -> ChannelLimits {
        self.0.limits()
    }
    fn status(&self) -> ChannelStatus {
        self.0.status()
    }
    fn counters(&self) -> &ChannelCounters {
        self.0.counters()
    }
    async fn reserve(&self, batch: &Batch, patience: Patience) -> Result<Box<dyn Reservation>, PutError> {
        tokio::task::yield_now().await;
        let reservation = self.0.reserve(batch, patience).await?;
        tokio::task::yield_now().await;
        Ok(Box::new(HesitantReservation(reservation, self.0.limits().capacity)))
    }
    async fn wait_for_events(&self) {
        self.0.wait_for_events().await;
    }
    fn is_durable(&self) -> bool {
        self.0.is_durable()
    }
    async fn try_take(&self, max: usize) -> Result<Option<Box<dyn Take>>, TakeError> {
        self.0.try_take(max).await
    }
}

struct HesitantReservation(Box<dyn Reservation>, usize);

#[async_trait]
impl Reservation for HesitantReservation {
    async fn persist(&mut self, batch: &Batch) -> Result<(), PutError> {
        tokio::task::yield_now().await;
        if self.1 == HANGING {
            std::future::pending::<()>().await;
        }
        self.0.persist(batch).await?;
        tokio::task::yield_now().await;
        Ok(())
    }
    async fn persist_here(&mut self, batch: &Batch) -> Result<(), PutError> {
        match self.1 {
            NOT_HELD => Err(PutError::Storage("a thread was to be held".to_owned())),
            _ => self.persist(batch).await,
        }
    }
    fn commit(self: Box<Self>, batch: Batch) {
        self.0.commit(batch);
    }
}
