//! A drained segment's file becomes a later segment: nothing of its earlier life is seen again, and nothing of the later
//! one is taken for it.

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::path::{Path, PathBuf};

use flumen_channel::Channel;
use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::storage::simulated::SimulatedDisk;
use model::{Subject, limits};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}
fn newest_segment(disk: &SimulatedDisk) -> PathBuf {
    let mut segments = disk.paths();
    segments.retain(|path| path.extension().is_some_and(|e| e == "log"));
    segments.pop().expect("a segment")
}
/// Whether the first record of a segment, its state, says that the file was another segment before.
fn is_recycled(disk: &SimulatedDisk, path: &Path) -> bool {
    disk.bytes(path).expect("there")[1024 + 9] & 2 != 0
}

/// A channel in use, its newest segment in a file that was another one before, with these events pending.
async fn with_recycled_segment(disk: &SimulatedDisk) -> (Subject, Vec<u64>) {
    let subject = Subject::open(disk, limits(1, 1 << 20));
    for n in 0..10_000u64 {
        assert!(subject.put(&[n]).await);
        if n > 100 && is_recycled(disk, &newest_segment(disk)) {
            assert!(subject.put(&[n + 1, n + 2]).await);
            return (subject, vec![n, n + 1, n + 2]);
        }
        assert_eq!(subject.drain().await, [n]);
    }
    panic!("no segment was used again");
}

/// Whatever a power cut leaves: these are there, nothing looks damaged, and the spare file is removed.
async fn survives_power_cuts(disk: &SimulatedDisk, cuts: u64, pending: &[u64]) {
    for seed in 0..cuts {
        let after = disk.after_power_cut(&mut fastrand::Rng::with_seed(seed));
        let again = Subject::open(&after, limits(1, 0));
        assert_eq!(again.drain().await, pending, "seed {seed}");
        assert_eq!(again.quarantined(), 0, "seed {seed}");
        assert_eq!(LogMetrics::get(&again.channel.metrics().torn_records), 0, "seed {seed}");
        assert!(!after.paths().iter().any(|path| is_spare(path)), "what is left over is removed");
    }
}

#[test]
fn after_a_power_cut_only_the_later_life_is_there_and_nothing_looks_damaged() {
    block_on(async {
        let disk = SimulatedDisk::default();
        let (_subject, pending) = with_recycled_segment(&disk).await;
        survives_power_cuts(&disk, 200, &pending).await;
    });
}

#[test]
fn a_flipped_byte_of_the_last_record_is_found_in_front_of_what_an_earlier_life_has_left() {
    block_on(async {
        let disk = SimulatedDisk::default();
        let (_subject, pending) = with_recycled_segment(&disk).await;
        let newest = newest_segment(&disk);
        let bytes = disk.bytes(&newest).expect("there");
        let last_body = model::body(pending[2]);
        let body_at = bytes.windows(last_body.len()).position(|w| w == last_body).expect("it is there");
        let (mut found, mut flips) = (0, 0);
        for at in body_at - 200..body_at + last_body.len() {
            let damaged = disk.copy();
            damaged.damage(&newest, |bytes| bytes[at] ^= 1 << (at % 8));
            let again = Subject::open(&damaged, limits(1, 0));
            let delivered = again.drain().await;
            assert!(pending.starts_with(&delivered) || delivered == pending[1..], "{delivered:?}");
            if delivered != pending {
                let torn = LogMetrics::get(&again.channel.metrics().torn_records);
                assert!(torn + again.quarantined() > 0, "byte {at} cost an event and was not found");
                found += 1;
            }
            flips += 1;
        }
        assert!(found > last_body.len(), "{found} of {flips}");
    });
}

#[test]
fn an_orderly_end_leaves_no_spare_file() {
    block_on(async {
        let disk = SimulatedDisk::default();
        let (subject, _) = with_recycled_segment(&disk).await;
        subject.drain().await;
        subject.channel.close();
        assert!(!disk.paths().iter().any(|path| is_spare(path)), "{:?}", disk.paths());
    });
}

