//! Flume's events in Thrift: `append` and `appendBatch` of `ThriftSourceProtocol`.
//!
//! ```text
//! append(1: ThriftFlumeEvent event), appendBatch(1: list<ThriftFlumeEvent> events)
//! ThriftFlumeEvent { 1: required map<string, string> headers, 2: required binary body }
//! ```
//!
//! Reading makes batches whose bodies and header values lie in the frame; writing goes from batches into a frame.

use bytes::Bytes;
use flumen_event::{ArenaBuilder, Batch, EventRef, LimitExceeded, Limits, Span};

use super::read::{Malformed, Reader, Type};
use super::write::size_bytes;
use super::{Protocol, Writer, framed, message};

/// Most different header names in one frame: each costs a column, and a frame could hold millions.
const NAMES_PER_FRAME_MAX: usize = 65_536;
/// What a message has besides events: its head, the head of the list, ends of structs.
const MESSAGE_BYTES: usize = 64;

/// Why no events could be made of arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArguments {
    /// The bytes are not what Thrift would write.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// An event lacks what every event has.
    #[error("Required field '{0}' was not present! Struct: ThriftFlumeEvent")]
    Incomplete(&'static str),
    /// There is no event, and no list of events.
    #[error("the argument is missing")]
    Nothing,
    /// One event has more headers than a batch can have.
    #[error("an event has more than {0} headers")]
    EventHeaders(usize),
    /// The events together have more header names than is borne.
    #[error("the events of one call have more than {NAMES_PER_FRAME_MAX} different headers")]
    Names,
}

/// Which method the arguments are those of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One event.
    Append,
    /// A list of events.
    AppendBatch,
}

impl Method {
    /// The method of this name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"append" => Some(Self::Append),
            b"appendBatch" => Some(Self::AppendBatch),
            _ => None,
        }
    }
}

/// Reads the arguments of a call, which begin at a place of the frame. One batch, as long as it has not more
/// different headers than a batch may have.
///
/// # Errors
/// See [`BadArguments`].
pub fn read(
    protocol: Protocol,
    frame: &Bytes,
    at: usize,
    method: Method,
) -> Result<Vec<Batch>, BadArguments> {
    let mut reader = Reader::new(protocol, frame);
    reader.set_position(at);
    let mut events = Events::over(frame);
    let (mut before, mut is_there) = (0, false);
    while let Some(field) = reader.field(&mut before)? {
        match (field.id, field.kind, method) {
            (1, Type::Struct, Method::Append) => {
                events = Events::over(frame);
                events.read_one(&mut reader)?;
                is_there = true;
            }
            (1, Type::List, Method::AppendBatch) => {
                events = Events::over(frame);
                events.read_list(&mut reader)?;
                is_there = true;
            }
            (_, kind, _) => reader.skip(kind)?,
        }
    }
    if is_there { Ok(events.finish()) } else { Err(BadArguments::Nothing) }
}

struct Events {
    builder: ArenaBuilder,
    full: Vec<Batch>,
}

/// Why an event was not added.
enum NotAdded {
    Bad(BadArguments),
    BatchFull,
}

impl<E: Into<BadArguments>> From<E> for NotAdded {
    fn from(error: E) -> Self {
        Self::Bad(error.into())
    }
}

impl Events {
    fn over(frame: &Bytes) -> Self {
        Self { builder: ArenaBuilder::new(Limits::default(), frame.clone()), full: Vec::new() }
    }
    fn finish(mut self) -> Vec<Batch> {
        if !self.builder.is_empty() {
            self.full.push(self.builder.finish());
        }
        self.full
    }

    fn read_list(&mut self, reader: &mut Reader<'_>) -> Result<(), BadArguments> {
        let (kind, size) = reader.list()?;
        if size > 0 && kind != Type::Struct {
            return Err(Malformed::WrongType.into());
        }
        for _ in 0..size {
            self.read_one(reader)?;
        }
        Ok(())
    }

    /// Reads an event; if the batch cannot take its headers, into the next one.
    fn read_one(&mut self, reader: &mut Reader<'_>) -> Result<(), BadArguments> {
        let start = reader.position();
        match self.read_event(reader) {
            Ok(()) => return Ok(()),
            Err(NotAdded::Bad(error)) => return Err(error),
            Err(NotAdded::BatchFull) => {}
        }
        let columns_max = Limits::default().columns_max;
        if (self.full.len() + 2) * columns_max > NAMES_PER_FRAME_MAX {
            return Err(BadArguments::Names);
        }
        self.builder.forget_event();
        self.full.push(self.builder.finish());
        reader.set_position(start);
        self.read_event(reader).map_err(|error| match error {
            NotAdded::Bad(error) => error,
            NotAdded::BatchFull => BadArguments::EventHeaders(columns_max),
        })
    }

