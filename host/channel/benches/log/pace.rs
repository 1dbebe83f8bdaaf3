//! How long a put takes while the channel has half of what it could do.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::{Channel, Patience, put_all_here};

use super::disk::in_fresh;
use super::{COUNTED_FROM, EVENT_BYTES, at, channel_figures, consume, events, median, open, raw};

/// How long puts go on.
const PACED: Duration = Duration::from_millis(1600);

struct Paced {
    /// From the call to the answer.
    put_ms: Vec<f64>,
    /// From when the call was due: longer where the producer's last put was not answered by then.
    due_ms: Vec<f64>,
    group_bytes: usize,
    groups_per_s: f64,
}

/// Producers on threads of their own put a batch each `interval`.
fn paced(
    dir: &Path,
    runtime: &tokio::runtime::Runtime,
    (batch, producers): (usize, usize),
    interval: Duration,
    consumed: bool,
) -> Paced {
    let (channel, gate) = open(dir);
    let consumer = consumed.then(|| runtime.spawn(consume(channel.clone())));
    let begin = Instant::now();
    let putting: Vec<_> = (0..producers as u32)
        .map(|number| {
            let (gate, handle) = (gate.clone(), runtime.handle().clone());
            let channel: Arc<dyn Channel> = channel.clone();
            std::thread::spawn(move || {
                let parts = [(channel, events(batch))];
                let mut due = begin + interval * number / producers as u32;
                let (mut put_ms, mut due_ms) = (Vec::new(), Vec::new());
                let mut is_late = false;
                while begin.elapsed() < PACED {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let called = Instant::now();
                    // A thread that is woken late is no fault of the channel.
                    let since = if is_late { due } else { called };
                    handle.block_on(put_all_here(&parts, Patience::KeepAlive, &gate, || ())).expect("room");
                    if begin.elapsed() > COUNTED_FROM {
                        put_ms.push(called.elapsed().as_secs_f64() * 1e3);
                        due_ms.push(since.elapsed().as_secs_f64() * 1e3);
                    }
                    due = if is_late { due } else { since } + interval;
                    is_late = due < Instant::now();
                }
                (put_ms, due_ms)
            })
        })
        .collect();
    let (mut put_ms, mut due_ms) = (Vec::new(), Vec::new());
    for thread in putting {
        let (put, due) = thread.join().expect("a producer");
        put_ms.extend(put);
        due_ms.extend(due);
    }
    put_ms.sort_by(f64::total_cmp);
    due_ms.sort_by(f64::total_cmp);
    let elapsed = begin.elapsed().as_secs_f64();
    consumer.inspect(|task| task.abort());
    let metrics = channel.metrics();
    let syncs = LogMetrics::get(&metrics.syncs).max(1);
    channel.close();
    Paced {
        put_ms,
        due_ms,
        group_bytes: (LogMetrics::get(&metrics.written_bytes) / syncs) as usize,
        groups_per_s: syncs as f64 / elapsed,
    }
}

struct Round {
    /// Puts a second without pauses.
    most: f64,
    put_ms: Vec<f64>,
    due_ms: Vec<f64>,
    /// One sync of the same size at the same pace, of blocks that were written before and of fresh ones.
    overwrite_ms: Vec<f64>,
    append_ms: Vec<f64>,
    /// The same puts, if there were nothing but syncs.
    ideal_ms: Vec<f64>,
}

fn round(
    dir: &Path,
    runtime: &tokio::runtime::Runtime,
    (batch, producers): (usize, usize),
    consumed: bool,
) -> Round {
    let f = in_fresh(dir, |dir| runtime.block_on(channel_figures(dir, batch, producers, consumed)));
    let most = f.events_per_s / batch as f64;
    let interval = Duration::from_secs_f64(producers as f64 / (most / 2.0));
    let paced = in_fresh(dir, |dir| paced(dir, runtime, (batch, producers), interval, consumed));
    let pace = Duration::from_secs_f64(1.0 / paced.groups_per_s);
    let sorted = |mut ms: Vec<f64>| {
        ms.sort_by(f64::total_cmp);
        ms
    };
    let sync = |blocks| sorted(in_fresh(dir, |dir| raw::sync_ms(dir, paced.group_bytes, pace, blocks)));
    let put_bytes = batch * (EVENT_BYTES + 8) + 80;
    let each = Duration::from_secs_f64(2.0 / most);
    Round {
        most,
        overwrite_ms: sync(raw::Blocks::Written),
        append_ms: sync(raw::Blocks::Fresh),
        ideal_ms: sorted(in_fresh(dir, |dir| raw::ideal_ms(dir, put_bytes, each))),
        put_ms: paced.put_ms,
        due_ms: paced.due_ms,
    }
}

pub fn table(dir: &Path, runtime: &tokio::runtime::Runtime, rounds: usize, cases: &[(usize, usize)]) {
    println!(
        "batch  producers  consumer | puts/s at most, half | p50 ms  p99 ms | since due: p50 ms  p99 ms | overwrite: p50 ms  p99 ms  p99 / p50  p99 / p99 | append: p50 ms  p99 ms  p99 / p50  p99 / p99 | syncs alone, same puts: p50 ms  p99 ms  p99 / p50  p99 / p99"
    );
    for (consumed, &case) in [false, true].into_iter().flat_map(|c| cases.iter().map(move |case| (c, case))) {
        let rounds: Vec<Round> = (0..rounds).map(|_| round(dir, runtime, case, consumed)).collect();
        let of = |get: &dyn Fn(&Round) -> f64| median(rounds.iter().map(get));
        let beside = |ms: &dyn Fn(&Round) -> &[f64]| {
            let [p50, p99] = [0.5, 0.99].map(|share| of(&|r| at(ms(r), share)));
            let [by_p50, by_p99] = [0.5, 0.99].map(|share| of(&|r| at(&r.put_ms, 0.99) / at(ms(r), share)));
            format!("{p50:>6.2}  {p99:>6.2}  {by_p50:>9.2}  {by_p99:>9.2}")
        };
        println!(
            "{:>5}  {:>9}  {:>8} | {:>14.0} {:>6.0} | {:>6.2}  {:>6.2} |    {:>6.2}  {:>6.2} |    {} | {} |     {}",
            case.0,
            case.1,
            if consumed { "yes" } else { "no" },
            of(&|r| r.most),
            of(&|r| r.most / 2.0),
            of(&|r| at(&r.put_ms, 0.5)),
            of(&|r| at(&r.put_ms, 0.99)),
            of(&|r| at(&r.due_ms, 0.5)),
            of(&|r| at(&r.due_ms, 0.99)),
            beside(&|r| &r.overwrite_ms),
            beside(&|r| &r.append_ms),
            beside(&|r| &r.ideal_ms),
        );
    }
}
