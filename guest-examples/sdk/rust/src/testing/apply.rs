//! What a host does with a plugin's answer, event by event and as plainly as can be: the measure for the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::Event;
use crate::bindings::flumen::plugin::columns::{Batch, Edits};
use crate::bindings::flumen::plugin::types::{Column, Events, Packed, PackedText, Rows, Values};
use crate::needs::{Headers, Needs};

/// What becomes of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The events that go on.
    pub events: Vec<Event>,
    /// The rows that were rejected, and why.
    pub rejected: BTreeMap<u32, String>,
}

/// Events as the host hands them to a plugin with these needs.
pub fn pack(events: &[Event], needs: &Needs) -> Batch {
    let bodies = needs.body.then(|| {
        let mut packed = Packed { data: Vec::new(), spans: Vec::new() };
        for event in events {
            packed.spans.push(place(packed.data.len()));
            packed.data.extend(&event.body);
            packed.spans.push(place(packed.data.len()));
        }
        packed
    });
    let there: BTreeSet<&String> = events.iter().flat_map(|event| event.headers.keys()).collect();
    let asked = |name: &&&String| match &needs.headers {
        Headers::All => true,
        Headers::Only(names) => names.contains(**name),
    };
    let headers = there.iter().filter(asked).map(|name| pack_header(events, name)).collect();
    Batch { count: place(events.len()), bodies, headers }
}

fn pack_header(events: &[Event], name: &str) -> Column {
    let rows: Vec<u32> =
        (0..).zip(events).filter(|(_, event)| event.headers.contains_key(name)).map(|(row, _)| row).collect();
    let texts: Vec<&str> = rows.iter().map(|row| events[*row as usize].headers[name].as_str()).collect();
    let values = if texts.windows(2).all(|pair| pair[0] == pair[1]) {
        Values::Same(texts[0].to_owned())
    } else {
        let mut packed = PackedText { data: String::new(), spans: Vec::new() };
        for text in texts {
            packed.spans.push(place(packed.data.len()));
            packed.data.push_str(text);
            packed.spans.push(place(packed.data.len()));
        }
        Values::Each(packed)
    };
    let rows = if rows.len() == events.len() { Rows::All } else { Rows::Only(rows) };
    Column { name: name.to_owned(), rows, values }
}

fn place(len: usize) -> u32 {
    u32::try_from(len).expect("test data is small")
}

impl Outcome {
    /// What `edits` make of `events`, in the order that the contract gives.
    ///
    /// # Panics
    /// If the edits break the contract.
    pub fn of(events: &[Event], edits: Edits) -> Self {
        let count = events.len();
        let mut changed = events.to_vec();
        if let Some(change) = edits.bodies {
            let rows = row_numbers(&change.rows, count);
            assert_eq!(change.bodies.spans.len(), 2 * rows.len(), "one body for each row");
            for (item, row) in rows.into_iter().enumerate() {
                changed[row].body = body(&change.bodies, item).to_vec();
            }
        }
        for removal in edits.remove_headers {
            for row in row_numbers(&removal.rows, count) {
                changed[row].headers.remove(&removal.name);
            }
        }
        set_headers(&mut changed, &edits.set_headers);
        let rejected: BTreeMap<u32, String> = edits.rejected.into_iter().map(|r| (r.row, r.reason)).collect();
        let stays = |row: usize| {
            let kept = edits.keep.as_ref().is_none_or(|words| words[row / 64] >> (row % 64) & 1 == 1);
            let rejected = rejected.contains_key(&place(row));
            assert!(kept || !rejected, "row {row} is rejected and filtered out");
            kept && !rejected
        };
        assert!(edits.keep.as_ref().is_none_or(|words| words.len() == count.div_ceil(64)), "words of `keep`");
        let mut out: Vec<(usize, usize, Event)> = Vec::new();
        if let Some(addition) = &edits.added {
            assert!(addition.after.is_sorted(), "`after` ascends");
            let mut new: Vec<Event> = Vec::new();
            for (item, after) in addition.after.iter().enumerate() {
                let followed = changed.get(*after as usize).filter(|_| addition.inherit_headers);
                let headers = followed.map(|event| event.headers.clone()).unwrap_or_default();
                new.push(Event { headers, body: body(&addition.bodies, item).to_vec() });
            }
            assert_eq!(addition.bodies.spans.len(), 2 * new.len(), "one body for each new event");
            set_headers(&mut new, &addition.headers);
            out.extend(
                addition
                    .after
                    .iter()
                    .zip(new)
                    .enumerate()
                    .map(|(i, (after, event))| (*after as usize, i + 1, event)),
            );
        }
        out.extend(
            changed
                .into_iter()
                .enumerate()
                .filter(|(row, _)| stays(*row))
                .map(|(row, event)| (row, 0, event)),
        );
        out.sort_by_key(|(row, behind, _)| (*row, *behind));
        Self { events: out.into_iter().map(|(_, _, event)| event).collect(), rejected }
    }
}

/// Events that a plugin made, as a host reads them.
pub(super) fn unpack(events: &Events) -> Vec<Event> {
    let count = events.bodies.spans.len() / 2;
    let mut out: Vec<Event> = (0..count).map(|item| Event::new(body(&events.bodies, item))).collect();
    set_headers(&mut out, &events.headers);
    out
}

fn set_headers(events: &mut [Event], columns: &[Column]) {
    for column in columns {
        let rows = row_numbers(&column.rows, events.len());
        for (item, row) in rows.iter().enumerate() {
            let value = match &column.values {
                Values::Same(value) => value,
                Values::Each(text) => {
                    assert_eq!(text.spans.len(), 2 * rows.len(), "one value for each row");
                    &text.data[text.spans[2 * item] as usize..text.spans[2 * item + 1] as usize]
                }
            };
            events[*row].headers.insert(column.name.clone(), value.to_owned());
        }
    }
}

fn row_numbers(rows: &Rows, count: usize) -> Vec<usize> {
    match rows {
        Rows::All => (0..count).collect(),
        Rows::Only(rows) => {
            assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "rows strictly ascend: {rows:?}");
            rows.iter().map(|row| *row as usize).collect()
        }
    }
}

fn body(packed: &Packed, item: usize) -> &[u8] {
    &packed.data[packed.spans[2 * item] as usize..packed.spans[2 * item + 1] as usize]
}
