//! The parser of `syslogtcp` and `syslogudp`: Flume's `SyslogUtils`.
//!
//! A message is one of three things: text that begins with no priority (status `Invalid`, facility and severity 0,
//! the whole text as body); a priority and text of no known form (facility and severity, the whole text); or one of
//! the forms (all headers, the text behind the host). Priority and version stay as they are until another message
//! of a known form comes, as in Flume: a message without them shows those of the last one that had them.

use flumen_event::Span;

use super::format::Format;
use super::framing::{Kind, Message};
use super::keep::KeepFields;
use super::numbers;
use super::rows::{Place, Row, Rows, Status};
use super::scan::{self, Dot, Form};
use super::stamp::Stamps;

/// What a connection (or a UDP port) remembers.
pub(super) struct Classic {
    keep: KeepFields,
    formats: std::sync::Arc<[Format]>,
    stamps: Stamps,
    priority: Remembered,
    version: Remembered,
}

/// A value of an earlier message.
enum Remembered {
    Nothing,
    Number(Span),
    Text(Box<[u8]>),
}

impl Remembered {
    fn set(&mut self, value: Option<&[u8]>) {
        *self = match value {
            None | Some([]) => Self::Nothing,
            Some(value) => match numbers::read(value) {
                Some((span, _)) => Self::Number(span),
                None => Self::Text(value.into()),
            },
        };
    }
    fn place(&self, rows: &mut Rows) -> Place {
        match self {
            Self::Nothing => Place::ABSENT,
            Self::Number(span) => Place::number(*span),
            Self::Text(text) => rows.value(text),
        }
    }
}

impl Classic {
    pub fn new(keep: KeepFields, formats: std::sync::Arc<[Format]>, stamps: Stamps) -> Self {
        Self { keep, formats, stamps, priority: Remembered::Nothing, version: Remembered::Nothing }
    }
    pub fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    /// Adds the row of a message.
    pub fn parse(&mut self, input: &[u8], message: Message, rows: &mut Rows) {
        let text = &input[message.start..message.end];
        let whole = Span::new(message.start..message.end);
        let mut row = match priority(text) {
            None => Row {
                facility: Place::number(numbers::of(0)),
                severity: Place::number(numbers::of(0)),
                ..Row::bare(whole, Status::Invalid)
            },
            Some((written, number, at)) => {
                let status = if message.kind == Kind::Cut { Status::Incomplete } else { Status::Good };
                let mut row = Row {
                    facility: Place::number(numbers::of(number / 8)),
                    severity: Place::number(numbers::of(number % 8)),
                    ..Row::bare(whole, status)
                };
                if !self.custom(text, rows, &mut row) && at <= text.len() {
                    let dot = if message.kind == Kind::Whole { Dot::Any } else { Dot::InLine };
                    self.built_in(input, (message, written, at, dot), rows, &mut row);
                }
                row
            }
        };
        row.priority = self.priority.place(rows);
        row.version = self.version.place(rows);
        rows.push(row, input);
    }

    fn built_in(
        &mut self,
        input: &[u8],
        (message, written, at, dot): (Message, Span, usize, Dot),
        rows: &mut Rows,
        row: &mut Row,
    ) {
        let text = &input[message.start..message.end];
        let Some(parts) = scan::scan(text, at, dot) else { return };
        self.priority = Remembered::Number(written);
        let version = parts.version.map(|digit| [digit]);
        self.version = match version {
            Some(digit) => Remembered::Number(numbers::of(u16::from(digit[0] - b'0'))),
            None => Remembered::Nothing,
        };
        let date = parts.date.map(|span| &text[span.range()]);
        let moment = date.and_then(|date| match parts.form {
            Form::Full => self.stamps.full_local(date),
            Form::Classic => self.stamps.classic_local(date),
        });
        if let Some(moment) = moment {
            row.timestamp = rows.timestamp(moment);
        }
        let host = parts.host.map(|span| &text[span.range()]);
        if let Some(span) = parts.host {
            row.host =
                Place::input(Span::new(message.start + span.range().start..message.start + span.end()));
        }
        if self.keep.is_list() {
            let version = version.as_ref().map(|digit| &digit[..]);
            let priority = &text[1..at - 1];
            row.body = rows.make_body(&self.keep.pieces(priority, version, date, host, &text[parts.body..]));
        } else if !self.keep.all && parts.body < text.len() {
            row.body = Span::new(message.start + parts.body..message.end);
        }
    }

    /// Tries the formats of the configuration; says whether one matched.
    fn custom(&mut self, text: &[u8], rows: &mut Rows, row: &mut Row) -> bool {
        if self.formats.is_empty() {
            return false;
        }
        let formats = self.formats.clone();
        let matched = formats.iter().find_map(|format| Some((format, format.find(text)?)));
        let Some((format, found)) = matched else { return false };
        if found.groups >= 1 {
            self.priority.set(found.priority());
        }
        if found.groups >= 2 {
            self.version.set(found.version());
        }
        let moment = found.timestamp().and_then(|date| format.moment(date, &mut self.stamps));
        if let Some(moment) = moment {
            row.timestamp = rows.timestamp(moment);
        }
        if let Some(host) = found.host().filter(|host| !host.is_empty()) {
            row.host = rows.value(host);
        }
        let body =
            found.body().or_else(|| (self.keep.is_list() && found.groups >= 5).then_some(&b"null"[..]));
        if let Some(body) = body.filter(|_| !self.keep.all) {
            let priority = found.priority().unwrap_or(b"null");
            let made = self.keep.pieces(priority, found.version(), found.timestamp(), found.host(), body);
            if made.iter().any(|piece| !piece.is_empty()) {
                row.body = rows.make_body(&made);
            }
        }
        true
    }
}

/// The priority at the start of a text: as it is written, its number, where it ends. A text that ends inside its
/// priority has one (only a datagram can).
fn priority(text: &[u8]) -> Option<(Span, u16, usize)> {
    let [b'<', rest @ ..] = text else { return None };
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let (written, number) = numbers::read(&rest[..digits])?;
    match rest.get(digits) {
        Some(b'>') | None => Some((written, number, digits + 2)),
        Some(_) => None,
    }
}
