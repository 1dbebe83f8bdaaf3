//! The promises of [`Channel`] as tests that any channel can be put through.
//!
//! [`contract_tests!`](crate::contract_tests) makes one `#[test]` of each. A channel's crate gives a function
//! that makes a fresh channel within [`Wanted`] limits; what must outlive it (a folder, say) rides along.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use flumen_event::{Batch, BatchBuilder};
use futures_util::poll;

use crate::{Channel, Gate, Patience, PutError, Take, put_all};

/// What a test needs of the channel it is given.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Events.
    pub capacity: usize,
    /// Events in one take.
    pub transaction_capacity: usize,
    /// Wait for room.
    pub keep_alive: Duration,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { capacity: 10, transaction_capacity: 10, keep_alive: Duration::from_secs(3) }
    }
}

/// A fresh channel, its gate, and whatever must live as long.
pub struct Subject {
    /// The channel under test.
    pub channel: Arc<dyn Channel>,
    /// The gate it was made with.
    pub gate: Arc<Gate>,
    /// Kept alive with it.
    pub rest: Box<dyn Any + Send + Sync>,
}

/// How a channel's crate makes one.
pub type Make = fn(Wanted) -> Subject;

/// One `#[test]` per promise, for the channel that `$make` makes.
#[macro_export]
macro_rules! contract_tests {
    ($make:expr) => {
        $crate::contract_tests!(@each $make;
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
            who_waits_for_many_keeps_no_put_waiting
            the_ledger_balances_at_every_scrape
            every_event_arrives_once_with_many_producers_and_consumers
        );
    };
    (@each $make:expr; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            $crate::contract::run($crate::contract::$name($make));
        }
    )*};
}

/// Runs a promise's test with virtual time, so that keep-alives cost none. The hour is virtual too: it passes
/// at once when everybody waits for something that will never come.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let bounded = async { tokio::time::timeout(Duration::from_secs(3600), test).await };
    runtime.expect("a runtime").block_on(bounded).expect("nobody waits for ever");
}

fn batch(texts: impl IntoIterator<Item = String>) -> Batch {
    let mut builder = BatchBuilder::default();
    texts.into_iter().for_each(|t| builder.push(t.as_bytes(), []).expect("fits"));
    builder.finish()
}
fn numbers(range: std::ops::Range<usize>) -> Batch {
    batch(range.map(|n| n.to_string()))
}
async fn put(subject: &Subject, batch: Batch) -> Result<(), PutError> {
    let parts = [(subject.channel.clone(), batch)];
    put_all(&parts, Patience::KeepAlive, &subject.gate, || ()).await.map_err(|e| e.error)
}
fn texts(take: &dyn Take) -> Vec<String> {
    let bodies = take.batches().iter().flat_map(Batch::iter);
    bodies.map(|e| String::from_utf8_lossy(e.body()).into_owned()).collect()
}
fn expected(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}
async fn try_take(subject: &Subject, max: usize) -> Option<Box<dyn Take>> {
    subject.channel.try_take(max).await.expect("storage works")
}
async fn commit(take: Box<dyn Take>) {
    take.commit(&mut || ()).await.expect("storage works");
}
/// Everything in the channel, committed.
async fn drain(subject: &Subject) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(take) = try_take(subject, 1000).await {
        all.extend(texts(&*take));
        commit(take).await;
    }
    all
}

/// Promise: takers do not see what is not committed.
pub async fn a_batch_is_seen_only_after_commit(make: Make) {
    let subject = make(Wanted::default());
    let events = numbers(0..3);
    let mut reserved = subject.channel.reserve(&events, Patience::None).await.expect("room");
    assert!(try_take(&subject, 10).await.is_none());
    reserved.persist(&events).await.expect("storage works");
    assert!(try_take(&subject, 10).await.is_none(), "persisted is not committed");
    reserved.commit(events);
    assert_eq!(drain(&subject).await, expected(0..3));
}

/// Promise: drop before commit = nothing happened, and the room is free again.
pub async fn a_dropped_reservation_leaves_nothing(make: Make) {
    let subject = make(Wanted::default());
    let events = numbers(0..10);
    let mut reserved = subject.channel.reserve(&events, Patience::None).await.expect("room");
    reserved.persist(&events).await.expect("storage works");
    drop(reserved);
    assert_eq!(subject.channel.status().events, 0);
    put(&subject, numbers(10..20)).await.expect("the room is free again");
    assert_eq!(drain(&subject).await, expected(10..20));
}

