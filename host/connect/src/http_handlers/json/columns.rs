//! The headers of a request's events, by name.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use flumen_event::{Batch, BatchBuilder, Column, HeaderName, Limits, Span};

use super::scan::Fault;

/// Less than one byte in this many of the request is wanted: the events are copied out of it.
const COPY_BELOW: usize = 4;
/// A small request is not worth copying.
const COPY_ABOVE_BYTES: usize = 4096;

/// Headers as places in the request's text.
#[derive(Default)]
pub(super) struct Columns {
    columns: Vec<Places>,
    by_name: HashMap<HeaderName, usize>,
    /// Which column the next header is likely of: events of a request mostly have the same headers in one order.
    expected: usize,
    /// The columns of the present event.
    touched: Vec<usize>,
}

struct Places {
    name: HeaderName,
    rows: Vec<u32>,
    spans: Vec<Span>,
}

impl Columns {
    pub(super) fn next_event(&mut self) {
        self.expected = 0;
        self.touched.clear();
    }
    /// Takes back what the present event has: another `headers` follows.
    pub(super) fn forget_event(&mut self) {
        for at in self.touched.drain(..) {
            let column = &mut self.columns[at];
            column.rows.pop();
            column.spans.pop();
        }
        self.expected = 0;
    }

    /// Adds a header; without a value it counts as absent. Answers its column; none if the event had it already,
    /// which in Flume is an error.
    pub(super) fn push(
        &mut self,
        row: u32,
        name: &[u8],
        value: Option<Range<usize>>,
    ) -> Result<Option<usize>, Fault> {
        let at = self.column(name)?;
        self.expected = at + 1;
        if self.columns[at].rows.last() == Some(&row) {
            return Ok(None);
        }
        if let Some(place) = value {
            self.push_at(at, row, place);
        }
        Ok(Some(at))
    }
    /// Adds a header that the event has not.
    #[inline]
    pub(super) fn push_at(&mut self, column: usize, row: u32, value: Range<usize>) {
        self.touched.push(column);
        let column = &mut self.columns[column];
        column.rows.push(row);
        column.spans.push(Span::new(value));
    }

    fn column(&mut self, name: &[u8]) -> Result<usize, Fault> {
        if self.columns.get(self.expected).is_some_and(|column| column.name.as_bytes() == name) {
            return Ok(self.expected);
        }
        let name = String::from_utf8_lossy(name);
        if let Some(&at) = self.by_name.get(&*name) {
            return Ok(at);
        }
        if self.columns.len() >= Limits::default().columns_max {
            return Err(Fault::TooDiverse);
        }
        let name: HeaderName = (&*name).into();
        self.by_name.insert(name.clone(), self.columns.len());
        self.columns.push(Places { name, rows: Vec::new(), spans: Vec::new() });
        Ok(self.columns.len() - 1)
    }

    /// The events: bodies and headers are places in `arena`, unless it holds little else than syntax.
    pub(super) fn into_batch(self, arena: Bytes, bodies: Vec<Span>) -> Batch {
        let total = bodies.len();
        let bytes = |spans: &[Span]| -> usize { spans.iter().map(|span| span.len as usize).sum() };
        let wanted = bytes(&bodies) + self.columns.iter().map(|column| bytes(&column.spans)).sum::<usize>();
        let is_wasteful = arena.len() > COPY_ABOVE_BYTES && wanted * COPY_BELOW < arena.len();
        let columns = self.columns.into_iter().filter(|column| !column.rows.is_empty());
        let columns = columns.map(|column| {
            let values = Column::from_buffer(&arena, column.rows, column.spans, total)
                .expect("the request was found to be UTF-8, and strings end between characters");
            (column.name, Some(values))
        });
        let columns = columns.collect();
        let batch = Batch::from_arena(arena, bodies).with_columns(columns);
        if is_wasteful { copied(&batch).unwrap_or(batch) } else { batch }
    }
}

/// The same events in memory of their own.
fn copied(batch: &Batch) -> Option<Batch> {
    let mut builder = BatchBuilder::default();
    for event in batch.iter() {
        let headers: Vec<(&str, &str)> = event.headers().collect();
        builder.push(event.body(), headers).ok()?;
    }
    Some(builder.finish())
}
