//! The file channel beside the raw disk: the same bytes, in groups of the same size, appended and synced.
//!
//! ```text
//! cargo bench -p flumen-channel --bench log -- rate DIR     puts a second, beside a plain loop and fio, if there is one
//! cargo bench -p flumen-channel --bench log -- pace DIR     put → answer at half of that rate, beside one fdatasync, that
//!                                                           overwrites and that appends
//! ```
//! and behind that, if wanted, the number of rounds, and the rows: `100x8` for batches of 100 by 8 producers.
//! DIR (default: the target folder) lies on the disk in question. Events of 200 bytes; each producer puts its next
//! batch when the last one is durable. A consumer takes and commits at the same time in the rows that say so. Channel
//! and raw disk take turns, with the mean group that the channel makes; ratios are medians of the rounds.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

mod disk;
mod pace;
mod raw;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::{FileChannel, FileLimits, LogOptions, SEGMENT_BYTES};
use flumen_channel::{Channel, Gate, Patience, put_all_here};
use flumen_event::{Batch, Span};

use disk::in_fresh;

const EVENT_BYTES: usize = 200;
/// Short and many: who else uses the disk then disturbs channel and raw disk alike. Short also because a page cache that
/// grows into memory which a virtual machine has not used before is filled at a fifth of the speed: a second of large
/// groups that nobody takes is enough.
const SECONDS: f64 = 0.4;
/// A channel counts from the time when it has written so much, or so long: until then its first segment is in use, whose
/// blocks were not written beforehand.
const COUNTED_FROM_BYTES: u64 = 2 * SEGMENT_BYTES;
const COUNTED_FROM: Duration = Duration::from_millis(600);
/// Unless a third word says otherwise.
const ROUNDS: usize = 9;
const CASES: [(usize, usize); 6] = [(1, 1), (1, 8), (100, 1), (100, 8), (1000, 1), (1000, 8)];

fn events(count: usize) -> Batch {
    let spans = (0..count).map(|n| Span::new(n * EVENT_BYTES..n * EVENT_BYTES + EVENT_BYTES - 1)).collect();
    Batch::from_arena(vec![b'x'; count * EVENT_BYTES].into(), spans)
}

fn open(dir: &Path) -> (Arc<FileChannel>, Arc<Gate>) {
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
    (channel, gate)
}

/// The value below which this share of the sorted values lies.
fn at(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or_default()
}
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    at(&values, 0.5)
}

struct Figures {
    events_per_s: f64,
    group_bytes: usize,
    groups_per_s: f64,
    group_records: f64,
    /// Mean time of a sync, and of what lies between two.
    sync_us: f64,
    between_us: f64,
    put_ms: Vec<f64>,
    cpu_s_per_million: f64,
}

/// What a channel has counted so far.
struct Sums {
    syncs: u64,
    written_bytes: u64,
    group_records: u64,
    sync_us: u64,
}

impl Sums {
    fn of(metrics: &LogMetrics) -> Self {
        Self {
            syncs: LogMetrics::get(&metrics.syncs),
            written_bytes: LogMetrics::get(&metrics.written_bytes),
            group_records: LogMetrics::get(&metrics.group_records),
            sync_us: LogMetrics::get(&metrics.sync_us),
        }
    }
}

fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

/// Takes and commits what there is, until the channel is closed.
async fn consume(channel: Arc<FileChannel>) {
    while let Ok(take) = channel.take(10_000).await {
        if take.commit(&mut || ()).await.is_err() {
            return;
        }
    }
}

async fn channel_figures(dir: &Path, batch: usize, producers: usize, consumed: bool) -> Figures {
    let (channel, gate) = open(dir);
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let consumer = consumed.then(|| tokio::spawn(consume(channel.clone())));
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
                    put_all_here(&parts, Patience::KeepAlive, &gate, || ()).await.expect("room");
                    took_ms.push((since, since.elapsed().as_secs_f64() * 1e3));
                    count.fetch_add(batch.len(), Relaxed);
                }
                took_ms
            })
        })
        .collect();
    let begun = Instant::now();
    while Sums::of(channel.metrics()).written_bytes < COUNTED_FROM_BYTES && begun.elapsed() < COUNTED_FROM {
        tokio::time::sleep(COUNTED_FROM / 100).await;
    }
    let (since, cpu, before) = (Instant::now(), cpu_s(), Sums::of(channel.metrics()));
    let count_before = count.load(Relaxed);
    tokio::time::sleep(Duration::from_secs_f64(SECONDS)).await;
    let (elapsed, cpu, sums) = (since.elapsed().as_secs_f64(), cpu_s() - cpu, Sums::of(channel.metrics()));
    let events = (count.load(Relaxed) - count_before) as f64;
    stop.store(true, Relaxed);
    let mut put_ms = Vec::new();
    for task in putting {
        let took_ms = task.await.expect("a producer");
        put_ms.extend(took_ms.into_iter().filter(|(begun, _)| *begun >= since).map(|(_, ms)| ms));
    }
    consumer.inspect(|task| task.abort());
    put_ms.sort_by(f64::total_cmp);
    let of = |get: fn(&Sums) -> u64| (get(&sums) - get(&before)) as f64;
    let syncs = of(|s| s.syncs).max(1.0);
    let figures = Figures {
        events_per_s: events / elapsed,
        group_bytes: (of(|s| s.written_bytes) / syncs) as usize,
        groups_per_s: syncs / elapsed,
        group_records: of(|s| s.group_records) / syncs,
        sync_us: of(|s| s.sync_us) / syncs,
        between_us: (elapsed * 1e6 - of(|s| s.sync_us)) / syncs,
        put_ms,
        cpu_s_per_million: cpu / (events / 1e6),
    };
    channel.close();
    figures
}

