//! The batch as an author sees it: events to read, edit, drop, reject and add.
//!
//! ```text
//! host ── columns ──▶ Batch ── events()      Event: a view of one row
//!                       │   ── events_mut()  EventMut: the same, and edits
//!                       ▼
//! host ◀── edits ──── finish: nothing touched, nothing sent
//! ```
//!
//! Nothing is allocated for an event: views read the columns where they lie, edits are appended to one buffer for
//! each header and one for the bodies. Reading after an edit gives what the edit made.

mod bodies;
mod column;
mod event;
mod events;
mod rows;

pub use event::{Event, EventMut, EventsMut};
pub use events::{Events, NewEvent};

use bodies::Bodies;
use column::{ColumnEdits, ColumnSet, Edited, InputColumn};
pub(crate) use rows::RowSet;

use crate::bindings::flumen::plugin::columns as wire;
use crate::bindings::flumen::plugin::types::{self, Rejection};
use crate::needs::Needs;

/// Some events, to be changed and handed back.
#[derive(Debug)]
pub struct Batch {
    /// Rows of the input; those that left are still counted.
    count: u32,
    needs: Needs,
    bodies: Bodies,
    headers: Vec<InputColumn>,
    edits: ColumnSet,
    /// The rows that have not left; none: none has.
    live: Option<RowSet>,
    rejected: Vec<Rejection>,
    added: Events,
    after: Vec<u32>,
    inherit: bool,
}

impl Batch {
    pub(crate) fn new(batch: wire::Batch, needs: &Needs) -> Self {
        Self {
            count: batch.count,
            needs: needs.clone(),
            bodies: batch.bodies.into(),
            headers: batch.headers.into_iter().map(InputColumn::from).collect(),
            edits: ColumnSet::default(),
            live: None,
            rejected: Vec::new(),
            added: Events::unbounded(),
            after: Vec::new(),
            inherit: true,
        }
    }

