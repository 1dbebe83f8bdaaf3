//! What a tenant notices of hostile neighbours: the time its calls take, alone and beside guests that loop, grow,
//! recurse, trap and flood, alternately in one process.
//!
//! `cargo bench -p flumen-plugin --bench isolation [-- ROUNDS]`. The bar is a p99 within +5 %.
//!
//! The victim calls once every millisecond on a thread of its own, as a source would: a batch of 100 events. Each
//! neighbour belongs to another tenant and is called again as soon as its last call has ended.

// The guests and the room of the tests are shared; their users here are few.
#![allow(missing_docs, clippy::print_stdout, reason = "a program, not a library")]

#[path = "../tests/hostile/guest.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod guest;
#[path = "../tests/hostile/room.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod room;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::call::block_on;
use flumen_plugin::intercept::InterceptorPlugin;

use guest::Guest;

const CALLS: usize = 3000;
const EVERY: Duration = Duration::from_millis(1);

fn neighbours() -> Vec<(&'static str, Guest)> {
    let log = r#"(import "flumen:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;
    vec![
        ("loop", Guest::new().does("(loop $l (br $l)) (unreachable)")),
        ("loop-2", Guest::new().does("(loop $l (br $l)) (unreachable)")),
        ("grow", Guest::new().does("(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)")),
        ("recurse", Guest::new().with("(func $f (call $f) (call $f))").does("(call $f) (unreachable)")),
        ("trap", Guest::new().does("(unreachable)")),
        (
            "flood",
            Guest::new().imports(log, "").does(
                "(loop $l (call $log (i32.const 4) (i32.const 4096) (i32.const 1000) (i32.const 0) (i32.const 0)) (br $l)) (unreachable)",
            ),
        ),
    ]
}

/// Sorted times of the victim's calls.
fn serve(victim: &InterceptorPlugin) -> Vec<Duration> {
    let batch = room::batch(&["v"; 100]);
    let mut next = Instant::now();
    let mut times: Vec<Duration> = (0..CALLS)
        .map(|_| {
            next += EVERY;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let started = Instant::now();
            let out =
                block_on(victim.intercept(batch.clone(), &mut Drops::default())).expect("the victim works");
            assert_eq!(out.len(), 100, "an event of the victim is missing");
            started.elapsed()
        })
        .collect();
    times.sort();
    times
}

fn attack_until(stop: &Arc<AtomicBool>, calls: &Arc<AtomicU64>) -> Vec<std::thread::JoinHandle<()>> {
    let attacker = |(name, guest): (&'static str, Guest)| {
        let (stop, calls) = (stop.clone(), calls.clone());
        std::thread::spawn(move || {
            let (plugin, _folder) = room::plugin(name, &guest.component(), |_| {});
            while !stop.load(Relaxed) {
                let _refused_or_dead = block_on(plugin.intercept(room::batch(&["X"]), &mut Drops::default()));
                calls.fetch_add(1, Relaxed);
            }
        })
    };
    neighbours().into_iter().map(attacker).collect()
}

fn percentile(times: &[Duration], per_mille: usize) -> f64 {
    times[(times.len() * per_mille / 1000).min(times.len() - 1)].as_secs_f64() * 1e6
}

fn main() {
    let rounds = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(5);
    let (victim, _folder) = room::plugin("victim", &Guest::new().component(), |_| {});
    block_on(victim.load()).expect("it loads");
    serve(&victim);
    println!("round   alone p50/p99/p99.9 µs      beside p50/p99/p99.9 µs     ratio of p99   hostile calls");
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let alone = serve(&victim);
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let neighbours = attack_until(&stop, &calls);
        // Once each has been called, the attack is under way.
        while calls.load(Relaxed) < neighbours.len() as u64 {
            std::thread::yield_now();
        }
        let beside = serve(&victim);
        stop.store(true, Relaxed);
        neighbours.into_iter().for_each(|neighbour| neighbour.join().expect("it ends"));
        let show = |times: &[Duration]| {
            let [a, b, c] = [500, 990, 999].map(|per_mille| percentile(times, per_mille));
            format!("{a:8.1} {b:8.1} {c:8.1}")
        };
        let ratio = percentile(&beside, 990) / percentile(&alone, 990);
        println!("{round:>5} {}  {}   {ratio:12.3} {:>15}", show(&alone), show(&beside), calls.load(Relaxed));
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio of p99: {:.3} (bar: 1.05)", ratios[ratios.len() / 2]);
    println!("resident: {} MiB", room::resident_bytes() >> 20);
}
