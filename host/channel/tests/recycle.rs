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
async fn survives_power_cuts(disk: &SimulatedDisk, pending: &[u64]) {
    for seed in 0..200 {
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
        survives_power_cuts(&disk, &pending).await;
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

/// A channel whose newest segment is half full, and the file for the next one made.
async fn with_prepared_segment(disk: &SimulatedDisk) -> (Subject, Vec<u64>) {
    let mut limits = limits(1, 1 << 20);
    limits.log.prepares_segments = true;
    let subject = Subject::open(disk, limits);
    let mut pending = Vec::new();
    // A few puts fill a segment, and the file is made on another thread: it may come too late for the first ones.
    while !disk.paths().iter().any(|path| is_spare(path)) {
        let number = pending.len() as u64;
        assert!(number < 100_000, "no file is made");
        assert!(subject.put(&[number]).await);
        pending.push(number);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    (subject, pending)
}

#[test]
fn a_file_made_for_the_next_segment_becomes_it_and_costs_nothing_at_a_power_cut() {
    let disk = SimulatedDisk::default();
    block_on(async {
        let (subject, mut pending) = with_prepared_segment(&disk).await;
        survives_power_cuts(&disk, &pending).await;
        let (first, files) = (newest_segment(&disk), disk.paths().len());
        while newest_segment(&disk) == first {
            let number = pending.len() as u64;
            assert!(subject.put(&[number]).await);
            pending.push(number);
        }
        assert_eq!(disk.paths().len(), files, "the file has another name, there is none more");
        assert!(!is_recycled(&disk, &newest_segment(&disk)), "it holds nothing of an earlier life");
        survives_power_cuts(&disk, &pending).await;
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
