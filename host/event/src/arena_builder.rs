//! Building a batch out of a buffer in which its events lie already: a frame of an RPC protocol.
//!
//! ```text
//! frame   │ … name │ value │ name │ value │ body │ … name │ value │ …
//!              │       └── in the column of that name
//!              └── looked up; mostly the column that followed the last one in the event before
//! ```
//!
//! Bodies are not copied, and nothing is allocated per event. Values that differ from event to event are copied
//! together at the end; those that are not UTF-8 are repaired then as Java repairs them, with U+FFFD.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use crate::batch::Batch;
use crate::builder::{LimitExceeded, Limits};
use crate::column::Column;
use crate::headers::{HeaderName, Headers};
use crate::span::Span;

/// Collects events whose bodies and header values are pieces of one buffer.
///
/// For each event: [`header`](Self::header) for each of its headers, in any order, then [`event`](Self::event).
#[derive(Debug)]
pub struct ArenaBuilder {
    arena: Bytes,
    spans: Vec<Span>,
    columns: Columns,
    /// Headers of the event under construction.
    headers: usize,
}

#[derive(Debug)]
struct Columns {
    max: usize,
    list: Vec<PlacedColumn>,
    /// Where a name's column is, for names that are not where they were in the event before.
    names: HashMap<Box<[u8]>, usize>,
    /// The column that the next header probably belongs to.
    next: usize,
}

#[derive(Debug)]
struct PlacedColumn {
    name: HeaderName,
    /// Ascending.
    rows: Vec<u32>,
    spans: Vec<Span>,
    /// Places in `spans` whose bytes are not UTF-8, with what they are read as.
    repaired: Vec<(usize, String)>,
}

impl ArenaBuilder {
    /// A builder over this buffer. Of the limits, only the number of columns is looked at: the bytes are there.
    #[must_use]
    pub fn new(limits: Limits, arena: Bytes) -> Self {
        let columns = Columns { max: limits.columns_max, list: Vec::new(), names: HashMap::new(), next: 0 };
        Self { arena, spans: Vec::new(), columns, headers: 0 }
    }
    /// Number of events so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }
    /// Whether there is no event yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
    /// The buffer.
    #[must_use]
    pub fn arena(&self) -> &Bytes {
        &self.arena
    }

    /// A header of the event under construction. Of two with one name the later counts.
    ///
    /// # Errors
    /// If the event has more headers than a batch may have, or its batch would have; the event is then to be
    /// [forgotten](Self::forget_event).
    ///
    /// # Panics
    /// If a span does not lie inside the buffer.
    pub fn header(&mut self, name: Span, value: Span) -> Result<(), LimitExceeded> {
        let at = self.columns.at(&self.arena[name.range()])?;
        self.set(at, value)
    }
    /// As [`header`](Self::header), with a name that is not in the buffer.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn header_named(&mut self, name: &str, value: Span) -> Result<(), LimitExceeded> {
        let at = self.columns.at(name.as_bytes())?;
        self.set(at, value)
    }

    fn set(&mut self, at: usize, value: Span) -> Result<(), LimitExceeded> {
        self.headers += 1;
        if self.headers > self.columns.max {
            return Err(LimitExceeded::EventTooLarge);
        }
        let row = self.spans.len() as u32;
        let column = &mut self.columns.list[at];
        if column.rows.last() == Some(&row) {
            column.pop();
        }
        let bytes = &self.arena[value.range()];
        // Mostly the value is the one of the event before, and has been looked at there.
        let is_as_before = column.spans.last().is_some_and(|last| self.arena[last.range()] == *bytes);
        if (!is_as_before || !column.repaired.is_empty()) && str::from_utf8(bytes).is_err() {
            column.repaired.push((column.spans.len(), String::from_utf8_lossy(bytes).into_owned()));
        }
        column.rows.push(row);
        column.spans.push(value);
        Ok(())
    }

    /// Ends the event under construction: its body.
    ///
    /// # Panics
    /// If the span does not lie inside the buffer.
    pub fn event(&mut self, body: Span) {
        assert!(body.end() <= self.arena.len(), "{body:?} in a buffer of {} bytes", self.arena.len());
        self.spans.push(body);
        (self.columns.next, self.headers) = (0, 0);
    }

    /// Forgets the headers of an event that is not ended.
    pub fn forget_event(&mut self) {
        let row = self.spans.len() as u32;
        for column in self.columns.list.iter_mut().filter(|column| column.rows.last() == Some(&row)) {
            column.pop();
        }
        (self.columns.next, self.headers) = (0, 0);
    }

    /// The batch of all events so far; the builder is empty afterwards, over the same buffer.
    ///
    /// Headers of an event that is not ended are forgotten.
    #[must_use]
    pub fn finish(&mut self) -> Batch {
        self.forget_event();
        let spans = std::mem::take(&mut self.spans);
        self.columns.names.clear();
        let mut headers = Headers::default();
        for column in self.columns.list.drain(..).filter(|column| !column.rows.is_empty()) {
            headers.push(column.name.clone(), column.finish(&self.arena, spans.len()));
        }
        Batch::from_parts(self.arena.clone(), spans, headers)
    }
}

