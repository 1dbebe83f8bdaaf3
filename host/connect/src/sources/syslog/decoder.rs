//! From the bytes of a connection to batches.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use flumen_config::{Diagnostics, Settings};
use flumen_event::Batch;
use jiff::tz::TimeZone;

use crate::charset::Charset;

use super::classic::Classic;
use super::format::Format;
pub use super::framing::End;
use super::framing::{Cutter, Framing, Kind, LineEnds, Message, Priority};
use super::keep::KeepFields;
use super::rows::{Names, ROWS_MAX, Rows};
use super::stamp::{Dates, Stamps};
use super::strict::Strict;

/// Less than this is copied out of the buffer: few bytes of a slow sender must not keep a large buffer alive.
const COPY_BELOW_BYTES: usize = 16 * 1024;

/// Which of Flume's parsers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    /// `SyslogUtils`.
    Classic,
    /// `SyslogParser`.
    Strict,
}

/// What messages become; the same for all connections of a port.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub dialect: Dialect,
    pub names: Names,
    pub keep: KeepFields,
    pub formats: Arc<[Format]>,
    pub charset: Charset,
    pub framing: Framing,
    pub line_ends: LineEnds,
    pub dates: Dates,
    pub event_bytes_max: usize,
    pub zone: TimeZone,
}

impl Rules {
    /// Those of `syslogtcp` and `syslogudp` with nothing set.
    pub fn classic(formats: Vec<Format>, event_bytes_max: usize) -> Self {
        Self {
            dialect: Dialect::Classic,
            names: Names::classic(),
            keep: KeepFields::default(),
            formats: formats.into(),
            charset: Charset::Utf8,
            framing: Framing::Lines,
            line_ends: false.into(),
            dates: false.into(),
            event_bytes_max,
            zone: TimeZone::system(),
        }
    }
    /// Rows for a read, with bodies as these rules need them.
    fn rows(&self) -> Rows {
        let in_place = !self.keep.is_list() && self.formats.is_empty() && self.charset == Charset::Utf8;
        if in_place { Rows::default() } else { Rows::with_made_bodies() }
    }
}

enum Parser {
    Classic(Classic),
    Strict(Strict),
}

/// Cuts and parses what one sender sends.
pub struct Decoder {
    rules: Arc<Rules>,
    parser: Parser,
    cutter: Cutter,
    rows: Rows,
    /// Messages that were no syslog messages, since this was last set to zero.
    pub invalid: usize,
    /// Messages that were longer than an event may be, since this was last set to zero.
    pub incomplete: usize,
}

impl Decoder {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        let stamps = Stamps::new(rules.dates, rules.zone.clone());
        let (parser, priority) = match rules.dialect {
            Dialect::Classic => {
                let parser = Classic::new(rules.keep, rules.formats.clone(), stamps);
                (Parser::Classic(parser), Priority::SwallowsLineFeed)
            }
            Dialect::Strict => {
                (Parser::Strict(Strict::new(rules.keep, rules.charset, stamps)), Priority::Plain)
            }
        };
        let cutter = Cutter::new(rules.framing, rules.line_ends, priority, rules.event_bytes_max);
        let rows = rules.rows();
        Self { rules, parser, cutter, rows, invalid: 0, incomplete: 0 }
    }

    /// The decoder of a source's connections: of `syslogtcp`, or of `multiport_syslogtcp` if it has `ports`.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn of(settings: &Settings) -> Result<Self, Diagnostics> {
        let rules = if settings.get("ports").is_some() {
            super::multiport::rules(settings)?
        } else {
            super::tcp::rules(settings)?
        };
        Ok(Self::new(Arc::new(rules)))
    }

    /// Takes the whole messages off the front of the buffer, and with [`End::Closed`] all that is in it. `now_ms` is
    /// the time, in milliseconds since 1970.
    pub fn batches(&mut self, buffer: &mut BytesMut, end: End, now_ms: i64) -> Vec<Batch> {
        self.set_now(now_ms);
        let mut batches = Vec::new();
        loop {
            let (used, has_more) = self.decode(buffer, end);
            if let Some(batch) = self.finish(|| take(buffer, used)) {
                batches.push(batch);
            } else {
                buffer.advance(used);
            }
            if !has_more {
                return batches;
            }
        }
    }

    fn decode(&mut self, input: &[u8], end: End) -> (usize, bool) {
        let mut at = 0;
        while self.rows.len() < ROWS_MAX {
            match self.cutter.next(input, at, end) {
                Err(rest) => return (rest, false),
                Ok((message, next)) => {
                    if message.start < message.end {
                        self.parse(input, message);
                    }
                    at = next;
                }
            }
        }
        (at, true)
    }

    fn parse(&mut self, input: &[u8], message: Message) {
        match &mut self.parser {
            Parser::Classic(parser) => parser.parse(input, message, &mut self.rows),
            Parser::Strict(parser) => parser.parse(input, message, &mut self.rows),
        }
    }

    /// Says what time it is.
    pub(super) fn set_now(&mut self, now_ms: i64) {
        match &mut self.parser {
            Parser::Classic(parser) => parser.stamps().set_now(now_ms),
            Parser::Strict(parser) => parser.stamps().set_now(now_ms),
        }
    }

    /// Adds a message that came as a datagram, which begins at `start` of the input; says whether there was one.
    pub(super) fn datagram(&mut self, input: &[u8], start: usize) -> bool {
        let text = &input[start..];
        let blank = text.iter().take_while(|byte| **byte == b'\n').count();
        let (mut message, kind) = (
            &text[blank..],
            match self.rules.line_ends {
                LineEnds::Right => Kind::Whole,
                LineEnds::AsFlume => Kind::Line,
            },
        );
        match self.rules.line_ends {
            LineEnds::AsFlume => {
                let line = self.cutter.first_line(message);
                message = &message[..line];
            }
            LineEnds::Right => {
                message = message.strip_suffix(b"\n").unwrap_or(message);
                message = message.strip_suffix(b"\r").unwrap_or(message);
            }
        }
        let start = start + blank;
        if !message.is_empty() {
            let end = start + message.len();
            self.parse(input, Message { start, end, kind });
        }
        !message.is_empty()
    }

    /// The batch of the messages so far, if there are any; `arena` gives what their spans point into.
    pub(super) fn finish(&mut self, arena: impl FnOnce() -> Bytes) -> Option<Batch> {
        if self.rows.len() == 0 {
            return None;
        }
        let rows = std::mem::replace(&mut self.rows, self.rules.rows());
        self.invalid += rows.invalid();
        self.incomplete += rows.incomplete();
        Some(rows.finish(arena(), &self.rules.names))
    }
}

fn take(buffer: &mut BytesMut, used: usize) -> Bytes {
    if used < COPY_BELOW_BYTES {
        let copy = Bytes::copy_from_slice(&buffer[..used]);
        buffer.advance(used);
        return copy;
    }
    buffer.split_to(used).freeze()
}
