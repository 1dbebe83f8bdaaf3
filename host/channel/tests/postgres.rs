//! The SQL channel in PostgreSQL against the contract, and what is its own. SKIPPED, aloud, without PostgreSQL.

mod server;

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use flumen_channel::contract::{self, Subject, Wanted, run};
use flumen_channel::sql::{Database, PostgresOptions, SqlChannel, SqlLimits};
use flumen_channel::{Channel, Gate, Patience, PutError, put_all};
use flumen_event::{Batch, BatchBuilder};
use server::Server;

/// One for all tests of this file. It is never dropped, and ends when the process does.
static SERVER: LazyLock<Option<Mutex<Server>>> = LazyLock::new(|| Server::start().map(Mutex::new));

fn limits(server: &Server, wanted: Wanted, channel: &str) -> SqlLimits {
    let options = PostgresOptions {
        server: server.config(),
        channel: channel.to_owned(),
        retry: Duration::from_secs(20),
        answer_within: Duration::from_secs(30),
    };
    SqlLimits {
        capacity: wanted.capacity,
        transaction_capacity: wanted.transaction_capacity,
        keep_alive: wanted.keep_alive,
        database: Database::Postgres(Box::new(options)),
        create_schema: true,
    }
}

fn make(wanted: Wanted) -> Subject {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static CHANNELS: AtomicUsize = AtomicUsize::new(0);
    let server = SERVER.as_ref().expect("checked before").lock().expect("not poisoned");
    let name = format!("contract-{}", CHANNELS.fetch_add(1, Relaxed));
    let gate = Arc::new(Gate::default());
    let channel = SqlChannel::new(limits(&server, wanted, &name), gate.clone());
    channel.open_blocking().expect("opens");
    Subject { channel: Arc::new(channel), gate, rest: Box::new(()) }
}

/// The contract's tests, each of them skipped where there is no server.
macro_rules! contract_where_there_is_a_server {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            if SERVER.is_some() {
                run(contract::$name(make));
            }
        }
    )*};
}
contract_where_there_is_a_server! {
    a_batch_is_seen_only_after_commit
    a_dropped_reservation_leaves_nothing
    events_leave_in_the_order_of_their_commits
    a_take_never_exceeds_its_bounds
    a_dropped_take_returns_to_the_head_in_order
    takes_rolled_back_in_any_order_keep_the_order
    taken_events_hold_their_room_until_commit
    a_full_channel_makes_the_put_wait_then_refuses_it
    room_freed_within_keep_alive_lets_the_put_in
    without_patience_a_full_channel_refuses_at_once
    a_batch_larger_than_the_channel_is_refused_at_once
    a_large_put_is_not_starved_by_small_ones
    of_two_channels_one_full_neither_gets_the_batch
    a_put_dropped_at_any_await_leaves_no_trace
    a_take_dropped_at_any_await_loses_no_event
    a_waiting_take_is_served_when_another_is_dropped
    the_ledger_balances_at_every_scrape
    every_event_arrives_once_with_many_producers_and_consumers
}

fn numbers(range: std::ops::Range<usize>) -> Batch {
    let mut builder = BatchBuilder::default();
    for n in range {
        builder.push(n.to_string().as_bytes(), [("host", "web1")]).expect("fits");
    }
    builder.finish()
}

async fn put(channel: &Arc<dyn Channel>, range: std::ops::Range<usize>) -> Result<(), PutError> {
    let parts = [(channel.clone(), numbers(range))];
    put_all(&parts, Patience::KeepAlive, &Gate::default(), || ()).await.map_err(|error| error.error)
}

async fn drain(channel: &Arc<dyn Channel>, size: usize) -> Vec<usize> {
    let mut all = Vec::new();
    while let Some(take) = channel.try_take(size).await.expect("readable") {
        let bodies = take.batches().iter().flat_map(Batch::iter);
        all.extend(
            bodies.map(|e| str::from_utf8(e.body()).expect("text").parse::<usize>().expect("a number")),
        );
        take.commit(&mut || ()).await.expect("recorded");
    }
    all
}

fn open(server: &Server, name: &str) -> Arc<dyn Channel> {
    let wanted = Wanted { capacity: 0, transaction_capacity: 1000, ..Wanted::default() };
    let channel = SqlChannel::new(limits(server, wanted, name), Arc::default());
    channel.open_blocking().expect("opens");
    Arc::new(channel)
}

/// A runtime with real time: here others are waited for.
fn in_real_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(test)
}