impl Columns {
    /// The column of a name, a new one if there is none.
    fn at(&mut self, name: &[u8]) -> Result<usize, LimitExceeded> {
        if self.list.get(self.next).is_some_and(|column| column.name.as_bytes() == name) {
            self.next += 1;
            return Ok(self.next - 1);
        }
        let at = self.look_up(name)?;
        self.next = at + 1;
        Ok(at)
    }

    fn look_up(&mut self, name: &[u8]) -> Result<usize, LimitExceeded> {
        if let Some(&at) = self.names.get(name) {
            return Ok(at);
        }
        // Two names that are not UTF-8 can be repaired to the same one.
        let repaired = String::from_utf8_lossy(name);
        if let Some(&at) = self.names.get(repaired.as_bytes()) {
            return Ok(at);
        }
        if self.list.len() >= self.max {
            return Err(LimitExceeded::BatchFull);
        }
        let at = self.list.len();
        self.names.insert(repaired.as_bytes().into(), at);
        let name = HeaderName::from(&*repaired);
        self.list.push(PlacedColumn { name, rows: Vec::new(), spans: Vec::new(), repaired: Vec::new() });
        Ok(at)
    }
}

impl PlacedColumn {
    fn pop(&mut self) {
        self.rows.pop();
        self.spans.pop();
        if self.repaired.last().is_some_and(|(at, _)| *at == self.spans.len()) {
            self.repaired.pop();
        }
    }

    fn finish(mut self, arena: &Bytes, rows: usize) -> Column {
        let is_for_all = self.rows.len() == rows;
        if is_for_all && self.repaired.is_empty() && all_equal(&self.spans, arena) {
            return constant(self.spans[0], arena);
        }
        let text = self.copied(arena);
        if is_for_all && all_equal(&self.spans, &text) {
            return constant(self.spans[0], &text);
        }
        Column::from_rows(text, self.rows, self.spans, rows)
    }

    /// A copy of all values, repaired where they must be. As pieces of the buffer they would keep all of it in memory
    /// when its bodies are gone: behind a filter that leaves few events.
    fn copied(&mut self, arena: &Bytes) -> Bytes {
        let bytes = self.spans.iter().map(|span| span.len as usize).sum();
        let mut text = BytesMut::with_capacity(bytes);
        let mut repaired = self.repaired.drain(..).peekable();
        for (at, span) in self.spans.iter_mut().enumerate() {
            let start = text.len();
            match repaired.next_if(|(place, _)| *place == at) {
                Some((_, value)) => text.extend_from_slice(value.as_bytes()),
                None => text.extend_from_slice(&arena[span.range()]),
            }
            *span = Span::new(start..text.len());
        }
        text.freeze()
    }
}

fn all_equal(spans: &[Span], text: &[u8]) -> bool {
    let first = &text[spans[0].range()];
    spans.iter().all(|span| &text[span.range()] == first)
}

