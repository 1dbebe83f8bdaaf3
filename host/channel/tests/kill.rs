//! A real process, killed at random moments, on the machine's file system. What it has said is the ledger.
//!
//! The child puts and takes as fast as it can and says so, line by line, on a pipe: `P n` when event n was
//! acknowledged, `D n` when it was taken, `C n` when that take was committed. 100 kills, or 10,000 with
//! `FLUMEN_TEST_LONG=1`, or as many as `FLUMEN_TEST_KILLS` says. `FLUMEN_TEST_SEED=n` repeats the choice of moments.

#![allow(clippy::print_stdout, reason = "seeds and counts of a run, seen when it fails")]

#[path = "crash/model.rs"]
#[allow(dead_code, reason = "shared with the tests of power cuts")]
mod model;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::file::{FileChannel, FileLimits, LogOptions};
use flumen_channel::{Channel, Gate};
use model::{Subject, numbers};

const DIR: &str = "FLUMEN_KILL_DIR";
const FROM: &str = "FLUMEN_KILL_FROM";

fn open(dir: &Path) -> Subject {
    let log = LogOptions {
        data_dirs: vec![dir.join("data1"), dir.join("data2")],
        segment_bytes: 64 << 10,
        window_bytes: 16 << 10,
        load_bytes: 4 << 10,
        checkpoint_interval: Duration::from_millis(5),
        ..LogOptions::below(dir)
    };
    let limits = FileLimits {
        capacity: 1_000_000,
        transaction_capacity: 1000,
        keep_alive: Duration::ZERO,
        spill: None,
        log,
    };
    let gate = Arc::new(Gate::default());
    let subject = Subject { channel: Arc::new(FileChannel::new(limits, None, gate.clone())), gate };
    subject.channel.try_open().expect("the channel always starts");
    subject
}

#[test]
#[ignore = "the child of the other test"]
fn the_child() {
    let dir = std::env::var(DIR).expect("started by the other test");
    let from: u64 = std::env::var(FROM).expect("a number").parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("a runtime").block_on(async {
        // What the test's harness has begun to print is no part of the ledger.
        println!();
        let subject = Arc::new(open(Path::new(&dir)));
        let say = |what: char, numbers: &[u64]| {
            let lines: String = numbers.iter().map(|n| format!("{what} {n}\n")).collect();
            std::io::stdout().lock().write_all(lines.as_bytes()).expect("the parent reads");
        };
        for producer in 0..3 {
            let subject = subject.clone();
            tokio::spawn(async move {
                for round in 0.. {
                    let first = from + round * 30 + producer * 10;
                    let events: Vec<u64> = (first..first + 1 + round % 10).collect();
                    if subject.put(&events).await {
                        say('P', &events);
                    }
                }
            });
        }
        let mut rng = fastrand::Rng::new();
        loop {
            let take = subject.channel.take(1 + rng.usize(0..40)).await.expect("the storage works");
            let events = numbers(&*take);
            say('D', &events);
            if rng.u8(0..8) > 0 {
                take.commit(&mut || ()).await.expect("the storage works");
                say('C', &events);
            }
        }
    });
}

struct Ledger {
    put: BTreeSet<u64>,
    committed: BTreeSet<u64>,
    /// Taken by a process that died before it could say whether the take was committed.
    unsure: BTreeSet<u64>,
    last: u64,
}

fn start(dir: &Path, from: u64) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_child", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the child")
}

impl Ledger {
    fn read(&mut self, line: &str) {
        let Some((what, number)) = line.split_once(' ') else { return };
        let Ok(number) = number.parse() else { return };
        self.last = self.last.max(number);
        match what {
            "P" => drop(self.put.insert(number)),
            "C" => {
                self.unsure.remove(&number);
                assert!(self.committed.insert(number), "{number} was committed twice");
            }
            "D" => {
                assert!(!self.committed.contains(&number), "{number} came again after it was taken for good");
                self.unsure.insert(number);
            }
            _ => {}
        }
    }
}

#[test]
fn acked_events_survive_every_kill() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = if std::env::var_os("FLUMEN_TEST_LONG").is_some() { 10_000 } else { 100 };
    let kills = number("FLUMEN_TEST_KILLS").map_or(kills, |kills| kills as usize);
    let seed = number("FLUMEN_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("FLUMEN_TEST_SEED={seed}");
    let dir = tempfile::tempdir().expect("a folder");
    let mut ledger =
        Ledger { put: BTreeSet::new(), committed: BTreeSet::new(), unsure: BTreeSet::new(), last: 0 };
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..kills {
        // Also a child that could not say a word before it died has used its numbers.
        ledger.last += 1000;
        let mut child = start(dir.path(), ledger.last);
        let stdout = child.stdout.take().expect("piped");
        // The kill comes after a random number of lines: the moment is random, and the child has done something.
        let lines_max = rng.usize(1..400);
        let mut said = BufReader::new(stdout);
        let mut seen = 0;
        while seen < lines_max {
            let mut line = String::new();
            assert!(said.read_line(&mut line).expect("text") > 0, "the child runs until it is killed");
            seen += usize::from(line.starts_with("P ") || line.starts_with("D ") || line.starts_with("C "));
            ledger.read(line.trim_end());
        }
        child.kill().expect("killed");
        // What it said before it died counts; only a line without its end was torn by the kill. A whole last line
        // matters: after `D n` the take may have become durable, and nobody was left to say so.
        let mut rest = String::new();
        said.read_to_string(&mut rest).expect("text");
        rest.split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .for_each(|line| ledger.read(line));
        child.wait().expect("ended");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let left: BTreeSet<u64> = runtime.block_on(async {
        let subject = open(dir.path());
        let left = subject.drain().await;
        assert_eq!(subject.quarantined(), 0, "a kill damages nothing");
        left.into_iter().collect()
    });
    let again: Vec<_> = left.intersection(&ledger.committed).collect();
    assert!(again.is_empty(), "taken for good and there again: {again:?}");
    let has = |n: &&u64| left.contains(n) || ledger.committed.contains(n) || ledger.unsure.contains(n);
    let lost: Vec<_> = ledger.put.iter().filter(|n| !has(n)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    println!(
        "{kills} kills, {} acknowledged, {} committed, {} left",
        ledger.put.len(),
        ledger.committed.len(),
        left.len()
    );
    assert!(ledger.put.len() > kills && !ledger.committed.is_empty(), "the children have done nothing");
}
