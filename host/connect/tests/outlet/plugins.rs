//! Interceptors and selectors that are plugins: they wait, fail, put events aside and make others.

use std::sync::Arc;

use async_trait::async_trait;
use flumen_channel::{Channel, Gate};
use flumen_connect::dead_letter::{DeadLetterFile, line};
use flumen_connect::ledger::get;
use flumen_connect::outlet::{NamedChannel, OutletParts};
use flumen_connect::{
    AnyInterceptor, AnySelector, AsyncSelector, InterceptError, Leg, Outlet, Rows, SourceCounters,
};
use flumen_event::Batch;
use futures_util::poll;

use super::world::{Hesitant, Odd, Plan, World, interceptor, numbers, run};

/// Events go to `c1`, dead letters to the last channel.
fn with_letters(capacities: &[usize], fails: bool) -> World {
    let selector = ("multiplexing", &[("header", "kind"), ("default", "c1")][..]);
    let plan = Plan { capacities, selector, wrap: Hesitant::wrap, budget: None };
    World::planned(plan, |channels| {
        let letters = channels.last().expect("a channel").clone();
        vec![AnyInterceptor::Waiting(Box::new(Odd { letters, fails }))]
    })
}

#[test]
fn dead_letters_are_stored_with_their_batch_and_balance() {
    run(async {
        let mut world = with_letters(&[100, 100], false);
        world.outlet.deliver(numbers(0..20)).await.expect("room");
        let c = &world.counters;
        assert_eq!(world.inside(), [18, 2], "20 without two 3 and two 4, with two 5 more");
        assert_eq!((get(&c.received), get(&c.accepted), get(&c.made), get(&c.copies)), (20, 20, 2, 0));
        assert_eq!((get(&c.dead_letters), world.dropped("odd: filtered")), (2, 2));
        world.assert_balanced();
        assert_eq!(world.take(1, 10).await, [3, 13]);
        world.assert_balanced();
    });
}

#[test]
fn a_full_dead_letter_channel_refuses_the_whole_batch() {
    run(async {
        let world = with_letters(&[100, 1], false);
        world.outlet.deliver(numbers(3..4)).await.expect("room for one");
        let rejected = world.outlet.deliver(numbers(0..5)).await.expect_err("no room for the second");
        assert_eq!((rejected.accepted, world.inside()), (0, vec![0, 1]));
        assert_eq!(get(&world.counters.rejected), 5);
        world.assert_balanced();
    });
}

#[test]
fn a_full_dead_letter_channel_makes_a_patient_source_wait() {
    run(async {
        let mut world = with_letters(&[100, 1], false);
        let outlet = world.outlet.clone();
        let delivering = tokio::spawn(async move {
            let mut progress = 0;
            outlet.deliver_patiently(&numbers(0..40), &mut progress).await;
            progress
        });
        let mut letters = Vec::new();
        while letters.len() < 4 {
            tokio::time::sleep(std::time::Duration::from_secs(30)).await;
            letters.extend(world.take(1, 1).await);
            world.assert_balanced();
        }
        assert_eq!(delivering.await.expect("no panic"), 40);
        assert_eq!(letters, [3, 13, 23, 33]);
        assert_eq!(world.take(0, 100).await.len(), 36);
        world.assert_balanced();
    });
}

#[test]
fn a_batch_that_plugins_make_too_large_is_stored_in_parts() {
    run(async {
        let mut world = with_letters(&[10, 10], false);
        let outlet = world.outlet.clone();
        // Ten events that become twelve do not fit into a channel of ten.
        let fives = [5, 15, 0, 1, 2, 7, 8, 9, 10, 11].map(|n| numbers(n..n + 1));
        let mut builder = flumen_event::BatchBuilder::default();
        for event in fives.iter().flat_map(Batch::iter) {
            builder.push(event.body(), event.headers().collect::<Vec<_>>()).expect("small");
        }
        let delivering = tokio::spawn(async move { outlet.deliver(builder.finish()).await });
        let mut seen = 0;
        while seen < 12 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            seen += world.take(0, 10).await.len();
            world.assert_balanced();
        }
        delivering.await.expect("no panic").expect("all of it");
        assert_eq!((get(&world.counters.received), get(&world.counters.made)), (10, 2));
    });
}

#[test]
fn dead_letters_into_the_channel_that_the_others_go_to_are_one_put() {
    run(async {
        let mut world = with_letters(&[5], false);
        world.outlet.deliver(numbers(0..5)).await.expect("room for four");
        world.assert_balanced();
        assert_eq!(world.take(0, 10).await, [0, 1, 2, 3]);
    });
}

#[test]
fn a_plugin_that_fails_refuses_the_batch_and_counts_nothing() {
    run(async {
        let world = with_letters(&[100, 100], true);
        let rejected = world.outlet.deliver(numbers(0..10)).await.expect_err("it has a 6");
        assert_eq!(rejected.to_string(), "interceptor odd: it has a 6");
        let c = &world.counters;
        assert_eq!((world.inside(), c.dropped.total(), get(&c.generic_processing_fail)), (vec![0, 0], 0, 1));
        world.assert_balanced();
    });
}

