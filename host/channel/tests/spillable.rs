//! The spillable channel: memory first, disk when it is full, order kept.

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::time::Duration;

use flumen_channel::contract::run;
use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::storage::simulated::SimulatedDisk;
use flumen_channel::file::{FileLimits, LogOptions};
use flumen_channel::{Channel, SpillLimits};
use model::{Subject, limits, numbers};

fn spillable(events_max: usize, overflow_timeout: Duration) -> FileLimits {
    let spill = SpillLimits {
        events_max,
        slots_max: usize::MAX,
        slot_bytes: 500,
        overflow_timeout,
        resume_free_percent: 50,
    };
    let log = limits(1, 0).log;
    FileLimits { spill: Some(spill), log: LogOptions { load_bytes: 4 << 20, ..log }, ..limits(1, 0) }
}
fn on_disk(subject: &Subject) -> u64 {
    LogMetrics::get(&subject.channel.metrics().written_bytes)
}

#[test]
fn nothing_is_written_while_memory_suffices() {
    run(async {
        let subject = Subject::open(&SimulatedDisk::default(), spillable(10, Duration::ZERO));
        for round in 0..20u64 {
            assert!(
                subject.put(&[round * 5, round * 5 + 1, round * 5 + 2, round * 5 + 3, round * 5 + 4]).await
            );
            assert_eq!(subject.drain().await.len(), 5);
        }
        assert_eq!(on_disk(&subject), 0);
    });
}

#[test]
fn order_is_kept_over_memory_disk_and_back() {
    run(async {
        let subject = Subject::open(&SimulatedDisk::default(), spillable(10, Duration::ZERO));
        let mut rng = fastrand::Rng::with_seed(3);
        let (mut next, mut taken, mut spilled) = (0u64, 0u64, 0);
        for _ in 0..400 {
            if rng.bool() {
                let events: Vec<u64> = (next..next + rng.u64(1..4)).collect();
                let before = on_disk(&subject);
                assert!(subject.put(&events).await);
                spilled += u64::from(on_disk(&subject) > before);
                next += events.len() as u64;
            } else if let Some(take) = subject.channel.try_take(rng.usize(1..12)).await.expect("works") {
                let events = numbers(&*take);
                assert_eq!(events, (taken..taken + events.len() as u64).collect::<Vec<_>>(), "out of order");
                if rng.u8(0..4) > 0 {
                    taken += events.len() as u64;
                    take.commit(&mut || ()).await.expect("works");
                }
            }
        }
        let text = format!("{spilled} of about 200 puts went to disk: one part was not tested");
        assert!(spilled > 20 && spilled < 180, "{text}");
    });
}

#[test]
fn a_put_waits_for_memory_before_it_goes_to_disk() {
    run(async {
        let subject = Subject::open(&SimulatedDisk::default(), spillable(4, Duration::from_secs(3)));
        assert!(subject.put(&[0, 1, 2]).await);
        let since = tokio::time::Instant::now();
        assert!(subject.put(&[3, 4]).await);
        assert!(since.elapsed() >= Duration::from_secs(3) && on_disk(&subject) > 0);
        let since = tokio::time::Instant::now();
        assert!(subject.put(&[5]).await, "room in memory, but what is on disk comes first");
        assert_eq!(since.elapsed(), Duration::ZERO, "once it has overflowed nobody waits");
        assert_eq!(subject.drain().await, [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn an_orderly_end_writes_memory_to_disk_and_a_kill_loses_only_memory() {
    run(async {
        let disk = SimulatedDisk::default();
        let subject = Subject::open(&disk, spillable(4, Duration::ZERO));
        assert!(subject.put(&[0, 1, 2]).await && subject.put(&[3, 4, 5]).await);
        assert!(!subject.channel.is_durable(), "three events are in memory only");
        let killed = disk.copy();
        subject.channel.close();
        assert!(subject.channel.is_durable());
        let mut left = Subject::open(&disk, spillable(4, Duration::ZERO)).drain().await;
        left.sort_unstable();
        assert_eq!(left, [0, 1, 2, 3, 4, 5], "nothing is lost");
        let left = Subject::open(&killed, spillable(4, Duration::ZERO)).drain().await;
        assert_eq!(left, [3, 4, 5]);
    });
}
