//! A delivery that is dropped at an await, as when a source is stopped.

use flumen_connect::ledger::get;
use futures_util::poll;

use super::world::{Hesitant, World, numbers, run};

type Selector<'a> = (&'a str, &'a [(&'a str, &'a str)]);

const SELECTORS: &[Selector<'static>] = &[
    ("replicating", &[]),
    ("replicating", &[("optional", "c2 c3")]),
    ("replicating", &[("optional", "c1 c2 c3")]),
    ("multiplexing", &[("header", "kind"), ("mapping.1", "c1 c2"), ("default", "c3"), ("optional.4", "c1")]),
    ("load_balancing", &[]),
];

/// Polls this often at most; whether it became ready.
async fn poll_often(future: impl Future<Output = ()>, polls: usize) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if poll!(future.as_mut()).is_ready() {
            return true;
        }
    }
    false
}

/// Drops `deliver` after every number of polls until one is enough for it to end.
async fn drop_at_each_await(selector: Selector<'_>, capacities: &[usize], deliver: impl AsyncFn(&World)) {
    for polls in 0.. {
        let world = World::wrapped(capacities, selector, vec![], Hesitant::wrap);
        let ended = poll_often(deliver(&world), polls).await;
        world.assert_balanced();
        world.outlet.settled().await;
        world.assert_balanced();
        let received = get(&world.counters.received);
        assert!(received <= 6 && get(&world.counters.rejected) == 0, "{selector:?} after {polls} polls");
        // Room that was reserved is free again: what was not stored fits still.
        let inside: usize = world.inside().iter().sum();
        if inside == 0 {
            world.outlet.deliver(numbers(0..6)).await.expect("all room is free");
            world.assert_balanced();
        }
        if ended {
            assert_eq!(received, 6, "{selector:?}");
            return;
        }
    }
}

#[test]
fn deliver_can_be_dropped_at_any_await() {
    run(async {
        for selector in SELECTORS {
            drop_at_each_await(*selector, &[6, 6, 6], async |world| {
                world.outlet.deliver(numbers(0..6)).await.expect("room");
            })
            .await;
        }
    });
}

#[test]
fn deliver_from_front_can_be_dropped_at_any_await() {
    run(async {
        for selector in SELECTORS {
            drop_at_each_await(*selector, &[6, 6, 6], async |world| {
                world.outlet.deliver_from_front(&numbers(0..6)).await.expect("room");
            })
            .await;
        }
    });
}

#[test]
fn deliver_patiently_tells_what_is_stored_when_it_is_dropped() {
    run(async {
        for polls in 0..100 {
            let world = World::wrapped(&[4], ("replicating", &[]), vec![], Hesitant::wrap);
            let mut progress = 0;
            poll_often(world.outlet.deliver_patiently(&numbers(0..10), &mut progress), polls).await;
            assert_eq!(world.inside(), [progress]);
            world.assert_balanced();
            world.outlet.give_up("source r1: stopped", 10 - progress);
            assert_eq!(get(&world.counters.received), 10);
            assert_eq!(world.dropped("source r1: stopped"), 10 - progress as u64);
        }
    });
}

/// The required channels have the events, so a caller that goes on behind `progress` must not give them again.
#[test]
fn progress_counts_what_is_stored_when_a_stop_comes_before_the_optional_channels() {
    run(async {
        for polls in 0..20 {
            let world =
                World::wrapped(&[6, 6], ("replicating", &[("optional", "c2")]), vec![], Hesitant::wrap);
            let mut progress = 0;
            poll_often(world.outlet.deliver_patiently(&numbers(0..6), &mut progress), polls).await;
            assert_eq!(world.inside()[0], progress, "after {polls} polls");
        }
    });
}