fn is_spare(path: &Path) -> bool {
    path.ends_with("spare")
}

fn spare_path(disk: &SimulatedDisk) -> Option<PathBuf> {
    disk.paths().into_iter().find(|path| is_spare(path))
}

/// A channel, and the file for its next segment made.
async fn with_prepared_segment(disk: &SimulatedDisk, segment_bytes: u64, events: u64) -> (Subject, Vec<u64>) {
    let mut limits = limits(1, 1 << 20);
    limits.log.prepares_segments = true;
    limits.log.segment_bytes = segment_bytes;
    let subject = Subject::open(disk, limits);
    let mut pending = Vec::new();
    // A few puts fill a segment, and the file is made on another thread: it may come too late for the first ones.
    while spare_path(disk).is_none() {
        put_next(&subject, events, &mut pending).await;
    }
    (subject, pending)
}
async fn put_next(subject: &Subject, events: u64, pending: &mut Vec<u64>) {
    let from = pending.len() as u64;
    assert!(from < 90_000, "what is waited for does not come");
    let numbers: Vec<u64> = (from..from + events).collect();
    assert!(subject.put(&numbers).await);
    pending.extend(numbers);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_file_made_for_the_next_segment_becomes_it_and_costs_nothing_at_a_power_cut() {
    let disk = SimulatedDisk::default();
    block_on(async {
        let (subject, mut pending) = with_prepared_segment(&disk, model::SEGMENT_BYTES, 1).await;
        survives_power_cuts(&disk, 200, &pending).await;
        let (first, spare) = (newest_segment(&disk), spare_path(&disk).and_then(|path| disk.inode(&path)));
        while newest_segment(&disk) == first {
            put_next(&subject, 1, &mut pending).await;
        }
        assert!(spare.is_some() && disk.inode(&newest_segment(&disk)) == spare, "the file has another name");
        assert!(!is_recycled(&disk, &newest_segment(&disk)), "it holds nothing of an earlier life");
        survives_power_cuts(&disk, 200, &pending).await;
    });
}

#[test]
fn a_first_segment_is_left_for_a_file_that_was_written_step_by_step_and_not_before_it_is_whole() {
    const SEGMENT_BYTES: u64 = 2 << 20;
    let disk = SimulatedDisk::default();
    block_on(async {
        let (subject, mut pending) = with_prepared_segment(&disk, SEGMENT_BYTES, 100).await;
        let (first, spare) = (newest_segment(&disk), spare_path(&disk).and_then(|path| disk.inode(&path)));
        while newest_segment(&disk) == first {
            put_next(&subject, 100, &mut pending).await;
        }
        assert!(spare.is_some() && disk.inode(&newest_segment(&disk)) == spare, "it became the next one");
        let left_at = disk.bytes(&first).expect("there").len() as u64;
        // Each step is due when the present segment has been filled as far: the last one when it is nearly half full.
        assert!(left_at > SEGMENT_BYTES / 4, "left after {left_at} bytes");
        assert!(left_at < SEGMENT_BYTES * 15 / 16, "left after {left_at} bytes, when it was full");
        survives_power_cuts(&disk, 3, &pending).await;
    });
}

#[test]
fn where_the_disk_has_little_room_no_file_is_made_beforehand() {
    let disk = SimulatedDisk::default();
    disk.set_free_bytes(4 * model::SEGMENT_BYTES - 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let subject = runtime.block_on(async {
        let mut limits = limits(1, 1 << 20);
        limits.log.prepares_segments = true;
        let subject = Subject::open(&disk, limits);
        for number in 0..100 {
            assert!(subject.put(&[number]).await);
        }
        subject
    });
    // Which waits for the threads it has started.
    drop(runtime);
    assert!(disk.paths().len() > 3, "several segments");
    assert!(!disk.paths().iter().any(|path| is_spare(path)), "{:?}", disk.paths());
    drop(subject);
}