fn constant(value: Span, text: &[u8]) -> Column {
    Column::Constant(str::from_utf8(&text[value.range()]).unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer and where in it pieces lie.
    struct Laid {
        builder: ArenaBuilder,
        pieces: std::vec::IntoIter<Span>,
    }

    impl Laid {
        fn out(columns_max: usize, pieces: &[&[u8]]) -> Self {
            let mut arena = Vec::new();
            let spans: Vec<Span> = pieces
                .iter()
                .map(|piece| {
                    let start = arena.len();
                    arena.extend_from_slice(piece);
                    Span::new(start..arena.len())
                })
                .collect();
            let limits = Limits { columns_max, ..Limits::default() };
            Self { builder: ArenaBuilder::new(limits, arena.into()), pieces: spans.into_iter() }
        }
        fn header(&mut self) -> Result<(), LimitExceeded> {
            let (name, value) = (self.pieces.next().expect("a name"), self.pieces.next().expect("a value"));
            self.builder.header(name, value)
        }
        fn event(&mut self) {
            let body = self.pieces.next().expect("a body");
            self.builder.event(body);
        }
    }

    fn shown(batch: &Batch) -> Vec<String> {
        let event = |event: crate::EventRef<'_>| {
            let headers: Vec<String> = event.headers().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{} {}", headers.join(","), String::from_utf8_lossy(event.body()))
        };
        batch.iter().map(event).collect()
    }

    #[test]
    fn bodies_are_pieces_of_the_buffer() {
        let mut laid =
            Laid::out(9, &[b"h", b"web1", b"n", b"1", b"one", b"h", b"web1", b"n", b"2", b"two", b"three"]);
        for headers in [2, 2, 0] {
            (0..headers).for_each(|_| laid.header().expect("fits"));
            laid.event();
        }
        let place = laid.builder.arena().as_ptr();
        let batch = laid.builder.finish();
        assert_eq!(batch.arena().as_ptr(), place);
        assert_eq!(shown(&batch), ["h=web1,n=1 one", "h=web1,n=2 two", " three"]);
        assert!(laid.builder.is_empty());
    }

    #[test]
    fn values_that_differ_do_not_keep_the_buffer() {
        let filler = vec![0; 1 << 20];
        let mut laid = Laid::out(9, &[b"n", b"1", &filler, b"n", b"2", b""]);
        for _ in 0..2 {
            laid.header().expect("fits");
            laid.event();
        }
        let batch = laid.builder.finish();
        let Some(Column::Each { text, .. }) = batch.headers().column("n") else { panic!("{batch:?}") };
        assert_eq!(&text[..], b"12");
    }

    #[test]
    fn one_value_for_all_is_a_constant() {
        let mut laid = Laid::out(9, &[b"h", b"web1", b"one", b"h", b"web1", b"two"]);
        for _ in 0..2 {
            laid.header().expect("fits");
            laid.event();
        }
        let batch = laid.builder.finish();
        assert!(matches!(batch.headers().column("h"), Some(Column::Constant(value)) if &**value == "web1"));
    }

    #[test]
    fn of_two_headers_with_one_name_the_later_counts() {
        let mut laid = Laid::out(9, &[b"k", b"\xFF", b"k", b"new", b"body", b"k", b"v", b"next"]);
        laid.header().expect("fits");
        laid.header().expect("fits");
        laid.event();
        laid.header().expect("fits");
        laid.event();
        assert_eq!(shown(&laid.builder.finish()), ["k=new body", "k=v next"]);
    }

    #[test]
    fn what_is_not_utf8_is_repaired_as_in_java() {
        let mut laid = Laid::out(9, &[b"\xFE", b"x", b"\xFF", b"y", b"body"]);
        (0..2).for_each(|_| laid.header().expect("fits"));
        laid.event();
        assert_eq!(shown(&laid.builder.finish()), ["\u{FFFD}=y body"], "both names read the same");

        let mut laid = Laid::out(9, &[b"k", b"\xFFa", b"1", b"k", b"plain", b"2", b"k", b"\xC3", b"3"]);
        for _ in 0..3 {
            laid.header().expect("fits");
            laid.event();
        }
        assert_eq!(shown(&laid.builder.finish()), ["k=\u{FFFD}a 1", "k=plain 2", "k=\u{FFFD} 3"]);
    }

    #[test]
    fn a_full_batch_can_be_finished_and_the_event_tried_again() {
        let mut laid = Laid::out(2, &[b"a", b"1", b"one", b"b", b"2", b"c", b"3", b"two"]);
        laid.header().expect("fits");
        laid.event();
        let second = laid.pieces.clone();
        laid.header().expect("fits");
        assert_eq!(laid.header(), Err(LimitExceeded::BatchFull));
        laid.builder.forget_event();
        assert_eq!(shown(&laid.builder.finish()), ["a=1 one"]);
        laid.pieces = second;
        (0..2).for_each(|_| laid.header().expect("fits"));
        laid.event();
        assert_eq!(shown(&laid.builder.finish()), ["b=2,c=3 two"]);
    }

    #[test]
    fn an_event_with_too_many_headers_is_too_large_whatever_their_names() {
        let mut laid = Laid::out(2, &[b"a", b"1", b"a", b"2", b"a", b"3"]);
        (0..2).for_each(|_| laid.header().expect("fits"));
        assert_eq!(laid.header(), Err(LimitExceeded::EventTooLarge));
    }
}
