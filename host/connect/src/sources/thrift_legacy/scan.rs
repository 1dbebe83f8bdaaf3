//! Where a message without a frame ends: found byte by byte as they come, each looked at once.
//!
//! ```text
//! wants   Head ▶ Fields ▶ Value ▶ Bytes …       a stack; the message ends when it is empty
//! ```
//!
//! Without it, every read would have to try the whole message again from its start.

use crate::wire::thrift::{Malformed, Type};

/// How deep structs, lists and maps may be nested.
const DEPTH_MAX: usize = 64;
/// No method has a longer name.
const NAME_BYTES_MAX: usize = 256;

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Want {
    Head,
    /// Fields of a struct, up to the stop.
    Fields,
    Value(Type),
    /// So many values.
    Values(Type, usize),
    /// So many values of these types in turn: keys and values of a map.
    InTurn(Type, Type, usize),
    Bytes(usize),
}

/// A message of the binary protocol that comes in pieces.
#[derive(Debug)]
pub(super) struct Scan {
    at: usize,
    wants: Vec<Want>,
    bytes_max: usize,
}

impl Scan {
    /// A message that may have so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { at: 0, wants: vec![Want::Fields, Want::Head], bytes_max }
    }

    /// Goes on over what is there of the message, from its beginning. The message's length, once all is there.
    pub(super) fn advance(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        while let Some(want) = self.wants.pop() {
            let left = &held[self.at..];
            let Some((used, next)) = step(want, left)? else {
                self.wants.push(want);
                return Ok(None);
            };
            self.at += used;
            for want in next.into_iter().flatten() {
                self.push(want)?;
            }
        }
        Ok(Some(self.at))
    }

    fn push(&mut self, want: Want) -> Result<(), Malformed> {
        // What is claimed must fit; every value has at least a byte.
        let claimed = match want {
            Want::Bytes(count) | Want::Values(_, count) | Want::InTurn(_, _, count) => count,
            Want::Head | Want::Fields | Want::Value(_) => 1,
        };
        if claimed > self.bytes_max - self.at.min(self.bytes_max) {
            return Err(Malformed::Claim {
                claimed: claimed as i64,
                left: self.bytes_max.saturating_sub(self.at),
            });
        }
        if self.wants.len() >= DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        self.wants.push(want);
        Ok(())
    }
}

/// What is wanted after this, the last first.
type Next = [Option<Want>; 2];
const NOTHING: Next = [None, None];

/// One want against what is there: how many bytes it used, and what it wants next. None if there is too little.
fn step(want: Want, left: &[u8]) -> Result<Option<(usize, Next)>, Malformed> {
    Ok(match want {
        Want::Head => return head(left),
        Want::Fields => match left {
            [] => None,
            [0, ..] => Some((1, NOTHING)),
            [kind, _, _, ..] => Some((3, [Some(want), Some(Want::Value(Type::numbered(*kind)?))])),
            _ => None,
        },
        Want::Value(kind) => return value(kind, left),
        Want::Values(_, 0) | Want::InTurn(_, _, 0) | Want::Bytes(0) => Some((0, NOTHING)),
        Want::Values(kind, count) => {
            Some((0, [Some(Want::Values(kind, count - 1)), Some(Want::Value(kind))]))
        }
        Want::InTurn(this, other, count) => {
            Some((0, [Some(Want::InTurn(other, this, count - 1)), Some(Want::Value(this))]))
        }
        Want::Bytes(count) => match left.len() {
            0 => None,
            there if there < count => Some((there, [Some(Want::Bytes(count - there)), None])),
            _ => Some((count, NOTHING)),
        },
    })
}

fn head(left: &[u8]) -> Result<Option<(usize, Next)>, Malformed> {
    let Some(first) = left.first_chunk().copied().map(u32::from_be_bytes) else { return Ok(None) };
    let (name_at, name_bytes, behind) = if first & 0x8000_0000 == 0 {
        (4, first as usize, 5)
    } else if first & 0xFFFF_0000 == 0x8001_0000 {
        let Some(size) = left[4..].first_chunk().copied().map(u32::from_be_bytes) else { return Ok(None) };
        (8, size as usize, 4)
    } else {
        return Err(Malformed::Head { expected: "binary", found: "it begins with other bytes" });
    };
    if name_bytes > NAME_BYTES_MAX {
        return Err(Malformed::Claim { claimed: name_bytes as i64, left: NAME_BYTES_MAX });
    }
    Ok(Some((name_at, [Some(Want::Bytes(name_bytes + behind)), None])))
}

