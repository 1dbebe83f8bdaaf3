//! Power cuts, failing calls and damage, on a simulated disk.
//!
//! Each state of a disk after a power cut is opened and drained: what was acknowledged is there once and in order,
//! what was taken for good is not, and the channel goes on working. `FLUMEN_TEST_LONG=1` for 100,000 states,
//! `FLUMEN_TEST_STATES=n` for any number; `FLUMEN_TEST_SEED=n` repeats a run.

#![allow(clippy::print_stdout, reason = "seeds and counts of a run, seen when it fails")]

#[path = "crash/model.rs"]
mod model;

use std::time::Duration;

use flumen_channel::Channel;
use flumen_channel::file::SyncPolicy;
use flumen_channel::file::storage::simulated::{Chooser, Fault, SimulatedDisk};
use model::{Doing, Subject, Truth, limits, limits_with, numbers};

fn is_long() -> bool {
    std::env::var_os("FLUMEN_TEST_LONG").is_some()
}
fn seed() -> u64 {
    let given = std::env::var("FLUMEN_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("FLUMEN_TEST_SEED={seed}");
    seed
}
fn block_on<T>(work: impl Future<Output = T>) -> T {
    runtime(Threads::One).block_on(work)
}
/// Whose threads there are.
#[derive(Clone, Copy)]
enum Threads {
    /// It must not be held: groups are written on a thread of the leader's.
    One,
    /// Puts are written on the thread of the put.
    More,
}
fn runtime(threads: Threads) -> tokio::runtime::Runtime {
    let made = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread().enable_time().build(),
        Threads::More => tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build(),
    };
    made.expect("a runtime")
}

/// One step of a life; what it was doing is known before, what came of it afterwards.
async fn step(subject: &Subject, truth: &mut Truth, rng: &mut fastrand::Rng) -> Doing {
    match rng.u8(0..10) {
        0..5 => {
            let puts: Vec<Vec<u64>> =
                (0..=rng.u64(0..=truth.beside)).map(|_| truth.fresh(rng.u64(1..6))).collect();
            let acked = futures_util::future::join_all(puts.iter().map(|events| subject.put(events))).await;
            for (events, acked) in puts.iter().zip(acked) {
                if acked { truth.pending.extend(events) } else { truth.unsure.extend(events) }
            }
            Doing::Put(puts)
        }
        5..8 => {
            let Ok(Some(take)) = subject.channel.try_take(rng.usize(1..9)).await else {
                return Doing::Nothing;
            };
            let events = numbers(&*take);
            let doing = Doing::Take(events.clone());
            if take.commit(&mut || ()).await.is_ok() {
                truth.pending.retain(|n| !events.contains(n));
                truth.unsure.retain(|n| !events.contains(n));
            }
            doing
        }
        8 => {
            let events = truth.fresh(rng.u64(1..4));
            subject.withdraw(&events).await;
            truth.unsure.extend(events.iter().copied());
            Doing::Put(vec![events])
        }
        _ => {
            match rng.u8(0..3) {
                0 => subject.channel.write_checkpoint(),
                _ => drop(subject.channel.try_take(5).await),
            }
            Doing::Nothing
        }
    }
}

async fn check_after_cut(
    disk: &SimulatedDisk,
    truth: &Truth,
    doing: &Doing,
    rng: &mut fastrand::Rng,
    shape: (usize, usize),
) {
    check_state(&disk.after_power_cut(rng), truth, doing, shape).await;
}

async fn check_state(after: &SimulatedDisk, truth: &Truth, doing: &Doing, shape: (usize, usize)) {
    let subject = Subject::open(after, limits(shape.0, shape.1));
    let delivered = subject.drain().await;
    truth.judge(&delivered, doing);
    assert_eq!(
        subject.quarantined(),
        0,
        "a power cut damages nothing that was durable: {:?}",
        subject.channel.metrics()
    );
    assert!(subject.put(&[truth.next + 100]).await, "the channel works");
    subject.channel.close();
    let again = Subject::open(after, limits(shape.0, shape.1));
    assert_eq!(
        again.drain().await,
        [truth.next + 100],
        "what was taken for good is gone, what was put is there"
    );
}

/// A life of the channel with power cuts at random calls; returns how many states were checked.
async fn live(seed: u64) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed);
    let shape = (rng.usize(1..3), [0, 1 << 20][rng.usize(0..2)]);
    let disk = SimulatedDisk::default();
    let mut watcher = rng.fork();
    disk.watch(move || watcher.u8(0..8) == 0);
    let mut truth = Truth { beside: if shape.0 == 1 { 2 } else { 0 }, ..Truth::default() };
    let mut subject = Subject::open(&disk, limits(shape.0, shape.1));
    let mut states = 0;
    for _ in 0..40 {
        let before = truth.clone();
        let doing = if rng.u8(0..20) == 0 {
            if rng.bool() {
                subject.channel.close();
            }
            subject = Subject::open(&disk, limits(shape.0, shape.1));
            Doing::Nothing
        } else {
            step(&subject, &mut truth, &mut rng).await
        };
        let mut at_step = Truth { next: truth.next, ..before };
        if matches!(&doing, Doing::Put(_)) {
            at_step.unsure.extend(truth.unsure.iter().copied());
        }
        for watched in disk.watched() {
            check_after_cut(&watched, &at_step, &doing, &mut rng, shape).await;
            states += 1;
        }
    }
    states
}