#[test]
fn a_delivery_with_a_plugin_can_be_dropped_at_any_await() {
    run(async {
        for polls in 0.. {
            let world = with_letters(&[10, 10], false);
            let mut delivery = Box::pin(world.outlet.deliver(numbers(0..6)));
            let mut ended = false;
            for _ in 0..polls {
                ended |= !ended && poll!(delivery.as_mut()).is_ready();
            }
            drop(delivery);
            world.assert_balanced();
            assert!(world.inside() == [0, 0] || world.inside() == [5, 1], "{:?}", world.inside());
            if ended {
                return;
            }
        }
    });
}

#[test]
fn made_events_that_only_optional_channels_take_balance_as_well() {
    run(async {
        for capacity in [100, 1] {
            let selector = ("multiplexing", &[("header", "kind"), ("optional.5", "c1")][..]);
            let plan = Plan { capacities: &[capacity, 10], selector, wrap: Hesitant::wrap, budget: None };
            let world = World::planned(plan, |channels| {
                vec![AnyInterceptor::Waiting(Box::new(Odd { letters: channels[1].clone(), fails: false }))]
            });
            world.outlet.deliver(numbers(5..6)).await.expect("nothing is required");
            world.outlet.settled().await;
            assert_eq!((get(&world.counters.received), get(&world.counters.made)), (1, 1));
            world.assert_balanced();
            world.outlet.deliver(numbers(0..10)).await.expect("nothing is required");
            world.outlet.settled().await;
            assert_eq!((get(&world.counters.received), get(&world.counters.made)), (11, 2));
            world.assert_balanced();
        }
    });
}

#[tokio::test]
async fn a_dead_letter_file_has_what_is_stored_and_nothing_of_a_refused_batch() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("dead.jsonl");
    let file = Arc::new(DeadLetterFile::new(&path));
    let selector = ("multiplexing", &[("header", "kind"), ("default", "c1")][..]);
    let plan = Plan { capacities: &[4], selector, wrap: Hesitant::wrap, budget: None };
    let mut world = World::planned(plan, |_| {
        vec![AnyInterceptor::Waiting(Box::new(Odd { letters: file.clone(), fails: false }))]
    });
    world.files.push(file);
    world.outlet.deliver(numbers(0..4)).await.expect("room for three");
    world.assert_balanced();
    // Two batches after another that do not fit with their dead letters: no line of them stays.
    assert_eq!(world.outlet.deliver_from_front(&numbers(11..14)).await.expect("one fits"), 1);
    world.assert_balanced();
    let text = std::fs::read(&path).expect("written");
    let bodies: Vec<Vec<u8>> = text
        .split(|b| *b == b'\n')
        .filter(|one| !one.is_empty())
        .map(|one| line::read(one).expect("an event").body)
        .collect();
    assert_eq!(bodies, [b"3".to_vec()]);
}

/// Even numbers to the first channel, those with a 7 refuse the batch.
struct EvenOdd;

#[async_trait]
impl AsyncSelector for EvenOdd {
    async fn route(&self, batch: &Batch) -> Result<Vec<Leg>, InterceptError> {
        tokio::task::yield_now().await;
        let mut rows = [Vec::new(), Vec::new()];
        for (row, event) in (0u32..).zip(batch.iter()) {
            let last = event.body()[event.body().len() - 1];
            if last == b'7' {
                return Err(InterceptError { interceptor: "s".to_owned(), reason: "a 7".to_owned() });
            }
            rows[usize::from(last % 2)].push(row);
        }
        let legs = rows.into_iter().enumerate();
        Ok(legs.map(|(channel, rows)| Leg { channel, required: true, rows: Rows::Some(rows) }).collect())
    }
}

#[test]
fn a_selector_that_waits_routes_and_may_refuse() {
    run(async {
        let native = World::new(&[10, 10], ("replicating", &[]), vec![interceptor("s", "static", &[])]);
        let named = |name: &str, channel: &Arc<dyn Channel>| NamedChannel {
            name: name.into(),
            channel: channel.clone(),
        };
        let counters = Arc::<SourceCounters>::default();
        let outlet = Outlet::of(OutletParts {
            interceptors: vec![],
            selector: AnySelector::Waiting(Box::new(EvenOdd)),
            channels: vec![named("c1", &native.channels[0]), named("c2", &native.channels[1])],
            dead_letters: vec![],
            put_order: vec![],
            gate: Arc::<Gate>::default(),
            counters: counters.clone(),
            budget: None,
        });
        outlet.deliver(numbers(0..5)).await.expect("room");
        assert_eq!(native.inside(), [3, 2]);
        outlet.deliver(numbers(5..10)).await.expect_err("a 7");
        assert_eq!((native.inside(), get(&counters.rejected)), (vec![3, 2], 5));
    });
}
