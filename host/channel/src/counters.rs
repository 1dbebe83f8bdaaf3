//! What every channel counts, under Flume's names.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Monotonic counters of one channel, in events.
#[derive(Debug, Default)]
pub struct ChannelCounters {
    /// `EventPutAttemptCount`: events that a put was tried for.
    pub put_attempt: AtomicU64,
    /// `EventPutSuccessCount`: events put and committed.
    pub put_success: AtomicU64,
    /// `EventTakeAttemptCount`: events asked for; one more than taken when the channel ran out, as in Flume.
    pub take_attempt: AtomicU64,
    /// `EventTakeSuccessCount`: events taken and committed.
    pub take_success: AtomicU64,
    /// Events that were in the channel when it was opened: an earlier process put them.
    pub recovered: AtomicU64,
    /// Events that the channel held and cannot read any more: their record is damaged. Each is said in the log.
    pub damaged: AtomicU64,
    /// Milliseconds that puts have waited for room: the back-pressure on sources.
    pub put_wait_ms: AtomicU64,
}

impl ChannelCounters {
    pub(crate) fn add(counter: &AtomicU64, events: usize) {
        counter.fetch_add(events as u64, Relaxed);
    }
}