#[test]
fn acked_events_survive_every_power_cut() {
    let seed = seed();
    let wanted = std::env::var("FLUMEN_TEST_STATES").ok().and_then(|text| text.parse().ok());
    let wanted = wanted.unwrap_or(if is_long() { 100_000 } else { 2_000 });
    let (mut states, mut life) = (0, 0);
    while states < wanted {
        let seed = seed.wrapping_add(life);
        println!("life {seed}");
        let threads = if seed % 2 == 0 { Threads::One } else { Threads::More };
        states += runtime(threads).block_on(live(seed));
        life += 1;
    }
    println!("{states} states in {life} lives");
}

/// Choices counted through like an odometer: every combination comes once.
#[derive(Default)]
struct Odometer {
    digits: Vec<(usize, usize)>,
    at: usize,
}
impl Chooser for Odometer {
    fn below(&mut self, n: usize) -> usize {
        if self.at == self.digits.len() {
            self.digits.push((0, n));
        }
        self.at += 1;
        self.digits[self.at - 1].0
    }
}
impl Odometer {
    /// Whether there is another combination.
    fn turn(&mut self) -> bool {
        self.at = 0;
        while let Some((digit, n)) = self.digits.pop() {
            if digit + 1 < n {
                self.digits.push((digit + 1, n));
                return true;
            }
        }
        false
    }
}

/// Not some states but all of them: a first life, from empty folders, with two puts, a take and an end.
#[test]
fn every_single_state_after_a_power_cut_of_a_short_life_is_survived() {
    let states = block_on(async {
        let (disk, shape) = (SimulatedDisk::default(), (1, 1 << 20));
        disk.watch(|| true);
        let (mut truth, mut states) = (Truth::default(), 0);
        let subject = Subject::closed(&disk, limits(shape.0, shape.1));
        for at in 0..5 {
            let before = truth.clone();
            let doing = match at {
                0 => {
                    subject.channel.try_open().expect("opened");
                    Doing::Nothing
                }
                1 | 2 => {
                    let events = truth.fresh(2);
                    assert!(subject.put(&events).await);
                    truth.pending.extend(&events);
                    Doing::Put(vec![events])
                }
                3 => {
                    let take = subject.channel.take(3).await.expect("events");
                    let events = numbers(&*take);
                    take.commit(&mut || ()).await.expect("recorded");
                    truth.pending.retain(|n| !events.contains(n));
                    Doing::Take(events)
                }
                _ => {
                    subject.channel.close();
                    Doing::Nothing
                }
            };
            let at_step = Truth { next: truth.next, ..before };
            for watched in disk.watched() {
                let mut choices = Odometer::default();
                loop {
                    check_state(&watched.after_power_cut(&mut choices), &at_step, &doing, shape).await;
                    states += 1;
                    if !choices.turn() {
                        break;
                    }
                }
            }
        }
        states
    });
    println!("{states} states, all there are");
    assert!(states > 100, "{states}");
}

/// Where puts do not wait for a sync, a power cut costs what was put since the last one, and nothing else: no order,
/// no half of a put, and no alarm about events that were delivered.
#[test]
fn without_a_sync_for_each_put_a_power_cut_costs_the_last_ones_and_nothing_else() {
    let seed = seed();
    let (wanted, mut states) = (if is_long() { 20_000 } else { 1_000 }, 0);
    for life in 0.. {
        if states >= wanted {
            break;
        }
        println!("life {}", seed.wrapping_add(life));
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_add(life));
        states += block_on(async {
            let limits = || {
                limits_with(1 + (seed + life) as usize % 2, 0, SyncPolicy::Every(Duration::from_secs(3600)))
            };
            let disk = SimulatedDisk::default();
            let mut watcher = rng.fork();
            disk.watch(move || watcher.u8(0..8) == 0);
            let mut truth = Truth::default();
            let subject = Subject::open(&disk, limits());
            let mut states = 0;
            for _ in 0..60 {
                step(&subject, &mut truth, &mut rng).await;
                for watched in disk.watched() {
                    let after = Subject::open(&watched.after_power_cut(&mut rng), limits());
                    let delivered = after.drain().await;
                    assert!(delivered.windows(2).all(|pair| pair[0] < pair[1]), "{delivered:?}");
                    assert!(delivered.iter().all(|n| *n < truth.next), "{delivered:?}");
                    assert_eq!(after.quarantined(), 0, "{:?}", after.channel.metrics());
                    states += 1;
                }
            }
            // An orderly end makes all of it durable.
            subject.channel.close();
            let after = Subject::open(&disk.after_power_cut(&mut rng), limits());
            truth.judge(&after.drain().await, &Doing::Nothing);
            states
        });
    }
    println!("{states} states");
}

