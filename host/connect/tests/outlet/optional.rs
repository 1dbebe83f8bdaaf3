//! Optional channels that are slow, or hang: the source's business goes on.

use std::time::Duration;

use flumen_connect::ledger::get;
use tokio::time::Instant;

use super::world::{HANGING, Hesitant, World, numbers, run};

const OPTIONAL: (&str, &[(&str, &str)]) = ("replicating", &[("optional", "c2")]);

#[test]
fn a_slow_optional_channel_gets_everything_in_order_beside_the_source() {
    run(async {
        let mut world = World::wrapped(&[1000, 1000], OPTIONAL, vec![], Hesitant::wrap);
        for n in 0..300 {
            world.outlet.deliver(numbers(n..n + 1)).await.expect("room");
            world.assert_balanced();
        }
        world.outlet.settled().await;
        world.assert_balanced();
        let all: Vec<usize> = (0..300).collect();
        assert_eq!(world.take(0, 1000).await, all);
        assert_eq!(world.take(1, 1000).await, all);
        assert_eq!(world.counters.dropped.total(), 0);
    });
}

#[test]
fn an_optional_channel_that_hangs_keeps_no_sender_from_its_answer() {
    run(async {
        let world = World::wrapped(&[10_000, HANGING], OPTIONAL, vec![], Hesitant::hang);
        let start = Instant::now();
        for n in 0..2000 {
            world.outlet.deliver(numbers(n..n + 1)).await.expect("room in the required channel");
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(world.inside(), [2000, 0]);
        assert_eq!(world.dropped("optional channel c2: behind"), 2000 - 1024, "what waits is bounded");
        world.assert_balanced();
        assert_eq!((get(&world.counters.accepted), get(&world.counters.rejected)), (2000, 0));
        world.outlet.abandon_optional();
        world.outlet.settled().await;
        assert_eq!(world.dropped("optional channel c2: stopped"), 1024, "what was waiting is counted");
        world.assert_balanced();
    });
}

#[test]
fn a_source_that_can_wait_is_held_up_once_and_not_for_ever() {
    run(async {
        let world = World::wrapped(&[10_000, HANGING], OPTIONAL, vec![], Hesitant::hang);
        let start = Instant::now();
        for n in 0..2000 {
            world.outlet.deliver_patiently(&numbers(n..n + 1), &mut 0).await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        world.assert_balanced();
    });
}

#[test]
fn a_source_that_can_wait_loses_nothing_to_a_slow_optional_channel() {
    run(async {
        let world = World::wrapped(&[10_000, 10_000], OPTIONAL, vec![], Hesitant::wrap);
        for n in 0..5000 {
            world.outlet.deliver_patiently(&numbers(n..n + 1), &mut 0).await;
        }
        world.outlet.settled().await;
        assert_eq!(world.inside(), [5000, 5000]);
        world.assert_balanced();
    });
}

#[test]
fn what_a_stop_keeps_from_optional_channels_is_counted() {
    run(async {
        for only_optional in [("replicating", "c2"), ("replicating", "c1 c2")] {
            let selector = [("optional", only_optional.1)];
            let world = World::wrapped(&[6, 6], (only_optional.0, &selector), vec![], Hesitant::wrap);
            world.outlet.deliver(numbers(0..6)).await.expect("room");
            world.outlet.abandon_optional();
            world.outlet.settled().await;
            assert_eq!(world.inside()[1], 0);
            assert_eq!(world.dropped("optional channel c2: stopped"), 6);
            world.assert_balanced();
            assert_eq!(get(&world.counters.received), 6);
        }
    });
}
