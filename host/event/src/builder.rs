//! Building batches and columns event by event, within limits.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use crate::batch::Batch;
use crate::column::Column;
use crate::headers::{HeaderName, Headers};
use crate::span::Span;

/// What a batch under construction may grow to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most different header names in one batch.
    pub columns_max: usize,
    /// Most bytes of bodies and header values in one batch.
    pub bytes_max: usize,
}

impl Default for Limits {
    /// 4,096 different headers, 1 GiB.
    fn default() -> Self {
        Self { columns_max: 4096, bytes_max: 1 << 30 }
    }
}

/// Why an event was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitExceeded {
    /// The batch has no room for it: finish this one and start the next.
    BatchFull,
    /// It has more headers or bytes than any batch may have: it can only be dropped and counted.
    EventTooLarge,
}

/// Collects events into a batch by copying them into one arena.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    limits: Limits,
    arena: BytesMut,
    spans: Vec<Span>,
    text: BytesMut,
    names: HashMap<HeaderName, usize>,
    columns: Vec<SparseColumn>,
}

#[derive(Debug)]
struct SparseColumn {
    name: HeaderName,
    rows: Vec<u32>,
    spans: Vec<Span>,
}

impl BatchBuilder {
    /// A builder with limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
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

    /// Adds an event. Of two headers with the same name the later counts.
    ///
    /// # Errors
    /// If it does not fit; the builder is then as it was before.
    pub fn push<'a>(
        &mut self,
        body: &[u8],
        headers: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<(), LimitExceeded> {
        let (mut bytes, mut count, mut fresh) = (body.len(), 0, 0);
        for (name, value) in headers.clone() {
            bytes += value.len();
            count += 1;
            fresh += usize::from(!self.names.contains_key(name));
        }
        if bytes > self.limits.bytes_max || count > self.limits.columns_max {
            return Err(LimitExceeded::EventTooLarge);
        }
        if self.arena.len() + self.text.len() + bytes > self.limits.bytes_max
            || self.columns.len() + fresh > self.limits.columns_max
        {
            return Err(LimitExceeded::BatchFull);
        }
        for (name, value) in headers {
            self.push_header(name, value);
        }
        let start = self.arena.len();
        self.arena.extend_from_slice(body);
        self.spans.push(Span::new(start..self.arena.len()));
        Ok(())
    }

    fn push_header(&mut self, name: &str, value: &str) {
        let at = match self.names.get(name) {
            Some(&at) => at,
            None => {
                let name: HeaderName = name.into();
                self.columns.push(SparseColumn { name: name.clone(), rows: Vec::new(), spans: Vec::new() });
                self.names.insert(name, self.columns.len() - 1);
                self.columns.len() - 1
            }
        };
        let column = &mut self.columns[at];
        let row = self.spans.len() as u32;
        let start = self.text.len();
        self.text.extend_from_slice(value.as_bytes());
        let span = Span::new(start..self.text.len());
        if column.rows.last() == Some(&row) {
            column.spans.pop();
        } else {
            column.rows.push(row);
        }
        column.spans.push(span);
    }

    /// The batch of all events so far; the builder is empty afterwards.
    #[must_use]
    pub fn finish(&mut self) -> Batch {
        let text = self.text.split().freeze();
        let spans = std::mem::take(&mut self.spans);
        self.names.clear();
        let mut headers = Headers::default();
        for column in self.columns.drain(..) {
            headers.push(column.name.clone(), column.finish(&text, spans.len()));
        }
        Batch::from_parts(self.arena.split().freeze(), spans, headers)
    }
}

impl SparseColumn {
    fn finish(self, text: &Bytes, rows: usize) -> Column {
        let value = |span: &Span| &text[span.range()];
        if self.rows.len() == rows && self.spans.iter().all(|s| value(s) == value(&self.spans[0])) {
            let same = str::from_utf8(value(&self.spans[0])).unwrap_or_default();
            return Column::Constant(same.into());
        }
        Column::from_rows(text.clone(), self.rows, self.spans, rows)
    }
}

/// Collects one header value per event of an existing batch.
#[derive(Debug, Default)]
pub struct ColumnBuilder {
    text: BytesMut,
    over: Option<Bytes>,
    spans: Vec<Span>,
    present: usize,
}

impl ColumnBuilder {
    /// A column whose values are pieces of an existing buffer (often the bodies' arena): nothing is copied.
    #[must_use]
    pub fn over(text: Bytes) -> Self {
        Self { over: Some(text), ..Self::default() }
    }
    /// The next event's value.
    ///
    /// # Panics
    /// If the column was made by [`over`](Self::over).
    pub fn push(&mut self, value: Option<&str>) {
        assert!(self.over.is_none(), "a column over a buffer takes spans");
        let Some(value) = value else { return self.spans.push(Span::ABSENT) };
        let start = self.text.len();
        self.text.extend_from_slice(value.as_bytes());
        self.spans.push(Span::new(start..self.text.len()));
        self.present += 1;
    }
    /// The next event's value as a place in the buffer given to [`over`](Self::over). A place that is not
    /// UTF-8 counts as no value.
    ///
    /// # Panics
    /// If the column was not made by [`over`](Self::over), or the span lies outside.
    pub fn push_span(&mut self, span: Option<Span>) {
        let over = self.over.as_ref().expect("only a column over a buffer takes spans");
        match span.filter(|s| str::from_utf8(&over[s.range()]).is_ok()) {
            Some(span) => {
                self.spans.push(span);
                self.present += 1;
            }
            None => self.spans.push(Span::ABSENT),
        }
    }
    pub(crate) fn finish(self, rows: usize) -> Option<Column> {
        assert_eq!(self.spans.len(), rows, "one value or absence per event");
        let text = self.over.unwrap_or_else(|| self.text.freeze());
        (self.present > 0).then(|| Column::from_spans(text, self.spans))
    }
}
