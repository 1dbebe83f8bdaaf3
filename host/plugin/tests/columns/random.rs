//! Random batches and random answers that keep the contract.

use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::{
    Addition, BodyChange, Edits, HeaderNeed, HeaderRemoval,
};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::{
    ColumnResult, Events, PackedResult, PackedTextResult, Rejection, RowsResult, ValuesResult,
};
use proptest::prelude::*;

use crate::model::Model;

pub fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[abc]", "h[0-9]{1,2}"]
}

/// Headers from few names (dense columns) or many (sparse ones), and some that all events have.
pub fn events() -> impl Strategy<Value = Model> {
    let few = || prop::collection::btree_map("[abc]", "[xyz]{0,3}", 0..4);
    let many = prop::collection::btree_map("h[0-9]{1,2}", "[xé]{0,3}", 0..6);
    let body = || prop::collection::vec(any::<u8>(), 0..40);
    let same = (few(), prop::collection::vec(body(), 0..150))
        .prop_map(|(headers, bodies)| bodies.into_iter().map(|body| (headers.clone(), body)).collect());
    prop_oneof![
        prop::collection::vec((few(), body()), 0..150),
        prop::collection::vec((many, body()), 0..60),
        same
    ]
}

pub fn header_need() -> impl Strategy<Value = HeaderNeed> {
    prop_oneof![
        Just(HeaderNeed::Nothing),
        Just(HeaderNeed::All),
        prop::collection::vec(name(), 0..6).prop_map(HeaderNeed::Only),
    ]
}

/// Raw material: numbers are folded into the batch by [`fitted`].
fn rows() -> impl Strategy<Value = RowsResult> {
    prop_oneof![
        Just(RowsResult::All),
        prop::collection::btree_set(0u32..160, 0..40).prop_map(|r| RowsResult::Only(r.into_iter().collect())),
    ]
}

fn packed() -> impl Strategy<Value = PackedResult> {
    let spans = prop::collection::vec(any::<u16>().prop_map(u32::from), 320);
    (prop::collection::vec(any::<u8>(), 0..300), spans).prop_map(|(data, spans)| PackedResult { data, spans })
}

fn column() -> impl Strategy<Value = ColumnResult> {
    let spans = || prop::collection::vec(any::<u16>().prop_map(u32::from), 320);
    let text = prop_oneof!["[pé]{0,60}", "[pq]{0,60}"];
    let each = (text, spans()).prop_map(|(data, spans)| ValuesResult::Each(PackedTextResult { data, spans }));
    let values = prop_oneof!["[rs]{0,4}".prop_map(ValuesResult::Same), each];
    (name(), rows(), values).prop_map(|(name, rows, values)| ColumnResult { name, rows, values })
}

fn columns() -> impl Strategy<Value = Vec<ColumnResult>> {
    prop_oneof![4 => prop::collection::vec(column(), 0..4), 1 => prop::collection::vec(column(), 0..24)]
}

pub fn edits() -> impl Strategy<Value = Edits> {
    let keep = prop::option::of(prop::collection::vec(any::<u64>(), 3));
    let bodies = prop::option::of((rows(), packed()).prop_map(|(rows, bodies)| BodyChange { rows, bodies }));
    let removal = (name(), rows()).prop_map(|(name, rows)| HeaderRemoval { name, rows });
    let rejected = prop::collection::btree_map(0u32..160, "[a-z]{0,5}", 0..6);
    let added = (prop::collection::vec(0u32..170, 0..12), any::<bool>(), packed(), columns());
    let added = added.prop_map(|(after, inherit_headers, bodies, headers)| Addition {
        after,
        inherit_headers,
        bodies,
        headers,
    });
    (keep, bodies, prop::collection::vec(removal, 0..3), columns(), rejected, prop::option::of(added))
        .prop_map(|(keep, bodies, remove_headers, set_headers, rejected, added)| Edits {
            keep,
            bodies,
            remove_headers,
            set_headers,
            rejected: rejected.into_iter().rev().map(|(row, reason)| Rejection { row, reason }).collect(),
            added,
        })
}

pub fn made() -> impl Strategy<Value = Events> {
    (packed(), columns(), 0usize..150).prop_map(|(mut bodies, mut headers, count)| {
        fit_packed(&mut bodies, count);
        headers.iter_mut().for_each(|column| fit_column(column, count));
        Events { bodies, headers }
    })
}

pub fn nothing() -> Edits {
    Edits {
        keep: None,
        bodies: None,
        remove_headers: Vec::new(),
        set_headers: Vec::new(),
        rejected: Vec::new(),
        added: None,
    }
}

pub fn new_bodies(data: Vec<u8>, spans: Vec<u32>) -> Edits {
    let bodies = PackedResult { data, spans };
    Edits { bodies: Some(BodyChange { rows: RowsResult::All, bodies }), ..nothing() }
}

/// The raw material as an answer about a batch of `count` events that keeps the contract.
pub fn fitted(mut edits: Edits, count: usize) -> Edits {
    if let Some(words) = &mut edits.keep {
        words.truncate(count.div_ceil(64));
    }
    if let Some(change) = &mut edits.bodies {
        let named = fit_rows(&mut change.rows, count);
        fit_packed(&mut change.bodies, named);
    }
    for removal in &mut edits.remove_headers {
        fit_rows(&mut removal.rows, count);
    }
    edits.set_headers.iter_mut().for_each(|column| fit_column(column, count));
    edits.rejected.retain(|rejection| (rejection.row as usize) < count);
    if let Some(added) = &mut edits.added {
        added.after.sort_unstable();
        fit_packed(&mut added.bodies, added.after.len());
        let count = added.after.len();
        added.headers.iter_mut().for_each(|column| fit_column(column, count));
    }
    edits
}

fn fit_rows(rows: &mut RowsResult, count: usize) -> usize {
    match rows {
        RowsResult::All => count,
        RowsResult::Only(rows) => {
            rows.retain(|row| (*row as usize) < count);
            rows.len()
        }
    }
}

fn fit_packed(packed: &mut PackedResult, items: usize) {
    packed.spans = fit_spans(&packed.spans, (packed.data.len(), items), |_| true);
}

fn fit_column(column: &mut ColumnResult, count: usize) {
    let named = fit_rows(&mut column.rows, count);
    if let ValuesResult::Each(packed) = &mut column.values {
        let text = packed.data.clone();
        packed.spans = fit_spans(&packed.spans, (text.len(), named), |at| text.is_char_boundary(at));
    }
}

fn fit_spans(raw: &[u32], (bytes, items): (usize, usize), boundary: impl Fn(usize) -> bool) -> Vec<u32> {
    let place = |n: usize| (n..=bytes).find(|at| boundary(*at)).unwrap_or(bytes);
    let mut spans = Vec::new();
    for item in 0..items {
        let (a, b) = (raw[2 * item % raw.len()] as usize, raw[(2 * item + 1) % raw.len()] as usize);
        let (a, b) = (place(a % (bytes + 1)), place(b % (bytes + 1)));
        spans.extend([a.min(b) as u32, a.max(b) as u32]);
    }
    spans
}
