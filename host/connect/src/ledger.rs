//! What is counted about events, so that none goes missing unseen.
//!
//! For a source, and summed over an agent, at any moment at which nothing moves (see `flumen_channel::Gate`):
//!
//! ```text
//! received + copies + made + recovered = delivered + dropped (by cause) + rejected + in channels + in dead-letter files
//! ```
//!
//! `copies` are the events a fan-out adds: routing one event to three channels makes two copies.
//! `made` are the events that plugins add to those they were given.
//! Dead letters that go to a channel of the agent are in that channel, and delivered from it, like all others.
//! `rejected` are events whose sender was told that they were not accepted, or who still holds them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Events dropped, by cause. A cause is a short stable phrase with the component's name in front.
#[derive(Debug, Default)]
pub struct DropCounts(Mutex<BTreeMap<Arc<str>, u64>>);

impl DropCounts {
    /// Counts dropped events.
    pub fn add(&self, cause: &str, events: usize) {
        if events == 0 {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(cause) {
            Some(count) => *count += events as u64,
            None => drop(counts.insert(cause.into(), events as u64)),
        }
    }
    /// All causes so far with their counts.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<Arc<str>, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// All drops.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

macro_rules! counters {
    ($(#[$sdoc:meta])* $name:ident { $($(#[$doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$sdoc])*
        #[derive(Debug, Default)]
        pub struct $name {
            $($(#[$doc])* pub $field: AtomicU64,)*
            /// Events dropped, by cause.
            pub dropped: DropCounts,
        }
    };
}

counters! {
    /// Counters of one source. Those with a name of Flume's in their text are part of `/metrics`.
    SourceCounters {
        /// `EventReceivedCount`: events that reached the source.
        received,
        /// `EventAcceptedCount`: events stored in every required channel, or dropped on purpose by an
        /// interceptor or the selector: the sender is told "accepted".
        accepted,
        /// Events of which the sender was told that they were not accepted.
        rejected,
        /// Copies that fan-out added.
        copies,
        /// Events that interceptors made.
        made,
        /// Events that interceptors could not process and that were stored as dead letters, in channels and files.
        dead_letters,
        /// `AppendReceivedCount`: single events from RPC clients.
        append_received,
        /// `AppendAcceptedCount`.
        append_accepted,
        /// `AppendBatchReceivedCount`: batches that reached the source.
        append_batch_received,
        /// `AppendBatchAcceptedCount`.
        append_batch_accepted,
        /// `OpenConnectionCount`: a gauge.
        open_connections,
        /// Connections closed at once because there were as many as the source may have.
        connections_refused,
        /// Datagrams that the kernel lost, as they came faster than they were read. They are not among `received`.
        datagrams_lost,
        /// `EventReadFail`: input that could not be read or decoded.
        event_read_fail,
        /// `ChannelWriteFail`: batches that a channel refused.
        channel_write_fail,
        /// `GenericProcessingFail`: batches that failed for another reason.
        generic_processing_fail,
        /// Milliseconds spent waiting for room in channels: back-pressure.
        back_pressure_ms,
    }
}

counters! {
    /// Counters of one sink, under Flume's names.
    SinkCounters {
        /// `ConnectionCreatedCount`.
        connection_created,
        /// `ConnectionClosedCount`.
        connection_closed,
        /// `ConnectionFailedCount`.
        connection_failed,
        /// `BatchEmptyCount`: the sink looked and the channel was empty.
        batch_empty,
        /// `BatchUnderflowCount`: batches smaller than the batch size.
        batch_underflow,
        /// `BatchCompleteCount`: full batches.
        batch_complete,
        /// `EventDrainAttemptCount`: events taken for delivery.
        drain_attempt,
        /// `EventDrainSuccessCount`: events delivered and removed from the channel.
        drain_success,
        /// `EventWriteFail`: deliveries that failed.
        event_write_fail,
        /// `ChannelReadFail`: takes that failed.
        channel_read_fail,
        /// Events that the sink could not process and that were stored as dead letters, in channels and files.
        dead_letters,
    }
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Relaxed);
}

/// Reads a counter.
#[must_use]
pub fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
