//! The records of a log.
//!
//! ```text
//! delimited TransactionEventHeader { 1 type, 2 transaction, 3 write order }      always 24 bytes
//! delimited Put { 1 event { 1 header { 1 key, 2 value } …, 2 body }, 2 CRC-32 of the body }
//!           Take { 1 log number, 2 offset }      of the put that is taken
//!           Commit { 1 type }                    1 put, 2 take
//!           Rollback { }
//! delimited TransactionEventFooter { }                                           one byte, 00
//! ```
//! Source: `filechannel.proto` of Flume 1.11 (numbers are `sfixed32` and `sfixed64`). All versions of Flume
//! write these fields and no others, so a field that is not known is damage: only bodies have a checksum, and
//! a put whose type was hit would otherwise pass as a rollback and take its transaction with it.

use std::borrow::Cow;

use crate::proto::{Fields, Value, delimited};

/// The first bytes of every record: the length of its header and the tag of its type. Used to find the next
/// record behind damage.
pub const SIGNATURE: [u8; 2] = [23, 0x0D];
/// Bytes of the header with its length.
pub const HEADER_BYTES: usize = 24;

/// Where a put lies: the log's number and the offset of the record's first byte in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    pub log: i32,
    pub offset: i32,
}

impl Pointer {
    /// As Flume packs it into a checkpoint's slots; zero is no pointer.
    pub fn unpack(packed: i64) -> Option<Self> {
        let pointer = Self { log: (packed >> 32) as i32, offset: packed as i32 };
        (pointer.log > 0 && pointer.offset >= 0).then_some(pointer)
    }
}

/// The type of a transaction, and of some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Put,
    Take,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    Put(Event<'a>),
    Take(Pointer),
    Rollback,
    Commit(Kind),
}

/// A record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub transaction: i64,
    /// Ascends over all logs of a channel.
    pub order: i64,
    pub action: Action<'a>,
}

/// An event, in the bytes of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    message: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> Event<'a> {
    /// Names and values; where a name comes twice, the last counts. A value that is missing is empty, as it
    /// is for Flume.
    pub fn headers(&self) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let headers = Fields::of(self.message).flatten().filter(|(number, _)| *number == 1);
        headers.filter_map(|(_, value)| header(value.bytes()?)).collect()
    }
}

fn header(message: &[u8]) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let (mut key, mut text) = (None, Cow::default());
    for field in Fields::of(message) {
        match field? {
            (1, value) => key = Some(String::from_utf8_lossy(value.bytes()?)),
            (2, value) => text = String::from_utf8_lossy(value.bytes()?),
            _ => return None,
        }
    }
    Some((key?, text))
}

impl<'a> Record<'a> {
    /// A record out of its (decrypted) bytes, all of which must belong to it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut left = bytes;
        let (kind, transaction, order) = delimited(&mut left)
            .and_then(parse_header)
            .ok_or("the record's header is damaged (or it was decrypted with a wrong key)")?;
        let message = delimited(&mut left).ok_or("the record's content is cut off")?;
        let action = match kind {
            1 => Action::Put(parse_put(message)?),
            2 => Action::Take(parse_take(message).ok_or("the take names no event")?),
            3 if message.is_empty() => Action::Rollback,
            4 => Action::Commit(parse_commit(message).ok_or("the commit is of no known kind")?),
            _ => return Err("the record is of no known kind"),
        };
        if left != [0] {
            return Err("the record does not end where it should");
        }
        Ok(Self { transaction, order, action })
    }

    /// The order in which records are replayed: by write order; what has the same (a fault of Flume 1.2) by
    /// transaction, and in one transaction commit and rollback last.
    pub fn rank(&self) -> (i64, i64, u8) {
        let last = match self.action {
            Action::Put(_) => 0,
            Action::Take(_) => 1,
            Action::Rollback => 2,
            Action::Commit(_) => 3,
        };
        (self.order, self.transaction, last)
    }
}

fn parse_header(message: &[u8]) -> Option<(i32, i64, i64)> {
    let [mut kind, mut transaction, mut order] = [None; 3];
    for field in Fields::of(message) {
        match field? {
            (1, value) => kind = value.i32().map(i64::from),
            (2, value) => transaction = value.i64(),
            (3, value) => order = value.i64(),
            _ => return None,
        }
    }
    Some((i32::try_from(kind?).ok()?, transaction?, order?))
}

fn parse_put(message: &[u8]) -> Result<Event<'_>, &'static str> {
    const DAMAGED: &str = "the event is damaged";
    let (mut event, mut checksum) = (None, None);
    for field in Fields::of(message) {
        match field.ok_or(DAMAGED)? {
            (1, value) => event = value.bytes(),
            (2, value) => checksum = value.i64(),
            _ => return Err(DAMAGED),
        }
    }
    let message = event.ok_or(DAMAGED)?;
    let mut body = None;
    for field in Fields::of(message) {
        match field.ok_or(DAMAGED)? {
            (1, Value::Bytes(message)) => drop(header(message).ok_or(DAMAGED)?),
            (2, value) => body = value.bytes(),
            _ => return Err(DAMAGED),
        }
    }
    let body = body.ok_or(DAMAGED)?;
    match checksum {
        Some(checksum) if checksum != i64::from(crc32fast::hash(body)) => {
            Err("the checksum of the event's body does not match")
        }
        _ => Ok(Event { message, body }),
    }
}

fn parse_take(message: &[u8]) -> Option<Pointer> {
    let (mut log, mut offset) = (None, None);
    for field in Fields::of(message) {
        match field? {
            (1, value) => log = value.i32(),
            (2, value) => offset = value.i32(),
            _ => return None,
        }
    }
    Some(Pointer { log: log?, offset: offset? })
}

fn parse_commit(message: &[u8]) -> Option<Kind> {
    let mut kind = None;
    for field in Fields::of(message) {
        match field? {
            (1, value) => kind = value.i32(),
            _ => return None,
        }
    }
    match kind? {
        1 => Some(Kind::Put),
        2 => Some(Kind::Take),
        _ => None,
    }
}
