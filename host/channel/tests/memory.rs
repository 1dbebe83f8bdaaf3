//! The memory channel against the contract, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use flumen_channel::contract::{Subject, Wanted, run};
use flumen_channel::{
    Channel, Gate, MemoryChannel, MemoryLimits, Patience, PutError, contract_tests, put_all,
};
use flumen_event::{Batch, BatchBuilder};
use futures_util::poll;

fn limits(wanted: Wanted) -> MemoryLimits {
    MemoryLimits {
        capacity: wanted.capacity,
        transaction_capacity: wanted.transaction_capacity,
        keep_alive: wanted.keep_alive,
        body_bytes_max: 0,
    }
}

fn make(wanted: Wanted) -> Subject {
    let gate = Arc::new(Gate::default());
    Subject { channel: Arc::new(MemoryChannel::new(limits(wanted), gate.clone())), gate, rest: Box::new(()) }
}

contract_tests!(make);

fn bodies(sizes: &[usize]) -> Batch {
    let mut builder = BatchBuilder::default();
    sizes.iter().for_each(|&n| builder.push(&vec![b'x'; n], []).expect("fits"));
    builder.finish()
}

#[test]
fn who_waits_for_many_sleeps_until_they_are_there_or_room_is_scarce() {
    run(async {
        let Subject { channel, gate, .. } = make(Wanted { capacity: 100, ..Wanted::default() });
        let put = async |events: usize| {
            put_all(&[(channel.clone(), bodies(&vec![1; events]))], Patience::None, &gate, || ()).await
        };
        let mut many = Box::pin(channel.wait_for_many(20));
        let mut more = Box::pin(channel.wait_for_many(90));
        let mut any = Box::pin(channel.wait_for_events());
        assert!(
            poll!(&mut many).is_pending() && poll!(&mut more).is_pending() && poll!(&mut any).is_pending()
        );
        put(19).await.expect("room");
        assert!(poll!(&mut many).is_pending() && poll!(&mut more).is_pending() && poll!(&mut any).is_ready());
        put(1).await.expect("room");
        assert!(poll!(&mut many).is_ready() && poll!(&mut more).is_pending());
        put(31).await.expect("room");
        assert!(poll!(&mut more).is_ready(), "more than half of the capacity is in use");
    });
}

/// A channel for 1,000 bytes: ten slots of 100, each body rounded up, as Flume counts.
fn ten_slots() -> (Arc<dyn Channel>, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let limits =
        MemoryLimits { body_bytes_max: 1000, ..limits(Wanted { capacity: 100, ..Wanted::default() }) };
    (Arc::new(MemoryChannel::new(limits, gate.clone())), gate)
}

#[test]
fn bytes_are_counted_in_slots_of_a_hundred_rounded_up() {
    run(async {
        let (channel, gate) = ten_slots();
        let parts = [(channel.clone(), bodies(&[1, 100, 101, 0, 550]))];
        put_all(&parts, Patience::None, &gate, || ()).await.expect("1 + 1 + 2 + 0 + 6 slots");
        let refused = channel.reserve(&bodies(&[1]), Patience::KeepAlive).await;
        assert_eq!(refused.err(), Some(PutError::BytesFull { bytes_max: "1000.0".into() }));
        channel.reserve(&bodies(&[0]), Patience::None).await.expect("an empty body takes no slot");
    });
}

#[test]
fn bytes_of_a_split_batch_come_free_with_their_part() {
    run(async {
        let (channel, gate) = ten_slots();
        let parts = [(channel.clone(), bodies(&[100, 250, 300, 300]))];
        put_all(&parts, Patience::None, &gate, || ()).await.expect("1 + 3 + 3 + 3 slots");
        let take = channel.take(2).await.expect("events");
        take.commit(&mut || ()).await.expect("committed");
        assert!(
            channel.reserve(&bodies(&[401]), Patience::None).await.is_err(),
            "four slots are free, not five"
        );
        channel.reserve(&bodies(&[400]), Patience::None).await.expect("four slots are free");
    });
}

#[test]
fn flume_counters_count_attempts_and_successes() {
    use std::sync::atomic::Ordering::Relaxed;
    run(async {
        let subject = make(Wanted { keep_alive: Duration::from_millis(1), ..Wanted::default() });
        let put = |n| {
            let parts = [(subject.channel.clone(), bodies(&vec![1; n]))];
            let gate = subject.gate.clone();
            async move { put_all(&parts, Patience::KeepAlive, &gate, || ()).await.is_ok() }
        };
        assert!(put(8).await);
        assert!(!put(3).await);
        subject.channel.take(5).await.expect("events").commit(&mut || ()).await.expect("committed");
        drop(subject.channel.take(5).await.expect("three events"));
        let counters = subject.channel.counters();
        let counted =
            [&counters.put_attempt, &counters.put_success, &counters.take_attempt, &counters.take_success];
        assert_eq!(counted.map(|c| c.load(Relaxed)), [11, 8, 5 + 4, 5]);
    });
}