/// The channel, then the raw disk: a plain loop, fio that appends, fio that overwrites.
struct Round {
    channel: Figures,
    plain: f64,
    fio: [Option<f64>; 2],
}

fn round(dir: &Path, runtime: &tokio::runtime::Runtime, case: (usize, usize), consumed: bool) -> Round {
    let (batch, producers) = case;
    let channel = in_fresh(dir, |dir| runtime.block_on(channel_figures(dir, batch, producers, consumed)));
    let bytes = channel.group_bytes;
    let plain = in_fresh(dir, |dir| raw::groups_per_s(dir, bytes));
    let fio = [raw::Blocks::Fresh, raw::Blocks::Written]
        .map(|blocks| in_fresh(dir, |dir| raw::fio_groups_per_s(dir, bytes, blocks)));
    Round { channel, plain, fio }
}

fn rates(dir: &Path, runtime: &tokio::runtime::Runtime, rounds: usize, cases: &[(usize, usize)]) {
    println!(
        "batch  producers  consumer |   events/s  cpu s/M  p50 ms  p99 ms | groups/s  records     KiB  sync us  between us | loop/s  ratio | fio append/s  ratio | fio overwrite/s  ratio"
    );
    for consumed in [false, true] {
        for &case in cases {
            let rounds: Vec<Round> = (0..rounds).map(|_| round(dir, runtime, case, consumed)).collect();
            let of = |get: &dyn Fn(&Figures) -> f64| median(rounds.iter().map(|r| get(&r.channel)));
            let raw = |get: &dyn Fn(&Round) -> Option<f64>| {
                let pairs =
                    rounds.iter().filter_map(|r| get(r).map(|raw| (raw, r.channel.groups_per_s / raw)));
                (median(pairs.clone().map(|p| p.0)), median(pairs.map(|p| p.1)))
            };
            let (plain, fresh, written) = (raw(&|r| Some(r.plain)), raw(&|r| r.fio[0]), raw(&|r| r.fio[1]));
            println!(
                "{:>5}  {:>9}  {:>8} | {:>10.0}  {:>7.2}  {:>6.2}  {:>6.2} | {:>8.0}  {:>7.1}  {:>6.1}  {:>7.0}  {:>10.0} | {:>6.0}  {:>5.2} | {:>12.0}  {:>5.2} | {:>15.0}  {:>5.2}",
                case.0,
                case.1,
                if consumed { "yes" } else { "no" },
                of(&|f| f.events_per_s),
                of(&|f| f.cpu_s_per_million),
                of(&|f| at(&f.put_ms, 0.5)),
                of(&|f| at(&f.put_ms, 0.99)),
                of(&|f| f.groups_per_s),
                of(&|f| f.group_records),
                of(&|f| f.group_bytes as f64 / 1024.0),
                of(&|f| f.sync_us),
                of(&|f| f.between_us),
                plain.0,
                plain.1,
                fresh.0,
                fresh.1,
                written.0,
                written.1,
            );
        }
    }
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    let what = words.next().unwrap_or_else(|| "rate".to_owned());
    let dir = words.next().map_or_else(
        || std::env::current_exe().expect("this bench").with_file_name("log-bench"),
        |dir| PathBuf::from(dir).join("log-bench"),
    );
    let rounds = words.next().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let wanted: Vec<String> = words.collect();
    let is_wanted = |(batch, producers): &(usize, usize)| {
        wanted.is_empty() || wanted.contains(&format!("{batch}x{producers}"))
    };
    let cases: Vec<(usize, usize)> = CASES.into_iter().filter(is_wanted).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    disk::touch(&dir);
    match what.as_str() {
        "rate" => rates(&dir, &runtime, rounds, &cases),
        "pace" => pace::table(&dir, &runtime, rounds, &cases),
        other => println!("there is no `{other}`: rate or pace"),
    }
}
