//! The immutable batch and the view of one event.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::builder::ColumnBuilder;
use crate::column::Column;
use crate::headers::{HeaderName, Headers};
use crate::span::Span;

/// A sparse batch is copied out of an arena at least this large, so that few events cannot hold much memory.
const COMPACT_ARENA_BYTES_MIN: usize = 4096;
/// An arena is left behind when less than one in this many of its bytes is still wanted.
const COMPACT_BELOW: usize = 4;

/// Many events in one piece. Cloning and slicing are O(1) and share everything.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    arena: Bytes,
    spans: Arc<[Span]>,
    start: usize,
    len: usize,
    headers: Headers,
}

impl Batch {
    /// Events without headers whose bodies are the given spans of one buffer. Nothing is copied.
    ///
    /// # Panics
    /// If a span does not lie inside the arena.
    #[must_use]
    pub fn from_arena(arena: Bytes, spans: Vec<Span>) -> Self {
        let end = spans.iter().map(|s| s.end()).max().unwrap_or(0);
        assert!(end <= arena.len(), "span ends at {end} in an arena of {} bytes", arena.len());
        Self { arena, len: spans.len(), spans: spans.into(), start: 0, headers: Headers::default() }
    }

    pub(crate) fn from_parts(arena: Bytes, spans: Vec<Span>, headers: Headers) -> Self {
        Self { headers, ..Self::from_arena(arena, spans) }
    }

