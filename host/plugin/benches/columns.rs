//! What the crossing costs on the host's side: encoding a batch and applying the answer, without the guest.
//! Nanoseconds for each event: divide by the batch's size, or read the items a second.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use flumen_event::{Batch, BatchBuilder, Span};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::{BodyChange, Edits, HeaderNeed, Needs};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::{
    ColumnResult, Events, PackedResult, PackedTextResult, RowsResult, ValuesResult,
};
use flumen_plugin::world::v0_1_0::columns::{Bounds, Reads, Scratch, apply, events_from};

const SIZES: [usize; 3] = [10, 100, 1000];
const BODY_BYTES: usize = 200;

fn main() {
    divan::main();
}

/// Lines of one buffer, a constant header and one with a value each.
fn lines(events: usize) -> Batch {
    let arena = vec![b'x'; events * (BODY_BYTES + 1)];
    let span = |n: usize| Span::new(n * (BODY_BYTES + 1)..n * (BODY_BYTES + 1) + BODY_BYTES);
    let batch = Batch::from_arena(arena.into(), (0..events).map(span).collect());
    let edits = Edits { set_headers: vec![each("n", events)], ..nothing() };
    let batch = apply(&batch, edits, &bounds()).expect("it is right").batch;
    batch.with_constant(&"host".into(), "web1")
}

/// As a source makes them that takes events one by one.
fn built(events: usize) -> Batch {
    let mut builder = BatchBuilder::default();
    for n in 0..events {
        let value = format!("{n:08}");
        builder.push(&[b'x'; BODY_BYTES], [("host", "web1"), ("n", value.as_str())]).expect("it is small");
    }
    builder.finish()
}

fn bounds() -> Bounds {
    Bounds::new(64 << 20)
}

fn nothing() -> Edits {
    let (remove_headers, set_headers, rejected) = (Vec::new(), Vec::new(), Vec::new());
    Edits { keep: None, bodies: None, remove_headers, set_headers, rejected, added: None }
}

fn each(name: &str, events: usize) -> ColumnResult {
    let data = "12345678".repeat(events);
    let spans = (0..events as u32).flat_map(|n| [n * 8, n * 8 + 8]).collect();
    let values = ValuesResult::Each(PackedTextResult { data, spans });
    ColumnResult { name: name.to_owned(), rows: RowsResult::All, values }
}

fn bodies(events: usize) -> PackedResult {
    let len = BODY_BYTES as u32;
    let spans = (0..events as u32).flat_map(|n| [n * len, n * len + len]).collect();
    PackedResult { data: vec![b'y'; events * BODY_BYTES], spans }
}

/// Encodes, then applies an answer that is made anew each time, outside of the clock.
fn crossing(bencher: Bencher, batch: Batch, needs: Needs, answer: impl Fn(usize) -> Edits) {
    let (reads, bounds) = (Reads::new(needs, 4096).expect("few names"), bounds());
    let mut scratch = Scratch::default();
    let events = batch.len();
    let bencher = bencher.counter(ItemsCount::new(events)).with_inputs(|| answer(events));
    bencher.bench_local_values(|edits| {
        black_box(scratch.encode(black_box(&batch), &reads).as_param());
        apply(&batch, edits, &bounds).expect("it is right")
    });
}

fn reads(body: bool, headers: HeaderNeed) -> Needs {
    Needs { body, headers }
}

#[divan::bench(args = SIZES)]
fn pass_without_needs(bencher: Bencher, events: usize) {
    crossing(bencher, lines(events), reads(false, HeaderNeed::Nothing), |_| nothing());
}

#[divan::bench(args = SIZES)]
fn pass_with_bodies(bencher: Bencher, events: usize) {
    crossing(bencher, lines(events), reads(true, HeaderNeed::Nothing), |_| nothing());
}

#[divan::bench(args = SIZES)]
fn pass_with_bodies_and_headers(bencher: Bencher, events: usize) {
    crossing(bencher, lines(events), reads(true, HeaderNeed::All), |_| nothing());
}

#[divan::bench(args = SIZES)]
fn pass_with_headers_built_one_by_one(bencher: Bencher, events: usize) {
    crossing(bencher, built(events), reads(true, HeaderNeed::All), |_| nothing());
}

#[divan::bench(args = SIZES)]
fn filter_half(bencher: Bencher, events: usize) {
    let keep =
        |events: usize| Edits { keep: Some(vec![0x5555_5555_5555_5555; events.div_ceil(64)]), ..nothing() };
    crossing(bencher, lines(events), reads(true, HeaderNeed::Nothing), keep);
}

#[divan::bench(args = SIZES)]
fn set_a_constant(bencher: Bencher, events: usize) {
    let values = || ValuesResult::Same("yes".to_owned());
    let column = move || ColumnResult { name: "seen".to_owned(), rows: RowsResult::All, values: values() };
    let answer = move |_| Edits { set_headers: vec![column()], ..nothing() };
    crossing(bencher, lines(events), reads(false, HeaderNeed::Nothing), answer);
}

#[divan::bench(args = SIZES)]
fn set_a_value_each(bencher: Bencher, events: usize) {
    let answer = |events| Edits { set_headers: vec![each("seen", events)], ..nothing() };
    crossing(bencher, lines(events), reads(true, HeaderNeed::Nothing), answer);
}

#[divan::bench(args = SIZES)]
fn new_bodies_for_all(bencher: Bencher, events: usize) {
    let change = |events| BodyChange { rows: RowsResult::All, bodies: bodies(events) };
    let answer = move |events| Edits { bodies: Some(change(events)), ..nothing() };
    crossing(bencher, lines(events), reads(true, HeaderNeed::Nothing), answer);
}

#[divan::bench(args = SIZES)]
fn new_bodies_for_half(bencher: Bencher, events: usize) {
    let rows = |events| RowsResult::Only((0..events as u32).step_by(2).collect());
    let change = move |events: usize| BodyChange { rows: rows(events), bodies: bodies(events.div_ceil(2)) };
    let answer = move |events| Edits { bodies: Some(change(events)), ..nothing() };
    crossing(bencher, lines(events), reads(true, HeaderNeed::Nothing), answer);
}

#[divan::bench(args = SIZES)]
fn events_made(bencher: Bencher, events: usize) {
    let bounds = bounds();
    let made = move || Events { bodies: bodies(events), headers: vec![each("n", events)] };
    let bencher = bencher.counter(ItemsCount::new(events)).with_inputs(made);
    bencher.bench_local_values(|events| events_from(events, &bounds).expect("it is right"));
}
