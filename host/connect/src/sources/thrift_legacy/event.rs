//! Events of Flume 0.9 ("OG"), as they were sent with Thrift.
//!
//! ```text
//! oneway append(1: ThriftFlumeEvent), void close()
//! ThriftFlumeEvent { 1 i64 timestamp, 2 Priority, 3 binary body, 4 i64 nanos, 5 string host, 6 map<string, binary> fields }
//! ```

use std::borrow::Cow;

use flumen_event::{BatchBuilder, LimitExceeded};

use crate::wire::thrift::{Malformed, Protocol, Reader, Type, message};

/// By their numbers.
const PRIORITIES: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// Name and value of a field.
type Field<'a> = (Cow<'a, str>, Cow<'a, str>);

/// An event that lies in a message.
#[derive(Debug, Default)]
pub(super) struct OldEvent<'a> {
    timestamp: i64,
    priority: Option<&'static str>,
    body: &'a [u8],
    nanos: i64,
    host: Option<Cow<'a, str>>,
    fields: Vec<Field<'a>>,
}

/// A call.
#[derive(Debug)]
pub(super) enum Call<'a> {
    Append(Option<OldEvent<'a>>),
    /// Its client waits for the answer, unless it says that it wants none.
    Close {
        sequence: i32,
        is_answered: bool,
    },
    /// Some other method, which wants to be told.
    Unknown {
        name: Cow<'a, str>,
        sequence: i32,
    },
}

/// Reads a whole message.
pub(super) fn read(message: &[u8]) -> Result<Call<'_>, Malformed> {
    let mut reader = Reader::new(Protocol::Binary, message);
    let head = reader.head()?;
    match reader.bytes(head.name) {
        b"append" => {}
        b"close" => {
            return Ok(Call::Close { sequence: head.sequence, is_answered: head.kind == message::CALL });
        }
        other => {
            return Ok(Call::Unknown { name: String::from_utf8_lossy(other), sequence: head.sequence });
        }
    }
    let (mut before, mut event) = (0, None);
    while let Some(field) = reader.field(&mut before)? {
        match (field.id, field.kind) {
            (1, Type::Struct) => event = Some(OldEvent::read(&mut reader)?),
            (_, kind) => reader.skip(kind)?,
        }
    }
    Ok(Call::Append(event))
}

impl<'a> OldEvent<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut event = Self::default();
        let mut before = 0;
        while let Some(field) = reader.field(&mut before)? {
            match (field.id, field.kind) {
                (1, Type::I64) => event.timestamp = reader.i64()?,
                (2, Type::I32) => {
                    let number = usize::try_from(reader.i32()?).unwrap_or(usize::MAX);
                    event.priority = PRIORITIES.get(number).copied();
                }
                (3, Type::Binary) => event.body = bytes(reader)?,
                (4, Type::I64) => event.nanos = reader.i64()?,
                (5, Type::Binary) => event.host = Some(text(reader)?),
                (6, Type::Map) => event.fields = read_fields(reader)?,
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(event)
    }

    /// Adds it as an event of today: its parts are headers, in Flume's order, of which the later count.
    pub(super) fn add_to(&self, builder: &mut BatchBuilder) -> Result<(), LimitExceeded> {
        let (timestamp, nanos) = (self.timestamp.to_string(), self.nanos.to_string());
        let mut headers: Vec<(&str, &str)> = Vec::with_capacity(5 + self.fields.len());
        headers.extend(self.host.as_deref().map(|host| ("host", host)));
        headers.push(("timestamp", &timestamp));
        headers.extend(self.priority.map(|priority| ("pri", priority)));
        headers.push(("nanos", &nanos));
        headers.extend(self.fields.iter().map(|(name, value)| (&**name, &**value)));
        headers.push(("FlumeOG", "yes"));
        builder.push(self.body, headers.iter().copied())
    }
}

fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let span = reader.binary()?;
    Ok(reader.bytes(span))
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Malformed> {
    bytes(reader).map(String::from_utf8_lossy)
}

fn read_fields<'a>(reader: &mut Reader<'a>) -> Result<Vec<Field<'a>>, Malformed> {
    let (keys, values, size) = reader.map()?;
    if size > 0 && (keys, values) != (Type::Binary, Type::Binary) {
        return Err(Malformed::WrongType);
    }
    let mut fields = Vec::new();
    for _ in 0..size {
        fields.push((text(reader)?, text(reader)?));
    }
    Ok(fields)
}
