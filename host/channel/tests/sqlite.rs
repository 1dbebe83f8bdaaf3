//! The SQL channel in SQLite against the contract, and what is its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flumen_channel::contract::{Subject, Wanted, run};
use flumen_channel::sql::{Database, SqlChannel, SqlLimits, StoreError};
use flumen_channel::{Channel, Gate, Patience, contract_tests, put_all};
use flumen_event::{Batch, BatchBuilder};

fn limits(wanted: Wanted, path: &Path) -> SqlLimits {
    SqlLimits {
        capacity: wanted.capacity,
        transaction_capacity: wanted.transaction_capacity,
        keep_alive: wanted.keep_alive,
        database: Database::Sqlite(path.join("made/on/demand/c1.sqlite")),
        create_schema: true,
    }
}

fn make(wanted: Wanted) -> Subject {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = Arc::new(Gate::default());
    let channel = SqlChannel::new(limits(wanted, dir.path()), gate.clone());
    channel.open_blocking().expect("opens");
    Subject { channel: Arc::new(channel), gate, rest: Box::new(dir) }
}

contract_tests!(make);

/// A channel in a folder that outlives it.
struct Life {
    channel: Arc<dyn Channel>,
    gate: Arc<Gate>,
}

fn live_with(limits: SqlLimits) -> Life {
    let gate = Arc::new(Gate::default());
    let channel = SqlChannel::new(limits, gate.clone());
    channel.open_blocking().expect("opens");
    Life { channel: Arc::new(channel), gate }
}
fn live(dir: &Path) -> Life {
    live_with(limits(Wanted { capacity: 0, transaction_capacity: 1000, ..Wanted::default() }, dir))
}

fn numbers(range: std::ops::Range<usize>) -> Batch {
    let mut builder = BatchBuilder::default();
    for n in range {
        let number = n.to_string();
        let headers = [("n", number.as_str()), ("host", "web1"), ("even", "yes")];
        let headers = &headers[..if n.is_multiple_of(2) { 3 } else { 2 }];
        builder.push(number.as_bytes(), headers.iter().copied()).expect("fits");
    }
    builder.finish()
}

impl Life {
    async fn put(&self, range: std::ops::Range<usize>) {
        let parts = [(self.channel.clone(), numbers(range))];
        put_all(&parts, Patience::KeepAlive, &self.gate, || ()).await.expect("stored");
    }
    /// Takes everything, `size` at a time; headers are checked on the way.
    async fn drain(&self, size: usize) -> Vec<usize> {
        let mut all = Vec::new();
        while let Some(take) = self.channel.try_take(size).await.expect("readable") {
            for event in take.batches().iter().flat_map(Batch::iter) {
                let n: usize = str::from_utf8(event.body()).expect("text").parse().expect("a number");
                assert_eq!(event.header("n"), Some(n.to_string().as_str()));
                assert_eq!(
                    (event.header("host"), event.header("even").is_some()),
                    (Some("web1"), n.is_multiple_of(2))
                );
                all.push(n);
            }
            take.commit(&mut || ()).await.expect("recorded");
        }
        all
    }
}

#[test]
fn what_was_put_is_there_after_a_restart_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        for n in 0..50 {
            life.put(n * 20..(n + 1) * 20).await;
        }
        drop(life);
        let life = live(dir.path());
        assert_eq!(life.channel.status().events, 1000);
        assert_eq!(life.drain(77).await, (0..1000).collect::<Vec<_>>());
        drop(life);
        assert_eq!(live(dir.path()).channel.status().events, 0);
    });
}

#[test]
fn of_a_batch_taken_in_parts_only_the_committed_parts_are_gone_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        life.put(0..10).await;
        let first = life.channel.try_take(3).await.expect("readable").expect("events");
        let second = life.channel.try_take(3).await.expect("readable").expect("events");
        // The later part first, and the earlier never.
        second.commit(&mut || ()).await.expect("recorded");
        drop(first);
        drop(life);
        let life = live(dir.path());
        assert_eq!(life.channel.status().events, 7);
        assert_eq!(life.drain(2).await, [0, 1, 2, 6, 7, 8, 9]);
        drop(life);
        assert_eq!(live(dir.path()).channel.status().events, 0);
    });
}

#[test]
fn a_put_that_was_given_up_does_not_come_back() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        let batch = numbers(0..10);
        let mut reserved = life.channel.reserve(&batch, Patience::None).await.expect("room");
        reserved.persist(&batch).await.expect("stored");
        drop(reserved);
        // A put behind it is stored behind it, so the deletion has happened when this returns.
        life.put(10..12).await;
        drop(life);
        assert_eq!(live(dir.path()).drain(5).await, [10, 11]);
    });
}

