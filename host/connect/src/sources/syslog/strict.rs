//! The parser of `multiport_syslogtcp`: Flume's `SyslogParser`.
//!
//! ```text
//! <PRI> ["1 "] date ' ' host ' ' body
//! date   "-": now │ a capital letter: 15 characters, RFC 3164 │ else to the next blank, RFC 5424
//! ```
//!
//! It has one status for all that is not of this form: `Invalid`, with the whole line as body and no other header.

use flumen_event::Span;

use crate::charset::Charset;

use super::framing::{Kind, Message};
use super::keep::KeepFields;
use super::numbers;
use super::rows::{Place, Row, Rows, Status};
use super::stamp::{Dates, Stamps};

/// A date without a year.
const CLASSIC_CHARACTERS: usize = 15;

/// What a connection remembers.
pub(super) struct Strict {
    keep: KeepFields,
    charset: Charset,
    stamps: Stamps,
}

/// The parts of a message, as places in its text.
struct Parts {
    priority: Span,
    number: i32,
    version: bool,
    date: Span,
    moment_ms: i64,
    host: Span,
    body: usize,
}

impl Strict {
    pub fn new(keep: KeepFields, charset: Charset, stamps: Stamps) -> Self {
        Self { keep, charset, stamps }
    }
    pub fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }
    /// Whether texts are what they are in UTF-8, so that headers can be pieces of the input.
    fn reads_in_place(&self, text: &[u8]) -> bool {
        match self.charset {
            Charset::Utf8 => true,
            Charset::Wide(_) => false,
            _ => text.is_ascii(),
        }
    }

    /// Adds the row of a message.
    pub fn parse(&mut self, input: &[u8], message: Message, rows: &mut Rows) {
        let text = &input[message.start..message.end];
        let whole = Span::new(message.start..message.end);
        if self.reads_in_place(text) {
            let good = self.charset != Charset::Utf8 || str::from_utf8(text).is_ok();
            let parts = if good { self.find(text) } else { None };
            let row = self.row(parts, (text, Some(message.start)), whole, (message.kind, &mut *rows));
            return rows.push(row, input);
        }
        let mut decoded = Vec::new();
        let malformed = self.charset.decoder().decode(text, true, &mut decoded);
        let good = malformed == 0 && self.charset != Charset::Ascii;
        let parts = if good { self.find(&decoded) } else { None };
        let row = self.row(parts, (&decoded, None), whole, (message.kind, &mut *rows));
        rows.push(row, input);
    }

    /// `at` is where the text stands in the input; nowhere if it was decoded.
    fn row(
        &self,
        parts: Option<Parts>,
        (text, at): (&[u8], Option<usize>),
        whole: Span,
        (kind, rows): (Kind, &mut Rows),
    ) -> Row {
        let Some(parts) = parts else { return Row::bare(whole, Status::Invalid) };
        let piece = |span: Span| &text[span.range()];
        let priority = match numbers::read(piece(parts.priority)) {
            Some((span, _)) => Place::number(span),
            None => rows.value(piece(parts.priority)),
        };
        let mut row = Row {
            facility: number(parts.number / 8, rows),
            severity: number(parts.number % 8, rows),
            priority,
            version: if parts.version { Place::number(numbers::of(1)) } else { Place::ABSENT },
            host: match at {
                Some(at) => Place::input(Span::new(at + parts.host.start as usize..at + parts.host.end())),
                None => rows.value(piece(parts.host)),
            },
            timestamp: rows.timestamp(parts.moment_ms),
            ..Row::bare(whole, if kind == Kind::Cut { Status::Incomplete } else { Status::Good })
        };
        if self.keep.all || parts.body >= text.len() {
            return row;
        }
        match at {
            Some(at) if !rows.makes_bodies() => row.body = Span::new(at + parts.body..at + text.len()),
            _ => {
                let version = parts.version.then_some(&b"1"[..]);
                let (priority, date, host) = (piece(parts.priority), piece(parts.date), piece(parts.host));
                let pieces = self.keep.pieces(priority, version, Some(date), Some(host), &text[parts.body..]);
                row.body = match at {
                    Some(_) => rows.make_body(&pieces),
                    None => {
                        let mut encoded = Vec::new();
                        self.charset.encode(&String::from_utf8_lossy(&pieces.concat()), &mut encoded);
                        rows.make_body(&[&encoded])
                    }
                };
            }
        }
        row
    }

    fn find(&mut self, text: &[u8]) -> Option<Parts> {
        let [b'<', rest @ ..] = text else { return None };
        // Flume looks for the bracket among the first seven characters.
        let digits = rest.iter().take(6).position(|byte| *byte == b'>')?;
        let priority = Span::new(1..1 + digits);
        let number: i32 = str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        let mut at = digits + 2;
        if at >= text.len() {
            return None;
        }
        let version = text.len() > at + 2 && text[at..].starts_with(b"1 ");
        if version {
            at += 2;
        }
        let (date, moment_ms, host_at) = self.date(text, at)?;
        let host_end = host_at + memchr::memchr(b' ', text.get(host_at..)?)?;
        let host = Span::new(host_at..host_end);
        Some(Parts { priority, number, version, date, moment_ms, host, body: host_end + 1 })
    }

    /// The date, the moment it names, and where the host begins.
    fn date(&mut self, text: &[u8], at: usize) -> Option<(Span, i64, usize)> {
        match text.get(at)? {
            b'-' => {
                let host_at = at + 1 + text[at + 1..].first().map_or(1, |byte| character_bytes(*byte));
                (text.len() > host_at).then(|| (Span::new(at..at + 1), self.stamps.now_ms(), host_at))
            }
            b'A'..=b'Z' => {
                let length = self.classic_bytes(&text[at..])?;
                let date = Span::new(at..at + length);
                // What is no date is the start of 1970, as in Flume.
                let moment_ms = self.stamps.classic_utc(&text[date.range()]).unwrap_or(0);
                let separator = text.get(date.end()).map_or(1, |byte| character_bytes(*byte));
                Some((date, moment_ms, date.end() + separator))
            }
            _ => {
                let end = at + memchr::memchr(b' ', &text[at..])?;
                let moment_ms = self.stamps.full_utc(&text[at..end])?;
                Some((Span::new(at..end), moment_ms, end + 1))
            }
        }
    }

    /// How long a date without a year is: 15 characters, more of which must follow. Where a day of one digit has no
    /// second blank it is one less; Flume then takes the first letter of the host.
    fn classic_bytes(&self, text: &[u8]) -> Option<usize> {
        let start = text.get(..=CLASSIC_CHARACTERS);
        if let Some(start) = start
            && start.is_ascii()
        {
            let is_short = self.stamps.dates() == Dates::Right
                && start[3] == b' '
                && start[5] == b' '
                && start[14] == b' ';
            return Some(CLASSIC_CHARACTERS - usize::from(is_short));
        }
        // Java counts UTF-16 units.
        let text = str::from_utf8(text).ok()?;
        let mut units = 0;
        for (at, character) in text.char_indices() {
            if units >= CLASSIC_CHARACTERS {
                return Some(at);
            }
            units += character.len_utf16();
        }
        None
    }
}

fn number(value: i32, rows: &mut Rows) -> Place {
    match u16::try_from(value) {
        Ok(small) if small < 1000 => Place::number(numbers::of(small)),
        _ => rows.value(value.to_string().as_bytes()),
    }
}

/// How many bytes a character has that begins so.
fn character_bytes(first: u8) -> usize {
    match first {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
        _ => 1,
    }
}
