//! Every way to break the contract is found, and said.

use std::time::Instant;

use flumen_event::{Batch, Span};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::{
    Addition, BodyChange, Edits, HeaderNeed, HeaderRemoval, Needs,
};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::{
    ColumnResult, EventResult, Events, PackedResult, PackedTextResult, Rejection, RowsResult, ValuesResult,
};
use flumen_plugin::world::v0_1_0::columns::{Bounds, Reads, apply, events_from, events_from_list};

use crate::BOUNDS;
use crate::random::{new_bodies, nothing};

fn batch(events: usize) -> Batch {
    Batch::from_arena(b"body"[..].into(), vec![Span::new(0..4); events])
}

fn breach(edits: Edits) -> String {
    apply(&batch(3), edits, &BOUNDS).expect_err("a breach").to_string()
}

fn packed(data: &[u8], spans: &[u32]) -> PackedResult {
    PackedResult { data: data.to_vec(), spans: spans.to_vec() }
}

fn each(name: &str, rows: RowsResult, data: &str, spans: &[u32]) -> ColumnResult {
    let values = ValuesResult::Each(PackedTextResult { data: data.to_owned(), spans: spans.to_vec() });
    ColumnResult { name: name.to_owned(), rows, values }
}

fn same(name: &str, rows: RowsResult, value: &str) -> ColumnResult {
    ColumnResult { name: name.to_owned(), rows, values: ValuesResult::Same(value.to_owned()) }
}

fn only(rows: &[u32]) -> RowsResult {
    RowsResult::Only(rows.to_vec())
}

fn set(column: ColumnResult) -> Edits {
    Edits { set_headers: vec![column], ..nothing() }
}

#[test]
fn spans_that_lie_are_named() {
    let odd = breach(new_bodies(b"abc".to_vec(), vec![0, 1, 2]));
    assert_eq!(odd, "bodies: 3 numbers are no pairs of start and end");
    let far = breach(new_bodies(b"abc".to_vec(), vec![0, 1, 1, 4, 0, 0]));
    assert_eq!(far, "bodies: item 1 lies at 1..4 of 3 bytes");
    let back = breach(new_bodies(b"abc".to_vec(), vec![0, 1, 1, 2, 3, 2]));
    assert_eq!(back, "bodies: item 2 lies at 3..2 of 3 bytes");
    let huge = breach(new_bodies(b"abc".to_vec(), vec![u32::MAX, u32::MAX, 0, 0, 0, 0]));
    assert_eq!(huge, "bodies: item 0 lies at 4294967295..4294967295 of 3 bytes");
    let few = breach(new_bodies(b"abc".to_vec(), vec![0, 1, 1, 2]));
    assert_eq!(few, "bodies: 2 items for 3 rows");
    let text = breach(set(each("status", RowsResult::All, "aé", &[0, 1, 1, 2, 1, 3])));
    assert_eq!(text, "set-headers[0] \"status\": item 1 at 1..2 cuts a character");
    let text = breach(set(each("status", RowsResult::All, "aé", &[0, 1, 2, 3, 1, 3])));
    assert_eq!(text, "set-headers[0] \"status\": item 1 at 2..3 cuts a character");
    let text = breach(set(each("s", only(&[1]), "a", &[0, 2])));
    assert_eq!(text, "set-headers[0] \"s\": item 0 lies at 0..2 of 1 bytes");
}

#[test]
fn rows_that_lie_are_named() {
    let outside = breach(set(same("s", only(&[0, 3]), "v")));
    assert_eq!(outside, "set-headers[0] \"s\": row 3 of 3 (item 1)");
    let twice = breach(set(same("s", only(&[1, 1]), "v")));
    assert_eq!(twice, "set-headers[0] \"s\": row 1 stands behind row 1 (item 1), rows must ascend");
    let back = Edits {
        bodies: Some(BodyChange { rows: only(&[2, 0]), bodies: packed(b"", &[0, 0, 0, 0]) }),
        ..nothing()
    };
    assert_eq!(breach(back), "bodies: row 0 stands behind row 2 (item 1), rows must ascend");
    let removal = HeaderRemoval { name: "gone".into(), rows: only(&[9]) };
    let removal = Edits { remove_headers: vec![removal], ..nothing() };
    assert_eq!(breach(removal), "remove-headers[0] \"gone\": row 9 of 3 (item 0)");
    let reject = |rows: &[u32]| Edits {
        rejected: rows.iter().map(|row| Rejection { row: *row, reason: "bad".into() }).collect(),
        ..nothing()
    };
    assert_eq!(breach(reject(&[1, 3])), "rejected: row 3 of 3 (item 1)");
    assert_eq!(breach(reject(&[2, 0, 2])), "rejected: row 2 twice");
    let keep = Edits { keep: Some(vec![1, 1]), ..nothing() };
    assert_eq!(breach(keep), "keep: 2 words for 3 events, 1 were expected");
}

