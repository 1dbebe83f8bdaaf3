//! What delivers events.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use flumen_event::Batch;

use crate::ComponentError;
use crate::interceptor::Drops;
use crate::ledger::SinkCounters;

/// What became of a delivered batch. Events not named in `dropped` were delivered.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Events that can never be delivered and were given up, by cause.
    pub dropped: Drops,
}

/// A sink is driven by a runner on a thread of its own, so it may block in file and system calls.
///
/// Order of calls: `open`, then `deliver` and `idle` in any order, then `close`. After an error of `open` or
/// `deliver` the runner waits (longer each time, at most 5 s) and calls the same again; after an error of
/// `deliver` the events are back in the channel and come again.
#[async_trait]
pub trait Sink: Send {
    /// The most events it wants at once.
    fn batch_size(&self) -> usize;
    /// Gives the sink its counters. Called once, before the first `open`.
    ///
    /// The runner counts events and batches; a sink counts what only it sees (connections, files).
    fn attach(&mut self, _counters: Arc<SinkCounters>) {}
    /// Gets ready. Also called again after it failed.
    ///
    /// # Errors
    /// Whatever keeps it from delivering.
    async fn open(&mut self) -> Result<(), ComponentError>;
    /// Delivers the events. When it returns without error they are as safe as the sink promises, and leave
    /// the channel. May be called with events that were given before, if that call failed.
    ///
    /// # Errors
    /// If any event that was not noted as dropped may not have been delivered.
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError>;
    /// When `idle` wants to be called although no events come (a file to roll).
    fn idle_at(&self) -> Option<Instant> {
        None
    }
    /// Time-driven work, without events.
    ///
    /// # Errors
    /// Logged and counted; the sink stays in use.
    async fn idle(&mut self) -> Result<(), ComponentError> {
        Ok(())
    }
    /// Finishes what is open. Nothing is called afterwards.
    ///
    /// # Errors
    /// Logged; everything delivered before stays as safe as it was.
    async fn close(&mut self) -> Result<(), ComponentError>;
}