/// Opens the channel until the server has noticed that its last life is gone.
async fn open_with_all(server: &Server, name: &str, events: usize) -> Arc<dyn Channel> {
    for _ in 0..600 {
        let channel = open(server, name);
        if channel.status().events == events {
            return channel;
        }
        drop(channel);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the {events} events did not come back");
}

#[test]
fn what_was_put_is_there_in_the_next_life_and_partly_taken_batches_without_their_parts() {
    let Some(server) = Server::start() else { return };
    in_real_time(async {
        let channel = open(&server, "c1");
        for n in 0..5 {
            put(&channel, n * 10..(n + 1) * 10).await.expect("stored");
        }
        let first = channel.try_take(3).await.expect("readable").expect("events");
        let second = channel.try_take(3).await.expect("readable").expect("events");
        second.commit(&mut || ()).await.expect("recorded");
        drop(first);
        drop(channel);
        let channel = open_with_all(&server, "c1", 47).await;
        let left: Vec<usize> = (0..3).chain(6..50).collect();
        assert_eq!(drain(&channel, 4).await, left);
    });
}

#[test]
fn two_agents_with_channels_of_one_database_do_not_see_each_others_events() {
    let Some(server) = Server::start() else { return };
    in_real_time(async {
        // Two channels of different names, and two agents with a channel of the same name.
        let channels = [open(&server, "a"), open(&server, "b"), open(&server, "b")];
        for (at, channel) in channels.iter().enumerate() {
            put(channel, at * 10..at * 10 + 10).await.expect("stored");
        }
        for (at, channel) in channels.iter().enumerate() {
            assert_eq!(drain(channel, 3).await, (at * 10..at * 10 + 10).collect::<Vec<_>>());
        }
    });
}

#[test]
fn an_agent_takes_over_the_events_of_one_that_died() {
    let Some(server) = Server::start() else { return };
    in_real_time(async {
        let (dying, living) = (open(&server, "c1"), open(&server, "c1"));
        put(&dying, 0..20).await.expect("stored");
        put(&living, 20..30).await.expect("stored");
        assert_eq!(living.status().events, 10);
        drop(dying);
        // Twice a round of five seconds; nothing is asked for meanwhile.
        let taken = tokio::time::timeout(Duration::from_secs(60), async {
            while living.status().events < 30 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            drain(&living, 7).await
        });
        assert_eq!(taken.await.expect("taken over"), (20..30).chain(0..20).collect::<Vec<_>>());
    });
}

#[test]
fn a_server_that_is_killed_and_comes_back_costs_nothing() {
    let Some(mut server) = Server::start() else { return };
    in_real_time(async {
        let channel = open(&server, "c1");
        let (acked, done) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let producer = tokio::spawn({
            let (channel, acked, done) = (channel.clone(), acked.clone(), done.clone());
            async move {
                for n in 0.. {
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                    put(&channel, n * 3..(n + 1) * 3).await.expect("within the patience of 20 s");
                    acked.lock().expect("fine").extend(n * 3..(n + 1) * 3);
                }
            }
        });
        for _ in 0..3 {
            let before = acked.lock().expect("fine").len();
            while acked.lock().expect("fine").len() < before + 60 {
                assert!(!producer.is_finished(), "the producer gave up");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::task::block_in_place(|| {
                server.tell("kill");
                server.tell("start");
            });
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        producer.await.expect("the producer");
        let acked = acked.lock().expect("fine").clone();
        assert_eq!(drain(&channel, 50).await, acked, "each once, in order");
        drop(channel);
        // No row was left behind that nobody knew of.
        let channel = open(&server, "c1");
        assert_eq!(channel.status().events, 0);
    });
}

#[test]
fn puts_are_refused_when_the_server_stays_away_and_accepted_when_it_is_back() {
    let Some(mut server) = Server::start() else { return };
    in_real_time(async {
        let wanted = Wanted { capacity: 0, transaction_capacity: 1000, ..Wanted::default() };
        let mut limits = limits(&server, wanted, "c1");
        if let Database::Postgres(options) = &mut limits.database {
            options.retry = Duration::from_millis(300);
        }
        let channel = SqlChannel::new(limits, Arc::default());
        channel.open_blocking().expect("opens");
        let channel: Arc<dyn Channel> = Arc::new(channel);
        put(&channel, 0..5).await.expect("stored");
        tokio::task::block_in_place(|| server.tell("kill"));
        let refused = put(&channel, 5..10).await;
        assert!(
            matches!(&refused, Err(PutError::Storage(why)) if why.contains("cannot be reached")),
            "{refused:?}"
        );
        // What is in memory can be delivered, but not be noted as delivered.
        let take = channel.try_take(5).await.expect("in memory").expect("events");
        take.commit(&mut || panic!("nothing is settled")).await.expect_err("the server is away");
        tokio::task::block_in_place(|| server.tell("start"));
        let mut stored = put(&channel, 10..15).await;
        for _ in 0..100 {
            if stored.is_ok() {
                break;
            }
            stored = put(&channel, 10..15).await;
        }
        stored.expect("the server is back");
        assert_eq!(drain(&channel, 50).await, (0..5).chain(10..15).collect::<Vec<_>>());
    });
}

#[test]
fn a_server_that_hangs_is_away_and_what_it_did_meanwhile_is_there_once() {
    let Some(mut server) = Server::start() else { return };
    in_real_time(async {
        let wanted = Wanted { capacity: 0, transaction_capacity: 1000, ..Wanted::default() };
        let mut limits = limits(&server, wanted, "c1");
        if let Database::Postgres(options) = &mut limits.database {
            (options.retry, options.answer_within) = (Duration::ZERO, Duration::from_secs(5));
        }
        let channel = SqlChannel::new(limits, Arc::default());
        channel.open_blocking().expect("opens");
        let channel: Arc<dyn Channel> = Arc::new(channel);
        put(&channel, 0..5).await.expect("stored");
        tokio::task::block_in_place(|| server.tell("stop"));
        let refused = put(&channel, 5..10).await;
        assert!(matches!(&refused, Err(PutError::Storage(why)) if why.contains("no answer")), "{refused:?}");
        tokio::task::block_in_place(|| server.tell("continue"));
        // Refused for as long as the session that was stopped has not noticed that it is over.
        let since = std::time::Instant::now();
        let mut stored = put(&channel, 10..15).await;
        while stored.is_err() && since.elapsed() < Duration::from_secs(60) {
            stored = put(&channel, 10..15).await;
        }
        stored.expect("the server goes on");
        assert_eq!(drain(&channel, 50).await, (0..5).chain(10..15).collect::<Vec<_>>());
    });
}
