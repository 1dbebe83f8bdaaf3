//! A batch as bytes: the form in which the durable log stores it.
//!
//! ```text
//! rows u32 │ columns u32 │ body bytes u32 │ zero u32                    all numbers little endian
//! rows × ( start u32, length u32 )                                      spans of the bodies
//! columns × name │ kind u8 │ values                                     texts: length u32, UTF-8
//!     0 constant   text
//!     1 each       rows × length u32 (absent: all ones) │ text of all values
//!     2 some       n u32 │ n × row u32 │ n × length u32 │ text of all values
//! bodies                                                                the arena, or the part of it that is used
//! ```
//!
//! Packing copies spans and headers, and not the bodies: they stay a piece of the arena, written as it lies.
//! Unpacking copies no body either. It accepts any bytes: what is not a batch is an error, and memory is taken
//! only for what the input has bytes for.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use crate::batch::Batch;
use crate::column::Column;
use crate::headers::Headers;
use crate::span::Span;

/// Length of a value that is not there.
const ABSENT: u32 = u32::MAX;
/// Bodies are copied together when more than this many times their bytes would be stored with them.
const WASTE_TIMES: usize = 2;

/// A batch in two pieces, to be stored one behind the other.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Numbers, spans and headers.
    pub head: Vec<u8>,
    /// The bodies.
    pub bodies: Bytes,
}

