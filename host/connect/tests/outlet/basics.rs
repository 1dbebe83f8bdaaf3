//! Where events go, and what happens where there is no room.

use flumen_connect::ledger::get;

use super::world::{Hesitant, NOT_HELD, World, interceptor, numbers, run};

#[test]
fn two_channels_get_a_batch_both_or_neither() {
    run(async {
        let world = World::new(&[10, 3], ("replicating", &[]), vec![]);
        world.outlet.deliver(numbers(0..2)).await.expect("room in both");
        let rejected = world.outlet.deliver(numbers(2..4)).await.expect_err("no room in the second");
        assert_eq!((rejected.accepted, world.inside()), (0, vec![2, 2]));
        world.assert_balanced();
        let c = &world.counters;
        assert_eq!((get(&c.accepted), get(&c.rejected), get(&c.copies)), (2, 2, 2));
        assert_eq!(get(&c.channel_write_fail), 1);
    });
}

#[test]
fn a_required_channel_may_hold_the_thread_of_a_task_that_says_so_and_no_other() {
    run(async {
        let world = World::wrapped(&[NOT_HELD], ("replicating", &[]), vec![], Hesitant::wrap);
        world.outlet.deliver(numbers(0..2)).await.expect("not held");
        world.outlet.here().deliver(numbers(2..4)).await.expect_err("to be held");
        assert_eq!(world.inside(), [2]);
        world.assert_balanced();
    });
}

#[test]
fn an_optional_channel_never_holds_the_thread() {
    run(async {
        let selector = ("replicating", &[("optional", "c2")][..]);
        let world = World::wrapped(&[10, NOT_HELD], selector, vec![], Hesitant::wrap);
        world.outlet.here().deliver(numbers(0..2)).await.expect("stored");
        world.outlet.settled().await;
        assert_eq!(world.inside(), [2, 2]);
        world.assert_balanced();
    });
}

#[test]
fn room_that_comes_in_time_lets_the_batch_in() {
    run(async {
        let mut world = World::new(&[10, 3], ("replicating", &[]), vec![]);
        world.outlet.deliver(numbers(0..2)).await.expect("room");
        let outlet = world.outlet.clone();
        let waiting = tokio::spawn(async move { outlet.deliver(numbers(2..4)).await });
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(world.take(1, 1).await, [0]);
        waiting.await.expect("no panic").expect("room after a second");
        assert_eq!(world.inside(), [4, 3]);
        world.assert_balanced();
    });
}

#[test]
fn optional_channels_never_block_and_their_drops_are_counted_by_channel() {
    run(async {
        let world = World::new(&[100, 2, 3], ("replicating", &[("optional", "c2 c3")]), vec![]);
        let start = tokio::time::Instant::now();
        for n in 0..4 {
            world.outlet.deliver(numbers(n..n + 1)).await.expect("room in the required channel");
            world.assert_balanced();
        }
        assert_eq!(start.elapsed().as_nanos(), 0, "a full optional channel is not waited for");
        assert_eq!(world.inside(), [4, 2, 3]);
        assert_eq!(world.dropped("optional channel c2: refused"), 2);
        assert_eq!(world.dropped("optional channel c3: refused"), 1);
        assert_eq!((get(&world.counters.accepted), get(&world.counters.rejected)), (4, 0));
    });
}

#[test]
fn a_small_optional_channel_neither_splits_the_batch_nor_stays_empty() {
    run(async {
        let world = World::new(&[100, 3], ("replicating", &[("optional", "c2")]), vec![]);
        world.outlet.deliver(numbers(0..50)).await.expect("room in the required channel");
        assert_eq!(world.inside(), [50, 3]);
        assert_eq!(world.dropped("optional channel c2: refused"), 47);
        world.assert_balanced();
    });
}

#[test]
fn a_full_required_channel_keeps_the_events_out_of_optional_ones_too() {
    run(async {
        let world = World::new(&[1, 100], ("replicating", &[("optional", "c2")]), vec![]);
        world.outlet.deliver(numbers(0..1)).await.expect("room");
        world.outlet.deliver(numbers(1..2)).await.expect_err("no room");
        assert_eq!(world.inside(), [1, 1]);
        world.assert_balanced();
    });
}

#[test]
fn multiplexing_counts_what_has_no_channel() {
    run(async {
        let selector =
            [("header", "kind"), ("mapping.1", "c1"), ("mapping.2", "c1 c2"), ("optional.3", "c2")];
        let mut world = World::new(&[100, 100], ("multiplexing", &selector), vec![]);
        world.outlet.deliver(numbers(0..20)).await.expect("room");
        assert_eq!(world.dropped("selector: no channel"), 14);
        world.assert_balanced();
        assert_eq!(world.take(0, 100).await, [1, 2, 11, 12]);
        assert_eq!(world.take(1, 100).await, [2, 12, 3, 13], "the optional leg follows the required one");
        world.assert_balanced();
        assert_eq!((get(&world.counters.accepted), get(&world.counters.copies)), (20, 2));
    });
}

