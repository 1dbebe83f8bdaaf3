//! Drives the sinks of one group, on a thread of their own: a sink may block there and disturbs nobody.
//!
//! ```text
//! wait for events ─▶ processor: which sinks? ─▶ take ─▶ deliver ─▶ commit
//!        ▲                                         failed: the take goes back, the next candidate is asked
//!        └── all failed: pause, 250 ms doubling to 5 s
//! ```

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flumen_channel::{Channel, Patience, Take};
use flumen_connect::ledger::add;
use flumen_connect::processors::SinkProcessor;
use flumen_connect::{ComponentError, Delivery, Sink};
use futures_util::FutureExt;
use futures_util::future::select_all;
use tokio::sync::oneshot;

use super::Signals;
use crate::status::{SinkStatus, State};

/// Pause after the first failure of all candidates.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause; Flume always takes this one.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A group waits on the channels of all its sinks, also of one that cools down. So many rounds in a row that
/// found nothing are normal where sinks compete; from then on they are spaced out.
const IN_VAIN_MAX: usize = 16;
/// The space.
const IN_VAIN_PAUSE: Duration = Duration::from_millis(20);

/// Where puts come in quick succession, a sink is woken for a full batch, or once in so long, and not for each of them:
/// on a busy machine waking costs more than delivering a small batch does.
const PACE: Duration = Duration::from_millis(1);

/// Makes a fresh sink, for after a panic: nobody knows in which state the old one is.
pub(super) type Rebuild = Box<dyn Fn() -> Option<Box<dyn Sink>> + Send>;

/// A sink with what belongs to it.
pub(super) struct GroupSink {
    sink: Box<dyn Sink>,
    rebuild: Rebuild,
    channel: Arc<dyn Channel>,
    pub(super) status: Arc<SinkStatus>,
    is_open: bool,
}

/// Sinks that share a thread, and who decides among them.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) sinks: Vec<GroupSink>,
    pub(super) processor: Box<dyn SinkProcessor>,
}

/// What came of one round.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    Delivered,
    Empty,
    Failed,
}

/// A group at work.
pub(super) struct RunnerThread {
    name: String,
    ended: oneshot::Receiver<()>,
    has_ended: bool,
}

impl RunnerThread {
    /// The group's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
    /// Returns when the thread is done. May be called again.
    pub(super) async fn ended(&mut self) {
        if !self.has_ended {
            // An error means that the thread is gone, which is an end as well.
            let _gone = (&mut self.ended).await;
            self.has_ended = true;
        }
    }
}

/// Starts the group's thread on the present runtime.
pub(super) fn spawn(mut group: Group, signals: Signals) -> RunnerThread {
    let (done, ended) = oneshot::channel();
    let name = group.name.clone();
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new().name(format!("SinkRunner-{name}"));
    let spawned = thread.spawn(move || {
        runtime.block_on(async {
            group.run(&signals).await;
            group.close().await;
        });
        // Nobody may be waiting any more; then there is nobody to tell.
        let _unheard = done.send(());
    });
    if let Err(error) = spawned {
        // The receiver reports an end at once, and the group's units stay in `Starting`.
        tracing::error!(group = name, %error, "cannot start the thread of a sink");
    }
    RunnerThread { name, ended, has_ended: false }
}

impl GroupSink {
    pub(super) fn new(
        sink: Box<dyn Sink>,
        rebuild: Rebuild,
        channel: Arc<dyn Channel>,
        status: Arc<SinkStatus>,
    ) -> Self {
        Self { sink, rebuild, channel, status, is_open: false }
    }

    /// Calls the sink. A panic is one of its errors, and the last thing it did: a fresh sink takes its place.
    async fn call<T>(
        &mut self,
        call: impl AsyncFnOnce(&mut dyn Sink) -> Result<T, ComponentError>,
    ) -> Result<T, ComponentError> {
        let panic = match AssertUnwindSafe(call(&mut *self.sink)).catch_unwind().await {
            Ok(result) => return result,
            Err(panic) => panic,
        };
        if let Some(mut fresh) = (self.rebuild)() {
            fresh.attach(self.status.counters.clone());
            self.sink = fresh;
            self.is_open = false;
        }
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(format!("internal error: {text}").into())
    }

    async fn open(&mut self) -> Result<(), ComponentError> {
        if self.is_open {
            return Ok(());
        }
        self.call(async |sink| sink.open().await).await?;
        self.is_open = true;
        tracing::info!("Component type: SINK, name: {} started", self.status.unit.name);
        self.status.unit.set(State::Running);
        Ok(())
    }

    /// Takes, delivers, commits. Dropping the take on the way returns the events.
    async fn process(&mut self) -> Result<Round, ComponentError> {
        self.open().await?;
        let batch_size = self.sink.batch_size().max(1);
        let counters = self.status.counters.clone();
        let take =
            self.channel.try_take(batch_size).await.inspect_err(|_| add(&counters.channel_read_fail, 1))?;
        let Some(take) = take else {
            add(&counters.batch_empty, 1);
            return Ok(Round::Empty);
        };
        let count = take.len();
        add(&counters.drain_attempt, count);
        add(if count < batch_size { &counters.batch_underflow } else { &counters.batch_complete }, 1);
        let delivered = self.call(async |sink| sink.deliver(take.batches()).await).await;
        let delivery = delivered.inspect_err(|_| add(&counters.event_write_fail, 1))?;
        self.settle(take, &delivery).await?;
        if matches!(self.status.unit.state(), State::Failing(_)) {
            tracing::info!("Sink {} delivers again", self.status.unit.name);
            self.status.unit.set(State::Running);
        }
        Ok(Round::Delivered)
    }

