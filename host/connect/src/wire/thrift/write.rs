//! Writing values of both protocols.

use super::Protocol;
use super::read::Type;

/// Appends values to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    protocol: Protocol,
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A writer behind what the buffer holds.
    pub fn new(protocol: Protocol, out: &'a mut Vec<u8>) -> Self {
        Self { protocol, out }
    }
    fn is_compact(&self) -> bool {
        self.protocol == Protocol::Compact
    }

    /// The head of a message.
    pub fn head(&mut self, name: &str, kind: u8, sequence: i32) {
        match self.protocol {
            Protocol::Compact => {
                self.out.extend_from_slice(&[0x82, kind << 5 | 1]);
                self.variable(sequence as u32 as u64);
                self.binary(name.as_bytes());
            }
            Protocol::Binary => {
                self.out.extend_from_slice(&[0x80, 1, 0, kind]);
                self.binary(name.as_bytes());
                self.i32(sequence);
            }
            Protocol::BinaryUnversioned => {
                self.binary(name.as_bytes());
                self.out.push(kind);
                self.i32(sequence);
            }
        }
    }
    /// The head of a field. `before` is the number of the field before it in the same struct, 0 if there is none.
    pub fn field(&mut self, before: i16, id: i16, kind: Type) {
        if !self.is_compact() {
            self.out.push(binary_number(kind));
            return self.out.extend_from_slice(&id.to_be_bytes());
        }
        let number = compact_number(kind);
        match i32::from(id) - i32::from(before) {
            step @ 1..=15 => self.out.push((step as u8) << 4 | number),
            _ => {
                self.out.push(number);
                self.zigzag(id.into());
            }
        }
    }
    /// The end of a struct.
    pub fn stop(&mut self) {
        self.out.push(0);
    }
    /// An `i32`.
    pub fn i32(&mut self, value: i32) {
        if self.is_compact() {
            self.zigzag(value.into());
        } else {
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }
    /// An `i64`.
    pub fn i64(&mut self, value: i64) {
        if self.is_compact() {
            self.zigzag(value);
        } else {
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }
    /// A string or binary value.
    ///
    /// # Panics
    /// If it has 2 GiB or more, which no frame can hold.
    pub fn binary(&mut self, value: &[u8]) {
        self.size(value.len());
        self.out.extend_from_slice(value);
    }
    /// The head of a list.
    ///
    /// # Panics
    /// If it has 2³¹ elements or more, which no frame can hold.
    pub fn list(&mut self, kind: Type, size: usize) {
        if !self.is_compact() {
            self.out.push(binary_number(kind));
            return self.size(size);
        }
        if size < 15 {
            self.out.push((size as u8) << 4 | compact_number(kind));
        } else {
            self.out.push(0xF0 | compact_number(kind));
            self.size(size);
        }
    }
    /// The head of a map.
    ///
    /// # Panics
    /// If it has 2³¹ entries or more, which no frame can hold.
    pub fn map(&mut self, keys: Type, values: Type, size: usize) {
        if !self.is_compact() {
            self.out.extend_from_slice(&[binary_number(keys), binary_number(values)]);
            return self.size(size);
        }
        self.size(size);
        if size > 0 {
            self.out.push(compact_number(keys) << 4 | compact_number(values));
        }
    }

    fn size(&mut self, size: usize) {
        let size = i32::try_from(size).expect("what is written was measured against the size of a frame");
        if self.is_compact() {
            self.variable(size as u64);
        } else {
            self.out.extend_from_slice(&size.to_be_bytes());
        }
    }
    fn zigzag(&mut self, value: i64) {
        self.variable((value << 1 ^ value >> 63) as u64);
    }
    fn variable(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

fn binary_number(kind: Type) -> u8 {
    match kind {
        Type::Bool | Type::BoolInHead => 2,
        Type::Byte => 3,
        Type::Double => 4,
        Type::I16 => 6,
        Type::I32 => 8,
        Type::I64 => 10,
        Type::Binary => 11,
        Type::Struct => 12,
        Type::Map => 13,
        Type::Set => 14,
        Type::List => 15,
    }
}

fn compact_number(kind: Type) -> u8 {
    match kind {
        Type::Bool | Type::BoolInHead => 1,
        Type::Byte => 3,
        Type::I16 => 4,
        Type::I32 => 5,
        Type::I64 => 6,
        Type::Double => 7,
        Type::Binary => 8,
        Type::List => 9,
        Type::Set => 10,
        Type::Map => 11,
        Type::Struct => 12,
    }
}

/// The bytes of a size in front of a value.
pub(super) fn size_bytes(protocol: Protocol, size: usize) -> usize {
    match protocol {
        Protocol::Compact => (usize::BITS - size.max(1).leading_zeros()).div_ceil(7) as usize,
        Protocol::Binary | Protocol::BinaryUnversioned => 4,
    }
}

/// A frame around a message: its length, filled in when the message is written.
///
/// # Panics
/// If the message has 2 GiB or more.
pub(crate) fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = i32::try_from(out.len() - start - 4).expect("a message fits a frame");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::thrift::Reader;
    use proptest::prelude::*;

    const PROTOCOLS: [Protocol; 2] = [Protocol::Compact, Protocol::Binary];

    proptest! {
        #[test]
        fn numbers_come_back_in_both_protocols(short: i32, long: i64, text: Vec<u8>, size in 0usize..40) {
            for protocol in PROTOCOLS {
                let mut out = Vec::new();
                let mut writer = Writer::new(protocol, &mut out);
                writer.i32(short);
                writer.i64(long);
                writer.binary(&text);
                writer.list(Type::Byte, size);
                out.extend(std::iter::repeat_n(7, size));
                let mut reader = Reader::new(protocol, &out);
                prop_assert_eq!(reader.i32(), Ok(short));
                prop_assert_eq!(reader.i64(), Ok(long));
                let span = reader.binary().expect("there");
                prop_assert_eq!(reader.bytes(span), &text[..]);
                prop_assert_eq!(reader.list(), Ok((Type::Byte, size)));
            }
        }

        #[test]
        fn sizes_are_measured_as_they_are_written(size in 0usize..i32::MAX as usize) {
            for protocol in PROTOCOLS {
                let mut out = Vec::new();
                Writer::new(protocol, &mut out).size(size);
                prop_assert_eq!(out.len(), size_bytes(protocol, size));
            }
        }

        #[test]
        fn field_numbers_come_back_in_both_protocols(ids in prop::collection::vec(1i16.., 0..20)) {
            for protocol in PROTOCOLS {
                let mut out = Vec::new();
                let mut writer = Writer::new(protocol, &mut out);
                let mut before = 0;
                for &id in &ids {
                    writer.field(before, id, Type::Byte);
                    writer.out.push(1);
                    before = id;
                }
                writer.stop();
                let mut reader = Reader::new(protocol, &out);
                let (mut seen, mut before) = (Vec::new(), 0);
                while let Some(field) = reader.field(&mut before).expect("well-formed") {
                    reader.skip(field.kind).expect("a byte");
                    seen.push(field.id);
                }
                prop_assert_eq!(&seen, &ids);
            }
        }
    }
}
