//! A long backlog: memory stays small, and the first event comes at once. 10 million events of 200 bytes with
//! `FLUMEN_TEST_LONG=1`, else 300,000; `FLUMEN_TEST_BACKLOG=50000` for 50,000 thousand, which are 10 GB.

#![allow(clippy::print_stdout, reason = "the figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flumen_channel::file::{FileChannel, FileLimits, LogOptions, SyncPolicy};
use flumen_channel::{Channel, Gate, Patience, put_all};
use flumen_event::{Batch, Span};

const RESIDENT_MAX_KIB: usize = 200 << 10;

fn open(dir: &Path) -> (Arc<FileChannel>, Arc<Gate>) {
    // Durability is not what is tested here, and a sync for each put would take minutes.
    let log = LogOptions { sync: SyncPolicy::Every(Duration::from_secs(1)), ..LogOptions::below(dir) };
    let (capacity, transaction_capacity) = (100_000_000, 10_000);
    let limits = FileLimits { capacity, transaction_capacity, keep_alive: Duration::ZERO, spill: None, log };
    let gate = Arc::new(Gate::default());
    let channel = Arc::new(FileChannel::new(limits, None, gate.clone()));
    channel.try_open().expect("opened");
    (channel, gate)
}
fn peak_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn memory_is_bounded_and_the_start_immediate_with_a_long_backlog() {
    let batches = std::env::var("FLUMEN_TEST_BACKLOG").ok().and_then(|text| text.parse().ok());
    let batches =
        batches.unwrap_or(if std::env::var_os("FLUMEN_TEST_LONG").is_some() { 10_000 } else { 300 });
    let dir = tempfile::tempdir().expect("a folder");
    let spans = (0..1000).map(|n| Span::new(n * 200..n * 200 + 199)).collect();
    let batch = Batch::from_arena(vec![b'x'; 200_000].into(), spans);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (channel, gate) = open(dir.path());
        for _ in 0..batches {
            let parts: [(Arc<dyn Channel>, Batch); 1] = [(channel.clone(), batch.clone())];
            put_all(&parts, Patience::None, &gate, || ()).await.expect("room");
        }
        channel.close();
        drop(channel);
        // The checkpoint would make it quicker still.
        std::fs::remove_file(dir.path().join("checkpoint/checkpoint.flumen")).expect("a checkpoint");
        let since = Instant::now();
        let (channel, _gate) = open(dir.path());
        let take = channel.take(1000).await.expect("events");
        let first = since.elapsed();
        println!("first event after {first:?}; {} MiB resident at most so far", peak_kib() >> 10);
        assert_eq!((take.len(), channel.status().events), (1000, batches * 1000));
        assert!(first < Duration::from_secs(1), "the first event came after {first:?}");
        take.commit(&mut || ()).await.expect("recorded");
        let mut left = (batches - 1) * 1000;
        while left > 0 {
            let take = channel.take(10_000).await.expect("events");
            left -= take.len();
            take.commit(&mut || ()).await.expect("recorded");
        }
        println!(
            "{batches} thousand events: first after {first:?}, at most {} MiB resident",
            peak_kib() >> 10
        );
        assert!(peak_kib() < RESIDENT_MAX_KIB, "{} MiB", peak_kib() >> 10);
    });
}
