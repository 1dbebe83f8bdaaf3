//! The codec of columns against the naive reading of `wit/0.1.0/columns.wit`, row by row.

#[path = "../../fuzz/fuzz_targets/answering.rs"]
mod answering;
mod breaches;
mod model;
mod random;

use flumen_event::Batch;
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::{HeaderNeed, Needs};
use flumen_plugin::world::v0_1_0::columns::{
    Bounds, ListScratch, Reads, Scratch, apply, events_from, events_from_list,
};
use proptest::prelude::*;

use model::{Model, build, read};

const BOUNDS: Bounds = Bounds { bytes_max: 1 << 20, events_max: 10_000, columns_max: 4096 };

fn windowed(model: &Model, (a, b): (usize, usize)) -> (Model, Batch) {
    let (a, b) = (a % (model.len() + 1), b % (model.len() + 1));
    let (a, b) = (a.min(b), a.max(b));
    (model[a..b].to_vec(), build(model).slice(a..b))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn edits_do_what_the_wit_says(
        model in random::events(), window in (0usize..80, 0usize..80), edits in random::edits()
    ) {
        let (rows, batch) = windowed(&model, window);
        let edits = random::fitted(edits, rows.len());
        let expected = model::edited(&rows, &edits);
        let applied = apply(&batch, edits.clone(), &BOUNDS).map_err(|e| TestCaseError::fail(format!("{e}: {edits:?}")))?;
        prop_assert_eq!(read(&applied.batch), expected.events, "{:?}", edits);
        prop_assert_eq!(read(&applied.rejected.events), expected.rejected);
        prop_assert_eq!(applied.rejected.reasons, expected.reasons);
        prop_assert_eq!(applied.filtered, expected.filtered);
        prop_assert_eq!(applied.added, expected.added);
        prop_assert_eq!(read(&batch), rows, "the input is as it was");
    }

    #[test]
    fn a_guest_reads_what_it_asked_for(
        model in random::events(), window in (0usize..80, 0usize..80), body: bool, headers in random::header_need()
    ) {
        let (rows, batch) = windowed(&model, window);
        let reads = Reads::new(Needs { body, headers: headers.clone() }, 4096).expect("few names");
        let mut scratch = Scratch::default();
        // Twice with one scratch: nothing of the first is in the second.
        for _ in 0..2 {
            let encoded = scratch.encode(&batch, &reads);
            let seen = model::decoded(&encoded.as_param());
            let wanted = |name: &str| match &headers {
                HeaderNeed::Nothing => false,
                HeaderNeed::All => true,
                HeaderNeed::Only(names) => names.iter().any(|n| n == name),
            };
            let expected: Model = rows.iter().map(|(headers, bytes)| {
                let headers = headers.iter().filter(|(n, _)| wanted(n)).map(|(n, v)| (n.clone(), v.clone()));
                (headers.collect(), if body { bytes.clone() } else { Vec::new() })
            }).collect();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn made_events_are_what_was_answered(made in random::made(), model in random::events()) {
        let expected = model::made(&made);
        let batch = events_from(made, &BOUNDS).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(read(&batch), expected);

        let batch = build(&model);
        let scratch = ListScratch::of(&batch);
        let lists = scratch.encode(&batch);
        let back = events_from_list(&model::owned(lists.as_param()), &BOUNDS).expect("small");
        prop_assert_eq!(read(&back), model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    /// The fuzz target's harness on random bytes.
    #[test]
    fn lying_answers_neither_panic_nor_grow(data in prop::collection::vec(any::<u8>(), 0..1500)) {
        answering::check(&data);
    }
}

#[test]
fn a_pass_shares_everything_and_a_filter_the_arena() {
    let model: Model =
        (0..100).map(|n| (model::headers(&[("n", "v")]), format!("{n:050}").into_bytes())).collect();
    let batch = build(&model);
    let none = random::nothing();
    let passed = apply(&batch, none.clone(), &BOUNDS).expect("passes").batch;
    assert_eq!(passed.spans().as_ptr(), batch.spans().as_ptr());
    let half = apply(&batch, edits_keep(vec![u64::MAX, 0]), &BOUNDS).expect("filters");
    assert_eq!((half.batch.len(), half.filtered), (64, 36));
    assert_eq!(half.batch.arena().as_ptr(), batch.arena().as_ptr());
    let all = apply(&batch, edits_keep(vec![u64::MAX; 2]), &BOUNDS).expect("filters");
    assert_eq!(all.batch.spans().as_ptr(), batch.spans().as_ptr());
}

fn edits_keep(words: Vec<u64>) -> flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::Edits {
    let mut edits = random::nothing();
    edits.keep = Some(words);
    edits
}

#[test]
fn new_bodies_for_all_rows_are_taken_without_a_copy() {
    let batch = build(&(0..3).map(|_| (model::headers(&[]), b"old".to_vec())).collect());
    let data = b"onetwothree".to_vec();
    let at = data.as_ptr();
    let edits = random::new_bodies(data, vec![0, 3, 3, 6, 6, 11]);
    let applied = apply(&batch, edits, &BOUNDS).expect("applies").batch;
    assert_eq!(applied.arena().as_ptr(), at);
    assert_eq!(applied.event(2).body(), b"three");
}

#[test]
fn bodies_that_lie_close_are_sent_as_they_lie_and_scattered_ones_together() {
    let mut arena = Vec::new();
    let mut spans = Vec::new();
    for n in 0..100 {
        let start = arena.len();
        arena.extend_from_slice(format!("line {n}").as_bytes());
        spans.push(flumen_event::Span::new(start..arena.len()));
        arena.push(b'\n');
    }
    let batch = Batch::from_arena(arena.into(), spans);
    let reads = Reads::new(Needs { body: true, headers: HeaderNeed::Nothing }, 10).expect("fine");
    let mut scratch = Scratch::default();
    let part = batch.slice(10..20);
    let encoded = scratch.encode(&part, &reads);
    let bodies = encoded.as_param().bodies.expect("asked for");
    assert_eq!(bodies.data.as_ptr(), batch.event(10).body().as_ptr());
    assert_eq!(bodies.data.len(), 10 * 7 + 9);
    let few = batch.select(&[0, 99]);
    let encoded = scratch.encode(&few, &reads);
    assert_eq!(encoded.as_param().bodies.expect("asked for").data, b"line 0line 99");
}
