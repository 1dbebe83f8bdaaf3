//! A tenant's ceilings for what comes in: sources wait, and nothing is lost.

use std::time::Duration;

use flumen_connect::budget::Budget;
use flumen_connect::ledger::get;
use tokio::time::Instant;

use super::world::{Hesitant, Plan, World, numbers, run};

fn world(budget: Budget, capacity: usize) -> World {
    let plan = Plan {
        capacities: &[capacity],
        selector: ("replicating", &[]),
        wrap: Hesitant::wrap,
        budget: Some(budget),
    };
    World::planned(plan, |_| vec![])
}

#[test]
fn more_events_than_a_tenant_may_have_wait_for_their_second() {
    run(async {
        let world = world(Budget::new("t".into(), Some(100), None), 10_000);
        let since = Instant::now();
        for n in 0..50 {
            world.outlet.deliver(numbers(n * 10..n * 10 + 10)).await.expect("room");
        }
        let took = since.elapsed();
        // 500 events at 100 a second; the first burst and the last batch need not be waited for.
        assert!((4.5..=5.1).contains(&took.as_secs_f64()), "{took:?}");
        assert_eq!((get(&world.counters.received), get(&world.counters.rejected)), (500, 0));
        world.assert_balanced();
    });
}

#[test]
fn an_attempt_that_does_not_wait_is_not_let_in_above_the_rate() {
    run(async {
        let world = world(Budget::new("t".into(), Some(10), None), 10_000);
        world.outlet.deliver(numbers(0..100)).await.expect("a batch is not cut");
        let since = Instant::now();
        assert_eq!(world.outlet.deliver_from_front(&numbers(0..8)).await.expect("after a while"), 1);
        assert!(since.elapsed() >= Duration::from_secs(9), "{:?}", since.elapsed());
        world.assert_balanced();
    });
}

#[test]
fn bytes_above_a_tenants_ceiling_are_refused_after_a_while_and_counted() {
    run(async {
        let mut world = world(Budget::new("t".into(), None, Some(30)), 10_000);
        world.outlet.deliver(numbers(10..20)).await.expect("20 bytes");
        let since = Instant::now();
        let refused = world.outlet.deliver(numbers(20..30)).await.expect_err("40 bytes");
        assert!(since.elapsed() >= Duration::from_secs(3));
        assert!(refused.to_string().contains("tenant t: 20 bytes wait"), "{refused}");
        world.assert_balanced();
        assert_eq!(world.take(0, 5).await.len(), 5);
        world.outlet.deliver(numbers(20..30)).await.expect("10 and 20 bytes");
        world.assert_balanced();
    });
}

#[test]
fn what_is_larger_than_the_ceiling_goes_in_alone() {
    run(async {
        let world = world(Budget::new("t".into(), None, Some(5)), 10_000);
        world.outlet.deliver(numbers(10..20)).await.expect("nothing else is there");
        world.assert_balanced();
    });
}
