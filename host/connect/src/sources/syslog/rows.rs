//! The messages of one read, as rows, and the batch they become.
//!
//! ```text
//! input   <34>Oct 11 22:14:15 web1 su: failed\n<13>Oct 11 22:14:15 web1 ...
//!                             ▲host▲body─────▲          spans into the very buffer that was read into
//! row     facility severity priority version host timestamp status body
//! ```
//!
//! A row is 64 bytes and owns nothing. Bodies are pieces of the input; numbers point into a text that is the same for all batches, timestamps into
//! one that each batch has; equal neighbours share a piece of it.

use bytes::Bytes;
use flumen_event::{Batch, Column, HeaderName, Span};

use super::numbers;

/// Most messages of one batch.
pub(super) const ROWS_MAX: usize = 16 * 1024;

/// Where the value of a header lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    start: u32,
    /// The kind in the two highest bits.
    len: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Absent = 0,
    Number = 1,
    Input = 2,
    Text = 3,
}

const LEN_BITS: u32 = 30;

impl Place {
    /// No value.
    pub const ABSENT: Place = Place { start: 0, len: 0 };

    fn of(kind: Kind, span: Span) -> Self {
        assert!(span.len < 1 << LEN_BITS, "messages are at most 64 MiB long");
        Self { start: span.start, len: span.len | (kind as u32) << LEN_BITS }
    }
    /// One of the [`numbers`].
    pub fn number(span: Span) -> Self {
        Self::of(Kind::Number, span)
    }
    /// A piece of the input.
    pub fn input(span: Span) -> Self {
        Self::of(Kind::Input, span)
    }
    fn kind(self) -> Kind {
        match self.len >> LEN_BITS {
            0 => Kind::Absent,
            1 => Kind::Number,
            2 => Kind::Input,
            _ => Kind::Text,
        }
    }
    fn span(self) -> Span {
        Span { start: self.start, len: self.len & ((1 << LEN_BITS) - 1) }
    }
    /// Whether there is a value.
    pub fn is_absent(self) -> bool {
        self.len == 0
    }
}

/// What `flume.syslog.status` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// A whole, valid message: no header.
    Good,
    /// Not a syslog message.
    Invalid,
    /// Longer than an event may be.
    Incomplete,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub facility: Place,
    pub severity: Place,
    pub priority: Place,
    pub version: Place,
    pub host: Place,
    pub timestamp: Place,
    pub body: Span,
    pub status: Status,
}

impl Row {
    /// A message of which nothing but the body is known.
    pub fn bare(body: Span, status: Status) -> Self {
        Self {
            facility: Place::ABSENT,
            severity: Place::ABSENT,
            priority: Place::ABSENT,
            version: Place::ABSENT,
            host: Place::ABSENT,
            timestamp: Place::ABSENT,
            body,
            status,
        }
    }
}

/// The header names of a parser.
#[derive(Clone, Debug)]
pub(super) struct Names {
    facility: HeaderName,
    severity: HeaderName,
    priority: HeaderName,
    version: HeaderName,
    host: HeaderName,
    timestamp: HeaderName,
    status: HeaderName,
}

impl Names {
    /// Those of `syslogtcp` and `syslogudp`.
    pub fn classic() -> Self {
        Self::with("priority", "version")
    }
    /// Those of `multiport_syslogtcp`, in which Flume writes two of them in capitals.
    pub fn multiport() -> Self {
        Self::with("Priority", "Version")
    }
    fn with(priority: &str, version: &str) -> Self {
        Self {
            facility: "Facility".into(),
            severity: "Severity".into(),
            priority: priority.into(),
            version: version.into(),
            host: "host".into(),
            timestamp: "timestamp".into(),
            status: "flume.syslog.status".into(),
        }
    }
    /// Every name, for those who must not use one of them.
    pub fn all(&self) -> [&str; 7] {
        [
            &self.facility,
            &self.severity,
            &self.priority,
            &self.version,
            &self.host,
            &self.timestamp,
            &self.status,
        ]
    }
}