fn value(kind: Type, left: &[u8]) -> Result<Option<(usize, Next)>, Malformed> {
    let bytes = |count| Ok(Some((0, [Some(Want::Bytes(count)), None])));
    let size_at = |at: usize| left.get(at..)?.first_chunk().copied().map(i32::from_be_bytes);
    let size = |size: i32| {
        usize::try_from(size).map_err(|_| Malformed::Claim { claimed: size.into(), left: left.len() })
    };
    match kind {
        Type::Bool | Type::BoolInHead | Type::Byte => bytes(1),
        Type::I16 => bytes(2),
        Type::I32 => bytes(4),
        Type::I64 | Type::Double => bytes(8),
        Type::Struct => Ok(Some((0, [Some(Want::Fields), None]))),
        Type::Binary => match size_at(0) {
            None => Ok(None),
            Some(claimed) => Ok(Some((4, [Some(Want::Bytes(size(claimed)?)), None]))),
        },
        Type::List | Type::Set => match (left.first(), size_at(1)) {
            (Some(_), Some(0)) => Ok(Some((5, NOTHING))),
            (Some(&kind), Some(claimed)) => {
                Ok(Some((5, [Some(Want::Values(Type::numbered(kind)?, size(claimed)?)), None])))
            }
            _ => Ok(None),
        },
        Type::Map => match (left, size_at(2)) {
            (_, Some(0)) => Ok(Some((6, NOTHING))),
            ([keys, values, ..], Some(claimed)) => {
                let (keys, values) = (Type::numbered(*keys)?, Type::numbered(*values)?);
                let count = size(claimed)?.saturating_mul(2);
                Ok(Some((6, [Some(Want::InTurn(keys, values, count)), None])))
            }
            _ => Ok(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::thrift::{Protocol, Reader, Writer};

    fn message(name: &str, body: &[u8], fields: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(Protocol::Binary, &mut out);
        writer.head(name, 4, 1);
        writer.field(0, 1, Type::Struct);
        writer.field(0, 3, Type::Binary);
        writer.binary(body);
        writer.field(3, 6, Type::Map);
        writer.map(Type::Binary, Type::Binary, fields.len());
        for (name, value) in fields {
            writer.binary(name.as_bytes());
            writer.binary(value);
        }
        writer.field(6, 9, Type::List);
        writer.list(Type::I64, 2);
        writer.i64(1);
        writer.i64(2);
        writer.stop();
        writer.stop();
        out
    }

    proptest! {
        #[test]
        fn the_end_is_found_however_the_bytes_are_split(
            body: Vec<u8>,
            fields in prop::collection::vec((".*", any::<Vec<u8>>()), 0..4),
            steps in prop::collection::vec(1usize..40, 1..20),
        ) {
            let bytes = message("append", &body, &fields);
            let mut scan = Scan::new(1 << 20);
            let mut steps = steps.iter().cycle();
            let mut there = 0;
            while there < bytes.len() {
                prop_assert_eq!(scan.advance(&bytes[..there]), Ok(None));
                there = (there + steps.next().expect("it cycles")).min(bytes.len());
            }
            let mut held = bytes.clone();
            held.extend_from_slice(b"the next one");
            prop_assert_eq!(scan.advance(&held), Ok(Some(bytes.len())));
        }

        #[test]
        fn what_it_takes_for_a_message_the_reader_can_go_over(bytes: Vec<u8>) {
            if let Ok(Some(end)) = Scan::new(1 << 20).advance(&bytes) {
                let mut reader = Reader::new(Protocol::Binary, &bytes[..end]);
                // The reader knows a few heads that are of another protocol.
                if reader.head().is_ok() {
                    prop_assert_eq!(reader.skip(Type::Struct), Ok(()));
                    prop_assert_eq!(reader.position(), end);
                }
            }
        }
    }

    #[test]
    fn claims_beyond_the_limit_are_refused_before_the_bytes_come() {
        let bytes = message("append", &[b'x'; 100], &[]);
        assert!(matches!(Scan::new(50).advance(&bytes[..40]), Err(Malformed::Claim { .. })));
        let mut negative = message("append", b"", &[]);
        let at = negative.windows(3).position(|w| w == [11, 0, 3]).expect("the body") + 3;
        negative[at..at + 4].copy_from_slice(&(-1i32).to_be_bytes());
        assert!(matches!(Scan::new(1000).advance(&negative), Err(Malformed::Claim { claimed: -1, .. })));
    }

    #[test]
    fn nesting_has_a_limit() {
        let mut bytes = Vec::new();
        Writer::new(Protocol::Binary, &mut bytes).head("append", 4, 1);
        bytes.extend(std::iter::repeat_n([12, 0, 1], 10_000).flatten());
        assert_eq!(Scan::new(1 << 20).advance(&bytes), Err(Malformed::TooDeep));
    }
}
