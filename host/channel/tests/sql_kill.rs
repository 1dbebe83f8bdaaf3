//! A process that uses the SQL channel is killed by SIGKILL at a random moment, again and again. The ledger is
//! kept outside, by what the process says: nothing acknowledged is lost, nothing settled comes again.
//!
//! `KILL_CYCLES` (10) and `KILL_SEED` (printed) can be set.

mod server;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::sql::{Database, PostgresOptions, SqlChannel, SqlLimits};
use flumen_channel::{Channel, Gate, Patience, put_all};
use flumen_event::{Batch, BatchBuilder};
use server::Server;

/// Tells the child what it is: kind, folder, first number.
const CHILD: &str = "FLUMEN_SQL_KILL_CHILD";
/// Each life numbers its events from here.
const LIFE_EVENTS: usize = 1_000_000;

fn open(kind: &str, dir: &Path) -> SqlChannel {
    let database = match kind {
        "sqlite" => Database::Sqlite(dir.join("c1.sqlite")),
        _ => Database::Postgres(Box::new(PostgresOptions {
            server: server::config(dir),
            channel: "c1".into(),
            retry: Duration::from_secs(20),
            answer_within: Duration::from_secs(30),
        })),
    };
    let limits = SqlLimits {
        capacity: 0,
        transaction_capacity: 1000,
        keep_alive: Duration::ZERO,
        database,
        create_schema: true,
    };
    let channel = SqlChannel::new(limits, Arc::new(Gate::default()));
    channel.open_blocking().expect("opens");
    channel
}

fn numbers(take: &[Batch]) -> Vec<usize> {
    let bodies = take.iter().flat_map(Batch::iter);
    bodies.map(|e| str::from_utf8(e.body()).expect("text").parse().expect("a number")).collect()
}

fn say(what: &str, numbers: &[usize]) {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    // One write, so that a line is there or not.
    std::io::stdout()
        .write_all(format!("{what} {}\n", numbers.join(" ")).as_bytes())
        .expect("somebody reads");
}

/// Four producers and a consumer that says what it does, until it is killed.
async fn live(kind: &str, dir: &Path, first: usize) {
    let channel: Arc<dyn Channel> = Arc::new(open(kind, dir));
    for producer in 0..4 {
        let channel = channel.clone();
        tokio::spawn(async move {
            for n in (first + producer * LIFE_EVENTS / 4..).step_by(3) {
                let events = [n, n + 1, n + 2];
                let mut builder = BatchBuilder::default();
                events.iter().for_each(|n| builder.push(n.to_string().as_bytes(), []).expect("fits"));
                let parts = [(channel.clone(), builder.finish())];
                put_all(&parts, Patience::KeepAlive, &Gate::default(), || ()).await.expect("stored");
                say("acked", &events);
            }
        });
    }
    for round in 0usize.. {
        let take = channel.take(1 + round % 5).await.expect("readable");
        let events = numbers(take.batches());
        if round.is_multiple_of(7) {
            continue;
        }
        say("taking", &events);
        take.commit(&mut || ()).await.expect("recorded");
        say("settled", &events);
    }
}

#[derive(Default)]
struct Ledger {
    acked: BTreeSet<usize>,
    /// Said before a commit: whether it happened is known only when it was said, too.
    taking: BTreeSet<usize>,
    settled: BTreeSet<usize>,
}

/// Runs a life until it has said so many lines, kills it, and notes what it had said.
fn one_life(kind: &str, dir: &Path, life: usize, lines: usize, ledger: &mut Ledger) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "--nocapture", "child"])
        .env(CHILD, format!("{kind} {} {}", life * LIFE_EVENTS, dir.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    for (at, line) in output.split(b'\n').enumerate() {
        let line = String::from_utf8(line.expect("readable")).expect("text");
        if at == lines {
            child.kill().expect("killed");
        }
        let mut words = line.split(' ');
        let set = match words.next() {
            Some("acked") => &mut ledger.acked,
            Some("taking") => &mut ledger.taking,
            Some("settled") => &mut ledger.settled,
            _ => continue,
        };
        for number in words.filter_map(|word| word.parse().ok()) {
            assert!(set.insert(number) || line.starts_with("taking"), "{line}: a second time");
        }
    }
    child.wait().expect("ended");
}

fn cycles(kind: &str, dir: &Path) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("KILL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let cycles = number("KILL_CYCLES").unwrap_or(10);
    eprintln!("KILL_SEED={seed} KILL_CYCLES={cycles}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::default();
    for life in 0..cycles as usize {
        one_life(kind, dir, life, random.usize(20..300), &mut ledger);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let left = runtime.block_on(drain(kind, dir, &ledger));
    let left_once: BTreeSet<usize> = left.iter().copied().collect();
    assert_eq!(left.len(), left_once.len(), "an event came twice");
    let lost: Vec<_> =
        ledger.acked.iter().filter(|n| !left_once.contains(n) && !ledger.taking.contains(n)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let again: Vec<_> = ledger.settled.intersection(&left_once).collect();
    assert!(again.is_empty(), "settled and there again: {again:?}");
    assert!(ledger.acked.len() > 50 && ledger.settled.len() > 50, "it has hardly worked");
    eprintln!("{} acknowledged, {} settled, {} left", ledger.acked.len(), ledger.settled.len(), left.len());
}

/// What is left, when the server has noticed that the last life is gone.
async fn drain(kind: &str, dir: &Path, ledger: &Ledger) -> Vec<usize> {
    let wanted = ledger.acked.difference(&ledger.taking).count();
    let mut left = Vec::new();
    for _ in 0..200 {
        let channel = open(kind, dir);
        while let Some(take) = channel.try_take(100).await.expect("readable") {
            left.extend(numbers(take.batches()));
            take.commit(&mut || ()).await.expect("recorded");
        }
        if kind == "sqlite" || left.len() >= wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    left
}

/// Not a test of its own: what is started and killed.
#[test]
fn child() {
    let Ok(role) = std::env::var(CHILD) else { return };
    let mut words = role.splitn(3, ' ');
    let (kind, first) = (words.next().expect("kind"), words.next().expect("first"));
    let (first, dir) = (first.parse().expect("a number"), words.next().expect("folder"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(live(kind, Path::new(dir), first));
}

#[test]
fn a_killed_process_loses_nothing_acknowledged_in_sqlite() {
    let dir = tempfile::tempdir().expect("a folder");
    cycles("sqlite", dir.path());
}

#[test]
fn a_killed_process_loses_nothing_acknowledged_in_postgresql() {
    let Some(server) = Server::start() else { return };
    cycles("postgres", &server.dir);
}