/// The messages of one read.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    /// Values that lie neither in the input nor among the numbers.
    text: Vec<u8>,
    /// Bodies that are not pieces of the input; then all bodies are here.
    made: Option<Vec<u8>>,
    /// Whether the body of the next message is in `made` already.
    has_made: bool,
    last_timestamp: Option<(i64, Place)>,
    invalid: usize,
    incomplete: usize,
}

impl Rows {
    /// Rows whose bodies are put together by the parser, because they are not as they came.
    pub fn with_made_bodies() -> Self {
        Self { made: Some(Vec::new()), ..Self::default() }
    }
    /// Number of messages.
    pub fn len(&self) -> usize {
        self.rows.len()
    }
    /// Messages that are invalid.
    pub fn invalid(&self) -> usize {
        self.invalid
    }
    /// Messages that are incomplete.
    pub fn incomplete(&self) -> usize {
        self.incomplete
    }
    /// Adds a message whose body is a piece of the input, or was made just before.
    pub fn push(&mut self, mut row: Row, input: &[u8]) {
        if let Some(made) = &mut self.made
            && !std::mem::take(&mut self.has_made)
        {
            let start = made.len();
            made.extend_from_slice(&input[row.body.range()]);
            row.body = Span::new(start..made.len());
        }
        self.invalid += usize::from(row.status == Status::Invalid);
        self.incomplete += usize::from(row.status == Status::Incomplete);
        self.rows.push(row);
    }
    /// Whether bodies may be made.
    pub fn makes_bodies(&self) -> bool {
        self.made.is_some()
    }
    /// The body of the message that is pushed next, out of pieces.
    ///
    /// # Panics
    /// If these rows make no bodies.
    pub fn make_body(&mut self, pieces: &[&[u8]]) -> Span {
        let made = self.made.as_mut().expect("a parser that makes bodies has rows for it");
        let start = made.len();
        pieces.iter().for_each(|piece| made.extend_from_slice(piece));
        self.has_made = true;
        Span::new(start..made.len())
    }
    /// A value that lies nowhere else.
    pub fn value(&mut self, text: &[u8]) -> Place {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        Place::of(Kind::Text, Span::new(start..self.text.len()))
    }
    /// The text of a moment.
    pub fn timestamp(&mut self, ms: i64) -> Place {
        match self.last_timestamp {
            Some((last, place)) if last == ms => return place,
            Some((last, place)) if last / 1000 == ms / 1000 && last > 0 && ms > 0 => {
                // Same second: only the last three digits are new.
                let span = place.span();
                let start = self.text.len();
                if span.len > 3 {
                    self.text.extend_from_within(span.start as usize..span.end() - 3);
                    let ms = (ms % 1000) as u16;
                    self.text.extend([ms / 100, ms / 10 % 10, ms % 10].map(|digit| b'0' + digit as u8));
                    let place = Place::of(Kind::Text, Span::new(start..self.text.len()));
                    self.last_timestamp = Some((i64::from(ms) + last / 1000 * 1000, place));
                    return place;
                }
            }
            _ => {}
        }
        let place = self.value(ms.to_string().as_bytes());
        self.last_timestamp = Some((ms, place));
        place
    }

