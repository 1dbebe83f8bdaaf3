//! Damage of any byte: found, confined to its record, counted; what is delivered is right.

#![allow(clippy::print_stdout, reason = "seeds and counts of a run, seen when it fails")]

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use flumen_channel::Channel;
use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::storage::simulated::SimulatedDisk;
use model::{Subject, limits};

/// A small channel: puts of three events each, some taken, over two segments or more.
async fn small_channel(disk: &SimulatedDisk) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let subject = Subject::open(disk, limits(1, 1 << 20));
    for put in 0..8u64 {
        assert!(subject.put(&[put * 3, put * 3 + 1, put * 3 + 2]).await);
    }
    let take = subject.channel.take(7).await.expect("events");
    take.commit(&mut || ()).await.expect("recorded");
    subject.channel.close();
    ((0..7).collect(), (7..24).collect())
}

struct Outcome {
    delivered: Vec<u64>,
    quarantined_records: u64,
    quarantined_events: u64,
    torn: u64,
}

async fn open_and_drain(disk: &SimulatedDisk) -> Outcome {
    let subject = Subject::open(disk, limits(1, 0));
    let delivered = subject.drain().await;
    assert_eq!(subject.channel.status().events, 0, "the ledger agrees");
    assert!(subject.put(&[1000]).await && subject.drain().await == [1000], "the channel works");
    let metrics = subject.channel.metrics();
    Outcome {
        delivered,
        quarantined_records: LogMetrics::get(&metrics.quarantined_records),
        quarantined_events: LogMetrics::get(&metrics.quarantined_events),
        torn: LogMetrics::get(&metrics.torn_records),
    }
}

fn segments(disk: &SimulatedDisk) -> Vec<PathBuf> {
    disk.paths().into_iter().filter(|p| p.extension().is_some_and(|e| e == "log")).collect()
}

async fn flip_every_byte(with_checkpoint: bool) {
    let disk = SimulatedDisk::default();
    let (taken, pending) = small_channel(&disk).await;
    if !with_checkpoint {
        for dir in ["checkpoint", "backup"] {
            let path = Path::new("/channel").join(dir).join("checkpoint.flumen");
            disk.damage(&path, |bytes| bytes.clear());
        }
    }
    let (mut flips, mut lossy) = (0, 0);
    for path in disk.paths() {
        let length = disk.bytes(&path).expect("there").len();
        // Without a checkpoint the segments are read whole, which is where most can go wrong.
        let is_segment = path.extension().is_some_and(|e| e == "log");
        let step = if with_checkpoint && is_segment && std::env::var_os("FLUMEN_TEST_LONG").is_none() {
            7
        } else {
            1
        };
        for at in (0..length).step_by(step) {
            let damaged = disk.copy();
            damaged.damage(&path, |bytes| bytes[at] ^= 1 << (at % 8));
            let outcome = open_and_drain(&damaged).await;
            let place = format!("byte {at} of {}, checkpoint {with_checkpoint}", path.display());
            let got: BTreeSet<u64> = outcome.delivered.iter().copied().collect();
            assert!(outcome.delivered.windows(2).all(|pair| pair[0] < pair[1]), "{place}");
            assert!(
                got.is_subset(&pending),
                "{place}: {:?} again",
                got.intersection(&taken).collect::<Vec<_>>()
            );
            let lost: Vec<u64> = pending.difference(&got).copied().collect();
            assert!(lost.iter().map(|n| n / 3).collect::<BTreeSet<_>>().len() <= 1, "{place}: lost {lost:?}");
            if !lost.is_empty() {
                lossy += 1;
                assert_eq!(outcome.quarantined_events, lost.len() as u64, "{place}: lost {lost:?}");
                assert!(outcome.quarantined_records + outcome.torn > 0, "{place}");
            }
            flips += 1;
        }
    }
    println!("{flips} flips, {lossy} with a lost record");
    assert!(lossy > 100, "the flips have met no record");
}

#[test]
fn every_flipped_byte_is_found_and_costs_its_record_at_most() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(flip_every_byte(true));
    runtime.block_on(flip_every_byte(false));
}

#[test]
fn damaged_bytes_are_set_aside_and_outlive_their_segment() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let disk = SimulatedDisk::default();
        small_channel(&disk).await;
        let path = segments(&disk).pop().expect("a segment");
        let bytes = disk.bytes(&path).expect("there");
        let at = bytes.windows(3).rposition(|w| w == b"aaa" || w == b"uuu" || w == b"xxx").expect("a body");
        disk.damage(&path, |bytes| bytes[at] ^= 0x10);
        let outcome = open_and_drain(&disk).await;
        assert_eq!((outcome.quarantined_records, outcome.quarantined_events), (1, 3));
        let aside = disk.paths().into_iter().find(|p| p.to_string_lossy().contains("/damaged/"));
        let aside = disk.bytes(&aside.expect("set aside")).expect("there");
        assert!(aside.windows(20).any(|w| bytes.windows(20).any(|b| b == w)), "it holds the record's bytes");
    });
}

#[test]
fn a_checkpoint_of_another_life_is_not_believed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let old = SimulatedDisk::default();
        let (_, pending) = small_channel(&old).await;
        let checkpoint = Path::new("/channel/checkpoint/checkpoint.flumen");
        let stale = old.bytes(checkpoint).expect("there");
        let disk = old.copy();
        let subject = Subject::open(&disk, limits(1, 0));
        let take = subject.channel.take(5).await.expect("events");
        let taken = take.len();
        take.commit(&mut || ()).await.expect("recorded");
        assert!(subject.put(&[500, 501]).await);
        drop(subject);
        let expected: Vec<u64> = pending.iter().copied().skip(taken).chain([500, 501]).collect();
        for bytes in [stale, b"no checkpoint at all".to_vec(), Vec::new()] {
            let disk = disk.copy();
            disk.damage(checkpoint, |file| file.clone_from(&bytes));
            disk.damage(Path::new("/channel/backup/checkpoint.flumen"), |file| file.clone_from(&bytes));
            assert_eq!(open_and_drain(&disk).await.delivered, expected);
        }
    });
}
