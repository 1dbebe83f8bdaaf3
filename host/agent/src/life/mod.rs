//! The life of an agent: build, start, run, stop.
//!
//! Start: channels, then sinks, then sources, so that nothing arrives before it can be stored and delivered.
//! Stop: sources first; then the sinks drain the channels that would be lost with the process, for a bounded
//! time; then the sinks. What could not be drained is counted and said.

mod build;
mod runner;
mod supervisor;

use std::sync::Arc;
use std::time::Duration;

use flumen_config::{AgentConfig, Diagnostics};
use flumen_connect::{StopSignal, Stopper};
use tokio::task::JoinHandle;

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

/// How long stopping may take, in its parts.
#[derive(Clone, Copy, Debug)]
pub struct StopLimits {
    /// For sources to finish what they hold.
    pub sources: Duration,
    /// For sinks to drain volatile channels.
    pub drain: Duration,
    /// For sinks to close.
    pub sinks: Duration,
}

impl Default for StopLimits {
    /// Below the ten seconds after which container engines kill.
    fn default() -> Self {
        Self { sources: Duration::from_secs(4), drain: Duration::from_secs(8), sinks: Duration::from_secs(1) }
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
        let parts = build::build(config, diagnostics)?;
        let (stop_sources, sources) = Stopper::new();
        let (drain, drain_signal) = Stopper::new();
        let (stop_sinks, sinks) = Stopper::new();
        let signals = Signals { sources, drain: drain_signal, sinks };
        for channel in &parts.status.channels {
            channel.unit.set(State::Running);
            tracing::info!("Component type: CHANNEL, name: {} started", channel.unit.name);
        }
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
        self.stop_sources.stop();
        let stopping = async {
            for source in &mut self.sources {
                let _ended = source.await;
            }
        };
        if tokio::time::timeout(limits.sources, stopping).await.is_err() {
            tracing::warn!(agent = self.status.name, "sources did not stop in time and are cut off");
            self.sources.iter().for_each(JoinHandle::abort);
        }
        self.drain.stop();
        if tokio::time::timeout(limits.drain, self.drained()).await.is_err() {
            tracing::warn!(agent = self.status.name, "channels could not be drained in time");
        }
        self.stop_sinks.stop();
        for runner in &mut self.runners {
            if tokio::time::timeout(limits.sinks, runner.ended()).await.is_err() {
                tracing::warn!(
                    agent = self.status.name,
                    sink = runner.name(),
                    "the sink hangs and is left behind"
                );
            }
        }
        for channel in &self.status.channels {
            close_channel(channel).await;
        }
        self.say_what_became_of_all();
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
}