    /// The row of the headers' columns that belongs to the first event.
    #[must_use]
    pub fn first_row(&self) -> usize {
        self.start
    }
    pub(crate) fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The event at an index.
    ///
    /// # Panics
    /// If there is no such event.
    #[must_use]
    pub fn event(&self, index: usize) -> EventRef<'_> {
        assert!(index < self.len, "event {index} of a batch of {}", self.len);
        EventRef { batch: self, row: self.start + index }
    }
    /// All events in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = EventRef<'_>> {
        (self.start..self.start + self.len).map(|row| EventRef { batch: self, row })
    }
    /// The spans of the bodies in [`arena`](Self::arena).
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans[self.start..self.start + self.len]
    }
    /// The buffer that bodies lie in; it may hold bytes of no event.
    #[must_use]
    pub fn arena(&self) -> &Bytes {
        &self.arena
    }
    /// The header columns. Their rows are those of the whole batch this one is a window on.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }
    /// Sum of the bodies' lengths.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.spans().iter().map(|s| s.len as usize).sum()
    }
    /// What the batch keeps alive in memory, shared or not.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.arena.len() + self.spans.len() * size_of::<Span>() + self.headers.held_bytes()
    }

    /// The bodies and the line feed behind each as one piece of the arena, if they lie there like that:
    /// a text sink can write it as it is.
    #[must_use]
    pub fn as_lines(&self) -> Option<&[u8]> {
        let spans = self.spans();
        let first = spans.first()?.start as usize;
        let mut next = first;
        for span in spans {
            if span.start as usize != next || self.arena.get(span.end()) != Some(&b'\n') {
                return None;
            }
            next = span.end() + 1;
        }
        Some(&self.arena[first..next])
    }

    /// A window on some of the events. O(1).
    ///
    /// # Panics
    /// If the range does not lie inside the batch.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Batch {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of a batch of {}", self.len);
        Batch { start: self.start + range.start, len: range.len(), ..self.clone() }
    }
    /// Takes the first `count` events off. O(1).
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Batch {
        let head = self.slice(0..count);
        self.start += count;
        self.len -= count;
        head
    }

    /// The events for which `keep` says yes. Bodies are not copied, unless so few are left that they would
    /// keep a large arena alive.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(EventRef<'_>) -> bool) -> Batch {
        let kept: Vec<u32> = (0u32..).zip(self.iter()).filter(|(_, e)| keep(*e)).map(|(at, _)| at).collect();
        self.select(&kept)
    }
    /// The events at these indexes, which ascend.
    #[must_use]
    pub fn select(&self, kept: &[u32]) -> Batch {
        if kept.len() == self.len {
            return self.clone();
        }
        let rows: Vec<u32> = kept.iter().map(|k| k + self.start as u32).collect();
        let spans: Vec<Span> = rows.iter().map(|&r| self.spans[r as usize]).collect();
        let headers = self.headers.gather(&rows);
        Batch { arena: self.arena.clone(), len: spans.len(), spans: spans.into(), start: 0, headers }
            .compacted()
    }
    /// The same events, copied into an arena of their own if little of the present one is wanted.
    #[must_use]
    pub fn compacted(self) -> Batch {
        let wanted = self.body_bytes();
        if self.arena.len() < COMPACT_ARENA_BYTES_MIN || wanted * COMPACT_BELOW >= self.arena.len() {
            return self;
        }
        let mut arena = BytesMut::with_capacity(wanted);
        let mut spans = Vec::with_capacity(self.len);
        for event in self.iter() {
            let start = arena.len();
            arena.extend_from_slice(event.body());
            spans.push(Span::new(start..arena.len()));
        }
        self.with_bodies(arena.freeze(), spans)
    }

    /// The same headers with other bodies, one for each event.
    ///
    /// # Panics
    /// If there is not one span per event, or one lies outside the arena.
    #[must_use]
    pub fn with_bodies(&self, arena: Bytes, spans: Vec<Span>) -> Batch {
        assert_eq!(spans.len(), self.len, "one body per event");
        Batch::from_parts(arena, spans, self.whole().headers)
    }
    /// The batch with a header that is the same for every event; replaces what was there. O(columns).
    #[must_use]
    pub fn with_constant(mut self, name: &HeaderName, value: impl Into<Arc<str>>) -> Batch {
        self.headers.set(name.clone(), Column::Constant(value.into()));
        self
    }
    /// As [`with_constant`](Self::with_constant), but events that have the header keep theirs.
    #[must_use]
    pub fn with_constant_where_absent(self, name: &HeaderName, value: impl Into<Arc<str>>) -> Batch {
        match self.headers.column(name) {
            None => self.with_constant(name, value),
            Some(Column::Constant(_)) => self,
            Some(_) => {
                let value = value.into();
                let mut column = ColumnBuilder::default();
                self.iter().for_each(|event| column.push(Some(event.header(name).unwrap_or(&value))));
                self.with_column(name, column)
            }
        }
    }
    /// The batch with a header given for each event; events without a value lose what they had.
    ///
    /// # Panics
    /// If the column has not one row per event.
    #[must_use]
    pub fn with_column(&self, name: &HeaderName, column: ColumnBuilder) -> Batch {
        let mut batch = self.whole();
        match column.finish(self.len) {
            Some(column) => batch.headers.set(name.clone(), column),
            None => batch.headers.remove(name),
        }
        batch
    }
    /// Says that the headers so far are those that Flume's source makes its event of with a copy of a map: it
    /// decides about the order in which Java prints them.
    #[must_use]
    pub fn with_headers_copied(mut self) -> Batch {
        self.headers_mut().mark_copied();
        self
    }
    /// The batch without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Batch {
        self.headers.remove(name);
        self
    }
    /// The batch without these headers. O(columns + names), where taking them off one by one would be the
    /// product.
    #[must_use]
    pub fn without_all<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Batch {
        self.headers.remove_all(&names.into_iter().collect());
        self
    }

    /// The batch as one that is no window on another: rows and indexes agree.
    pub(crate) fn whole(&self) -> Batch {
        if self.start == 0 && self.len == self.spans.len() {
            return self.clone();
        }
        let rows: Vec<u32> = (self.start as u32..(self.start + self.len) as u32).collect();
        let headers = self.headers.gather(&rows);
        Batch { arena: self.arena.clone(), spans: self.spans().into(), start: 0, len: self.len, headers }
    }
}

/// One event of a batch: the view for code that looks at events one by one.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    batch: &'a Batch,
    row: usize,
}

impl<'a> EventRef<'a> {
    /// The body.
    #[must_use]
    pub fn body(self) -> &'a [u8] {
        &self.batch.arena[self.batch.spans[self.row].range()]
    }
    /// Where the body lies in the batch's arena.
    #[must_use]
    pub fn span(self) -> Span {
        self.batch.spans[self.row]
    }
    /// The value of a header.
    #[must_use]
    pub fn header(self, name: &str) -> Option<&'a str> {
        self.batch.headers.column(name)?.get(self.row)
    }
    /// All headers.
    pub fn headers(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.batch.headers.row(self.row, self.batch.spans.len())
    }
    /// All headers in the order in which Flume would print them, into a buffer that is emptied first.
    pub fn headers_in_java_order(self, out: &mut Vec<(&'a str, &'a str)>) {
        self.batch.headers.row_in_java_order(self.row, self.batch.spans.len(), out);
    }
}
