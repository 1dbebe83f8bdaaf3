//! `flumen channel`: what it says of a channel, and what it does to one.

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::file::tools::{Target, ToolError};
use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate};
use model::Subject;

fn target(dir: &Path) -> Target {
    let log = LogOptions { segment_bytes: 4096, ..LogOptions::below(dir) };
    let limits = FileLimits {
        capacity: 1000,
        transaction_capacity: 100,
        keep_alive: Duration::ZERO,
        spill: None,
        log,
    };
    Target { limits, cipher: None }
}
fn open(dir: &Path) -> Subject {
    let gate = Arc::new(Gate::default());
    let channel = FileChannel::new(target(dir).limits, None, gate.clone());
    let subject = Subject { channel: Arc::new(channel), gate };
    subject.channel.try_open().expect("opened");
    subject
}
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}
/// Events 0 to 29 in puts of three, of which 0 to 4 are taken.
fn make(dir: &Path) {
    runtime().block_on(async {
        let subject = open(dir);
        for put in 0..10u64 {
            assert!(subject.put(&[put * 3, put * 3 + 1, put * 3 + 2]).await);
        }
        let take = subject.channel.take(5).await.expect("events");
        take.commit(&mut || ()).await.expect("recorded");
        subject.channel.close();
    });
}
fn exported(target: &Target) -> Vec<u64> {
    let mut numbers = Vec::new();
    let given = target.export(|batch| {
        numbers
            .extend(batch.iter().map(|e| e.header("n").and_then(|n| n.parse::<u64>().ok()).expect("ours")));
        Ok(())
    });
    assert_eq!(given.expect("exported"), numbers.len() as u64);
    numbers
}
fn damage_a_record(dir: &Path) {
    let mut segments: Vec<_> = std::fs::read_dir(dir.join("data")).expect("a folder").flatten().collect();
    segments.sort_by_key(std::fs::DirEntry::path);
    let path =
        segments.iter().map(std::fs::DirEntry::path).rfind(|p| p.extension().is_some_and(|e| e == "log"));
    let path = path.expect("a segment");
    let mut bytes = std::fs::read(&path).expect("read");
    // The last body of event 29 begins with its number.
    let at = bytes.windows(3).rposition(|w| w == b"29 ").expect("event 29");
    bytes[at] = b'7';
    std::fs::write(&path, bytes).expect("written");
}

#[test]
fn inspect_and_export_show_what_is_pending_and_leave_it() {
    let dir = tempfile::tempdir().expect("a folder");
    make(dir.path());
    let target = target(dir.path());
    for _ in 0..2 {
        let segments = target.inspect().expect("inspected");
        assert_eq!(segments.iter().map(|s| s.pending).sum::<u64>(), 25);
        assert!(segments.iter().all(|s| s.sealed_with.is_none() && s.file_bytes > 0));
        assert_eq!(exported(&target), (5..30).collect::<Vec<_>>());
    }
    let (records, damage) = target.verify().expect("verified");
    assert!(records > 11 && damage.is_empty(), "{damage:?}");
}

#[test]
fn verify_names_file_place_and_events_of_damage() {
    let dir = tempfile::tempdir().expect("a folder");
    make(dir.path());
    damage_a_record(dir.path());
    let (_, damage) = target(dir.path()).verify().expect("verified");
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert_eq!(damage[0].events, Some(3));
    assert!(damage[0].path.starts_with(dir.path()) && damage[0].offset >= 1024);
}

#[test]
fn repair_makes_a_backup_and_keeps_every_event_that_can_be_read() {
    let dir = tempfile::tempdir().expect("a folder");
    make(dir.path());
    damage_a_record(dir.path());
    let target = target(dir.path());
    let backup = dir.path().join("backup");
    let before: Vec<_> = std::fs::read_dir(dir.path().join("data")).expect("a folder").flatten().collect();
    let before: Vec<_> = before
        .iter()
        .filter(|e| e.path().is_file())
        .map(|e| (e.file_name(), std::fs::read(e.path()).expect("read")))
        .collect();
    assert_eq!(target.repair(&backup).expect("repaired"), (22, 3));
    for (name, bytes) in before.iter().filter(|(name, _)| name.to_string_lossy().ends_with(".log")) {
        assert_eq!(&std::fs::read(backup.join("data-0").join(name)).expect("in the backup"), bytes);
    }
    assert_eq!(exported(&target), (5..27).collect::<Vec<_>>());
    let (_, damage) = target.verify().expect("verified");
    assert!(damage.is_empty(), "{damage:?}");
    assert!(
        matches!(target.repair(&backup), Err(ToolError::BackupExists(_))),
        "a backup is never overwritten"
    );
}

#[test]
fn a_channel_in_use_is_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let _in_use = open(dir.path());
    let refused = target(dir.path()).repair(&dir.path().join("backup")).expect_err("refused").to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(!dir.path().join("backup").exists(), "nothing was begun");
}

#[test]
fn a_wrong_path_is_said_and_nothing_is_made_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let wrong = target(&dir.path().join("wrong"));
    let refused = [
        wrong.inspect().err().map(|e| e.to_string()),
        wrong.verify().err().map(|e| e.to_string()),
        wrong.export(|_| Ok(())).err().map(|e| e.to_string()),
        wrong.repair(&dir.path().join("backup")).err().map(|e| e.to_string()),
    ];
    for said in refused {
        assert!(said.as_ref().is_some_and(|text| text.starts_with("there is no folder")), "{said:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
}