    /// Removes the events from the channel. Dead letters among them are stored in the same movement: they are in one
    /// channel or the other, never in both and never in none.
    async fn settle(&self, take: Box<dyn Take>, delivery: &Delivery) -> Result<(), ComponentError> {
        let counters = &self.status.counters;
        let mut letters = Vec::new();
        for (target, events) in delivery.dropped.dead_letters() {
            let mut room = target.reserve(events, Patience::KeepAlive).await?;
            room.persist(events).await?;
            letters.push((room, events.clone()));
        }
        let moved: usize = letters.iter().map(|(_, events)| events.len()).sum();
        let delivered = take.len() - delivery.dropped.total() - moved;
        take.commit(&mut || {
            letters.drain(..).for_each(|(room, events)| room.commit(events));
            add(&counters.drain_success, delivered);
            add(&counters.dead_letters, moved);
            delivery.dropped.iter().for_each(|(cause, events)| counters.dropped.add(cause, events));
        })
        .await?;
        Ok(())
    }

    fn failed(&self, error: &ComponentError) {
        let unit = &self.status.unit;
        // The same cause again and again is said once; the state and the counter show the rest.
        if unit.state() != State::Failing(error.to_string()) {
            tracing::error!(
                "Unable to deliver event. Sink {}: {error}; the events stay in the channel",
                unit.name
            );
        }
        unit.set(State::Failing(error.to_string()));
    }
}

impl Group {
    async fn run(&mut self, signals: &Signals) {
        for sink in &mut self.sinks {
            tracing::info!("Starting Sink {}", sink.status.unit.name);
            if let Err(error) = sink.open().await {
                sink.failed(&error);
            }
        }
        let mut pause = PAUSE_MIN;
        let mut in_vain = 0;
        let mut woken = None;
        while !signals.sinks.is_requested() {
            match self.round().await {
                Round::Delivered => (pause, in_vain) = (PAUSE_MIN, 0),
                Round::Failed => {
                    tokio::select! {
                        () = signals.sinks.requested() => return,
                        // A stop leaves no time for long pauses: what failed may work by now.
                        () = signals.drain.requested(), if !signals.drain.is_requested() => {}
                        () = tokio::time::sleep(self.pause(pause, signals)) => {}
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Round::Empty if signals.drain.is_requested() && self.is_drained() => return,
                Round::Empty => {
                    in_vain += 1;
                    self.gather(woken).await;
                    self.wait(signals).await;
                    woken = Some(Instant::now());
                    if in_vain > IN_VAIN_MAX {
                        tokio::time::sleep(IN_VAIN_PAUSE).await;
                    }
                }
            }
        }
    }

    fn pause(&self, pause: Duration, signals: &Signals) -> Duration {
        if signals.drain.is_requested() {
            return PAUSE_MIN;
        }
        let until_retry = self.processor.retry_at().map(|at| at.saturating_duration_since(Instant::now()));
        until_retry.map_or(pause, |until| until.clamp(PAUSE_MIN, PAUSE_MAX))
    }

    fn is_drained(&self) -> bool {
        self.sinks.iter().all(|s| s.channel.is_durable() || s.channel.status().events == 0)
    }

    /// Asks the candidates in order until one delivers.
    async fn round(&mut self) -> Round {
        let candidates = self.processor.candidates(Instant::now());
        let mut outcome = Round::Failed;
        for at in candidates {
            match self.sinks[at].process().await {
                Ok(Round::Delivered) => {
                    self.processor.succeeded(at, Instant::now());
                    return Round::Delivered;
                }
                Ok(other) => outcome = other,
                Err(error) => {
                    self.sinks[at].failed(&error);
                    self.processor.failed(at, Instant::now());
                }
            }
        }
        outcome
    }

    /// Lets events come together if the group has been woken just now.
    async fn gather(&self, woken: Option<Instant>) {
        let until = woken.map(|at| at + PACE).filter(|until| *until > Instant::now());
        let Some(until) = until else { return };
        let most =
            |s: &GroupSink| s.sink.batch_size().clamp(1, s.channel.limits().transaction_capacity.max(1));
        let channels: Vec<_> = self.sinks.iter().map(|s| (s.channel.clone(), most(s))).collect();
        let many = select_all(channels.iter().map(|(channel, most)| channel.wait_for_many(*most)));
        let _either = tokio::time::timeout_at(until.into(), many).await;
    }

    /// Until there is something to do: events, a sink's own time, or the agent's stop.
    async fn wait(&mut self, signals: &Signals) {
        let idle_at = self.sinks.iter().filter_map(|s| s.sink.idle_at()).min();
        let channels: Vec<_> = self.sinks.iter().map(|s| s.channel.clone()).collect();
        tokio::select! {
            _ = select_all(channels.iter().map(|c| c.wait_for_events())) => {}
            () = sleep_until(idle_at) => self.idle().await,
            () = signals.drain.requested(), if !signals.drain.is_requested() => {}
            // Draining: another group may hold the last events of a shared channel and give them back.
            () = tokio::time::sleep(PAUSE_MIN), if signals.drain.is_requested() => {}
            () = signals.sinks.requested() => {}
        }
    }

    async fn idle(&mut self) {
        let now = Instant::now();
        for sink in &mut self.sinks {
            if sink.sink.idle_at().is_some_and(|at| at <= now)
                && let Err(error) = sink.call(async |sink| sink.idle().await).await
            {
                sink.failed(&error);
            }
        }
    }

    async fn close(&mut self) {
        for sink in &mut self.sinks {
            if sink.is_open
                && let Err(error) = sink.call(async |sink| sink.close().await).await
            {
                tracing::error!("Sink {} did not close: {error}", sink.status.unit.name);
            }
            sink.status.unit.set(State::Stopped);
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
