//! Batches against the naive model: a list of (headers, body).

use std::collections::BTreeMap;

use bytes::Bytes;
use flumen_event::{
    BadPlace, Batch, BatchBuilder, Column, ColumnBuilder, HeaderName, Inherit, Insertion, LimitExceeded,
    Limits, Span,
};
use proptest::prelude::*;

type Model = Vec<(BTreeMap<String, String>, Vec<u8>)>;

fn read(batch: &Batch) -> Model {
    let own = |(n, v): (&str, &str)| (n.to_owned(), v.to_owned());
    batch.iter().map(|e| (e.headers().map(own).collect(), e.body().to_vec())).collect()
}

fn build(model: &Model) -> Batch {
    let mut builder = BatchBuilder::default();
    for (headers, body) in model {
        builder.push(body, headers.iter().map(|(n, v)| (n.as_str(), v.as_str()))).expect("fits");
    }
    builder.finish()
}

/// Headers from few names (dense columns) or many (sparse ones, the row index).
fn events() -> impl Strategy<Value = Model> {
    let few = prop::collection::btree_map("[abc]", "[xyz]{0,3}", 0..4);
    let many = prop::collection::btree_map("h[0-9]{1,2}", "[xé]{0,3}", 0..6);
    let body = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![prop::collection::vec((few, body.clone()), 0..60), prop::collection::vec((many, body), 0..60),]
}

#[derive(Clone, Debug)]
enum Edit {
    Slice(usize, usize),
    Filter(u8),
    Constant(String, String),
    WhereAbsent(String, String),
    Column(String, Vec<bool>),
    Remove(String),
    RemoveAll(Vec<String>),
    Bodies(u8),
    Patch(String, Vec<(u32, Option<String>)>),
    Columns(Vec<(String, Option<String>)>),
    SomeBodies(Vec<u32>, Vec<u8>, Vec<(u32, u32)>),
    Insert(Vec<bool>, Vec<u32>, bool, Model),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let name = || prop_oneof!["[abc]", "h[0-9]"];
    let edit = prop_oneof![
        (0usize..60, 0usize..60).prop_map(|(a, b)| Edit::Slice(a, b)),
        (1u8..9).prop_map(Edit::Filter),
        (name(), "[pq]{0,3}").prop_map(|(n, v)| Edit::Constant(n, v)),
        (name(), "[pq]{0,3}").prop_map(|(n, v)| Edit::WhereAbsent(n, v)),
        (name(), prop::collection::vec(any::<bool>(), 60)).prop_map(|(n, v)| Edit::Column(n, v)),
        name().prop_map(Edit::Remove),
        prop::collection::vec(name(), 0..5).prop_map(Edit::RemoveAll),
        any::<u8>().prop_map(Edit::Bodies),
        (name(), prop::collection::btree_map(0u32..60, prop::option::of("[pé]{0,3}"), 0..20))
            .prop_map(|(n, p)| Edit::Patch(n, p.into_iter().collect())),
        prop::collection::vec((name(), prop::option::of("[pq]{0,3}")), 0..20).prop_map(Edit::Columns),
        (
            prop::collection::btree_set(0u32..60, 0..30),
            prop::collection::vec(any::<u8>(), 0..2000),
            prop::collection::vec((0u32..2000, 0u32..30), 60)
        )
            .prop_map(|(rows, data, spans)| Edit::SomeBodies(
                rows.into_iter().collect(),
                data,
                spans
            )),
        (
            prop::collection::vec(any::<bool>(), 60),
            prop::collection::vec(0u32..70, 5),
            any::<bool>(),
            events()
        )
            .prop_map(|(kept, after, inherit, new)| Edit::Insert(kept, after, inherit, new)),
    ];
    prop::collection::vec(edit, 0..12)
}

