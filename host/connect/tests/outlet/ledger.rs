//! The ledger under random configurations and random histories.

use flumen_connect::ledger::get;
use flumen_connect::{AnyInterceptor, Interceptor};
use proptest::prelude::*;

use super::world::{Odd, Plan, World, interceptor, numbers, run};

/// Something that happens to a source and its channels.
#[derive(Clone, Debug)]
enum Step {
    Deliver(usize),
    FromFront(usize),
    /// Until stopped after so many seconds; the rest is given up.
    Patiently(usize, u64),
    Refuse(usize),
    Take(usize, usize),
    RolledBackTake(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..40).prop_map(Step::Deliver),
        (0usize..40).prop_map(Step::FromFront),
        (0usize..40, 0u64..10).prop_map(|(events, seconds)| Step::Patiently(events, seconds)),
        (0usize..3).prop_map(Step::Refuse),
        (0usize..3, 1usize..30).prop_map(|(channel, max)| Step::Take(channel, max)),
        (0usize..3, 1usize..30).prop_map(|(channel, max)| Step::RolledBackTake(channel, max)),
    ]
}

type Pair = (String, String);

fn channels() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["c1", "c2", "c3", "c1 c2", "c2 c3", "c1 c3", "c1 c2 c3"])
        .prop_map(str::to_owned)
}

fn selector() -> impl Strategy<Value = (&'static str, Vec<Pair>)> {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let keys = prop::sample::select(vec![
        "mapping.1",
        "mapping.2",
        "mapping.3",
        "optional.2",
        "optional.4",
        "default",
    ]);
    prop_oneof![
        Just(("replicating", vec![])),
        channels().prop_map(move |list| ("replicating", vec![pair("optional", &list)])),
        prop::collection::btree_map(keys, channels(), 0..6).prop_map(move |lists| {
            let lists = lists.into_iter().map(|(key, list)| pair(key, &list));
            ("multiplexing", lists.chain([pair("header", "kind")]).collect())
        }),
        prop::sample::select(vec!["round_robin", "random"])
            .prop_map(move |policy| ("load_balancing", vec![pair("policy", policy)])),
    ]
}

/// Interceptors that drop, change what the selector looks at, or refuse a batch.
fn interceptors() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["even", "none", "kind", "bodies", "dates"]), 0..3)
}

fn build(name: &str) -> Box<dyn Interceptor> {
    match name {
        "even" => interceptor(name, "regex_filter", &[("regex", "[02468]$")]),
        "none" => interceptor(name, "regex_filter", &[("regex", "7"), ("excludeEvents", "true")]),
        "kind" => {
            interceptor(name, "static", &[("key", "kind"), ("value", "2"), ("preserveExisting", "false")])
        }
        "bodies" => interceptor(name, "search_replace", &[("searchPattern", "1"), ("replaceString", "22")]),
        _ => {
            let millis = "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer";
            let each = [
                ("serializers.s.name", "h"),
                ("serializers.s.type", millis),
                ("serializers.s.pattern", "HH"),
            ];
            interceptor(
                name,
                "regex_extractor",
                &[&[("regex", "^(2?9)$"), ("serializers", "s")][..], &each].concat(),
            )
        }
    }
}

async fn take_and_roll_back(world: &World, channel: usize, max: usize) {
    let before = world.inside();
    drop(world.channels[channel].try_take(max).await.expect("memory"));
    assert_eq!(world.inside(), before);
}

async fn deliver_until_stopped(world: &World, events: usize, seconds: u64) {
    let batch = numbers(0..events);
    let mut progress = 0;
    let delivery = world.outlet.deliver_patiently(&batch, &mut progress);
    let _stopped = tokio::time::timeout(std::time::Duration::from_secs(seconds), delivery).await;
    world.outlet.give_up("source r1: stopped", events - progress);
}

/// Does the step; says how many events the source must have received by it.
async fn live(world: &mut World, step: Step) -> usize {
    match step {
        Step::Deliver(events) => {
            let _stored_or_rejected = world.outlet.deliver(numbers(0..events)).await;
            events
        }
        Step::FromFront(events) => world.outlet.deliver_from_front(&numbers(0..events)).await.unwrap_or(1),
        Step::Patiently(events, seconds) => {
            deliver_until_stopped(world, events, seconds).await;
            events
        }
        Step::Refuse(events) => {
            world.outlet.refuse(events);
            events
        }
        Step::Take(channel, max) => {
            world.take(channel, max).await;
            0
        }
        Step::RolledBackTake(channel, max) => {
            take_and_roll_back(world, channel, max).await;
            0
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_event_is_accounted_for_after_every_step(
        capacities in prop::array::uniform3(1usize..50),
        (kind, pairs) in selector(),
        names in interceptors(),
        plugin in prop::option::of((0usize..3, 0usize..3)),
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let mut interceptors: Vec<AnyInterceptor> = names.into_iter().map(|name| build(name).into()).collect();
        run(async {
            let wrap: super::world::Wrap = |channel| std::sync::Arc::new(channel);
            let plan = Plan { capacities: &capacities, selector: (kind, &pairs), wrap, budget: None };
            let mut world = World::planned(plan, |channels| {
                // A plugin somewhere among them: it fails, drops, makes events, and puts some aside in any channel.
                if let Some((letters, at)) = plugin {
                    let odd = Odd { letters: channels[letters].clone(), fails: true };
                    interceptors.insert(at.min(interceptors.len()), AnyInterceptor::Waiting(Box::new(odd)));
                }
                interceptors
            });
            let mut received = 0;
            for step in steps {
                received += live(&mut world, step).await as u64;
                // Not `assert_balanced`: what was given up was received, but neither accepted nor rejected.
                world.assert_conserved();
                assert_eq!(get(&world.counters.received), received);
            }
        });
    }
}