#[test]
fn more_than_fits_into_memory_waits_in_the_database_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        let big = |n: usize| {
            let mut builder = BatchBuilder::default();
            let mut body = n.to_string().into_bytes();
            body.resize(8 << 20, b' ');
            builder.push(&body, []).expect("fits");
            builder.finish()
        };
        for n in 0..20 {
            let parts = [(life.channel.clone(), big(n))];
            put_all(&parts, Patience::KeepAlive, &life.gate, || ()).await.expect("stored");
        }
        assert_eq!(life.channel.status().bytes, 20 * (8 << 20));
        for n in 0..20 {
            let take = life.channel.take(1).await.expect("readable");
            let body = take.batches()[0].event(0).body().to_vec();
            assert_eq!(String::from_utf8_lossy(&body).trim(), n.to_string());
            take.commit(&mut || ()).await.expect("recorded");
        }
        assert_eq!((life.channel.status().events, life.channel.status().bytes), (0, 0));
    });
}

#[test]
fn a_second_process_is_kept_out_and_told_why() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        let limits = limits(Wanted::default(), dir.path());
        let second = SqlChannel::new(limits, Arc::default());
        let refused = second.open_blocking().expect_err("in use");
        assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
        let put = second.reserve(&numbers(0..1), Patience::None).await.err().expect("not open");
        assert!(put.to_string().contains("in use by another process"), "{put}");
        drop(life);
        second.open_blocking().expect("free now");
    });
}

#[test]
fn tables_are_made_only_when_allowed_and_only_in_a_database_of_ours() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let limits = SqlLimits { create_schema: false, ..limits(Wanted::default(), dir.path()) };
        let refused = SqlChannel::new(limits, Arc::default()).open_blocking().expect_err("no tables");
        assert!(refused.to_string().contains("`create.schema` is false"), "{refused}");
        let path = dir.path().join("other.sqlite");
        let other = rusqlite::Connection::open(&path).expect("a database");
        other.execute_batch("CREATE TABLE accounts (id)").expect("a table");
        drop(other);
        let limits =
            SqlLimits { database: Database::Sqlite(path), ..self::limits(Wanted::default(), dir.path()) };
        let refused = SqlChannel::new(limits, Arc::default()).open_blocking().expect_err("not ours");
        assert!(refused.to_string().contains("belongs to another program"), "{refused}");
    });
}

#[test]
fn a_damaged_row_is_counted_set_aside_and_passed_over() {
    use std::sync::atomic::Ordering::Relaxed;
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        for n in 0..3 {
            life.put(n * 10..(n + 1) * 10).await;
        }
        drop(life);
        let path = dir.path().join("made/on/demand/c1.sqlite");
        let database = rusqlite::Connection::open(&path).expect("ours");
        let changed = database.execute(
            "UPDATE batch SET content = zeroblob(length(content)) WHERE id = (SELECT min(id) + 1 FROM batch)",
            [],
        );
        assert_eq!(changed, Ok(1));
        drop(database);
        let life = live(dir.path());
        assert_eq!(life.drain(7).await, (0..10).chain(20..30).collect::<Vec<_>>());
        assert_eq!(life.channel.counters().damaged.load(Relaxed), 10);
        assert_eq!(life.channel.status().events, 0);
        drop(life);
        let database = rusqlite::Connection::open(&path).expect("ours");
        let count = |table: &str| -> i64 {
            let count = format!("SELECT count(*) FROM {table}");
            database.query_row(&count, [], |row| row.get(0)).expect("a count")
        };
        assert_eq!((count("batch"), count("damaged"), count("gone")), (0, 1, 0));
    });
}

#[test]
fn without_a_capacity_there_is_no_limit_and_with_one_there_is() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        life.put(0..5000).await;
        drop(life);
        // What an earlier life put is not refused, but nothing can be added to it.
        let life = live_with(limits(
            Wanted { capacity: 10, keep_alive: Duration::ZERO, ..Wanted::default() },
            dir.path(),
        ));
        assert_eq!(life.channel.status().events, 5000);
        assert!(life.channel.reserve(&numbers(0..1), Patience::None).await.is_err());
        assert_eq!(life.drain(10).await.len(), 5000);
        life.put(0..10).await;
    });
}

#[test]
fn a_closed_channel_refuses_and_its_file_is_free() {
    let dir = tempfile::tempdir().expect("a folder");
    run(async {
        let life = live(dir.path());
        life.put(0..10).await;
        life.channel.close();
        let refused = life.channel.reserve(&numbers(0..1), Patience::None).await.err().expect("closed");
        assert!(refused.to_string().contains("the channel is closed"), "{refused}");
        // The old handle still exists.
        assert_eq!(live(dir.path()).drain(10).await, (0..10).collect::<Vec<_>>());
    });
}