/// Promise: first in, first out, over batches of any size.
pub async fn events_leave_in_the_order_of_their_commits(make: Make) {
    let subject = make(Wanted { capacity: 100, transaction_capacity: 7, ..Wanted::default() });
    for (from, to) in [(0, 1), (1, 20), (20, 21), (21, 50)] {
        put(&subject, numbers(from..to)).await.expect("room");
    }
    assert_eq!(drain(&subject).await, expected(0..50));
}

/// Promise: at most `max` events and at most the transaction capacity.
pub async fn a_take_never_exceeds_its_bounds(make: Make) {
    let subject = make(Wanted { transaction_capacity: 4, ..Wanted::default() });
    put(&subject, numbers(0..10)).await.expect("room");
    let three = try_take(&subject, 3).await.expect("events");
    let four = try_take(&subject, 100).await.expect("events");
    assert_eq!((texts(&*three), texts(&*four)), (expected(0..3), expected(3..7)));
}

/// Promise: drop = rollback, to the head.
pub async fn a_dropped_take_returns_to_the_head_in_order(make: Make) {
    let subject = make(Wanted::default());
    put(&subject, numbers(0..6)).await.expect("room");
    drop(try_take(&subject, 4).await.expect("events"));
    put(&subject, numbers(6..8)).await.expect("room");
    assert_eq!(drain(&subject).await, expected(0..8));
}

/// Promise: a rolled-back take returns to its own place, also when a later take was rolled back first.
pub async fn takes_rolled_back_in_any_order_keep_the_order(make: Make) {
    let subject = make(Wanted::default());
    put(&subject, numbers(0..9)).await.expect("room");
    let first = try_take(&subject, 3).await.expect("events");
    let second = try_take(&subject, 3).await.expect("events");
    drop(first);
    drop(second);
    let first = try_take(&subject, 2).await.expect("events");
    let second = try_take(&subject, 3).await.expect("events");
    drop(second);
    drop(first);
    assert_eq!(drain(&subject).await, expected(0..9));
}

/// Promise: what is taken but not committed still counts.
pub async fn taken_events_hold_their_room_until_commit(make: Make) {
    let subject = make(Wanted::default());
    put(&subject, numbers(0..10)).await.expect("room");
    let take = try_take(&subject, 10).await.expect("events");
    assert_eq!(subject.channel.status().events, 10);
    assert_eq!(put(&subject, numbers(10..11)).await, Err(PutError::Full));
    commit(take).await;
    assert_eq!(subject.channel.status().events, 0);
    put(&subject, numbers(10..11)).await.expect("room");
}