    /// How many events there are; those that were filtered out, rejected or added do not count.
    pub fn len(&self) -> usize {
        self.live.as_ref().map_or(self.count as usize, RowSet::len)
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// How many events came in. Their row numbers are below it, and stay as they are.
    pub fn rows(&self) -> u32 {
        self.count
    }

    /// The events, in order; without those that were filtered out, rejected or added.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let row = self.next_live(next)?;
            next = row + 1;
            Some(Event { batch: self, row })
        })
    }

    /// The events, in order, to be changed: `while let Some(mut event) = events.next()`.
    pub fn events_mut(&mut self) -> EventsMut<'_> {
        EventsMut { batch: self, next: 0 }
    }

    /// One event, by its row; also one that was filtered out.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn event_mut(&mut self, row: u32) -> EventMut<'_> {
        assert!(row < self.count, "row {row} of a batch of {}", self.count);
        EventMut { batch: self, row }
    }

    /// Filters out the events for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(Event<'_>) -> bool) {
        let live = RowSet::of(self.count, |row| {
            self.live.as_ref().is_none_or(|live| live.has(row)) && keep(Event { batch: self, row })
        });
        if live.len() < self.len() {
            self.live = Some(live);
        }
    }

    /// Sets a header of all events.
    pub fn set_header_all(&mut self, name: &str, value: &str) {
        self.column(name).set_all(value);
    }
    /// Removes a header from all events.
    pub fn remove_header_all(&mut self, name: &str) {
        self.column(name).remove_all();
    }

    /// Adds an event behind all others. It starts without headers.
    pub fn push(&mut self, body: &[u8]) -> NewEvent<'_> {
        self.after.push(self.count);
        self.added.push(body)
    }
    /// Adds an event behind that row, and behind those already added there. It starts with the headers that the
    /// row has when the batch is handed back, unless [`Batch::added_start_without_headers`] was called.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn push_after(&mut self, row: u32, body: &[u8]) -> NewEvent<'_> {
        assert!(row < self.count, "row {row} of a batch of {}", self.count);
        self.after.push(row);
        self.added.push(body)
    }
    /// The events added to this batch have only the headers they are given.
    pub fn added_start_without_headers(&mut self) {
        self.inherit = false;
    }

    #[inline]
    fn next_live(&self, from: u32) -> Option<u32> {
        match &self.live {
            None => (from < self.count).then_some(from),
            Some(live) => live.next(from),
        }
    }
    fn leave(&mut self, row: u32) -> bool {
        self.live.get_or_insert_with(|| RowSet::all(self.count)).remove(row)
    }

    fn header(&self, row: u32, name: &str) -> Option<&str> {
        match self.edits.get(name, row) {
            Edited::Unchanged => {}
            Edited::Removed => return None,
            Edited::Set(value) => return Some(value),
        }
        let named = |column: &&InputColumn| same_bytes(column.name.as_bytes(), name.as_bytes());
        match self.headers.iter().find(named) {
            Some(column) => column.get(row),
            None => {
                assert!(
                    self.needs.has_header(name),
                    "the plugin reads the header `{name}`, and its `needs` do not ask for it"
                );
                None
            }
        }
    }

    /// All headers of a row: those that came in, as they are now, and then those that were set anew.
    fn headers_of(&self, row: u32) -> impl Iterator<Item = (&str, &str)> {
        let came = self.headers.iter().filter_map(move |column| {
            let value = match self.edits.get(&column.name, row) {
                Edited::Unchanged => column.get(row)?,
                Edited::Removed => return None,
                Edited::Set(value) => value,
            };
            Some((column.name.as_str(), value))
        });
        let new = self.edits.iter().filter_map(move |edits| match edits.get(row) {
            Edited::Set(value) if !self.headers.iter().any(|column| column.name == edits.name) => {
                Some((edits.name.as_str(), value))
            }
            _ => None,
        });
        came.chain(new)
    }

    fn column(&mut self, name: &str) -> &mut ColumnEdits {
        self.edits.of(name)
    }

    /// What was changed, as the host wants it.
    pub(crate) fn finish(self) -> wire::Edits {
        let (remove_headers, set_headers) = self.edits.finish(self.count);
        // Rejected rows leave by themselves: they must not count as filtered out.
        let keep = self.live.and_then(|mut live| {
            for rejection in &self.rejected {
                live.insert(rejection.row);
            }
            (live.len() < self.count as usize).then(|| live.into_words())
        });
        wire::Edits {
            keep,
            bodies: self.bodies.finish(self.count),
            remove_headers,
            set_headers,
            rejected: self.rejected,
            added: addition(self.added, self.after, self.inherit),
        }
    }
}

/// The new events, in the order of the rows they follow.
fn addition(mut events: Events, after: Vec<u32>, inherit_headers: bool) -> Option<wire::Addition> {
    if after.is_empty() {
        return None;
    }
    let mut order: Vec<u32> = (0..after.len() as u32).collect();
    if !after.is_sorted() {
        order.sort_by_key(|event| after[*event as usize]);
        events.reorder(&order);
    }
    let after = order.iter().map(|event| after[*event as usize]).collect();
    let types::Events { bodies, headers } = events.finish();
    Some(wire::Addition { after, inherit_headers, bodies, headers })
}

/// Whether two short texts are equal, without a loop over their bytes: eight at a time, the last eight overlapping.
#[inline]
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(first), Some(other)) if first == other => {
            a.len() == 8 || (a.last_chunk::<8>() == b.last_chunk::<8>() && (a.len() <= 16 || a == b))
        }
        (Some(_), Some(_)) => false,
        _ => same_below_eight(a, b),
    }
}

#[inline]
fn same_below_eight(a: &[u8], b: &[u8]) -> bool {
    if let (Some(first), Some(other)) = (a.first_chunk::<4>(), b.first_chunk::<4>()) {
        return first == other && a.last_chunk::<4>() == b.last_chunk::<4>();
    }
    match (a, b) {
        ([], []) => true,
        ([x], [y]) => x == y,
        _ => a.first_chunk::<2>() == b.first_chunk::<2>() && a.last() == b.last(),
    }
}
