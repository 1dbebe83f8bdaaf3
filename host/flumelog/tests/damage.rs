//! Damaged and hostile directories: what is damaged is confined and counted, the rest is delivered.

mod directory;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use directory::{deliver, expected, open, unpack};
use flumen_flumelog::{FlumeChannel, FlumeDirectories, FlumeLogError};

fn refused(dir: &Path) -> FlumeLogError {
    let directories = FlumeDirectories::below(&[dir.to_owned()]).expect("logs");
    FlumeChannel::open(&directories, &[]).err().expect("refused")
}
fn only_log(dir: &Path) -> PathBuf {
    dir.join("data/log-1")
}
/// What is written of a log; the rest is preallocated.
fn written(log: &[u8]) -> usize {
    log.iter().rposition(|byte| *byte != 0x80).expect("records") + 1
}

/// Flips one bit of every byte of the only log in turn. Without a checkpoint, so that every record counts.
#[test]
fn a_flipped_bit_costs_at_most_its_record() {
    let dir = unpack("clean");
    std::fs::remove_dir_all(dir.path().join("checkpoint")).expect("removed");
    let whole = std::fs::read(only_log(dir.path())).expect("the log");
    let expected = expected("clean");
    let known: BTreeSet<_> = expected.iter().collect();
    let mut costly = 0;
    // A prime step meets every kind of byte of the records, which are of different lengths.
    for at in (0..written(&whole)).step_by(13) {
        let mut changed = whole[..written(&whole) + 64].to_vec();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(only_log(dir.path()), &changed).expect("written");
        let mut channel = open(dir.path());
        let delivered = deliver(&mut channel);
        let report = channel.report();
        let unknown = delivered.iter().filter(|line| !known.contains(line)).count();
        // Headers have no checksum in this format: a bit flipped in their text is not noticed by Flume either.
        assert!(unknown == 0 || (unknown == 1 && delivered.len() == expected.len()), "byte {at}: {unknown}");
        assert!(delivered.len() + 1 >= expected.len(), "byte {at}: {} events\n{report}", delivered.len());
        if delivered.len() < expected.len() {
            assert!(
                !report.damage.is_empty() || report.put_uncommitted > 0,
                "byte {at}: a loss without a word"
            );
            costly += 1;
        }
    }
    assert!(costly > 100, "{costly}: most bytes belong to an event");
}

#[test]
fn a_commit_that_is_damaged_costs_no_event() {
    let dir = unpack("clean");
    std::fs::remove_dir_all(dir.path().join("checkpoint")).expect("removed");
    let mut log = std::fs::read(only_log(dir.path())).expect("the log");
    // The last record is the commit of the last transaction; its last byte the footer.
    let last = written(&log) - 1;
    log[last] = 7;
    std::fs::write(only_log(dir.path()), &log).expect("written");
    let mut channel = open(dir.path());
    assert!(
        channel.report().commit_perhaps_lost > 0 && channel.report().damage.len() == 1,
        "{}",
        channel.report()
    );
    assert_eq!(deliver(&mut channel), expected("clean"));
}

#[test]
fn a_log_cut_off_gives_what_was_before() {
    let dir = unpack("clean");
    std::fs::remove_dir_all(dir.path().join("checkpoint")).expect("removed");
    let whole = std::fs::read(only_log(dir.path())).expect("the log");
    let expected = expected("clean");
    for cut in (0..written(&whole)).step_by(101) {
        std::fs::write(only_log(dir.path()), &whole[..cut]).expect("written");
        let delivered = deliver(&mut open(dir.path()));
        assert_eq!(delivered, expected[..delivered.len()], "cut at {cut}");
    }
}

#[test]
fn an_event_that_the_checkpoint_knows_and_the_log_has_not_is_counted_as_lost() {
    let dir = unpack("clean");
    let mut log = std::fs::read(only_log(dir.path())).expect("the log");
    log[200] ^= 0xFF;
    std::fs::write(only_log(dir.path()), &log).expect("written");
    let mut channel = open(dir.path());
    let delivered = deliver(&mut channel);
    let report = channel.report();
    assert_eq!((report.pending, report.events_lost, delivered.len()), (120, 1, 119), "{report}");
    std::fs::remove_file(only_log(dir.path())).expect("removed");
    std::fs::remove_file(only_log(dir.path()).with_extension("meta")).expect("removed");
    std::fs::write(dir.path().join("data/log-2"), b"").expect("written");
    let mut channel = open(dir.path());
    assert!(deliver(&mut channel).is_empty());
    assert_eq!(channel.report().events_lost, 120);
}