fn apply_to_model(model: &mut Model, edit: &Edit) {
    match edit {
        Edit::Slice(a, b) => {
            let (a, b) = window(model.len(), *a, *b);
            *model = model[a..b].to_vec();
        }
        Edit::Filter(n) => model.retain(|(_, body)| body.len() % usize::from(*n) == 0),
        Edit::Constant(n, v) => model.iter_mut().for_each(|(h, _)| {
            h.insert(n.clone(), v.clone());
        }),
        Edit::WhereAbsent(n, v) => model.iter_mut().for_each(|(h, _)| {
            h.entry(n.clone()).or_insert_with(|| v.clone());
        }),
        Edit::Column(n, has) => {
            for (row, (headers, _)) in model.iter_mut().enumerate() {
                headers.remove(n);
                if has[row % has.len()] {
                    headers.insert(n.clone(), format!("v{row}"));
                }
            }
        }
        Edit::Remove(n) => model.iter_mut().for_each(|(h, _)| {
            h.remove(n);
        }),
        Edit::RemoveAll(names) => model.iter_mut().for_each(|(h, _)| h.retain(|n, _| !names.contains(n))),
        Edit::Bodies(b) => model.iter_mut().for_each(|(_, body)| body.push(*b)),
        Edit::Patch(n, patches) => {
            for (row, value) in patches {
                if let Some((headers, _)) = model.get_mut(*row as usize) {
                    set(headers, n, value.as_ref());
                }
            }
        }
        Edit::Columns(changes) => {
            for (n, value) in changes {
                model.iter_mut().for_each(|(headers, _)| set(headers, n, value.as_ref()));
            }
        }
        Edit::SomeBodies(rows, data, spans) => {
            let (rows, spans) = some_bodies(model.len(), rows, (data, spans));
            for (row, span) in rows.into_iter().zip(spans) {
                model[row as usize].1 = data[span.range()].to_vec();
            }
        }
        Edit::Insert(kept, after, inherit, new) => {
            let (after, new) = insertion(after, new);
            let old = std::mem::take(model);
            let mut next = after.iter().zip(&new).peekable();
            for (row, event) in old.iter().enumerate() {
                if kept[row % kept.len()] {
                    model.push(event.clone());
                }
                while let Some((_, (headers, body))) = next.next_if(|(after, _)| **after as usize == row) {
                    let mut all = if *inherit { event.0.clone() } else { BTreeMap::new() };
                    all.extend(headers.clone());
                    model.push((all, body.clone()));
                }
            }
            model.extend(next.map(|(_, event)| event.clone()));
        }
    }
}

fn apply_to_batch(batch: Batch, edit: &Edit) -> Batch {
    let name = |n: &String| -> HeaderName { n.as_str().into() };
    match edit {
        Edit::Slice(a, b) => {
            let (a, b) = window(batch.len(), *a, *b);
            batch.slice(a..b)
        }
        Edit::Filter(n) => batch.filter(|e| e.body().len() % usize::from(*n) == 0),
        Edit::Constant(n, v) => batch.with_constant(&name(n), v.as_str()),
        Edit::WhereAbsent(n, v) => batch.with_constant_where_absent(&name(n), v.as_str()),
        Edit::Column(n, has) => {
            let mut column = ColumnBuilder::default();
            for row in 0..batch.len() {
                column.push(has[row % has.len()].then(|| format!("v{row}")).as_deref());
            }
            batch.with_column(&name(n), column)
        }
        Edit::Remove(n) => batch.without(n),
        Edit::RemoveAll(names) => batch.without_all(names.iter().map(String::as_str)),
        Edit::Bodies(b) => {
            let (mut arena, mut spans) = (Vec::new(), Vec::new());
            for event in batch.iter() {
                let start = arena.len();
                arena.extend_from_slice(event.body());
                arena.push(*b);
                spans.push(Span::new(start..arena.len()));
            }
            batch.with_bodies(arena.into(), spans)
        }
        Edit::Patch(n, patches) => {
            let patches = patches.iter().filter(|(row, _)| (*row as usize) < batch.len());
            let patches: Vec<_> = patches.map(|(row, value)| (*row, value.as_deref())).collect();
            let column = batch.patched_column(n, &patches);
            batch.with_columns(vec![(name(n), column)])
        }
        Edit::Columns(changes) => {
            let column = |value: &String| Column::Constant(value.as_str().into());
            batch.with_columns(changes.iter().map(|(n, v)| (name(n), v.as_ref().map(column))).collect())
        }
        Edit::SomeBodies(rows, data, spans) => {
            let (rows, spans) = some_bodies(batch.len(), rows, (data, spans));
            batch.with_bodies_at(&rows, data, &spans)
        }
        Edit::Insert(kept, after, inherit, new) => {
            let (after, new) = insertion(after, new);
            let rows: Vec<u32> = (0..batch.len() as u32).filter(|&r| kept[r as usize % kept.len()]).collect();
            let kept = (rows.len() < batch.len()).then_some(&rows[..]);
            let inherit = if *inherit { Inherit::Headers } else { Inherit::Nothing };
            batch.with_inserted(kept, Insertion { events: &build(&new), after: &after, inherit })
        }
    }
}

fn set(headers: &mut BTreeMap<String, String>, name: &str, value: Option<&String>) {
    match value {
        Some(value) => drop(headers.insert(name.to_owned(), value.clone())),
        None => drop(headers.remove(name)),
    }
}