/// The bytes are not a packed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packed batch: {0}")]
pub struct UnpackError(&'static str);

impl Batch {
    /// The batch as bytes; `None` if it is beyond 4 GiB, which no source makes.
    #[must_use]
    pub fn pack(&self) -> Option<Packed> {
        let (range, bodies) = self.bodies_to_store()?;
        let mut head = Vec::with_capacity(16 + self.len() * 8);
        let columns_at = 4;
        put_u32(&mut head, self.len())?;
        put_u32(&mut head, 0)?;
        put_u32(&mut head, bodies.len())?;
        put_u32(&mut head, 0)?;
        match range {
            Some(range) => self.spans().iter().for_each(|span| {
                head.extend_from_slice(&(span.start - range.start as u32).to_le_bytes());
                head.extend_from_slice(&span.len.to_le_bytes());
            }),
            None => {
                let mut start = 0;
                for span in self.spans() {
                    put_u32(&mut head, start)?;
                    head.extend_from_slice(&span.len.to_le_bytes());
                    start += span.len as usize;
                }
            }
        }
        let window = self.first_row()..self.first_row() + self.len();
        let mut columns = 0u32;
        for (name, column) in self.headers().columns() {
            columns += u32::from(pack_column(&mut head, name, column, window.clone())?);
        }
        head[columns_at..columns_at + 4].copy_from_slice(&columns.to_le_bytes());
        Some(Packed { head, bodies })
    }

    /// The used range of the arena, or all bodies copied together where that range is mostly waste.
    fn bodies_to_store(&self) -> Option<(Option<Range<usize>>, Bytes)> {
        let wanted = self.body_bytes();
        let used = self.spans().iter().filter(|s| s.len > 0);
        let range = used.fold(None, |range: Option<Range<usize>>, span| match range {
            None => Some(span.range()),
            Some(range) => Some(range.start.min(span.start as usize)..range.end.max(span.end())),
        });
        let Some(mut range) = range else { return Some((None, Bytes::new())) };
        // With the line feed behind the last line, a text sink can still write the bodies in one piece.
        range.end += usize::from(self.arena().get(range.end) == Some(&b'\n'));
        let is_inside = |s: &Span| s.start as usize >= range.start && s.end() <= range.end;
        if range.len() / WASTE_TIMES <= wanted && self.spans().iter().all(is_inside) {
            return Some((Some(range.clone()), self.arena().slice(range)));
        }
        u32::try_from(wanted).ok()?;
        let mut bodies = BytesMut::with_capacity(wanted);
        self.iter().for_each(|event| bodies.extend_from_slice(event.body()));
        Some((None, bodies.freeze()))
    }

    /// Reads what [`pack`](Self::pack) made, its two pieces behind one another.
    ///
    /// # Errors
    /// If the bytes are anything else.
    pub fn unpack(bytes: &Bytes) -> Result<Batch, UnpackError> {
        let mut input = Input(bytes.clone());
        let rows = input.number()? as usize;
        let columns = input.number()?;
        let body_bytes = input.number()? as usize;
        let _zero = input.number()?;
        let mut raw = input.numbers(rows.checked_mul(2).ok_or(UnpackError("too many events"))?)?;
        let spans: Vec<Span> =
            (0..rows).map(|_| Span { start: raw.get_u32_le(), len: raw.get_u32_le() }).collect();
        let is_outside = |s: &Span| u64::from(s.start) + u64::from(s.len) > body_bytes as u64;
        if spans.iter().any(is_outside) {
            return Err(UnpackError("a body lies outside of the bodies"));
        }
        let mut headers = Headers::default();
        let mut names = std::collections::HashSet::new();
        for _ in 0..columns {
            let name: Arc<str> = input.text()?.as_str().into();
            let column = unpack_column(&mut input, rows)?;
            if !names.insert(name.clone()) {
                return Err(UnpackError("a header name occurs twice"));
            }
            headers.push(name, column);
        }
        let bodies = input.take(body_bytes)?;
        if !input.0.is_empty() {
            return Err(UnpackError("there are bytes behind the bodies"));
        }
        Ok(Batch::from_parts(bodies, spans, headers))
    }
}

fn put_u32(out: &mut Vec<u8>, number: usize) -> Option<()> {
    out.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
    Some(())
}
fn put_text(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    put_u32(out, text.len())?;
    out.extend_from_slice(text);
    Some(())
}

/// Appends the part of a column that lies in the window; `Some(false)` if there is none.
fn pack_column(out: &mut Vec<u8>, name: &str, column: &Column, window: Range<usize>) -> Option<bool> {
    match column {
        Column::Constant(value) => {
            put_text(out, name.as_bytes())?;
            out.push(0);
            put_text(out, value.as_bytes())?;
        }
        Column::Each { text, spans } => {
            let spans = &spans[window];
            if spans.iter().all(|s| s.is_absent()) {
                return Some(false);
            }
            put_text(out, name.as_bytes())?;
            out.push(1);
            pack_values(out, text, spans)?;
        }
        Column::Some { text, rows, spans } => {
            let from = rows.partition_point(|&r| (r as usize) < window.start);
            let to = rows.partition_point(|&r| (r as usize) < window.end);
            if from == to {
                return Some(false);
            }
            put_text(out, name.as_bytes())?;
            out.push(2);
            put_u32(out, to - from)?;
            let first = window.start as u32;
            rows[from..to].iter().for_each(|r| out.extend_from_slice(&(r - first).to_le_bytes()));
            pack_values(out, text, &spans[from..to])?;
        }
    }
    Some(true)
}

/// Lengths, then the texts copied together: columns often share one buffer, which must not be stored for each.
fn pack_values(out: &mut Vec<u8>, text: &Bytes, spans: &[Span]) -> Option<()> {
    let length = |s: &Span| if s.is_absent() { ABSENT } else { s.len };
    spans.iter().for_each(|s| out.extend_from_slice(&length(s).to_le_bytes()));
    let present = || spans.iter().filter(|s| !s.is_absent());
    put_u32(out, present().map(|s| s.len as usize).sum())?;
    present().for_each(|s| out.extend_from_slice(&text[s.range()]));
    Some(())
}

fn unpack_column(input: &mut Input, rows: usize) -> Result<Column, UnpackError> {
    match input.byte()? {
        0 => Ok(Column::Constant(input.text()?.as_str().into())),
        1 => {
            let (text, spans) = unpack_values(input, rows)?;
            Ok(Column::Each { text, spans: spans.into() })
        }
        2 => {
            let count = input.number()? as usize;
            let mut raw = input.numbers(count)?;
            let present: Vec<u32> = (0..count).map(|_| raw.get_u32_le()).collect();
            let ascends = present.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascends || present.last().is_some_and(|&last| last as usize >= rows) {
                return Err(UnpackError("the rows of a header do not ascend within the batch"));
            }
            let (text, spans) = unpack_values(input, count)?;
            if spans.iter().any(|s| s.is_absent()) {
                return Err(UnpackError("a value that is said to be there is absent"));
            }
            Ok(Column::Some { text, rows: present.into(), spans: spans.into() })
        }
        _ => Err(UnpackError("unknown kind of header")),
    }
}

fn unpack_values(input: &mut Input, count: usize) -> Result<(Bytes, Vec<Span>), UnpackError> {
    let mut lengths = input.numbers(count)?;
    let text = input.text()?;
    let characters = text.as_str();
    let mut spans = Vec::with_capacity(count);
    let mut start = 0usize;
    for _ in 0..count {
        let length = lengths.get_u32_le();
        if length == ABSENT {
            spans.push(Span::ABSENT);
            continue;
        }
        let end = start + length as usize;
        if !characters.is_char_boundary(end) {
            return Err(UnpackError("the value of a header ends outside of its text, or inside a character"));
        }
        spans.push(Span::new(start..end));
        start = end;
    }
    if start != text.0.len() {
        return Err(UnpackError("the values of a header do not add up to its text"));
    }
    Ok((text.0, spans))
}

/// What is left to read.
struct Input(Bytes);

/// Bytes that have been found to be UTF-8.
struct Text(Bytes);

impl Text {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Input {
    fn take(&mut self, count: usize) -> Result<Bytes, UnpackError> {
        if self.0.len() < count {
            return Err(UnpackError("it ends too early"));
        }
        Ok(self.0.split_to(count))
    }
    fn byte(&mut self) -> Result<u8, UnpackError> {
        Ok(self.take(1)?[0])
    }
    fn number(&mut self) -> Result<u32, UnpackError> {
        Ok(self.take(4)?.get_u32_le())
    }
    fn numbers(&mut self, count: usize) -> Result<Bytes, UnpackError> {
        self.take(count.checked_mul(4).ok_or(UnpackError("it ends too early"))?)
    }
    fn text(&mut self) -> Result<Text, UnpackError> {
        let length = self.number()? as usize;
        if length >= u32::MAX as usize {
            return Err(UnpackError("a text is too long"));
        }
        let text = self.take(length)?;
        if str::from_utf8(&text).is_err() {
            return Err(UnpackError("a text is not UTF-8"));
        }
        Ok(Text(text))
    }
}