    /// The batch. `input` is what the spans of the rows point into, from its start.
    pub fn finish(self, input: Bytes, names: &Names) -> Batch {
        let spans = self.rows.iter().map(|row| row.body).collect();
        let texts = Texts { input: input.clone(), text: self.text.into() };
        let rows = &self.rows;
        let status = |row: &Row| match row.status {
            Status::Good => Span::ABSENT,
            Status::Invalid => Span { start: 0, len: 7 },
            Status::Incomplete => Span { start: 7, len: 10 },
        };
        let has_status = self.invalid + self.incomplete > 0;
        let statuses = has_status.then(|| {
            Column::of_pieces(Bytes::from_static(b"InvalidIncomplete"), rows.iter().map(status).collect())
        });
        let columns = vec![
            (names.facility.clone(), texts.column(rows, |row| row.facility)),
            (names.severity.clone(), texts.column(rows, |row| row.severity)),
            (names.priority.clone(), texts.column(rows, |row| row.priority)),
            (names.version.clone(), texts.column(rows, |row| row.version)),
            (names.host.clone(), texts.column(rows, |row| row.host)),
            (names.timestamp.clone(), texts.column(rows, |row| row.timestamp)),
            (names.status.clone(), statuses.flatten()),
        ];
        let bodies = self.made.map_or(input, Bytes::from);
        Batch::from_arena(bodies, spans)
            .with_columns(columns.into_iter().filter(|(_, column)| column.is_some()).collect())
            .with_headers_copied()
    }
}

struct Texts {
    input: Bytes,
    text: Bytes,
}

impl Texts {
    fn column(&self, rows: &[Row], value: impl Fn(&Row) -> Place) -> Option<Column> {
        let mut seen = [false; 4];
        let mut spans = Vec::with_capacity(rows.len());
        for row in rows {
            let place = value(row);
            seen[place.kind() as usize] = true;
            spans.push(if place.is_absent() { Span::ABSENT } else { place.span() });
        }
        match seen {
            [_, false, false, false] => None,
            [_, true, false, false] => Column::of_pieces(numbers::text(), spans),
            [_, false, false, true] => Column::of_pieces(self.text.clone(), spans),
            _ => {
                // Copied, neighbours once: a value that is a piece of the input would keep all of it in memory when a
                // filter has left few events, and values of several kinds need one text.
                let mut text: Vec<u8> = Vec::new();
                let mut last = Span::new(0..0);
                for (row, span) in rows.iter().zip(&mut spans) {
                    let place = value(row);
                    if !place.is_absent() {
                        let piece = self.piece(place);
                        if text[last.range()] != *piece {
                            let start = text.len();
                            text.extend_from_slice(piece);
                            last = Span::new(start..text.len());
                        }
                        *span = last;
                    }
                }
                Column::of_pieces(text.into(), spans)
            }
        }
    }

    fn piece(&self, place: Place) -> &[u8] {
        let range = place.span().range();
        match place.kind() {
            Kind::Absent => &[],
            Kind::Number => &numbers::TEXT[range],
            Kind::Input => &self.input[range],
            Kind::Text => &self.text[range],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_one_second_share_its_digits() {
        let mut rows = Rows::default();
        let moments =
            [1_791_756_855_000, 1_791_756_855_000, 1_791_756_855_007, 1_791_756_855_123, 5, 7, 0, -3, 1_000];
        for ms in moments {
            let timestamp = rows.timestamp(ms);
            rows.push(Row { timestamp, ..Row::bare(Span::new(0..0), Status::Good) }, b"");
        }
        let batch = rows.finish(Bytes::new(), &Names::classic());
        let texts: Vec<_> =
            batch.iter().map(|event| event.header("timestamp").unwrap_or("none").to_owned()).collect();
        assert_eq!(texts, moments.map(|ms| ms.to_string()));
    }

    #[test]
    fn values_of_every_kind_can_stand_in_one_column() {
        let mut rows = Rows::default();
        let custom = rows.value(b"local0");
        for priority in [Place::number(numbers::of(13)), custom, Place::input(Span::new(1..3)), Place::ABSENT]
        {
            rows.push(Row { priority, ..Row::bare(Span::new(0..1), Status::Invalid) }, b"");
        }
        let batch = rows.finish(Bytes::from_static(b"abc"), &Names::classic());
        let texts: Vec<_> = batch.iter().map(|event| event.header("priority")).collect();
        assert_eq!(texts, [Some("13"), Some("local0"), Some("bc"), None]);
        assert!(batch.iter().all(|event| event.header("flume.syslog.status") == Some("Invalid")));
    }
}