/// The rows that the batch has, and as many places that lie inside the data.
fn some_bodies(len: usize, rows: &[u32], (data, spans): (&[u8], &[(u32, u32)])) -> (Vec<u32>, Vec<Span>) {
    let rows: Vec<u32> = rows.iter().copied().filter(|&row| (row as usize) < len).collect();
    let place = |&(start, len): &(u32, u32)| {
        let start = start as usize % (data.len() + 1);
        Span::new(start..(start + len as usize).min(data.len()))
    };
    let spans = spans.iter().take(rows.len()).map(place).collect();
    (rows, spans)
}

/// As many new events as there are places for them, in ascending places.
fn insertion(after: &[u32], new: &Model) -> (Vec<u32>, Model) {
    let count = after.len().min(new.len());
    let mut after = after[..count].to_vec();
    after.sort_unstable();
    (after, new[..count].to_vec())
}

fn window(len: usize, a: usize, b: usize) -> (usize, usize) {
    let (a, b) = (a % (len + 1), b % (len + 1));
    (a.min(b), a.max(b))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn any_sequence_of_edits_equals_the_model(mut model in events(), edits in edits()) {
        let mut batch = build(&model);
        prop_assert_eq!(&read(&batch), &model);
        for edit in &edits {
            apply_to_model(&mut model, edit);
            batch = apply_to_batch(batch, edit);
            prop_assert_eq!(&read(&batch), &model, "after {:?}", edit);
            for (row, (headers, _)) in model.iter().enumerate() {
                let mut ordered = Vec::new();
                batch.event(row).headers_in_java_order(&mut ordered);
                let own = ordered.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
                prop_assert_eq!(&own.collect::<BTreeMap<_, _>>(), headers);
                prop_assert_eq!(ordered.len(), headers.len());
            }
        }
    }

    #[test]
    fn any_batch_survives_packing(mut model in events(), edits in edits()) {
        let mut batch = build(&model);
        for edit in &edits {
            apply_to_model(&mut model, edit);
            batch = apply_to_batch(batch, edit);
        }
        let packed = packed(&batch);
        prop_assert_eq!(read(&Batch::unpack(&packed).expect("packed")), model);
    }

    #[test]
    fn what_is_not_a_packed_batch_is_an_error_and_no_panic(
        model in events(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = packed(&build(&model)).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut.index(2) == 1 {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(batch) = Batch::unpack(&bytes.into()) {
            read(&batch);
        }
    }

    #[test]
    fn an_event_has_the_headers_that_look_up_gives(model in events()) {
        let batch = build(&model);
        for (row, (headers, _)) in model.iter().enumerate() {
            for name in ["a", "b", "c", "h0", "h77", "absent"] {
                prop_assert_eq!(batch.event(row).header(name), headers.get(name).map(String::as_str));
            }
        }
    }
}

fn packed(batch: &Batch) -> Bytes {
    let packed = batch.pack().expect("small");
    [&packed.head[..], &packed.bodies].concat().into()
}

#[test]
fn packing_copies_no_bodies_and_stores_only_those_in_use() {
    let arena = Bytes::from(vec![b'x'; 100_000]);
    let spans = (0..1000).map(|n| Span::new(n * 100..n * 100 + 99)).collect();
    let batch = Batch::from_arena(arena, spans);
    let window = batch.slice(10..20).pack().expect("small");
    assert_eq!(window.bodies.as_ptr(), batch.arena()[1000..].as_ptr());
    assert_eq!(window.bodies.len(), 999);
    let ends = batch.select(&[0, 500, 999]).pack().expect("small");
    assert_eq!(ends.bodies.len(), 3 * 99, "what lies between is not stored");
}

#[test]
fn lines_are_still_in_one_piece_after_packing() {
    let arena = Bytes::from_static(b"one\ntwo\nrest");
    let batch = Batch::from_arena(arena, vec![Span::new(0..3), Span::new(4..7)]);
    assert_eq!(Batch::unpack(&packed(&batch)).expect("packed").as_lines(), Some(&b"one\ntwo\n"[..]));
}

#[test]
fn lines_of_one_buffer_are_written_as_they_lie() {
    let arena = Bytes::from_static(b"one\ntwo\n\nfour\nrest");
    let spans = [(0, 3), (4, 7), (8, 8), (9, 13)].map(|(a, b)| Span::new(a..b));
    let batch = Batch::from_arena(arena, spans.to_vec());
    assert_eq!(batch.as_lines(), Some(&b"one\ntwo\n\nfour\n"[..]));
    assert_eq!(batch.slice(1..3).as_lines(), Some(&b"two\n\n"[..]));
    let gap = batch.filter(|e| e.body() != b"two");
    assert_eq!(gap.as_lines(), None, "a removed line must not be written");
    let unended = Batch::from_arena(Bytes::from_static(b"a"), vec![Span::new(0..1)]);
    assert_eq!(unended.as_lines(), None);
}

#[test]
fn few_survivors_do_not_keep_a_large_arena() {
    let mut builder = BatchBuilder::default();
    for n in 0..1000 {
        builder.push(format!("{n:0200}").as_bytes(), [("n", "x")]).expect("fits");
    }
    let batch = builder.finish();
    assert!(batch.held_bytes() >= 200_000);
    let one = batch.filter(|e| e.body().ends_with(b"0777"));
    assert_eq!(one.len(), 1);
    assert!(one.held_bytes() < 1_000, "{}", one.held_bytes());
    let half = batch.filter(|e| e.body().last().is_some_and(|b| b % 2 == 0));
    assert_eq!(half.arena().as_ptr(), batch.arena().as_ptr(), "half of the events share the arena");
}

#[test]
fn diverse_headers_cost_what_is_there() {
    let mut builder = BatchBuilder::default();
    for n in 0..4000 {
        let name = format!("header-{n}");
        builder.push(b"", [(name.as_str(), "v")]).expect("fits");
    }
    let batch = builder.finish();
    // 4,000 events with 4,000 different headers; a table would be 16 million cells of 8 bytes.
    assert!(batch.held_bytes() < 1_000_000, "{}", batch.held_bytes());
    assert_eq!(batch.iter().map(|e| e.headers().count()).sum::<usize>(), 4000);
}

#[test]
fn limits_say_whether_to_start_a_new_batch_or_to_drop() {
    let mut builder = BatchBuilder::new(Limits { columns_max: 2, bytes_max: 10 });
    assert_eq!(builder.push(b"12345678901", []), Err(LimitExceeded::EventTooLarge));
    assert_eq!(builder.push(b"", [("a", ""), ("b", ""), ("c", "")]), Err(LimitExceeded::EventTooLarge));
    assert_eq!(builder.push(b"12345", [("a", "1"), ("b", "2")]), Ok(()));
    assert_eq!(builder.push(b"12345", []), Err(LimitExceeded::BatchFull));
    assert_eq!(builder.push(b"1", [("c", "")]), Err(LimitExceeded::BatchFull));
    assert_eq!(builder.finish().len(), 1);
    assert_eq!(builder.push(b"12345", [("c", "")]), Ok(()), "a finished builder starts anew");
}

#[test]
fn a_header_over_the_arena_is_not_copied() {
    let arena = Bytes::from_static(b"k=v x=y\xff");
    let batch = Batch::from_arena(arena.clone(), vec![Span::new(0..3), Span::new(4..8)]);
    let name: HeaderName = "value".into();
    let mut column = ColumnBuilder::over(arena.clone());
    column.push_span(Some(Span::new(2..3)));
    column.push_span(Some(Span::new(6..8)));
    let batch = batch.with_column(&name, column);
    let value = batch.event(0).header("value").expect("set");
    assert_eq!((value, value.as_ptr()), ("v", arena[2..].as_ptr()));
    assert_eq!(batch.event(1).header("value"), None, "bytes that are not UTF-8 are no header value");
}

#[test]
fn a_text_cut_inside_a_character_is_no_column() {
    let text = || "aéb".to_owned();
    let spans = |places: &[(usize, usize)]| places.iter().map(|(a, b)| Span::new(*a..*b)).collect::<Vec<_>>();
    assert!(Column::from_text(text(), spans(&[(0, 1), (1, 3)])).is_ok());
    assert_eq!(Column::from_text(text(), spans(&[(0, 1), (1, 2)])).err(), Some(BadPlace { index: 1 }));
    assert_eq!(Column::from_text(text(), spans(&[(3, 5)])).err(), Some(BadPlace { index: 0 }));
    assert_eq!(Column::from_text_at(text(), vec![4], spans(&[(2, 3)]), 9).err(), Some(BadPlace { index: 0 }));
}

#[test]
fn a_value_that_rows_share_is_stored_once() {
    let value = "v".repeat(1000);
    let name: HeaderName = "h".into();
    let batch =
        Batch::from_arena(Bytes::new(), vec![Span::new(0..0); 100]).with_constant(&name, value.as_str());
    let column = batch.patched_column("h", &[(50, Some("other"))]).expect("has values");
    let Column::Each { text, .. } = &column else { panic!("{column:?}") };
    assert_eq!(text.len(), 1005);
}
