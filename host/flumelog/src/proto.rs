//! The wire format of protocol buffers, as far as Flume's messages use it: fields one after the other, each a
//! varint `number << 3 | type` and its value. Borrowed from the input, so nothing is allocated.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// A signed 32-bit number of fixed size, which Flume uses for all of that width.
    pub fn i32(self) -> Option<i32> {
        if let Self::Fixed32(value) = self { Some(value.cast_signed()) } else { None }
    }
    /// A signed 64-bit number of fixed size.
    pub fn i64(self) -> Option<i64> {
        if let Self::Fixed64(value) = self { Some(value.cast_signed()) } else { None }
    }
    /// Bytes, a text, or a message.
    pub fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

/// The fields of a message. Ends with `None` inside when the bytes are no message.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let tag = varint(&mut self.0)?;
        let number = u32::try_from(tag >> 3).ok().filter(|n| *n > 0)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => Value::Fixed64(u64::from_le_bytes(array(&mut self.0)?)),
            2 => Value::Bytes(delimited(&mut self.0)?),
            5 => Value::Fixed32(u32::from_le_bytes(array(&mut self.0)?)),
            _ => return None,
        };
        Some((number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u32, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Takes a message with its length in front off the bytes.
pub fn delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut left = *bytes;
    let len = usize::try_from(varint(&mut left)?).ok()?;
    let (message, rest) = left.split_at_checked(len)?;
    *bytes = rest;
    Some(message)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first < 0x80 {
            return Some(value);
        }
    }
    None
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}
