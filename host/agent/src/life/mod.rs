//! The life of an agent: build, start, run, stop.
//!
//! Start: channels, then sinks, then sources, so that nothing arrives before it can be stored and delivered.
//! Stop: sources first; then the sinks drain the channels that would be lost with the process, for a bounded
//! time; then the sinks. What could not be drained is counted and said.

mod budgets;
mod build;
mod dead_letters;
mod runner;
mod supervisor;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use flumen_config::{AgentConfig, Diagnostics};
use flumen_connect::{Source, StopSignal, Stopper};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::status::{AgentStatus, ChannelEntry, State};
use runner::RunnerThread;

/// Why an agent could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A type that this program cannot run. Flume ends here as well (with exit status 0).
    #[error("agent {agent}: {}", .components.join("; "))]
    Types {
        /// The agent.
        agent: String,
        /// `source r1 has the type …` for each.
        components: Vec<String>,
    },
    /// Nothing is left to run.
    #[error("agent {0} has nothing to run: all its sources and sinks were removed for the reasons above")]
    Empty(String),
}

/// A source that stands in for one of the configuration's, which is not built.
pub struct Substitute {
    /// The name of the source whose place it takes.
    pub source: String,
    /// What runs in its place. It is not made anew after a panic.
    pub with: Box<dyn Source>,
}

/// How long stopping may take, in its parts.
#[derive(Clone, Copy, Debug)]
pub struct StopLimits {
    /// For sources to finish what they hold. More than any source takes by its own limits (the longest is
    /// `exec`: 4 s for its lines to find room, then 2.5 s for a command that refuses to end).
    pub sources: Duration,
    /// For sinks to drain volatile channels, counted from the beginning of the stop: they drain as well while
    /// sources finish.
    pub drain: Duration,
    /// For sinks to close, all together.
    pub sinks: Duration,
}

/// Sources that took all the time leave at least this much for draining what they stored last.
const DRAIN_MIN: Duration = Duration::from_secs(1);
/// How long a source that is cut off may take to be gone. It ends at its next await.
const CUT_OFF_WITHIN: Duration = Duration::from_millis(250);

impl StopLimits {
    /// How long a stop takes at most.
    #[must_use]
    pub fn in_all(&self) -> Duration {
        let sources = self.sources + CUT_OFF_WITHIN + DRAIN_MIN.min(self.drain);
        sources.max(self.drain).saturating_add(self.sinks)
    }
}

impl Default for StopLimits {
    /// In all, at worst 9.25 s: below the ten seconds after which container engines kill.
    fn default() -> Self {
        Self { sources: Duration::from_secs(7), drain: Duration::from_secs(8), sinks: Duration::from_secs(1) }
    }
}

/// A running agent.
pub struct Agent {
    status: Arc<AgentStatus>,
    sources: Vec<JoinHandle<()>>,
    runners: Vec<RunnerThread>,
    stop_sources: Stopper,
    drain: Stopper,
    stop_sinks: Stopper,
}

/// The three signals of a stop, in their order.
#[derive(Clone)]
struct Signals {
    sources: StopSignal,
    drain: StopSignal,
    sinks: StopSignal,
}

impl Agent {
    /// Builds and starts an agent on the present runtime. Findings that building makes (they are rare: the
    /// configuration has been checked) are added to `diagnostics`, and the component is left out, as in Flume.
    ///
    /// # Errors
    /// If the agent has a type that cannot be run, or nothing to run at all.
    pub fn start(config: &AgentConfig, diagnostics: &mut Diagnostics) -> Result<Self, BuildError> {
        Self::start_with(config, None, diagnostics)
    }

    /// As [`start`](Self::start), with another source in the place of one.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(
        config: &AgentConfig,
        substitute: Option<Substitute>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Self, BuildError> {
        let parts = build::build(config, substitute, diagnostics)?;
        let (stop_sources, sources) = Stopper::new();
        let (drain, drain_signal) = Stopper::new();
        let (stop_sinks, sinks) = Stopper::new();
        let signals = Signals { sources, drain: drain_signal, sinks };
        for channel in &parts.status.channels {
            channel.unit.set(State::Running);
            tracing::info!("Component type: CHANNEL, name: {} started", channel.unit.name);
        }
        load_plugins(&config.name);
        let runners = parts.groups.into_iter().map(|group| runner::spawn(group, signals.clone())).collect();
        let sources =
            parts.sources.into_iter().map(|unit| supervisor::spawn(unit, &signals.sources)).collect();
        Ok(Self { status: parts.status, sources, runners, stop_sources, drain, stop_sinks })
    }