/// Promise: `keep-alive` is waited, then the put is refused and the channel is unchanged.
pub async fn a_full_channel_makes_the_put_wait_then_refuses_it(make: Make) {
    let subject = make(Wanted::default());
    put(&subject, numbers(0..8)).await.expect("room");
    let since = tokio::time::Instant::now();
    assert_eq!(put(&subject, numbers(8..11)).await, Err(PutError::Full));
    assert!(since.elapsed() >= Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(drain(&subject).await, expected(0..8));
}

/// Promise: a put that waits gets the room that a take frees.
pub async fn room_freed_within_keep_alive_lets_the_put_in(make: Make) {
    let subject = make(Wanted::default());
    put(&subject, numbers(0..10)).await.expect("room");
    let mut waiting = Box::pin(put(&subject, numbers(10..13)));
    assert!(poll!(&mut waiting).is_pending());
    commit(try_take(&subject, 2).await.expect("events")).await;
    assert!(poll!(&mut waiting).is_pending(), "two places are not three");
    commit(try_take(&subject, 2).await.expect("events")).await;
    waiting.await.expect("four places are free");
    assert_eq!(drain(&subject).await, expected(4..13));
}

/// Promise: `Patience::None` never waits.
pub async fn without_patience_a_full_channel_refuses_at_once(make: Make) {
    let subject = make(Wanted::default());
    put(&subject, numbers(0..10)).await.expect("room");
    let since = tokio::time::Instant::now();
    let refused = subject.channel.reserve(&numbers(10..11), Patience::None).await;
    assert_eq!(refused.err(), Some(PutError::Full));
    assert_eq!(since.elapsed(), Duration::ZERO);
}

/// Promise: what can never fit is said at once, and as such.
pub async fn a_batch_larger_than_the_channel_is_refused_at_once(make: Make) {
    let subject = make(Wanted::default());
    let since = tokio::time::Instant::now();
    let refused = put(&subject, numbers(0..11)).await;
    assert!(matches!(refused, Err(PutError::TooLarge { events: 11, .. })), "{refused:?}");
    assert_eq!(since.elapsed(), Duration::ZERO);
}

/// Promise: first come, first served.
pub async fn a_large_put_is_not_starved_by_small_ones(make: Make) {
    let subject = make(Wanted::default());
    put(&subject, numbers(0..10)).await.expect("room");
    let mut large = Box::pin(put(&subject, numbers(10..18)));
    assert!(poll!(&mut large).is_pending());
    let mut small = Box::pin(put(&subject, numbers(18..19)));
    assert!(poll!(&mut small).is_pending());
    commit(try_take(&subject, 2).await.expect("events")).await;
    assert!(poll!(&mut small).is_pending(), "the small put must not overtake the large one");
    commit(try_take(&subject, 8).await.expect("events")).await;
    large.await.expect("its turn");
    small.await.expect("its turn");
    assert_eq!(drain(&subject).await, expected(10..19));
}

/// Promise: two-phase put.
pub async fn of_two_channels_one_full_neither_gets_the_batch(make: Make) {
    let (free, full) = (make(Wanted::default()), make(Wanted::default()));
    put(&full, numbers(0..10)).await.expect("room");
    for order in [[&free, &full], [&full, &free]] {
        let parts = order.map(|s| (s.channel.clone(), numbers(10..12)));
        let mut settled = 0;
        let refused = put_all(&parts, Patience::KeepAlive, &free.gate, || settled += 1).await;
        assert_eq!(refused.map_err(|e| e.error), Err(PutError::Full));
        assert_eq!((settled, free.channel.status().events), (0, 0));
    }
    put(&free, numbers(0..10)).await.expect("no room was kept");
}

/// Promise: cancellation of a put, at each of its awaits.
pub async fn a_put_dropped_at_any_await_leaves_no_trace(make: Make) {
    let (first, second) = (make(Wanted::default()), make(Wanted::default()));
    for polls in 0..8 {
        put(&second, numbers(0..10)).await.expect("empty again");
        let parts = [&first, &second].map(|s| (s.channel.clone(), numbers(10..14)));
        let mut putting = Box::pin(put_all(&parts, Patience::KeepAlive, &first.gate, || ()));
        for at in 0..polls {
            if at == 2 {
                // From here on room is granted although the future has not been polled since.
                commit(try_take(&second, 10).await.expect("events")).await;
            }
            if poll!(&mut putting).is_ready() {
                break;
            }
        }
        drop(putting);
        let (in_first, in_second) = (drain(&first).await, drain(&second).await);
        let whole = in_first == expected(10..14) && in_second.ends_with(&in_first);
        let nothing = in_first.is_empty() && !in_second.contains(&"10".to_owned());
        assert!(whole || nothing, "after {polls} polls: {in_first:?} {in_second:?}");
        assert_eq!((first.channel.status().events, second.channel.status().events), (0, 0));
        put(&first, numbers(0..10)).await.expect("no room is lost");
        drain(&first).await;
    }
}

/// Promise: cancellation of a take, before and after it was woken.
pub async fn a_take_dropped_at_any_await_loses_no_event(make: Make) {
    let subject = make(Wanted::default());
    for polls in 0..4 {
        let mut taking = Box::pin(subject.channel.take(5));
        for at in 0..polls {
            if at == 1 {
                put(&subject, numbers(0..3)).await.expect("room");
            }
            if let std::task::Poll::Ready(take) = poll!(&mut taking) {
                assert_eq!(texts(&*take.expect("storage works")), expected(0..3));
                break;
            }
        }
        drop(taking);
        let left = drain(&subject).await;
        assert_eq!(left, if polls > 1 { expected(0..3) } else { vec![] }, "after {polls} polls");
    }
}

/// Promise: no lost wake-up: the one woken may leave, then the next one gets the events.
pub async fn a_waiting_take_is_served_when_another_is_dropped(make: Make) {
    let subject = make(Wanted::default());
    let mut first = Box::pin(subject.channel.take(5));
    assert!(poll!(&mut first).is_pending());
    let channel = subject.channel.clone();
    let second = tokio::spawn(async move { texts(&*channel.take(5).await.expect("storage works")) });
    tokio::task::yield_now().await;
    put(&subject, numbers(0..2)).await.expect("room");
    drop(first);
    assert_eq!(second.await.expect("the task"), expected(0..2));
}

/// Promise: a taker that would rather have more is woken when a put waits for room, and never without an event.
pub async fn who_waits_for_many_keeps_no_put_waiting(make: Make) {
    let subject = make(Wanted::default());
    let mut many = Box::pin(subject.channel.wait_for_many(10));
    assert!(poll!(&mut many).is_pending());
    put(&subject, numbers(0..3)).await.expect("room");
    let since = tokio::time::Instant::now();
    let mut waiting = Box::pin(put(&subject, numbers(3..11)));
    assert!(poll!(&mut waiting).is_pending());
    many.await;
    commit(try_take(&subject, 10).await.expect("events")).await;
    waiting.await.expect("all the room is free");
    assert_eq!(since.elapsed(), Duration::ZERO);
    assert_eq!(drain(&subject).await, expected(3..11));
}

/// Promise: put − taken = here, whenever nothing moves.
pub async fn the_ledger_balances_at_every_scrape(make: Make) {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    let subject = Arc::new(make(Wanted { capacity: 50, ..Wanted::default() }));
    let (put_count, delivered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (producer, counted) = (subject.clone(), put_count.clone());
    let producer = tokio::spawn(async move {
        for n in 0..200 {
            let parts = [(producer.channel.clone(), numbers(n..n + 1 + n % 5))];
            let count = 1 + n % 5;
            let settled = || {
                counted.fetch_add(count, Relaxed);
            };
            put_all(&parts, Patience::KeepAlive, &producer.gate, settled).await.expect("room");
        }
    });
    let (consumer, counted) = (subject.clone(), delivered.clone());
    let consumer = tokio::spawn(async move {
        loop {
            let take = consumer.channel.take(7).await.expect("storage works");
            let count = take.len();
            if count.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
            let mut settled = || {
                counted.fetch_add(count, Relaxed);
            };
            take.commit(&mut settled).await.expect("storage works");
        }
    });
    while !producer.is_finished() || subject.channel.status().events > 0 {
        {
            let _still = subject.gate.stillness();
            let here = subject.channel.status().events;
            assert_eq!(put_count.load(Relaxed), delivered.load(Relaxed) + here);
        }
        tokio::task::yield_now().await;
    }
    producer.await.expect("the producer");
    consumer.abort();
    assert_eq!(delivered.load(Relaxed), (0..200).map(|n| 1 + n % 5).sum::<usize>());
}

/// Promise: exactly once within a process, and in order per producer for a single consumer at a time.
pub async fn every_event_arrives_once_with_many_producers_and_consumers(make: Make) {
    const PRODUCERS: usize = 8;
    const EACH: usize = 300;
    let subject = Arc::new(make(Wanted { capacity: 40, transaction_capacity: 20, ..Wanted::default() }));
    let producers = (0..PRODUCERS).map(|p| {
        let subject = subject.clone();
        tokio::spawn(async move {
            for n in (0..EACH).step_by(3) {
                put(&subject, batch((n..n + 3).map(|n| format!("{p} {n}")))).await.expect("room");
            }
        })
    });
    let producers: Vec<_> = producers.collect();
    let (send, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    for consumer in 0..4usize {
        let (subject, send) = (subject.clone(), send.clone());
        tokio::spawn(async move {
            for round in 0usize.. {
                let take = subject.channel.take(1 + consumer * 5).await.expect("storage works");
                if (round + consumer).is_multiple_of(4) {
                    drop(take);
                    tokio::task::yield_now().await;
                    continue;
                }
                let bodies = texts(&*take);
                commit(take).await;
                bodies.into_iter().for_each(|b| drop(send.send(b)));
            }
        });
    }
    for producer in producers {
        producer.await.expect("a producer");
    }
    let mut all = Vec::new();
    while all.len() < PRODUCERS * EACH {
        all.push(arrived.recv().await.expect("consumers run"));
    }
    all.sort();
    let count = all.len();
    all.dedup();
    assert_eq!((all.len(), subject.channel.status().events), (count, 0), "an event came twice");
}