#[test]
fn what_interceptors_drop_is_accepted_and_counted() {
    run(async {
        let filter = interceptor("odd", "regex_filter", &[("regex", "[02468]$")]);
        let world = World::new(&[100], ("replicating", &[]), vec![filter]);
        world.outlet.deliver(numbers(0..10)).await.expect("room");
        assert_eq!((world.inside(), world.dropped("interceptor odd (regex_filter): filtered")), (vec![5], 5));
        world.outlet.deliver(numbers(1..2)).await.expect("nothing is left to store");
        assert_eq!((world.inside(), get(&world.counters.accepted)), (vec![5], 11));
        world.assert_balanced();
    });
}

#[test]
fn drops_of_a_refused_batch_are_not_counted() {
    run(async {
        let filter = interceptor("odd", "regex_filter", &[("regex", "[02468]$")]);
        let world = World::new(&[2], ("replicating", &[]), vec![filter]);
        world.outlet.deliver(numbers(0..2)).await.expect("room for the even one");
        world.outlet.deliver(numbers(2..4)).await.expect("room for the even one");
        world.outlet.deliver(numbers(4..6)).await.expect_err("no room");
        assert_eq!(world.counters.dropped.total(), 2);
        world.assert_balanced();
    });
}

#[test]
fn a_batch_larger_than_the_channel_is_split() {
    run(async {
        let mut world = World::new(&[10, 20], ("replicating", &[]), vec![]);
        let outlet = world.outlet.clone();
        let delivering = tokio::spawn(async move { outlet.deliver(numbers(0..25)).await });
        let mut seen = Vec::new();
        while seen.len() < 25 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            seen.extend(world.take(0, 7).await);
            world.take(1, 7).await;
            world.assert_balanced();
        }
        delivering.await.expect("no panic").expect("all of it");
        assert!(seen.into_iter().eq(0..25));
    });
}

#[test]
fn of_a_split_batch_the_stored_part_is_told() {
    run(async {
        let world = World::new(&[10], ("replicating", &[]), vec![]);
        let rejected = world.outlet.deliver(numbers(0..25)).await.expect_err("nobody takes");
        assert_eq!((rejected.accepted, world.inside()), (10, vec![10]));
        assert_eq!((get(&world.counters.accepted), get(&world.counters.rejected)), (10, 15));
        world.assert_balanced();
    });
}

#[test]
fn load_balancing_stores_all_parts_or_none() {
    run(async {
        let mut world = World::new(&[10, 10, 3], ("load_balancing", &[]), vec![]);
        world.outlet.deliver(numbers(0..3)).await.expect("one for each");
        world.outlet.deliver(numbers(3..9)).await.expect("two for each");
        assert_eq!(world.inside(), [3, 3, 3]);
        world.outlet.deliver(numbers(9..12)).await.expect_err("the third is full");
        assert_eq!(world.inside(), [3, 3, 3]);
        world.assert_balanced();
        assert_eq!(world.take(2, 10).await, [2, 5, 8]);
    });
}

#[test]
fn patience_waits_until_all_is_stored() {
    run(async {
        let mut world = World::new(&[4], ("replicating", &[]), vec![]);
        let outlet = world.outlet.clone();
        let delivering = tokio::spawn(async move {
            let mut progress = 0;
            outlet.deliver_patiently(&numbers(0..10), &mut progress).await;
            progress
        });
        let mut seen = Vec::new();
        while seen.len() < 10 {
            tokio::time::sleep(std::time::Duration::from_secs(30)).await;
            seen.extend(world.take(0, 3).await);
            world.assert_balanced();
        }
        assert_eq!(delivering.await.expect("no panic"), 10);
        assert!(seen.into_iter().eq(0..10) && get(&world.counters.rejected) == 0);
    });
}

#[test]
fn a_source_that_never_has_to_wait_lets_other_tasks_run() {
    run(async {
        // Nothing is routed anywhere, so no put ever waits, and there is one thread only.
        let world = World::new(&[1], ("multiplexing", &[("header", "none"), ("mapping.x", "c1")]), vec![]);
        let outlet = world.outlet.clone();
        let endless = tokio::spawn(async move {
            loop {
                outlet.deliver(numbers(0..1)).await.expect("dropped on purpose");
            }
        });
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        endless.abort();
    });
}
