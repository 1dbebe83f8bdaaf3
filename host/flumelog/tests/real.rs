//! Directories that real Flume 1.11 left behind, against what real Flume delivers from them.
//!
//! `fixtures/make.py` makes them: stopped cleanly, killed at work, with rolled-back and open takes, several
//! data folders, rolled and deleted logs, no checkpoint, encrypted with two keys.

mod directory;

use std::collections::BTreeSet;

use directory::{deliver, expected, open, unpack};
use flumen_flumelog::{FlumeChannel, FlumeDirectories, FlumeLogError};
use sha2::{Digest, Sha256};

#[test]
fn the_fixtures_are_the_pinned_ones() {
    let dir = directory::fixtures();
    let manifest = std::fs::read_to_string(dir.join("MANIFEST")).expect("MANIFEST");
    for line in manifest.lines() {
        let (hash, name) = line.split_once("  ").expect("hash and name");
        let digest = Sha256::digest(std::fs::read(dir.join(name)).expect(name));
        let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digest, hash, "{name}");
    }
    assert_eq!(manifest.lines().count(), 2 * directory::NAMES.len());
}

/// The claim that matters: event for event, header for header, in order.
#[test]
fn every_directory_delivers_what_flume_delivers() {
    for name in directory::NAMES {
        let dir = unpack(name);
        let mut channel = open(dir.path());
        let delivered = deliver(&mut channel);
        let expected = expected(name);
        let report = channel.report();
        eprintln!("{name}: {report}");
        assert_eq!(report.pending, expected.len(), "{name}");
        assert!(report.damage.is_empty() && report.events_lost == 0, "{name}");
        let (ours, flumes): (BTreeSet<_>, BTreeSet<_>) =
            (delivered.iter().collect(), expected.iter().collect());
        assert_eq!(ours, flumes, "{name}: not the same events");
        if report.taken_uncommitted == 0 {
            assert_eq!(delivered, expected, "{name}: not the same order");
        }
    }
}

#[test]
fn open_takes_come_back_first_and_in_order() {
    // Flume returns them in the order of a hash set; we know better.
    let dir = unpack("checkpointed");
    let mut channel = open(dir.path());
    assert!(channel.report().taken_uncommitted > 0, "{}", channel.report());
    let delivered = deliver(&mut channel);
    let mut sorted = delivered.clone();
    sorted.sort_by_key(|line| directory::number(line));
    assert_eq!(delivered, sorted);
}

#[test]
fn a_key_that_is_not_given_is_named() {
    let dir = unpack("encrypted");
    let directories = FlumeDirectories::below(&[dir.path().to_owned()]).expect("a channel");
    let mut keys = directory::keys(dir.path());
    keys.remove(0);
    let refused = FlumeChannel::open(&directories, &keys).err().expect("no key");
    assert!(
        matches!(&refused, FlumeLogError::MissingKey { key, known, .. } if key == "key-0" && known == "key-1")
    );
}

#[test]
fn nothing_is_written() {
    for name in directory::NAMES {
        let dir = unpack(name);
        let before = directory::content(dir.path());
        deliver(&mut open(dir.path()));
        assert_eq!(directory::content(dir.path()), before, "{name}");
    }
}

/// In `partial_clean` Flume was stopped while it committed a take: the commit is in the log, and the checkpoint
/// that Flume wrote afterwards has the seven events back in its queue. The logs alone say that they are gone.
#[test]
fn without_its_checkpoint_a_directory_lacks_no_event_without_a_committed_take() {
    for name in directory::NAMES {
        let dir = unpack(name);
        drop(std::fs::remove_dir_all(dir.path().join("checkpoint")));
        let mut channel = open(dir.path());
        let delivered: BTreeSet<_> = deliver(&mut channel).into_iter().collect();
        assert!(channel.report().checkpoint_unused.is_some(), "{name}");
        let missing: Vec<_> = expected(name).into_iter().filter(|line| !delivered.contains(line)).collect();
        assert_eq!(missing.len(), if name == "partial_clean" { 7 } else { 0 }, "{name}: {missing:?}");
    }
}
