//! A batch as the lists that a guest reads, borrowed where they lie.
//!
//! ```text
//! arena        ..first line\nsecond line\nthird line..      data: from the first wanted byte to the last,
//! spans          [2,12)      [13,24)      [25,35)           spans: relative to it, line feeds are just gaps
//! ```
//!
//! Only where most of that range is not wanted (events of a window far apart, one column of many in one text) the
//! wanted pieces are copied together first.

use flumen_event::{Batch, Column, Span};

use super::breach::{At, Breach};
use crate::world::v0_1_0::bindings::flumen::plugin::columns::{Batch as BatchParam, HeaderNeed, Needs};
use crate::world::v0_1_0::bindings::flumen::plugin::types::{
    ColumnParam, PackedParam, PackedTextParam, RowsParam, ValuesParam,
};

/// Pieces are copied together when less than one in this many bytes of their range is wanted.
const GATHER_BELOW: usize = 2;
/// A buffer that one large batch has blown up beyond this is given back.
const KEEP_BYTES_MAX: usize = 4 << 20;

/// What a plugin reads of each batch: its `needs`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reads {
    body: bool,
    headers: HeaderReads,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HeaderReads {
    Nothing,
    /// Sorted, each once.
    Only(Vec<String>),
    All,
}

impl Reads {
    /// The needs that `configure` answered. A name may occur several times and counts once.
    ///
    /// # Errors
    /// If there are more names than a batch may have.
    pub fn new(needs: Needs, columns_max: usize) -> Result<Self, Breach> {
        let headers = match needs.headers {
            HeaderNeed::Nothing => HeaderReads::Nothing,
            HeaderNeed::All => HeaderReads::All,
            HeaderNeed::Only(names) if names.len() > columns_max => {
                let part = At::list("needs.headers").part();
                return Err(Breach::Entries { part, entries: names.len(), entries_max: columns_max });
            }
            HeaderNeed::Only(mut names) => {
                names.sort_unstable();
                names.dedup();
                if names.is_empty() { HeaderReads::Nothing } else { HeaderReads::Only(names) }
            }
        };
        Ok(Self { body: needs.body, headers })
    }

    /// All bodies and headers.
    #[must_use]
    pub fn everything() -> Self {
        Self { body: true, headers: HeaderReads::All }
    }

    /// Whether it reads nothing but the number of events.
    #[must_use]
    pub fn nothing(&self) -> bool {
        !self.body && self.headers == HeaderReads::Nothing
    }

    fn wants(&self, name: &str) -> bool {
        match &self.headers {
            HeaderReads::Nothing => false,
            HeaderReads::All => true,
            HeaderReads::Only(names) => names.binary_search_by(|own| own.as_str().cmp(name)).is_ok(),
        }
    }
}

/// Buffers that encoding needs, kept between calls.
#[derive(Debug, Default)]
pub struct Scratch {
    bodies: Vec<u8>,
    text: String,
    numbers: Vec<u32>,
}

/// A batch in the types of the bindings, but for the list of columns, which must stay somewhere during the call.
#[derive(Debug)]
pub struct Encoded<'a> {
    count: u32,
    bodies: Option<PackedParam<'a>>,
    headers: Vec<ColumnParam<'a>>,
}

impl Encoded<'_> {
    /// What is handed to the bindings.
    #[must_use]
    pub fn as_param(&self) -> BatchParam<'_> {
        BatchParam { count: self.count, bodies: self.bodies.clone(), headers: &self.headers }
    }
}

/// Where bytes or a text are to be found once all columns are looked at.
enum Source<T, R> {
    /// As they lie in the batch.
    Batch(T),
    /// Copied together, in a scratch buffer.
    Scratch(R),
}
type Range = std::ops::Range<usize>;

/// A column, with places in the scratch buffers.
struct Draft<'a> {
    name: &'a str,
    /// None: all.
    rows: Option<Range>,
    values: Values<'a>,
}

