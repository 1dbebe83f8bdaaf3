//! What is known of a running agent: shared by its components, read by the monitor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use flumen_channel::{Channel, ChannelStatus, Gate, Stillness};
use flumen_connect::budget::Budget;
use flumen_connect::dead_letter::DeadLetterFile;
use flumen_connect::ledger::{DropCounts, SinkCounters, SourceCounters, get};

/// How a component is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not running yet.
    Starting,
    /// At work.
    Running,
    /// It failed and is tried again; the text is the last cause.
    Failing(String),
    /// A source that has given all it had.
    Finished,
    /// Stopped by the agent.
    Stopped,
}

/// A component's name, state and times.
pub struct Unit {
    /// Its name in the configuration.
    pub name: String,
    /// Its type's canonical name.
    pub kind: &'static str,
    life: Mutex<Life>,
}

struct Life {
    state: State,
    started_ms: u64,
    stopped_ms: u64,
    failures: u64,
}

impl Unit {
    /// A component that does not run yet.
    #[must_use]
    pub fn new(name: &str, kind: &'static str) -> Self {
        let life = Life { state: State::Starting, started_ms: 0, stopped_ms: 0, failures: 0 };
        Self { name: name.to_owned(), kind, life: Mutex::new(life) }
    }
    /// Notes a new state; the time of the first start and of the stop are kept.
    pub fn set(&self, state: State) {
        let mut life = self.lock();
        match &state {
            State::Running if life.started_ms == 0 => life.started_ms = now_ms(),
            State::Stopped | State::Finished => life.stopped_ms = now_ms(),
            State::Failing(_) => life.failures += 1,
            _ => {}
        }
        life.state = state;
    }
    /// The present state.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }
    /// `StartTime` and `StopTime` in milliseconds since 1970; zero if it did not happen.
    #[must_use]
    pub fn times_ms(&self) -> (u64, u64) {
        let life = self.lock();
        (life.started_ms, life.stopped_ms)
    }
    /// How often it failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A source as the monitor sees it.
pub struct SourceStatus {
    /// Name and state.
    pub unit: Unit,
    /// Its counters.
    pub counters: Arc<SourceCounters>,
}

/// A channel as the monitor sees it.
pub struct ChannelEntry {
    /// Name and state.
    pub unit: Unit,
    /// The channel.
    pub channel: Arc<dyn Channel>,
    /// Events that were in it when the agent stopped and could not be drained.
    pub dropped: DropCounts,
}

/// A sink as the monitor sees it.
pub struct SinkStatus {
    /// Name and state.
    pub unit: Unit,
    /// Its counters.
    pub counters: Arc<SinkCounters>,
}

/// One agent as the monitor sees it. The lists do not change while it lives.
pub struct AgentStatus {
    /// The agent's name.
    pub name: String,
    /// Held by everything that moves events.
    pub gate: Arc<Gate>,
    /// In the order of the configuration.
    pub sources: Vec<Arc<SourceStatus>>,
    /// In the order of the configuration.
    pub channels: Vec<Arc<ChannelEntry>>,
    /// In the order of the configuration.
    pub sinks: Vec<Arc<SinkStatus>>,
    /// Files that dead letters of its plugins go to.
    pub dead_letters: Vec<Arc<DeadLetterFile>>,
    /// What its tenant may bring in, if there is a ceiling.
    pub budget: Option<Arc<Budget>>,
    /// Components that the configuration lists but that cannot run.
    pub removed: Vec<String>,
}

/// All counts of an agent at one moment at which nothing moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Events that reached the sources.
    pub received: u64,
    /// Copies added by fan-out.
    pub copies: u64,
    /// Events that plugins made.
    pub made: u64,
    /// Events in dead-letter files.
    pub in_dead_letter_files: u64,
    /// Events that durable channels held when the agent started.
    pub recovered: u64,
    /// Events that sinks delivered.
    pub delivered: u64,
    /// Events that senders were told were not accepted.
    pub rejected: u64,
    /// Events in channels.
    pub in_channels: u64,
    /// Dropped events by component and cause.
    pub dropped: BTreeMap<(String, String), u64>,
    /// The channels' contents, in the agent's order.
    pub channels: Vec<ChannelStatus>,
}

impl Ledger {
    /// All drops.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }
    /// Whether every event is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received + self.copies + self.made + self.recovered
            == self.delivered
                + self.dropped_total()
                + self.rejected
                + self.in_channels
                + self.in_dead_letter_files
    }
}

impl AgentStatus {
    /// An agent that could not be started: it has no components, and `/health` says why.
    #[must_use]
    pub fn not_started(name: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            gate: Arc::default(),
            sources: Vec::new(),
            channels: Vec::new(),
            sinks: Vec::new(),
            dead_letters: Vec::new(),
            budget: None,
            removed: vec![format!("the whole agent: {why}")],
        }
    }
    /// Counts everything at a moment at which no event moves.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.ledger_during(&self.gate.stillness())
    }
    /// The same, for a caller that reads more at this moment. The stillness is that of this agent's gate.
    #[must_use]
    pub fn ledger_during(&self, _: &Stillness<'_>) -> Ledger {
        let mut ledger = Ledger::default();
        for source in &self.sources {
            ledger.received += get(&source.counters.received);
            ledger.copies += get(&source.counters.copies);
            ledger.made += get(&source.counters.made);
            ledger.rejected += get(&source.counters.rejected);
            ledger.note_drops(&source.unit.name, &source.counters.dropped);
        }
        for channel in &self.channels {
            let status = channel.channel.status();
            ledger.in_channels += status.events as u64;
            let counters = channel.channel.counters();
            ledger.recovered += get(&counters.recovered);
            ledger.note_drop(&channel.unit.name, "damaged on disk", get(&counters.damaged));
            ledger.note_drops(&channel.unit.name, &channel.dropped);
            ledger.channels.push(status);
        }
        ledger.in_dead_letter_files = self.dead_letters.iter().map(|file| file.stored()).sum();
        for sink in &self.sinks {
            ledger.delivered += get(&sink.counters.drain_success);
            ledger.note_drops(&sink.unit.name, &sink.counters.dropped);
        }
        ledger
    }
    /// All units with a word for what they are.
    pub fn units(&self) -> impl Iterator<Item = (&'static str, &Unit)> {
        let sources = self.sources.iter().map(|s| ("source", &s.unit));
        let channels = self.channels.iter().map(|c| ("channel", &c.unit));
        let sinks = self.sinks.iter().map(|s| ("sink", &s.unit));
        sources.chain(channels).chain(sinks)
    }
}

impl Ledger {
    fn note_drops(&mut self, component: &str, drops: &DropCounts) {
        for (cause, count) in drops.snapshot() {
            self.note_drop(component, &cause, count);
        }
    }
    fn note_drop(&mut self, component: &str, cause: &str, count: u64) {
        if count > 0 {
            *self.dropped.entry((component.to_owned(), cause.to_owned())).or_default() += count;
        }
    }
}
