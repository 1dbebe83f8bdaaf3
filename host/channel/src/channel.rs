//! The contract that sources and sinks rely on.

use std::time::Duration;

use async_trait::async_trait;
use flumen_event::Batch;

use crate::counters::ChannelCounters;
use crate::error::{PutError, TakeError};
use crate::file::metrics::LogMetrics;

/// How long a put waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: for optional channels, and for trying a whole batch before its parts.
    None,
    /// As long as the channel's own `keep-alive`.
    KeepAlive,
}

/// What a channel may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelLimits {
    /// Most events in the channel, taken but uncommitted ones included.
    pub capacity: usize,
    /// Most events in one take (`transactionCapacity`). A put may have up to `capacity` events:
    /// where Flume refuses a batch for ever, it is one transaction here.
    pub transaction_capacity: usize,
}

/// What a channel holds at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Committed events that no committed take has removed.
    pub events: usize,
    /// Bytes of their bodies.
    pub bytes: usize,
    /// Time since the oldest of them was put.
    pub oldest_age: Option<Duration>,
}

/// A place where events wait. All methods may be called from many tasks at once.
///
/// Promises, proven for every channel by the `contract` tests:
/// a put is all or nothing; events leave in the order in which their puts were committed, and a rolled-back
/// take returns to its place in that order; what is committed stays until a take of it is committed;
/// dropping any future or handle at any await leaves the channel as if it had never been made.
#[async_trait]
pub trait Channel: Send + Sync {
    /// What it may hold. Does not change while it lives.
    fn limits(&self) -> ChannelLimits;
    /// What it holds now.
    fn status(&self) -> ChannelStatus;
    /// Its counters.
    fn counters(&self) -> &ChannelCounters;

    /// Makes the channel ready: called once before anything is put or taken, and again as long as it fails. May
    /// block for as long as the channel's storage takes.
    ///
    /// # Errors
    /// Why it cannot be used yet, for the log and the health page. Puts and takes are refused until then.
    fn open(&self) -> Result<(), String> {
        Ok(())
    }
    /// Called once, when neither source nor sink will use it any more. May block, as `open` may.
    fn close(&self) {}
    /// What it counts beside [`counters`](Self::counters), if it has a log.
    fn log_metrics(&self) -> Option<&LogMetrics> {
        None
    }

    /// First step of a put: room for the batch, first come first served.
    /// Called before anything is written anywhere.
    ///
    /// # Errors
    /// [`PutError::Full`] or [`PutError::BytesFull`] after the patience, [`PutError::TooLarge`] at once.
    async fn reserve(&self, batch: &Batch, patience: Patience) -> Result<Box<dyn Reservation>, PutError>;

    /// Returns as soon as there is an event to take. Another taker may be quicker.
    async fn wait_for_events(&self);

    /// Returns as soon as there are `count` events to take, or fewer when room becomes scarce: a put waits for it, or
    /// half of it is in use. May return earlier, but not before there is an event; for takers that would rather be
    /// woken once for many.
    async fn wait_for_many(&self, count: usize) {
        let _ = count;
        self.wait_for_events().await;
    }

    /// Takes up to `max` events, at least one; `None` if the channel is empty.
    /// `max` is lowered to the transaction capacity.
    ///
    /// # Errors
    /// If the channel's storage fails.
    async fn try_take(&self, max: usize) -> Result<Option<Box<dyn Take>>, TakeError>;

    /// Takes up to `max` events, waiting until there is at least one.
    ///
    /// # Errors
    /// If the channel's storage fails.
    async fn take(&self, max: usize) -> Result<Box<dyn Take>, TakeError> {
        loop {
            if let Some(take) = self.try_take(max).await? {
                return Ok(take);
            }
            self.wait_for_events().await;
        }
    }

    /// Whether events outlive the process. What does not is drained into the sinks when the agent stops.
    fn is_durable(&self) -> bool;
}

/// Room in a channel. Dropping it gives the room back.
#[async_trait]
pub trait Reservation: Send {
    /// Second step: makes the batch as durable as the channel promises. Takers do not see it yet.
    /// Called once, with the batch that room was reserved for.
    ///
    /// # Errors
    /// If the storage fails; the reservation can then only be dropped.
    async fn persist(&mut self, batch: &Batch) -> Result<(), PutError>;

    /// The same for a task that does nothing else until it is done: the channel may hold the task's thread while it waits
    /// for the disk. The runtime's other tasks go on, what shares the task (`select!`, `join!`) does not. Not in a `LocalSet`,
    /// where the runtime cannot do without the thread and panics.
    ///
    /// # Errors
    /// As for [`persist`](Self::persist).
    async fn persist_here(&mut self, batch: &Batch) -> Result<(), PutError> {
        self.persist(batch).await
    }

    /// Last step: takers see the batch. Called at most once, after `persist`, under a
    /// [`Movement`](crate::Movement) of the gate.
    fn commit(self: Box<Self>, batch: Batch);
}

/// Events taken out for delivery. Dropping it returns them.
#[async_trait]
pub trait Take: Send {
    /// The events, oldest first; at least one.
    fn batches(&self) -> &[Batch];

    /// Removes the events for good. `settled` is called once, in the same movement through the gate as the
    /// removal, so that "delivered" is counted at the moment at which "in the channel" no longer is.
    ///
    /// # Errors
    /// If the removal could not be recorded: the events will be delivered again.
    async fn commit(self: Box<Self>, settled: &mut (dyn FnMut() + Send)) -> Result<(), TakeError>;
}

impl dyn Take + '_ {
    /// Number of events taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches().iter().map(Batch::len).sum()
    }
    /// Never true; here because `len` is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
