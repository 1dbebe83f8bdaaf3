//! The file channel beside the raw disk: the same bytes, in groups of the same size, appended and synced.
//!
//! `cargo bench -p flumen-channel --bench log [-- DIR]`; DIR (default: the target folder) lies on the disk in question.
//! Events of 200 bytes; each producer puts its next batch when the last one is durable. A consumer takes and commits
//! at the same time in the rows that say so. One line a case; the raw figure is measured right after, with the mean
//! group that the channel made.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate, Patience, put_all};
use flumen_event::{Batch, Span};

const EVENT_BYTES: usize = 200;
const SECONDS: f64 = 2.0;

fn events(count: usize) -> Batch {
    let spans = (0..count).map(|n| Span::new(n * EVENT_BYTES..n * EVENT_BYTES + EVENT_BYTES - 1)).collect();
    Batch::from_arena(vec![b'x'; count * EVENT_BYTES].into(), spans)
}

struct Figures {
    events_per_s: f64,
    group_bytes: usize,
    groups_per_s: f64,
    group_records: f64,
    put_ms: Vec<f64>,
    cpu_s_per_million: f64,
}

fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

async fn channel_figures(dir: &Path, batch: usize, producers: usize, consumed: bool) -> Figures {
    let gate = Arc::new(Gate::default());
    let limits = FileLimits {
        capacity: 100_000_000,
        transaction_capacity: 10_000,
        keep_alive: Duration::from_secs(60),
        spill: None,
        log: LogOptions::below(dir),
    };
    let channel = Arc::new(FileChannel::new(limits, None, gate.clone()));
    channel.try_open().expect("opened");
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let consumer = consumed.then(|| {
        let channel = channel.clone();
        tokio::spawn(async move {
            loop {
                let take = channel.take(10_000).await.expect("the storage works");
                take.commit(&mut || ()).await.expect("the storage works");
            }
        })
    });
    let (since, cpu) = (Instant::now(), cpu_s());
    let putting: Vec<_> = (0..producers)
        .map(|_| {
            let (stop, count, gate) = (stop.clone(), count.clone(), gate.clone());
            let channel: Arc<dyn Channel> = channel.clone();
            tokio::spawn(async move {
                let batch = events(batch);
                let mut took_ms = Vec::new();
                while !stop.load(Relaxed) {
                    let since = Instant::now();
                    let parts = [(channel.clone(), batch.clone())];
                    put_all(&parts, Patience::KeepAlive, &gate, || ()).await.expect("room");
                    took_ms.push(since.elapsed().as_secs_f64() * 1e3);
                    count.fetch_add(batch.len(), Relaxed);
                }
                took_ms
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs_f64(SECONDS)).await;
    stop.store(true, Relaxed);
    let mut put_ms = Vec::new();
    for task in putting {
        put_ms.extend(task.await.expect("a producer"));
    }
    let (elapsed, cpu) = (since.elapsed().as_secs_f64(), cpu_s() - cpu);
    consumer.inspect(|task| task.abort());
    put_ms.sort_by(f64::total_cmp);
    let metrics = channel.metrics();
    let syncs = LogMetrics::get(&metrics.syncs).max(1);
    let figures = Figures {
        events_per_s: count.load(Relaxed) as f64 / elapsed,
        group_bytes: (LogMetrics::get(&metrics.written_bytes) / syncs) as usize,
        groups_per_s: syncs as f64 / elapsed,
        group_records: LogMetrics::get(&metrics.group_records) as f64 / syncs as f64,
        put_ms,
        cpu_s_per_million: cpu / (count.load(Relaxed) as f64 / 1e6),
    };
    channel.close();
    figures
}

/// Appends and syncs groups of this size to preallocated files of the log's size, for as long.
fn raw_groups_per_s(dir: &Path, group_bytes: usize) -> f64 {
    let data = vec![b'x'; group_bytes];
    let segment_bytes = flumen_channel::file::SEGMENT_BYTES;
    let (mut groups, mut offset) = (0, segment_bytes);
    let mut file = None;
    let since = Instant::now();
    while since.elapsed().as_secs_f64() < SECONDS {
        if offset + group_bytes as u64 > segment_bytes {
            let path = dir.join(format!("raw-{groups}"));
            let made = std::fs::File::create_new(&path).expect("a file");
            rustix::fs::fallocate(&made, rustix::fs::FallocateFlags::empty(), 0, segment_bytes)
                .expect("room");
            made.sync_all().expect("synced");
            std::fs::File::open(dir).and_then(|d| d.sync_all()).expect("synced");
            (file, offset) = (Some(made), 0);
        }
        let file = file.as_ref().expect("made above");
        file.write_all_at(&data, offset).expect("written");
        file.sync_data().expect("synced");
        offset += group_bytes as u64;
        groups += 1;
    }
    groups as f64 / since.elapsed().as_secs_f64()
}

fn main() {
    let dir = std::env::args().skip(1).find(|a| !a.starts_with('-')).map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| std::env::current_exe().expect("this bench").with_file_name("log-bench"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    println!(
        "batch  producers  consumer |   events/s  cpu s/M  p50 ms  p99 ms | groups/s  records  KiB | raw groups/s  ratio"
    );
    for consumed in [false, true] {
        for (batch, producers) in [(1, 1), (1, 8), (100, 1), (100, 8), (1000, 1), (1000, 8)] {
            std::fs::create_dir_all(&dir).expect("a folder");
            let f = runtime.block_on(channel_figures(&dir, batch, producers, consumed));
            std::fs::remove_dir_all(&dir).expect("removed");
            std::fs::create_dir_all(&dir).expect("a folder");
            let raw = raw_groups_per_s(&dir, f.group_bytes);
            std::fs::remove_dir_all(&dir).expect("removed");
            let at = |q: f64| f.put_ms[((f.put_ms.len() - 1) as f64 * q) as usize];
            println!(
                "{batch:>5}  {producers:>9}  {:>8} | {:>10.0}  {:>7.2}  {:>6.2}  {:>6.2} | {:>8.0}  {:>7.1}  {:>3} | {raw:>12.0}  {:>5.2}",
                if consumed { "yes" } else { "no" },
                f.events_per_s,
                f.cpu_s_per_million,
                at(0.5),
                at(0.99),
                f.groups_per_s,
                f.group_records,
                f.group_bytes / 1024,
                f.groups_per_s / raw,
            );
        }
    }
}
