//! What takes events into an agent.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::ComponentError;
use crate::ledger::SourceCounters;
use crate::outlet::Outlet;
use crate::stop::StopSignal;

/// How a source's run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceEnd {
    /// It was asked to stop, and everything it had accepted is in the channels or counted as dropped.
    Stopped,
    /// It has no more events to give (`seq` after `totalEvents`). The agent goes on without it.
    Finished,
}

/// A source runs as one task of the runtime; it may spawn more, and ends them before it returns.
#[async_trait]
pub trait Source: Send {
    /// Takes events in until stop is requested or there are no more.
    ///
    /// Called once the channels and sinks run. Calls `context.ready()` as soon as events are accepted.
    /// Must not hold events that the sender believes delivered: acknowledge after
    /// [`Outlet::deliver`] has returned.
    ///
    /// # Errors
    /// Whatever keeps it from running (a port in use). It is called again after a pause, for as long as the
    /// agent lives, and the failure is visible in logs and on `/health`.
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError>;
}

/// What a source is given when it runs.
#[derive(Clone)]
pub struct SourceContext {
    /// Where events go.
    pub outlet: Outlet,
    /// Says when to stop.
    pub stop: StopSignal,
    /// The source's counters. The outlet counts events; a source counts what only it sees
    /// (connections, bytes it could not read, losses before the outlet).
    pub counters: Arc<SourceCounters>,
    /// Told when the source accepts events.
    pub ready: Arc<Notify>,
}

impl SourceContext {
    /// Says that events are accepted from now on.
    pub fn ready(&self) {
        self.ready.notify_one();
    }
}
