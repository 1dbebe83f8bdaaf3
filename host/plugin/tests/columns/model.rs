//! Batches as lists of rows, and what the WIT says about them, done one row at a time.

use std::collections::BTreeMap;

use flumen_event::{Batch, BatchBuilder};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::{Batch as BatchParam, Edits};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::{
    ColumnResult, EventParam, EventResult, Events, PackedResult, RowsParam, RowsResult, ValuesParam,
    ValuesResult,
};

pub type Row = (BTreeMap<String, String>, Vec<u8>);
pub type Model = Vec<Row>;

pub fn headers(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

pub fn build(model: &Model) -> Batch {
    let mut builder = BatchBuilder::default();
    for (headers, body) in model {
        builder.push(body, headers.iter().map(|(n, v)| (n.as_str(), v.as_str()))).expect("fits");
    }
    builder.finish()
}

pub fn read(batch: &Batch) -> Model {
    let own = |(n, v): (&str, &str)| (n.to_owned(), v.to_owned());
    batch.iter().map(|e| (e.headers().map(own).collect(), e.body().to_vec())).collect()
}

#[derive(Debug, Default)]
pub struct Expected {
    pub events: Model,
    pub rejected: Model,
    pub reasons: Vec<String>,
    pub filtered: usize,
    pub added: usize,
}

fn item(packed: &PackedResult, at: usize) -> Vec<u8> {
    packed.data[packed.spans[2 * at] as usize..packed.spans[2 * at + 1] as usize].to_vec()
}

fn listed(rows: &RowsResult, count: usize) -> Vec<usize> {
    match rows {
        RowsResult::All => (0..count).collect(),
        RowsResult::Only(rows) => rows.iter().map(|r| *r as usize).collect(),
    }
}

fn value(values: &ValuesResult, at: usize) -> String {
    match values {
        ValuesResult::Same(value) => value.clone(),
        ValuesResult::Each(packed) => {
            packed.data[packed.spans[2 * at] as usize..packed.spans[2 * at + 1] as usize].to_owned()
        }
    }
}

fn set(rows: &mut Model, columns: &[ColumnResult]) {
    for column in columns {
        for (at, row) in listed(&column.rows, rows.len()).into_iter().enumerate() {
            rows[row].0.insert(column.name.clone(), value(&column.values, at));
        }
    }
}

pub fn edited(input: &Model, edits: &Edits) -> Expected {
    let mut rows = input.clone();
    if let Some(change) = &edits.bodies {
        for (at, row) in listed(&change.rows, rows.len()).into_iter().enumerate() {
            rows[row].1 = item(&change.bodies, at);
        }
    }
    for removal in &edits.remove_headers {
        for row in listed(&removal.rows, rows.len()) {
            rows[row].0.remove(&removal.name);
        }
    }
    set(&mut rows, &edits.set_headers);
    let mut expected = Expected::default();
    let new = edits.added.as_ref().map(|a| {
        let mut new: Model = (0..a.after.len()).map(|at| (BTreeMap::new(), item(&a.bodies, at))).collect();
        for (at, after) in a.after.iter().enumerate() {
            if let (true, Some(row)) = (a.inherit_headers, rows.get(*after as usize)) {
                new[at].0 = row.0.clone();
            }
        }
        set(&mut new, &a.headers);
        a.after.iter().map(|after| *after as usize).zip(new).collect::<Vec<_>>()
    });
    let new = new.unwrap_or_default();
    expected.added = new.len();
    for row in 0..rows.len() {
        if let Some(rejection) = edits.rejected.iter().find(|r| r.row as usize == row) {
            expected.rejected.push(input[row].clone());
            expected.reasons.push(rejection.reason.clone());
        } else if edits.keep.as_ref().is_none_or(|words| words[row / 64] >> (row % 64) & 1 == 1) {
            expected.events.push(rows[row].clone());
        } else {
            expected.filtered += 1;
        }
        expected.events.extend(new.iter().filter(|(after, _)| *after == row).map(|(_, event)| event.clone()));
    }
    expected.events.extend(new.into_iter().filter(|(after, _)| *after >= rows.len()).map(|(_, event)| event));
    expected
}

pub fn made(events: &Events) -> Model {
    let count = events.bodies.spans.len() / 2;
    let mut rows: Model = (0..count).map(|at| (BTreeMap::new(), item(&events.bodies, at))).collect();
    set(&mut rows, &events.headers);
    rows
}

/// What a guest sees; checks on the way what the WIT promises it.
pub fn decoded(batch: &BatchParam<'_>) -> Model {
    let count = batch.count as usize;
    let mut rows: Model = vec![(BTreeMap::new(), Vec::new()); count];
    if let Some(bodies) = &batch.bodies {
        assert_eq!(bodies.spans.len(), 2 * count, "one body for each");
        for (row, span) in rows.iter_mut().zip(bodies.spans.chunks(2)) {
            row.1 = bodies.data[span[0] as usize..span[1] as usize].to_vec();
        }
    }
    for (at, column) in batch.headers.iter().enumerate() {
        assert!(batch.headers[..at].iter().all(|c| c.name != column.name), "no name twice");
        let listed: Vec<usize> = match &column.rows {
            RowsParam::All => (0..count).collect(),
            RowsParam::Only(rows) => rows.iter().map(|r| *r as usize).collect(),
        };
        assert!(!listed.is_empty(), "no column for a name that no event has");
        assert!(listed.windows(2).all(|pair| pair[0] < pair[1]), "rows ascend");
        for (at, row) in listed.iter().enumerate() {
            let value = match &column.values {
                ValuesParam::Same(value) => (*value).to_owned(),
                ValuesParam::Each(packed) => {
                    assert_eq!(packed.spans.len(), 2 * listed.len(), "in step with the rows");
                    packed.data[packed.spans[2 * at] as usize..packed.spans[2 * at + 1] as usize].to_owned()
                }
            };
            rows[*row].0.insert(column.name.to_owned(), value);
        }
    }
    rows
}

pub fn owned(events: &[EventParam<'_>]) -> Vec<EventResult> {
    let own = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
    let event = |e: &EventParam<'_>| EventResult {
        headers: e.headers.iter().map(own).collect(),
        body: e.body.to_vec(),
    };
    events.iter().map(event).collect()
}