enum Values<'a> {
    Same(&'a str),
    Each(Source<&'a str, Range>, Range),
}

impl Scratch {
    /// The parts of the batch that are read.
    #[must_use]
    pub fn encode<'a>(&'a mut self, batch: &'a Batch, reads: &Reads) -> Encoded<'a> {
        self.clear();
        let count = batch.len() as u32;
        let bodies = reads.body.then(|| self.bodies(batch));
        let mut drafts = Vec::new();
        if reads.headers != HeaderReads::Nothing && count > 0 {
            for (name, column) in batch.headers().columns().filter(|(name, _)| reads.wants(name)) {
                drafts.extend(self.column(batch, name, column));
            }
        }
        let scratch: &'a Scratch = self;
        let numbers = |range: Range| &scratch.numbers[range];
        let bodies = bodies.map(|(data, spans)| PackedParam {
            data: match data {
                Source::Batch(range) => &batch.arena()[range],
                Source::Scratch(range) => &scratch.bodies[range],
            },
            spans: numbers(spans),
        });
        let headers = drafts.into_iter().map(|draft| ColumnParam {
            name: draft.name,
            rows: draft.rows.map_or(RowsParam::All, |rows| RowsParam::Only(numbers(rows))),
            values: match draft.values {
                Values::Same(value) => ValuesParam::Same(value),
                Values::Each(text, spans) => {
                    let data = match text {
                        Source::Batch(text) => text,
                        Source::Scratch(range) => &scratch.text[range],
                    };
                    ValuesParam::Each(PackedTextParam { data, spans: numbers(spans) })
                }
            },
        });
        Encoded { count, bodies, headers: headers.collect() }
    }

    fn clear(&mut self) {
        self.bodies.clear();
        self.bodies.shrink_to(KEEP_BYTES_MAX);
        self.text.clear();
        self.text.shrink_to(KEEP_BYTES_MAX);
        self.numbers.clear();
        self.numbers.shrink_to(KEEP_BYTES_MAX / size_of::<u32>());
    }

    fn bodies(&mut self, batch: &Batch) -> (Source<Range, Range>, Range) {
        let extent = Extent::of(batch.spans());
        if extent.is_dense() {
            let spans = self.push_spans(batch.spans(), extent.start);
            return (Source::Batch(extent.start as usize..extent.end), spans);
        }
        let first = self.numbers.len();
        self.bodies.reserve(extent.wanted);
        for span in batch.spans() {
            self.numbers.push(self.bodies.len() as u32);
            self.bodies.extend_from_slice(&batch.arena()[span.range()]);
            self.numbers.push(self.bodies.len() as u32);
        }
        (Source::Scratch(0..self.bodies.len()), first..self.numbers.len())
    }

    /// None when no row of the batch has the header.
    fn column<'a>(&mut self, batch: &Batch, name: &'a str, column: &'a Column) -> Option<Draft<'a>> {
        let window = batch.first_row()..batch.first_row() + batch.len();
        match column {
            Column::Constant(value) => Some(Draft { name, rows: None, values: Values::Same(value) }),
            Column::Each { text, spans } => {
                let spans = &spans[window];
                let absent = spans.iter().filter(|span| span.is_absent()).count();
                if absent == spans.len() {
                    return None;
                }
                if absent == 0 {
                    return Some(Draft { name, rows: None, values: self.values(text, spans) });
                }
                let first = self.numbers.len();
                let present = (0u32..).zip(spans).filter(|(_, span)| !span.is_absent());
                self.numbers.extend(present.map(|(row, _)| row));
                let rows = Some(first..self.numbers.len());
                let present: Vec<Span> = spans.iter().copied().filter(|span| !span.is_absent()).collect();
                Some(Draft { name, rows, values: self.values(text, &present) })
            }
            Column::Some { text, rows, spans } => {
                let from = rows.partition_point(|&row| (row as usize) < window.start);
                let to = rows.partition_point(|&row| (row as usize) < window.end);
                if from == to {
                    return None;
                }
                let first = self.numbers.len();
                self.numbers.extend(rows[from..to].iter().map(|row| row - window.start as u32));
                let rows = Some(first..self.numbers.len());
                Some(Draft { name, rows, values: self.values(text, &spans[from..to]) })
            }
        }
    }

    /// The text of the values as it lies, if most of it is wanted and the rest is text as well.
    fn values<'a>(&mut self, text: &'a [u8], spans: &[Span]) -> Values<'a> {
        let extent = Extent::of(spans);
        if extent.is_dense()
            && let Ok(text) = str::from_utf8(&text[extent.start as usize..extent.end])
        {
            return Values::Each(Source::Batch(text), self.push_spans(spans, extent.start));
        }
        let (first, start) = (self.numbers.len(), self.text.len());
        for span in spans {
            self.numbers.push((self.text.len() - start) as u32);
            // Columns hold text only; like the column itself a broken one reads as empty.
            self.text.push_str(str::from_utf8(&text[span.range()]).unwrap_or_default());
            self.numbers.push((self.text.len() - start) as u32);
        }
        Values::Each(Source::Scratch(start..self.text.len()), first..self.numbers.len())
    }

    fn push_spans(&mut self, spans: &[Span], base: u32) -> Range {
        let first = self.numbers.len();
        self.numbers.resize(first + spans.len() * 2, 0);
        for (pair, span) in self.numbers[first..].chunks_exact_mut(2).zip(spans) {
            // An empty span may lie anywhere, also outside the range of the others.
            let start = if span.len == 0 { 0 } else { span.start - base };
            pair[0] = start;
            pair[1] = start + span.len;
        }
        first..self.numbers.len()
    }
}

/// The range that spans lie in, and how much of it they want.
struct Extent {
    start: u32,
    end: usize,
    wanted: usize,
}

impl Extent {
    fn of(spans: &[Span]) -> Self {
        let (mut start, mut end, mut wanted) = (u32::MAX, 0u32, 0u64);
        for span in spans {
            let filled = span.len > 0;
            start = start.min(if filled { span.start } else { u32::MAX });
            end = end.max(if filled { span.start + span.len } else { 0 });
            wanted += u64::from(span.len);
        }
        let start = if end == 0 { 0 } else { start };
        Self { start, end: end as usize, wanted: wanted as usize }
    }
    fn is_dense(&self) -> bool {
        self.wanted.saturating_mul(GATHER_BELOW) >= self.end - self.start as usize
    }
}