    fn read_event(&mut self, reader: &mut Reader<'_>) -> Result<(), NotAdded> {
        let (mut before, mut has_headers, mut body) = (0, false, None::<Span>);
        while let Some(field) = reader.field(&mut before)? {
            match (field.id, field.kind) {
                (1, Type::Map) => {
                    // A second map takes the place of the first.
                    if std::mem::replace(&mut has_headers, true) {
                        self.builder.forget_event();
                    }
                    self.read_headers(reader)?;
                }
                (2, Type::Binary) => body = Some(reader.binary()?),
                (_, kind) => reader.skip(kind)?,
            }
        }
        if !has_headers {
            return Err(BadArguments::Incomplete("headers").into());
        }
        self.builder.event(body.ok_or(BadArguments::Incomplete("body"))?);
        Ok(())
    }

    fn read_headers(&mut self, reader: &mut Reader<'_>) -> Result<(), NotAdded> {
        let (keys, values, size) = reader.map()?;
        if size > 0 && (keys, values) != (Type::Binary, Type::Binary) {
            return Err(Malformed::WrongType.into());
        }
        for _ in 0..size {
            let (name, value) = (reader.binary()?, reader.binary()?);
            self.builder.header(name, value).map_err(|exceeded| match exceeded {
                LimitExceeded::BatchFull => NotAdded::BatchFull,
                LimitExceeded::EventTooLarge => {
                    BadArguments::EventHeaders(Limits::default().columns_max).into()
                }
            })?;
        }
        Ok(())
    }
}

/// The bytes that a frame of this size has for events.
#[must_use]
pub fn room(frame_bytes_max: usize) -> usize {
    frame_bytes_max.saturating_sub(MESSAGE_BYTES)
}

/// How many events from the front fit into so many bytes, and how many bytes these take.
#[must_use]
pub fn fit(protocol: Protocol, events: &Batch, room: usize) -> (usize, usize) {
    let mut bytes = 0;
    for (count, event) in events.iter().enumerate() {
        let more = event_bytes(protocol, event);
        if bytes + more > room {
            return (count, bytes);
        }
        bytes += more;
    }
    (events.len(), bytes)
}

/// The bytes of an event as [`write_batch`] writes it.
fn event_bytes(protocol: Protocol, event: EventRef<'_>) -> usize {
    let text = |bytes: &[u8]| size_bytes(protocol, bytes.len()) + bytes.len();
    let (mut headers, mut count) = (0, 0);
    for (name, value) in event.headers() {
        headers += text(name.as_bytes()) + text(value.as_bytes());
        count += 1;
    }
    let heads = match protocol {
        Protocol::Compact => 1 + size_bytes(protocol, count) + usize::from(count > 0) + 1 + 1,
        Protocol::Binary | Protocol::BinaryUnversioned => 3 + 6 + 3 + 1,
    };
    heads + headers + text(event.body())
}

/// Appends a call of `appendBatch`, in its frame.
pub fn write_batch(protocol: Protocol, sequence: i32, events: &[Batch], out: &mut Vec<u8>) {
    framed(out, |out| {
        let mut writer = Writer::new(protocol, out);
        writer.head("appendBatch", message::CALL, sequence);
        writer.field(0, 1, Type::List);
        writer.list(Type::Struct, events.iter().map(Batch::len).sum());
        events.iter().flat_map(Batch::iter).for_each(|event| write_event(&mut writer, event));
        writer.stop();
    });
}

/// Appends a call of `append`, in its frame.
pub fn write_one(protocol: Protocol, sequence: i32, event: EventRef<'_>, out: &mut Vec<u8>) {
    framed(out, |out| {
        let mut writer = Writer::new(protocol, out);
        writer.head("append", message::CALL, sequence);
        writer.field(0, 1, Type::Struct);
        write_event(&mut writer, event);
        writer.stop();
    });
}

fn write_event(writer: &mut Writer<'_>, event: EventRef<'_>) {
    writer.field(0, 1, Type::Map);
    writer.map(Type::Binary, Type::Binary, event.headers().count());
    for (name, value) in event.headers() {
        writer.binary(name.as_bytes());
        writer.binary(value.as_bytes());
    }
    writer.field(1, 2, Type::Binary);
    writer.binary(event.body());
    writer.stop();
}

#[cfg(test)]
mod tests;