#[test]
fn a_checkpoint_that_contradicts_itself_is_not_used_and_said_so() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("stopped while", |dir| flip(&dir.join("checkpoint"), 8 * 4 + 7)),
        ("different moments", |dir| flip(&dir.join("checkpoint"), 8 + 7)),
        ("`inflighttakes` is damaged", |dir| flip(&dir.join("inflighttakes"), 3)),
        ("missing or damaged", |dir| std::fs::remove_file(dir.join("checkpoint.meta")).expect("removed")),
        ("empty or cut off", |dir| std::fs::write(dir.join("checkpoint"), b"").expect("written")),
    ];
    for (cause, change) in changes {
        let dir = unpack("partial");
        change(&dir.path().join("checkpoint"));
        let mut channel = open(dir.path());
        let said = channel.report().checkpoint_unused.clone().unwrap_or_default();
        assert!(said.contains(cause), "{cause}: {said}");
        assert_eq!(deliver(&mut channel), expected("partial"), "{cause}");
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn format_version_2_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("log-1"), [0, 0, 0, 2, 0, 0, 0, 1]).expect("written");
    let text = refused(dir.path()).to_string();
    assert!(
        text.contains("log-1") && text.contains("version 2") && text.contains("start Flume 1.4"),
        "{text}"
    );
}

#[test]
fn a_folder_that_is_no_channel_or_two_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let none = FlumeDirectories::below(&[dir.path().to_owned()]).expect_err("no logs");
    assert!(matches!(none, FlumeLogError::NoLogs { .. }), "{none}");
    for channel in ["a", "b"] {
        std::fs::create_dir(dir.path().join(channel)).expect("made");
        std::fs::write(dir.path().join(channel).join("checkpoint"), b"x").expect("written");
        std::fs::write(dir.path().join(channel).join("log-1"), b"").expect("written");
    }
    let two = FlumeDirectories::below(&[dir.path().to_owned()]).expect_err("two checkpoints");
    assert!(matches!(two, FlumeLogError::SeveralChannels { .. }), "{two}");
    let data = vec![dir.path().join("a"), dir.path().join("b")];
    let refused = FlumeChannel::open(&FlumeDirectories { data, ..FlumeDirectories::default() }, &[]).err();
    assert!(matches!(refused, Some(FlumeLogError::SameNumber { .. })), "{refused:?}");
}

/// Flume's lock is a POSIX lock of another process, which is what this one plays when started as a child.
#[test]
fn a_channel_that_flume_runs_on_is_refused() {
    const ENV: &str = "FLUMELOG_TEST_LOCKS";
    if let Ok(path) = std::env::var(ENV) {
        let file = std::fs::File::options().write(true).open(path).expect("the lock file");
        rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).expect("locked");
        println!("locked");
        // Holds the lock until the parent is done.
        drop(std::io::read_to_string(std::io::stdin()));
        return;
    }
    let dir = unpack("clean");
    let lock = dir.path().join("data/in_use.lock");
    std::fs::write(&lock, b"").expect("written");
    let mut holder = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_channel_that_flume_runs_on_is_refused", "--nocapture"])
        .env(ENV, &lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let said = std::io::BufReader::new(holder.stdout.take().expect("its output"));
    let mut said = std::io::BufRead::lines(said);
    let locked = said.any(|line| line.expect("text").contains("locked"));
    assert!(locked, "the child did not lock");
    assert!(matches!(refused(dir.path()), FlumeLogError::InUse { path } if path == lock));
    drop(holder.stdin.take());
    holder.wait().expect("ended");
    assert_eq!(deliver(&mut open(dir.path())), expected("clean"));
}

mod bytes {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            flumen_flumelog::fuzzing::parse(&bytes);
        }

        /// Any bytes as a log: an end, always.
        #[test]
        fn no_log_makes_the_reader_panic_or_stay(bytes in proptest::collection::vec(prop_oneof![Just(0x7Fu8), Just(0), Just(0x80), any::<u8>()], 0..600)) {
            let dir = super::unpack("clean");
            std::fs::write(super::only_log(dir.path()), &bytes).expect("written");
            super::deliver(&mut super::open(dir.path()));
            std::fs::remove_dir_all(dir.path().join("checkpoint")).expect("removed");
            super::deliver(&mut super::open(dir.path()));
        }
    }
}
