//! Events that a plugin makes.

use std::fmt::{self, Write};

use super::column::{ColumnSet, push_number, small};
use crate::bindings::flumen::plugin::types::{self as wire, Packed};

/// Events under construction, in column form: nothing is allocated for a single one.
#[derive(Debug)]
pub struct Events {
    bodies: Vec<u8>,
    spans: Vec<u32>,
    columns: ColumnSet,
    max: usize,
}

/// The event added last, to be given headers.
#[derive(Debug)]
pub struct NewEvent<'a> {
    events: &'a mut Events,
    row: u32,
}

impl Events {
    pub(crate) fn new(max: u32) -> Self {
        Self { bodies: Vec::new(), spans: Vec::new(), columns: ColumnSet::default(), max: max as usize }
    }
    pub(crate) fn unbounded() -> Self {
        Self::new(u32::MAX)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len() / 2
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
    /// Whether the host takes no more in this call.
    pub fn is_full(&self) -> bool {
        self.len() >= self.max
    }

    /// Adds an event.
    #[inline]
    pub fn push(&mut self, body: &[u8]) -> NewEvent<'_> {
        self.push_with(|bodies| bodies.extend_from_slice(body))
    }
    /// Adds an event whose body is what `write` appends.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> NewEvent<'_> {
        let start = self.bodies.len();
        write(&mut self.bodies);
        let end = self.bodies.len();
        self.spans.extend([small(start.min(end)), small(end)]);
        let row = small(self.len()) - 1;
        NewEvent { events: self, row }
    }
    /// Gives all events this header, those that are still to come as well.
    pub fn set_header_all(&mut self, name: &str, value: &str) {
        self.columns.of(name).set_all(value);
    }

    pub(super) fn reorder(&mut self, order: &[u32]) {
        let span = |row: &u32| [self.spans[2 * *row as usize], self.spans[2 * *row as usize + 1]];
        self.spans = order.iter().flat_map(span).collect();
        self.columns.reorder(order);
    }
    pub(crate) fn finish(self) -> wire::Events {
        let count = small(self.len());
        let (_, headers) = self.columns.finish(count);
        wire::Events { bodies: Packed { data: self.bodies, spans: self.spans }, headers }
    }
}

impl NewEvent<'_> {
    /// Sets a header.
    #[inline]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.events.columns.of(name).set_with(self.row, |text| text.push_str(value));
        self
    }
    /// Sets a header to a number, in decimal.
    #[inline]
    pub fn number(self, name: &str, value: u64) -> Self {
        self.events.columns.of(name).set_with(self.row, |text| push_number(text, value));
        self
    }
    /// Sets a header to what `format_args!` gives.
    pub fn header_fmt(self, name: &str, value: fmt::Arguments<'_>) -> Self {
        self.events.columns.of(name).set_with(self.row, |text| {
            // Writing to a string fails only if a value's own `Display` does; what it gave until then stands.
            let _ = text.write_fmt(value);
        });
        self
    }
}
