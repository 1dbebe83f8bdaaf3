//! What a file channel counts beside the counters that every channel has.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets of sync latencies, in microseconds.
pub const SYNC_BUCKETS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

/// Counters and gauges of a log. Counters only grow.
#[derive(Debug, Default)]
pub struct LogMetrics {
    /// How many groups of records were made durable.
    pub syncs: AtomicU64,
    /// Time spent in `fdatasync`, in microseconds.
    pub sync_us: AtomicU64,
    /// Syncs by latency: one count for each of [`SYNC_BUCKETS_US`], not cumulative; the last is for all above.
    pub sync_buckets: [AtomicU64; SYNC_BUCKETS_US.len() + 1],
    /// Records in all groups: by `syncs`, the mean size of a group.
    pub group_records: AtomicU64,
    /// Bytes written to segments.
    pub written_bytes: AtomicU64,
    /// Syncs and writes that failed, each of which cost a segment.
    pub storage_failures: AtomicU64,
    /// Milliseconds that the last opening took.
    pub recovery_ms: AtomicU64,
    /// Events that were found pending by the last opening.
    pub recovered_events: AtomicU64,
    /// Bytes of all segments on disk, preallocated and spare ones included.
    pub disk_bytes: AtomicU64,
    /// Number of segments.
    pub segments: AtomicU64,
    /// Damaged records that were set aside.
    pub quarantined_records: AtomicU64,
    /// Events that were in them, as far as that is known.
    pub quarantined_events: AtomicU64,
    /// Unfinished writes that a crash left behind. Nobody was told that they were stored.
    pub torn_records: AtomicU64,
    /// Puts that the storage refused (`EventPutErrorCount`).
    pub put_errors: AtomicU64,
    /// Takes that the storage refused (`EventTakeErrorCount`).
    pub take_errors: AtomicU64,
    /// Checkpoints written.
    pub checkpoints: AtomicU64,
    /// Checkpoints that could not be written (`CheckpointWriteErrorCount`).
    pub checkpoint_errors: AtomicU64,
    /// Second checkpoints that could not be written (`CheckpointBackupWriteErrorCount`).
    pub backup_checkpoint_errors: AtomicU64,
    /// 1 while a folder cannot be written to (`Unhealthy`).
    pub unhealthy: AtomicU64,
    /// 1 while the channel is open.
    pub open: AtomicU64,
}

impl LogMetrics {
    /// Counts one sync.
    pub(super) fn synced(&self, took: Duration, records: usize) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.syncs.fetch_add(1, Relaxed);
        self.sync_us.fetch_add(us, Relaxed);
        self.group_records.fetch_add(records as u64, Relaxed);
        let bucket = SYNC_BUCKETS_US.partition_point(|&bound| bound < us);
        self.sync_buckets[bucket].fetch_add(1, Relaxed);
    }
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }
    /// Reads a counter.
    #[must_use]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }
}
