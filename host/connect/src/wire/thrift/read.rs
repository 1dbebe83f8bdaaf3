//! Reading values of both protocols out of bytes that are there as a whole.

use flumen_event::Span;

use super::Protocol;

/// How deep unknown fields may be nested; libthrift's `recursionLimit`.
const DEPTH_MAX: usize = 64;
/// No method of ours has a longer name; a longer one is not Thrift.
const NAME_BYTES_MAX: usize = 256;
const COMPACT_ID: u8 = 0x82;
const COMPACT_VERSION: u8 = 1;
const BINARY_VERSION: u32 = 0x8001_0000;

/// The bytes are not what Thrift would write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end within a value.
    #[error("the message ends within a value")]
    Ended,
    /// A string or container claims more than there is.
    #[error("a string or container claims {claimed} bytes or elements, and only {left} bytes are left")]
    Claim {
        /// What it claims.
        claimed: i64,
        /// What is left.
        left: usize,
    },
    /// A type that Thrift does not have.
    #[error("there is no type {0}")]
    Type(u8),
    /// A value has another type than its place asks for.
    #[error("a value has another type than its place asks for")]
    WrongType,
    /// Fields within fields beyond all measure.
    #[error("fields are nested deeper than 64 levels")]
    TooDeep,
    /// A number with more bytes than its type can have.
    #[error("a number is longer than its type")]
    Number,
    /// The head is not that of a message in this protocol.
    #[error("not a message in the {expected} protocol: {found}")]
    Head {
        /// The protocol.
        expected: &'static str,
        /// What it looks like.
        found: &'static str,
    },
}

/// A value's type, by the numbers of the binary protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Thrift's own names")]
pub enum Type {
    Bool,
    /// A boolean whose value stands in the head of its field, so that no byte of its own follows.
    BoolInHead,
    Byte,
    Double,
    I16,
    I32,
    I64,
    /// Bytes; a string is the same.
    Binary,
    Struct,
    Map,
    Set,
    List,
}

/// The head of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its number.
    pub id: i16,
    /// Its value's type.
    pub kind: Type,
}

/// The head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Where the method's name lies.
    pub name: Span,
    /// 1 a call, 2 a reply, 3 an exception, 4 a call without an answer.
    pub kind: u8,
    /// What the answer repeats.
    pub sequence: i32,
}

