//! Events on the wire to a batch, and back.
//!
//! ```text
//! event    headers  blocks of name, value; 0 │ body  length, bytes
//! events   blocks of events; 0
//! ```
//!
//! The bodies of a batch are spans over the payload as it came, headers become columns, and nothing is allocated
//! for a single event ([`ArenaBuilder`]).

use bytes::Bytes;
use flumen_event::{ArenaBuilder, Batch, Column, LimitExceeded, Limits, Span};

use super::protocol::Method;
use super::reader::{Malformed, Reader, put_bytes};
use super::schema::{SchemaId, Schemas};

/// Most events and headers of one request together. Each takes two bytes on the wire and several times as many in
/// a batch, so the size of a frame alone would not bound memory.
const PLACES_MAX: usize = 4 << 20;
/// From so many columns on that are not constant, an event's headers are asked of the batch instead of each column.
const VARYING_MAX: usize = 16;
/// Most headers in one block: their count is then one byte.
const BLOCK_MAX: u8 = 63;

/// How a peer writes an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventShape {
    /// Headers, body.
    Plain,
    /// These fields.
    Fields(Vec<EventField>),
}

/// A field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventField {
    /// A map of texts.
    Headers,
    /// Bytes.
    Body,
    /// Nothing of ours.
    Other(SchemaId),
}

/// Reads the parameter of `append` or `appendBatch`. Gives one batch; several where the events have more different
/// headers than one batch should; none if there are no events.
///
/// `payload` is what `reader` reads, from its start.
///
/// # Errors
/// If the bytes are no events.
pub fn read_events(
    payload: &Bytes,
    reader: &mut Reader<'_>,
    method: Method,
    shape: &EventShape,
    schemas: &Schemas,
) -> Result<Vec<Batch>, Malformed> {
    let builder = ArenaBuilder::new(Limits::default(), payload.clone());
    let mut collected = Collected { builder, shape, schemas, places: 0, batches: Vec::new() };
    if method == Method::Append {
        collected.event(reader)?;
    } else {
        loop {
            let count = reader.block("events")?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                collected.event(reader)?;
            }
        }
    }
    if !collected.builder.is_empty() {
        collected.batches.push(collected.builder.finish());
    }
    Ok(collected.batches)
}

struct Collected<'a> {
    builder: ArenaBuilder,
    shape: &'a EventShape,
    schemas: &'a Schemas,
    /// Events and headers so far.
    places: usize,
    batches: Vec<Batch>,
}

/// Why an event was not added.
enum Refused {
    Malformed(Malformed),
    /// It goes into the next batch.
    BatchFull,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Refused::Malformed(malformed)
    }
}

impl Collected<'_> {
    fn event(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let start = reader.clone();
        match self.fields(reader) {
            Ok(()) => Ok(()),
            Err(Refused::Malformed(malformed)) => Err(malformed),
            Err(Refused::BatchFull) => {
                self.batches.push(self.builder.finish());
                *reader = start;
                self.fields(reader).map_err(|refused| match refused {
                    Refused::Malformed(malformed) => malformed,
                    Refused::BatchFull => too_many_headers(),
                })
            }
        }
    }

    fn fields(&mut self, reader: &mut Reader<'_>) -> Result<(), Refused> {
        self.count()?;
        let mut body = Span::new(0..0);
        match self.shape {
            EventShape::Plain => {
                self.headers(reader)?;
                body = reader.span("a body")?;
            }
            EventShape::Fields(fields) => {
                for field in fields {
                    match field {
                        EventField::Headers => self.headers(reader)?,
                        EventField::Body => body = reader.span("a body")?,
                        EventField::Other(id) => self.schemas.skip(*id, reader)?,
                    }
                }
            }
        }
        self.builder.event(body);
        Ok(())
    }

    fn headers(&mut self, reader: &mut Reader<'_>) -> Result<(), Refused> {
        loop {
            let count = reader.block("headers")?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                self.count()?;
                let name = reader.span("the name of a header")?;
                let value = reader.span("the value of a header")?;
                self.builder.header(name, value).map_err(|exceeded| match exceeded {
                    LimitExceeded::BatchFull => Refused::BatchFull,
                    LimitExceeded::EventTooLarge => Refused::Malformed(too_many_headers()),
                })?;
            }
        }
    }

    fn count(&mut self) -> Result<(), Malformed> {
        self.places += 1;
        if self.places > PLACES_MAX { Err(Malformed::TooManyEvents(PLACES_MAX)) } else { Ok(()) }
    }
}

