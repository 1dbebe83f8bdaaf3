//! `deliver_from_front`, as sources use it that answer every event for itself.

use flumen_connect::ledger::get;
use flumen_event::Batch;

use super::world::{World, interceptor, numbers, run};

const MILLIS: &str = "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer";

/// Delivers as netcat does: goes on behind each refused event. The refused events' numbers.
async fn answer_each(world: &World, batch: &Batch) -> Vec<usize> {
    let mut refused = Vec::new();
    let mut done = 0;
    while done < batch.len() {
        match world.outlet.deliver_from_front(&batch.slice(done..batch.len())).await {
            Ok(stored) => done += stored,
            Err(rejected) => {
                assert_eq!(rejected.accepted, 0, "what is stored is told before");
                let body = batch.event(done).body();
                refused.push(str::from_utf8(body).expect("text").parse().expect("a number"));
                done += 1;
            }
        }
        world.assert_balanced();
    }
    refused
}

#[test]
fn events_are_stored_up_to_the_first_that_finds_no_room() {
    run(async {
        let mut world = World::new(&[13], ("replicating", &[]), vec![]);
        assert_eq!(world.outlet.deliver_from_front(&numbers(0..40)).await.expect("room"), 13);
        let rejected = world.outlet.deliver_from_front(&numbers(13..40)).await.expect_err("nobody takes");
        assert_eq!((rejected.accepted, world.inside()), (0, vec![13]));
        assert_eq!((get(&world.counters.received), get(&world.counters.rejected)), (14, 1));
        world.assert_balanced();
        assert!(world.take(0, 100).await.into_iter().eq(0..13));
    });
}

#[test]
fn each_refused_event_counts_as_one_rejected() {
    run(async {
        let world = World::new(&[5], ("replicating", &[]), vec![]);
        assert_eq!(answer_each(&world, &numbers(0..9)).await, [5, 6, 7, 8]);
        assert_eq!((get(&world.counters.accepted), get(&world.counters.rejected)), (5, 4));
    });
}

#[test]
fn a_refused_event_has_waited_the_keep_alive_and_the_others_have_not() {
    run(async {
        let world = World::new(&[5], ("replicating", &[]), vec![]);
        let start = tokio::time::Instant::now();
        answer_each(&world, &numbers(0..7)).await;
        assert_eq!(start.elapsed().as_secs(), 2 * 3);
    });
}

#[test]
fn events_that_interceptors_drop_need_no_room() {
    run(async {
        let filter = interceptor("even", "regex_filter", &[("regex", "[02468]$")]);
        let mut world = World::new(&[6], ("replicating", &[]), vec![filter]);
        assert_eq!(answer_each(&world, &numbers(0..20)).await, [12, 14, 16, 18]);
        assert_eq!(world.dropped("interceptor even (regex_filter): filtered"), 10);
        assert_eq!(world.take(0, 100).await, [0, 2, 4, 6, 8, 10]);
        world.assert_balanced();
    });
}

#[test]
fn only_the_event_that_an_interceptor_cannot_take_is_refused() {
    run(async {
        let pairs = [
            ("regex", "^(1?3)$"),
            ("serializers", "s"),
            ("serializers.s.type", MILLIS),
            ("serializers.s.name", "h"),
            ("serializers.s.pattern", "HH:mm"),
        ];
        let mut world =
            World::new(&[100], ("replicating", &[]), vec![interceptor("i1", "regex_extractor", &pairs)]);
        assert_eq!(answer_each(&world, &numbers(0..20)).await, [3, 13]);
        assert!(world.take(0, 100).await.into_iter().eq((0..20).filter(|n| n % 10 != 3)));
        world.assert_balanced();
    });
}

#[test]
fn a_fan_out_is_all_or_nothing_for_each_event() {
    run(async {
        let selector = [("header", "kind"), ("mapping.1", "c1 c2"), ("default", "c2")];
        let world = World::new(&[1, 100], ("multiplexing", &selector), vec![]);
        assert_eq!(answer_each(&world, &numbers(0..13)).await, [11]);
        assert_eq!(world.inside(), [1, 12]);
    });
}
