//! Folders that earlier versions wrote can be read for ever. One golden folder per version of the format.
//!
//! A new version gets its own: `FLUMEN_MAKE_GOLDEN=tests/fixtures/format-vN cargo test -p flumen-channel --test format
//! -- --ignored`; the old ones stay.

#![allow(clippy::print_stdout, reason = "says where the folder was made")]

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::file::metrics::LogMetrics;
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate};
use model::Subject;

fn open(dir: &Path) -> Subject {
    let log = LogOptions { segment_bytes: 4096, ..LogOptions::below(dir) };
    let limits = FileLimits {
        capacity: 10_000,
        transaction_capacity: 100,
        keep_alive: Duration::ZERO,
        spill: None,
        log,
    };
    let gate = Arc::new(Gate::default());
    let subject = Subject { channel: Arc::new(FileChannel::new(limits, None, gate.clone())), gate };
    subject.channel.try_open().expect("opened");
    subject
}
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// What the folders hold: of the events 0 to 39, in puts of one to four, 0 to 8 and 12 to 14 are taken.
fn expected() -> Vec<u64> {
    (0..40).filter(|n| !(0..9).contains(n) && !(12..15).contains(n)).collect()
}

#[test]
#[ignore = "makes a golden folder"]
fn make_a_golden_folder() {
    let dir = std::env::var("FLUMEN_MAKE_GOLDEN").expect("FLUMEN_MAKE_GOLDEN names the folder to make");
    let dir = Path::new(&dir);
    assert!(!dir.exists(), "golden folders are never changed");
    runtime().block_on(async {
        let subject = open(dir);
        let mut next = 0;
        for put in 0..16u64 {
            let events: Vec<u64> = (next..next + 1 + put % 4).collect();
            next += events.len() as u64;
            assert!(subject.put(&events).await);
        }
        assert_eq!(next, 40);
        let first = subject.channel.take(9).await.expect("events");
        let kept = subject.channel.take(3).await.expect("events");
        let third = subject.channel.take(3).await.expect("events");
        first.commit(&mut || ()).await.expect("recorded");
        third.commit(&mut || ()).await.expect("recorded");
        drop(kept);
        subject.channel.write_checkpoint();
    });
    println!("made {}", dir.display());
}

#[test]
fn every_version_of_the_format_can_be_read() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut versions = 0;
    for entry in std::fs::read_dir(fixtures).expect("fixtures") {
        let golden = entry.expect("an entry").path();
        versions += 1;
        for keeps_checkpoint in [true, false] {
            let dir = tempfile::tempdir().expect("a folder");
            copy(&golden, dir.path());
            if !keeps_checkpoint {
                std::fs::remove_file(dir.path().join("checkpoint/checkpoint.flumen")).expect("removed");
            }
            runtime().block_on(async {
                let subject = open(dir.path());
                assert_eq!(subject.drain().await, expected(), "{}", golden.display());
                assert_eq!(subject.quarantined(), 0);
                assert_eq!(LogMetrics::get(&subject.channel.metrics().torn_records), 0);
            });
        }
    }
    assert_eq!(versions, flumen_channel::file::record::VERSION, "a golden folder for each version");
}

#[test]
fn a_later_version_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-v1");
    copy(&golden, dir.path());
    let data = dir.path().join("data");
    for entry in std::fs::read_dir(&data).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "log") {
            continue;
        }
        let mut bytes = std::fs::read(&path).expect("read");
        for copy in bytes[..1024].chunks_exact_mut(512) {
            copy[8] = 2;
            copy[12..16].fill(0);
            let crc = flumen_channel::file::record::checksum(copy);
            copy[12..16].copy_from_slice(&crc.to_le_bytes());
        }
        std::fs::write(&path, bytes).expect("written");
    }
    let limits = FileLimits {
        capacity: 10,
        transaction_capacity: 10,
        keep_alive: Duration::ZERO,
        spill: None,
        log: LogOptions::below(dir.path()),
    };
    let channel = FileChannel::new(limits, None, Arc::new(Gate::default()));
    std::fs::remove_dir_all(dir.path().join("checkpoint")).expect("removed");
    let refused = channel.try_open().expect_err("refused").to_string();
    assert!(refused.contains("version 2") && refused.contains("up to version 1"), "{refused}");
}

#[test]
fn a_folder_in_use_is_refused_with_the_process_that_has_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = open(dir.path());
    let limits = FileLimits {
        capacity: 10,
        transaction_capacity: 10,
        keep_alive: Duration::ZERO,
        spill: None,
        log: LogOptions::below(dir.path()),
    };
    let second = FileChannel::new(limits, None, Arc::new(Gate::default()));
    let refused = second.try_open().expect_err("refused").to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(refused.contains("dataDirs"), "{refused}");
    first.channel.close();
    drop(first);
    second.try_open().expect("free again");
}