/// A sync that failed has forgotten what it should have made durable, and the next one of the same file would say that all
/// is well.
#[test]
fn a_segment_whose_last_sync_fails_before_the_next_one_is_begun_is_never_written_to_again() {
    block_on(async {
        let disk = SimulatedDisk::default();
        let subject =
            Subject::open(&disk, limits_with(1, 1 << 20, SyncPolicy::Every(Duration::from_secs(3600))));
        assert!(subject.put(&[0]).await);
        let segments = || {
            let mut segments = disk.paths();
            segments.retain(|path| path.extension().is_some_and(|e| e == "log"));
            segments
        };
        let first = segments().pop().expect("a segment");
        let more_than_fits: Vec<u64> = (1..50).collect();
        // The first thing for which the disk is needed is the sync of what is there.
        disk.fail(disk.calls()..disk.calls() + 1, Fault::Io);
        assert!(!subject.put(&more_than_fits).await);
        assert_eq!((disk.fired(), segments().len()), (1, 1));
        let (bytes, inode) = (disk.bytes(&first), disk.inode(&first));
        assert!(subject.put(&[50]).await, "it would have fitted into the first");
        assert_eq!(segments().len(), 2);
        assert_eq!((disk.bytes(&first), disk.inode(&first)), (bytes, inode));
        assert_eq!(subject.drain().await, [0, 50]);
    });
}

/// When the file of the next segment is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextSegment {
    WhenItIsNeeded,
    /// By a thread of its own, so that calls come in an order that differs from run to run.
    Beforehand,
}

/// The same short life for every run, with calls that fail.
async fn live_with_faults(
    disk: &SimulatedDisk,
    next: NextSegment,
    faults: Option<(std::ops::Range<u64>, Fault)>,
) -> Truth {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut truth = Truth::default();
    if let Some((calls, fault)) = faults {
        disk.fail(calls, fault);
    }
    let mut limits = limits(1, 1 << 20);
    limits.log.prepares_segments = next == NextSegment::Beforehand;
    let subject = Subject::closed(disk, limits);
    // What cannot be opened refuses, and is tried again.
    let _may_fail = subject.channel.try_open();
    for at in 0..30 {
        step(&subject, &mut truth, &mut rng).await;
        if at % 5 == 0 {
            let _may_fail = subject.channel.try_open();
        }
    }
    disk.heal();
    subject.channel.try_open().expect("opens when nothing fails any more");
    let extra = truth.fresh(3);
    assert!(subject.put(&extra).await, "puts work again");
    truth.pending.extend(extra);
    // The process goes away without a word; half of the lives are delivered first.
    let delivered = subject.drain().await;
    truth.judge(&delivered, &Doing::Nothing);
    truth.pending.clear();
    truth.unsure.extend(0..truth.next);
    truth.unsure.retain(|n| !delivered.contains(n));
    let last = truth.fresh(4);
    assert!(subject.put(&last).await, "puts work still");
    truth.pending.extend(last);
    subject.channel.close();
    truth
}

#[test]
fn any_failing_call_refuses_and_heals() {
    fail_every_call(Threads::One, NextSegment::WhenItIsNeeded);
}
#[test]
fn any_failing_call_on_the_thread_of_a_put_refuses_and_heals() {
    fail_every_call(Threads::More, NextSegment::WhenItIsNeeded);
}
#[test]
fn any_failing_call_while_the_next_segment_is_prepared_refuses_and_heals() {
    fail_every_call(Threads::More, NextSegment::Beforehand);
}

fn fail_every_call(threads: Threads, next: NextSegment) {
    let disk = SimulatedDisk::default();
    let runtime = runtime(threads);
    runtime.block_on(live_with_faults(&disk, next, None));
    let calls = disk.calls();
    let mut fired = 0;
    for fault in [Fault::Io, Fault::Full, Fault::Interrupted, Fault::Short] {
        for at in 0..calls {
            for until in [at + 1, at + 12, u64::MAX] {
                let disk = SimulatedDisk::default();
                println!("{fault:?} at calls {at}..{until} of {calls}");
                let faults = Some((at..until, fault));
                let truth = runtime.block_on(live_with_faults(&disk, next, faults));
                fired += disk.fired();
                let mut rng = fastrand::Rng::with_seed(at);
                runtime.block_on(async {
                    let after = disk.after_power_cut(&mut rng);
                    let subject = Subject::open(&after, limits(1, 0));
                    truth.judge(&subject.drain().await, &Doing::Nothing);
                });
            }
        }
    }
    assert!(fired > calls, "the faults were never met");
    println!("{fired} calls failed");
}