    /// What the monitor may see.
    #[must_use]
    pub fn status(&self) -> &Arc<AgentStatus> {
        &self.status
    }

    /// Stops in order, each part within its limit. Afterwards every event that was accepted is delivered, in
    /// a durable channel, or counted as dropped.
    pub async fn stop(mut self, limits: StopLimits) {
        let drain_until = Instant::now() + limits.drain;
        self.stop_sources(limits.sources).await;
        let drain_until = drain_until.max(Instant::now() + DRAIN_MIN.min(limits.drain));
        self.drain.stop();
        if timeout_at(drain_until, self.drained()).await.is_err() {
            tracing::warn!(agent = self.status.name, "channels could not be drained in time");
        }
        self.stop_sinks(Instant::now() + limits.sinks).await;
        for channel in &self.status.channels {
            close_channel(channel).await;
        }
        self.say_what_became_of_all();
    }

    async fn stop_sources(&mut self, within: Duration) {
        self.stop_sources.stop();
        if timeout_at(Instant::now() + within, all(&mut self.sources)).await.is_ok() {
            return;
        }
        tracing::warn!(agent = self.status.name, "sources did not stop in time and are cut off");
        let mut left: Vec<_> = self.sources.iter_mut().filter(|source| !source.is_finished()).collect();
        left.iter().for_each(|source| source.abort());
        // What they hold is let go of before the channels are closed: commands are ended, drops are counted.
        let _late = timeout_at(Instant::now() + CUT_OFF_WITHIN, all(left.drain(..))).await;
    }

    async fn stop_sinks(&mut self, until: Instant) {
        self.stop_sinks.stop();
        for runner in &mut self.runners {
            if timeout_at(until, runner.ended()).await.is_err() {
                tracing::warn!(
                    agent = self.status.name,
                    sink = runner.name(),
                    "the sink hangs and is left behind"
                );
            }
        }
    }

    async fn drained(&mut self) {
        for runner in &mut self.runners {
            runner.ended().await;
        }
    }

    fn say_what_became_of_all(&self) {
        let ledger = self.status.ledger();
        tracing::info!(
            "agent {} stopped: received {}, copies {}, delivered {}, dropped {}, rejected {}, left in channels {}",
            self.status.name,
            ledger.received,
            ledger.copies,
            ledger.delivered,
            ledger.dropped_total(),
            ledger.rejected,
            ledger.in_channels,
        );
        for ((component, cause), events) in &ledger.dropped {
            tracing::info!("dropped at {component}: {events} events: {cause}");
        }
    }
}

/// Plugins are ready before their first event as far as possible; whoever comes first loads them all the same.
fn load_plugins(agent: &str) {
    let Some(host) = flumen_plugin::host::running() else { return };
    for plugin in host.plugins().into_iter().filter(|plugin| plugin.spec().agent == agent) {
        tokio::spawn(async move {
            let path = plugin.spec().path.clone();
            if let Err(error) = plugin.load().await {
                tracing::error!(plugin = path, %error, "the plugin cannot be loaded; it is tried again when it is called");
            }
        });
    }
}

/// An agent that is not stopped in order takes its sources with it, and they the commands they have started.
impl Drop for Agent {
    fn drop(&mut self) {
        self.sources.iter().for_each(JoinHandle::abort);
    }
}

/// Returns when all tasks are done, however they ended.
async fn all(tasks: impl IntoIterator<Item = &mut JoinHandle<()>>) {
    for task in tasks {
        let _ended = task.await;
    }
}

/// What a volatile channel still has is lost now, and counted as that.
async fn close_channel(entry: &ChannelEntry) {
    let name = &entry.unit.name;
    entry.unit.set(State::Stopped);
    if entry.channel.is_durable() {
        return;
    }
    let mut lost = 0;
    while let Ok(Some(take)) = entry.channel.try_take(usize::MAX).await {
        let events = take.len();
        let counted = take.commit(&mut || entry.dropped.add("not drained before the stop", events)).await;
        if counted.is_ok() {
            lost += events;
        }
    }
    if lost > 0 {
        tracing::error!(
            "Channel {name}: {lost} events are DROPPED: its sinks could not deliver them before the stop; \
             use a durable channel, or a longer --drain-seconds"
        );
    }
    let held = entry.channel.status().events;
    if held > 0 {
        tracing::error!(
            "Channel {name}: {held} events are with a sink that hangs; if it does not deliver them before the \
             process ends, they are LOST"
        );
    }
}