#[test]
fn additions_that_lie_are_named() {
    let add = |after: &[u32], spans: &[u32], headers| Edits {
        added: Some(Addition {
            after: after.to_vec(),
            inherit_headers: true,
            bodies: packed(b"new", spans),
            headers,
        }),
        ..nothing()
    };
    assert_eq!(breach(add(&[0], &[0, 1, 1, 2], vec![])), "added.after: 1 items for 2 rows");
    assert_eq!(
        breach(add(&[2, 1], &[0, 1, 1, 2], vec![])),
        "added.after: row 1 stands behind row 2 (item 1), rows must ascend"
    );
    assert_eq!(breach(add(&[0], &[0, 4], vec![])), "added.bodies: item 0 lies at 0..4 of 3 bytes");
    let column = same("n", only(&[1]), "v");
    assert_eq!(breach(add(&[0], &[0, 3], vec![column])), "added.headers[0] \"n\": row 1 of 1 (item 0)");
}

#[test]
fn what_overlaps_is_counted_as_often_as_it_is_answered() {
    let bounds = Bounds { bytes_max: 1000, ..BOUNDS };
    let edits = new_bodies(vec![b'x'; 400], vec![0, 400, 0, 400, 0, 400]);
    let text = apply(&batch(3), edits, &bounds).expect_err("too large").to_string();
    assert_eq!(text, "1224 bytes or more were answered, limits.outputBytesMax is 1000");
    let edits = set(same("header", RowsResult::All, &"v".repeat(330)));
    assert!(apply(&batch(3), edits, &bounds).is_err(), "a value for all rows counts for each");
    let edits = set(same("h", RowsResult::All, &"v".repeat(300)));
    assert!(apply(&batch(3), edits, &bounds).is_ok());
    let inherited = Edits {
        added: Some(Addition {
            after: vec![0; 10],
            inherit_headers: true,
            bodies: packed(b"", &[0; 20]),
            headers: vec![],
        }),
        ..nothing()
    };
    let with_header = batch(3).with_constant(&"h".into(), "v".repeat(100));
    assert!(apply(&with_header, inherited, &bounds).is_err(), "inherited headers count");
    let reasons = vec![Rejection { row: 0, reason: "r".repeat(2000) }];
    assert!(apply(&batch(3), Edits { rejected: reasons, ..nothing() }, &bounds).is_err(), "reasons count");
}

#[test]
fn more_events_or_headers_than_allowed_are_refused() {
    let events = |count: usize| Events { bodies: packed(b"", &vec![0; count * 2]), headers: vec![] };
    let bounds = BOUNDS.with_events_max(2);
    let text = events_from(events(3), &bounds).expect_err("too many").to_string();
    assert_eq!(text, "3 events, at most 2 may be answered");
    assert!(events_from(events(2), &bounds).is_ok());
    let list: Vec<EventResult> = (0..3).map(|_| EventResult { headers: vec![], body: vec![] }).collect();
    assert!(events_from_list(&list, &bounds).is_err());

    let bounds = Bounds { columns_max: 2, ..BOUNDS };
    let headers = |names: &[&str]| Edits {
        set_headers: names.iter().map(|name| same(name, only(&[0]), "v")).collect(),
        ..nothing()
    };
    assert!(apply(&batch(3), headers(&["a", "b"]), &bounds).is_ok());
    let text = apply(&batch(3), headers(&["a", "b", "c"]), &bounds).expect_err("too many").to_string();
    assert_eq!(text, "3 different headers or more, a batch has at most 2");
    let own: Vec<_> = ["a", "b", "c"].map(|n| (n.to_owned(), String::new())).into();
    assert!(events_from_list(&[EventResult { headers: own, body: vec![] }], &bounds).is_err());
    let text = apply(&batch(3), headers(&["a"; 33]), &bounds).expect_err("too many").to_string();
    assert_eq!(text, "set-headers: 33 entries, at most 32");
    let names = HeaderNeed::Only(vec!["a".into(); 3]);
    assert!(Reads::new(Needs { body: false, headers: names }, 2).is_err());
}

#[test]
fn many_entries_of_one_name_cost_what_they_say_and_not_rows_times_entries() {
    let batch = batch(20_000).with_constant(&"h".into(), "constant");
    let entries = (0..60_000).map(|n| same("h", only(&[n % 20_000]), "v")).collect();
    let bounds = Bounds { bytes_max: 1 << 26, ..BOUNDS };
    let started = Instant::now();
    let applied = apply(&batch, Edits { set_headers: entries, ..nothing() }, &bounds).expect("allowed");
    assert!(applied.batch.iter().all(|event| event.header("h") == Some("v")));
    // 60,000 × 20,000 steps would be a second in release and a minute here.
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn a_long_name_is_cut_in_the_message() {
    let text = breach(set(same(&"é".repeat(500), only(&[7]), "v")));
    assert_eq!(text, format!("set-headers[0] \"{}\": row 7 of 3 (item 0)", "é".repeat(40)));
}