/// A place in bytes of one protocol.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    protocol: Protocol,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning.
    #[must_use]
    pub fn new(protocol: Protocol, bytes: &'a [u8]) -> Self {
        Self { protocol, bytes, at: 0 }
    }
    /// Where it is.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
    /// Goes back, or forward, to a place where it was.
    pub(crate) fn set_position(&mut self, at: usize) {
        self.at = at.min(self.bytes.len());
    }
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
    fn is_compact(&self) -> bool {
        self.protocol == Protocol::Compact
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes[self.at..].get(..count).ok_or(Malformed::Ended)?;
        self.at += count;
        Ok(taken)
    }
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.bytes[self.at..].first_chunk().ok_or(Malformed::Ended)?;
        self.at += N;
        Ok(*taken)
    }
    fn byte(&mut self) -> Result<u8, Malformed> {
        self.fixed::<1>().map(|[byte]| byte)
    }
    fn variable(&mut self, bits: u32) -> Result<u64, Malformed> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift >= bits {
                return Err(Malformed::Number);
            }
        }
    }
    fn zigzag(&mut self, bits: u32) -> Result<i64, Malformed> {
        let value = self.variable(bits)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// An `i16`.
    ///
    /// # Errors
    /// If the bytes are not one.
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        if self.is_compact() { Ok(self.zigzag(32)? as i16) } else { self.fixed().map(i16::from_be_bytes) }
    }
    /// An `i32`.
    ///
    /// # Errors
    /// If the bytes are not one.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        if self.is_compact() { Ok(self.zigzag(35)? as i32) } else { self.fixed().map(i32::from_be_bytes) }
    }
    /// An `i64`.
    ///
    /// # Errors
    /// If the bytes are not one.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        if self.is_compact() { self.zigzag(70) } else { self.fixed().map(i64::from_be_bytes) }
    }
    /// Where a string or binary value lies.
    ///
    /// # Errors
    /// If it is not there as a whole.
    pub fn binary(&mut self) -> Result<Span, Malformed> {
        let length = self.size()?;
        let start = self.at;
        let left = self.left();
        self.take(length).map_err(|_| Malformed::Claim { claimed: length as i64, left })?;
        Ok(Span::new(start..self.at))
    }
    /// The bytes of a place.
    #[must_use]
    pub fn bytes(&self, span: Span) -> &'a [u8] {
        &self.bytes[span.range()]
    }

    fn size(&mut self) -> Result<usize, Malformed> {
        let size = if self.is_compact() {
            self.variable(35)? as u32 as i32
        } else {
            i32::from_be_bytes(self.fixed()?)
        };
        usize::try_from(size).map_err(|_| Malformed::Claim { claimed: size.into(), left: self.left() })
    }

    /// The head of the next field of a struct; none at the struct's end. `before` is the number of the field
    /// before it, 0 at the beginning, and is kept up to date.
    ///
    /// # Errors
    /// If the bytes are not one.
    #[inline]
    pub fn field(&mut self, before: &mut i16) -> Result<Option<Field>, Malformed> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        if !self.is_compact() {
            let kind = binary_type(head)?;
            let id = i16::from_be_bytes(self.fixed()?);
            return Ok(Some(Field { id, kind }));
        }
        let kind = compact_type(head & 0x0F, Type::BoolInHead)?;
        let id = match head >> 4 {
            0 => self.i16()?,
            step => before.wrapping_add(i16::from(step)),
        };
        *before = id;
        Ok(Some(Field { id, kind }))
    }

    /// Type and number of a list's or set's elements: no more than can be there.
    ///
    /// # Errors
    /// If it claims more.
    pub fn list(&mut self) -> Result<(Type, usize), Malformed> {
        let head = self.byte()?;
        let (kind, size) = if self.is_compact() {
            let size = if head >> 4 == 15 { self.size()? } else { usize::from(head >> 4) };
            (if size == 0 { Type::Byte } else { compact_type(head & 0x0F, Type::Bool)? }, size)
        } else {
            let size = self.size()?;
            (if size == 0 { Type::Byte } else { binary_type(head)? }, size)
        };
        self.claim(size, self.least(kind))?;
        Ok((kind, size))
    }

    /// Types of keys and values and number of a map's entries: no more than can be there.
    ///
    /// # Errors
    /// If it claims more.
    pub fn map(&mut self) -> Result<(Type, Type, usize), Malformed> {
        let (keys, values, size) = if self.is_compact() {
            let size = self.size()?;
            if size == 0 {
                return Ok((Type::Byte, Type::Byte, 0));
            }
            let kinds = self.byte()?;
            (compact_type(kinds >> 4, Type::Bool)?, compact_type(kinds & 0x0F, Type::Bool)?, size)
        } else {
            let [keys, values] = self.fixed()?;
            let size = self.size()?;
            if size == 0 {
                return Ok((Type::Byte, Type::Byte, 0));
            }
            (binary_type(keys)?, binary_type(values)?, size)
        };
        self.claim(size, self.least(keys) + self.least(values))?;
        Ok((keys, values, size))
    }

    fn claim(&self, elements: usize, least: usize) -> Result<(), Malformed> {
        if elements.checked_mul(least).is_none_or(|bytes| bytes > self.left()) {
            return Err(Malformed::Claim { claimed: elements as i64, left: self.left() });
        }
        Ok(())
    }

    /// The fewest bytes that a value of this type takes.
    fn least(&self, kind: Type) -> usize {
        match (kind, self.is_compact()) {
            (Type::Double, _) => 8,
            (Type::Bool | Type::BoolInHead | Type::Byte | Type::Struct, _) | (_, true) => 1,
            (Type::I16, false) => 2,
            (Type::I32 | Type::Binary, false) => 4,
            (Type::I64, false) => 8,
            (Type::Map, false) => 6,
            (Type::Set | Type::List, false) => 5,
        }
    }

    /// Goes over a value.
    ///
    /// # Errors
    /// If it is malformed, or nested too deep.
    pub fn skip(&mut self, kind: Type) -> Result<(), Malformed> {
        self.skip_at(kind, 0)
    }

    fn skip_at(&mut self, kind: Type, depth: usize) -> Result<(), Malformed> {
        if depth >= DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        match kind {
            Type::BoolInHead => {}
            Type::Bool | Type::Byte => drop(self.byte()?),
            Type::Double => drop(self.fixed::<8>()?),
            Type::I16 => drop(self.i16()?),
            Type::I32 => drop(self.i32()?),
            Type::I64 => drop(self.i64()?),
            Type::Binary => drop(self.binary()?),
            Type::Struct => {
                let mut before = 0;
                while let Some(field) = self.field(&mut before)? {
                    self.skip_at(field.kind, depth + 1)?;
                }
            }
            Type::List | Type::Set => {
                let (kind, size) = self.list()?;
                for _ in 0..size {
                    self.skip_at(kind, depth + 1)?;
                }
            }
            Type::Map => {
                let (keys, values, size) = self.map()?;
                for _ in 0..size {
                    self.skip_at(keys, depth + 1)?;
                    self.skip_at(values, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// The head of a message.
    ///
    /// # Errors
    /// If the bytes are not one in this protocol.
    pub fn head(&mut self) -> Result<Head, Malformed> {
        if self.is_compact() { self.compact_head() } else { self.binary_head() }
    }

    fn compact_head(&mut self) -> Result<Head, Malformed> {
        let wrong = |found| Malformed::Head { expected: "compact", found };
        let [id, kind] = self.fixed().map_err(|_| wrong("it is shorter than the head of a message"))?;
        if id == 0x80 && kind == 1 {
            return Err(wrong("it is in the binary protocol; set `protocol = binary`"));
        }
        if id != COMPACT_ID || kind & 0x1F != COMPACT_VERSION {
            return Err(wrong("it begins with other bytes"));
        }
        let sequence = self.variable(35)? as u32 as i32;
        let length = self.size()?;
        Ok(Head { name: self.name(length)?, kind: kind >> 5, sequence })
    }

    fn binary_head(&mut self) -> Result<Head, Malformed> {
        let wrong = |found| Malformed::Head { expected: "binary", found };
        let first =
            u32::from_be_bytes(self.fixed().map_err(|_| wrong("it is shorter than the head of a message"))?);
        if first >> 24 == u32::from(COMPACT_ID) && (first >> 16) & 0x1F == u32::from(COMPACT_VERSION) {
            return Err(wrong("it is in the compact protocol; set `protocol = compact`"));
        }
        if first & 0x8000_0000 == 0 {
            let name = self.name(first as usize)?;
            let kind = self.byte()?;
            return Ok(Head { name, kind, sequence: self.i32()? });
        }
        if first & 0xFFFF_0000 != BINARY_VERSION {
            return Err(wrong("it begins with other bytes"));
        }
        let length = self.size()?;
        Ok(Head { name: self.name(length)?, kind: first as u8, sequence: self.i32()? })
    }

    fn name(&mut self, length: usize) -> Result<Span, Malformed> {
        if length > NAME_BYTES_MAX {
            return Err(Malformed::Claim { claimed: length as i64, left: NAME_BYTES_MAX });
        }
        let start = self.at;
        self.take(length)?;
        Ok(Span::new(start..self.at))
    }
}

impl Type {
    /// The type of a number of the binary protocol.
    pub(crate) fn numbered(number: u8) -> Result<Self, Malformed> {
        binary_type(number)
    }
}

fn binary_type(number: u8) -> Result<Type, Malformed> {
    Ok(match number {
        2 => Type::Bool,
        3 => Type::Byte,
        4 => Type::Double,
        6 => Type::I16,
        8 => Type::I32,
        10 => Type::I64,
        11 => Type::Binary,
        12 => Type::Struct,
        13 => Type::Map,
        14 => Type::Set,
        15 => Type::List,
        other => return Err(Malformed::Type(other)),
    })
}

fn compact_type(number: u8, bool_is: Type) -> Result<Type, Malformed> {
    Ok(match number {
        1 | 2 => bool_is,
        3 => Type::Byte,
        4 => Type::I16,
        5 => Type::I32,
        6 => Type::I64,
        7 => Type::Double,
        8 => Type::Binary,
        9 => Type::List,
        10 => Type::Set,
        11 => Type::Map,
        12 => Type::Struct,
        other => return Err(Malformed::Type(other)),
    })
}