fn too_many_headers() -> Malformed {
    Malformed::TooManyHeaders(Limits::default().columns_max)
}

/// Appends the events of a batch, each as its fields.
pub fn put_events(batch: &Batch, out: &mut Vec<u8>) {
    let Some(mut headers) = HeaderColumns::of(batch) else {
        for event in batch.iter() {
            put_map(event.headers().map(|(name, value)| (name.as_bytes(), value.as_bytes())), out);
            put_bytes(event.body(), out);
        }
        return;
    };
    let arena = batch.arena();
    for (row, span) in (batch.first_row()..).zip(batch.spans()) {
        headers.put(row, out);
        put_bytes(&arena[span.range()], out);
    }
}

fn put_map<'h>(entries: impl Iterator<Item = (&'h [u8], &'h [u8])>, out: &mut Vec<u8>) {
    let mut block = Block::begin(out);
    for (name, value) in entries {
        block.next(out);
        put_bytes(name, out);
        put_bytes(value, out);
    }
    block.end(out);
}

/// A map that is written without its size known before: in blocks of up to 63, whose count is one byte.
struct Block {
    at: usize,
    entries: u8,
}

impl Block {
    fn begin(out: &mut Vec<u8>) -> Self {
        out.push(0);
        Self { at: out.len() - 1, entries: 0 }
    }
    fn next(&mut self, out: &mut Vec<u8>) {
        if self.entries == BLOCK_MAX {
            *self = Self::begin(out);
        }
        self.entries += 1;
        out[self.at] = self.entries << 1;
    }
    fn end(self, out: &mut Vec<u8>) {
        // Without entries the count is the end itself.
        if self.entries > 0 {
            out.push(0);
        }
    }
}

/// The headers of a batch, prepared for writing row by row.
struct HeaderColumns<'a> {
    /// Those that all events have, encoded.
    constant: Vec<(&'a [u8], &'a [u8])>,
    varying: Vec<Varying<'a>>,
}

struct Varying<'a> {
    name: &'a [u8],
    column: &'a Column,
    /// Of a sparse column: the first of its rows that has not been passed.
    next: usize,
}

impl<'a> HeaderColumns<'a> {
    /// Nothing if there are so many columns that asking each for each row would be too much.
    fn of(batch: &'a Batch) -> Option<Self> {
        let mut columns = Self { constant: Vec::new(), varying: Vec::new() };
        let first = batch.first_row();
        for (name, column) in batch.headers().columns() {
            let next = match column {
                Column::Constant(value) => {
                    columns.constant.push((name.as_bytes(), value.as_bytes()));
                    continue;
                }
                Column::Each { .. } => 0,
                Column::Some { rows, .. } => rows.partition_point(|&row| (row as usize) < first),
            };
            columns.varying.push(Varying { name: name.as_bytes(), column, next });
        }
        (columns.varying.len() <= VARYING_MAX).then_some(columns)
    }

    fn put(&mut self, row: usize, out: &mut Vec<u8>) {
        let mut block = Block::begin(out);
        for (name, value) in &self.constant {
            block.next(out);
            put_bytes(name, out);
            put_bytes(value, out);
        }
        for varying in &mut self.varying {
            if let Some(value) = varying.at(row) {
                block.next(out);
                put_bytes(varying.name, out);
                put_bytes(value, out);
            }
        }
        block.end(out);
    }
}

impl<'a> Varying<'a> {
    fn at(&mut self, row: usize) -> Option<&'a [u8]> {
        match self.column {
            Column::Constant(value) => Some(value.as_bytes()),
            Column::Each { text, spans } => {
                let span = *spans.get(row)?;
                (!span.is_absent()).then(|| &text[span.range()])
            }
            Column::Some { text, rows, spans } => {
                if *rows.get(self.next)? as usize != row {
                    return None;
                }
                self.next += 1;
                Some(&text[spans[self.next - 1].range()])
            }
        }
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
