//! How long a put takes while the channel has half of what it could do.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::{Channel, Patience, put_all_here};

use super::{EVENT_BYTES, SECONDS, at, channel_figures, events, in_fresh, median, open, raw};

struct Paced {
    put_ms: Vec<f64>,
    group_bytes: usize,
    groups_per_s: f64,
}

/// Producers on threads of their own put a batch each `interval`. A put that had to begin late because the one before
/// it was slow counts from when it should have begun.
fn paced(
    dir: &Path,
    runtime: &tokio::runtime::Runtime,
    batch: usize,
    producers: usize,
    interval: Duration,
) -> Paced {
    let (channel, gate) = open(dir);
    let begin = Instant::now();
    let putting: Vec<_> = (0..producers as u32)
        .map(|number| {
            let (gate, handle) = (gate.clone(), runtime.handle().clone());
            let channel: Arc<dyn Channel> = channel.clone();
            std::thread::spawn(move || {
                let parts = [(channel, events(batch))];
                let mut due = begin + interval * number / producers as u32;
                let mut took_ms = Vec::new();
                let mut is_late = false;
                while begin.elapsed().as_secs_f64() < SECONDS * 2.0 {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    // A thread that is woken late is no fault of the channel.
                    let since = if is_late { due } else { Instant::now() };
                    handle.block_on(put_all_here(&parts, Patience::KeepAlive, &gate, || ())).expect("room");
                    took_ms.push(since.elapsed().as_secs_f64() * 1e3);
                    due = if is_late { due } else { since } + interval;
                    is_late = due < Instant::now();
                }
                took_ms
            })
        })
        .collect();
    let mut put_ms: Vec<f64> =
        putting.into_iter().flat_map(|thread| thread.join().expect("a producer")).collect();
    put_ms.sort_by(f64::total_cmp);
    let elapsed = begin.elapsed().as_secs_f64();
    let metrics = channel.metrics();
    let syncs = LogMetrics::get(&metrics.syncs).max(1);
    channel.close();
    Paced {
        put_ms,
        group_bytes: (LogMetrics::get(&metrics.written_bytes) / syncs) as usize,
        groups_per_s: syncs as f64 / elapsed,
    }
}

/// The most puts a second, how long puts took at half of it, how long one sync took, and how long puts would take if
/// there were nothing but syncs.
type Round = (f64, Vec<f64>, Vec<f64>, Vec<f64>);

pub fn table(dir: &Path, runtime: &tokio::runtime::Runtime, rounds: usize, cases: &[(usize, usize)]) {
    println!(
        "batch  producers | puts/s at most, half | p50 ms  p99 ms | fdatasync at the same pace: p50 ms  p99 ms | p99 / p50 of one  p99 / p99 of one | syncs alone, same puts: p50 ms  p99 ms  p99 / p99"
    );
    for &(batch, producers) in cases {
        let rounds: Vec<Round> = (0..rounds)
            .map(|_| {
                let f = in_fresh(dir, |dir| runtime.block_on(channel_figures(dir, batch, producers, false)));
                let most = f.events_per_s / batch as f64;
                let interval = Duration::from_secs_f64(producers as f64 / (most / 2.0));
                let paced = in_fresh(dir, |dir| paced(dir, runtime, batch, producers, interval));
                let pace = Duration::from_secs_f64(1.0 / paced.groups_per_s);
                let mut one =
                    in_fresh(dir, |dir| raw::sync_ms(dir, paced.group_bytes, pace, raw::Blocks::Written));
                one.sort_by(f64::total_cmp);
                let bytes = batch * (EVENT_BYTES + 8) + 80;
                let each = Duration::from_secs_f64(2.0 / most);
                let mut ideal = in_fresh(dir, |dir| raw::ideal_ms(dir, bytes, each));
                ideal.sort_by(f64::total_cmp);
                (most, paced.put_ms, one, ideal)
            })
            .collect();
        let of = |get: &dyn Fn(&Round) -> f64| median(rounds.iter().map(get));
        println!(
            "{batch:>5}  {producers:>9} | {:>14.0} {:>6.0} | {:>6.2}  {:>6.2} | {:>34.2}  {:>6.2} | {:>16.2}  {:>16.2} | {:>30.2}  {:>6.2}  {:>9.2}",
            of(&|r| r.0),
            of(&|r| r.0 / 2.0),
            of(&|r| at(&r.1, 0.5)),
            of(&|r| at(&r.1, 0.99)),
            of(&|r| at(&r.2, 0.5)),
            of(&|r| at(&r.2, 0.99)),
            of(&|r| at(&r.1, 0.99) / at(&r.2, 0.5)),
            of(&|r| at(&r.1, 0.99) / at(&r.2, 0.99)),
            of(&|r| at(&r.3, 0.5)),
            of(&|r| at(&r.3, 0.99)),
            of(&|r| at(&r.1, 0.99) / at(&r.3, 0.99)),
        );
    }
}
