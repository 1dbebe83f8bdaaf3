//! The bytes of a state file, and how much of a damaged one can be read.
//!
//! ```text
//! file    "FLUMENKV" 01 00 00 00 00 00 00 00   record …
//! record  F1 4B | op | 0 | key length u16 | 0 0 | value length u32 | CRC-32 of these 12 bytes
//!         key | value | CRC-32 of key and value            op 1: set, op 2: delete; numbers little-endian
//! ```
//!
//! The head has a checksum of its own: with it the length can be trusted, so a damaged value costs that record
//! only. Behind a damaged head the reader looks for the next record that is whole. What remains at the end without
//! a whole record behind it is the torn tail of a write that the machine's death cut short.

use super::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// What a file begins with: the magic and the version of the layout.
pub const FILE_HEAD: [u8; 16] = *b"FLUMENKV\x01\0\0\0\0\0\0\0";
const MAGIC: [u8; 2] = [0xF1, 0x4B];
const HEAD_BYTES: usize = 16;
const CRC_BYTES: usize = 4;
/// Work that looking for the next whole record may cost, in bytes summed: a guest chooses its values, and could
/// fill them with heads that each promise a long record.
const SEARCH_BYTES_MAX: usize = 1 << 30;

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// The key has this value from now on.
    Set(&'a str, &'a [u8]),
    /// The key is gone.
    Delete(&'a str),
}

/// Bytes that a change takes in the file.
#[must_use]
pub fn encoded_len(op: Op<'_>) -> usize {
    let (key, value) = parts(op);
    HEAD_BYTES + key.len() + value.len() + CRC_BYTES
}

fn parts<'a>(op: Op<'a>) -> (&'a str, &'a [u8]) {
    match op {
        Op::Set(key, value) => (key, value),
        Op::Delete(key) => (key, &[]),
    }
}

/// Appends a record.
pub fn encode(op: Op<'_>, out: &mut Vec<u8>) {
    let (key, value) = parts(op);
    assert!(key.len() <= KEY_BYTES_MAX && value.len() <= VALUE_BYTES_MAX, "sizes are checked before");
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[if matches!(op, Op::Set(..)) { 1 } else { 2 }, 0]);
    out.extend_from_slice(&(key.len() as u16).to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    let crc = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(value);
    let crc = crc32fast::hash(&out[start + HEAD_BYTES..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// How a file was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Where the last whole record ends: what is appended goes here.
    pub end: usize,
    /// Stretches between whole records that could not be read.
    pub damaged: usize,
    /// Bytes of these.
    pub damaged_bytes: usize,
    /// Bytes behind `end`.
    pub torn_bytes: usize,
}

/// Hands over every whole record behind the file's head, in order.
pub fn replay<'a>(bytes: &'a [u8], mut apply: impl FnMut(Op<'a>)) -> Replayed {
    let mut done = Replayed { end: FILE_HEAD.len().min(bytes.len()), ..Replayed::default() };
    let mut at = done.end;
    let mut search_left = SEARCH_BYTES_MAX;
    while at < bytes.len() {
        match read_one(&bytes[at..]) {
            Read::Whole(op, len) => {
                done.damaged_bytes += at - done.end;
                done.damaged += usize::from(at > done.end);
                apply(op);
                at += len;
                done.end = at;
            }
            Read::BadBody(len) => {
                search_left = search_left.saturating_sub(len);
                // Directly behind a whole record the head is to be believed; in a search it may be part of a value.
                at += if at == done.end { len } else { 1 };
            }
            Read::NoRecord => at += 1,
        }
        if search_left == 0 {
            break;
        }
    }
    done.torn_bytes = bytes.len() - done.end;
    done
}

enum Read<'a> {
    Whole(Op<'a>, usize),
    /// A good head, a damaged rest.
    BadBody(usize),
    NoRecord,
}

fn read_one(bytes: &[u8]) -> Read<'_> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Read::NoRecord };
    if head[..2] != MAGIC || crc32fast::hash(&head[..12]) != u32_at(head, 12) {
        return Read::NoRecord;
    }
    let key_len = usize::from(u16::from_le_bytes([head[4], head[5]]));
    let value_len = u32_at(head, 8) as usize;
    if key_len > KEY_BYTES_MAX || value_len > VALUE_BYTES_MAX {
        return Read::NoRecord;
    }
    let body_len = key_len + value_len;
    let Some(body) = rest.get(..body_len + CRC_BYTES) else { return Read::NoRecord };
    let len = HEAD_BYTES + body.len();
    if crc32fast::hash(&body[..body_len]) != u32_at(body, body_len) {
        return Read::BadBody(len);
    }
    match (head[2], std::str::from_utf8(&body[..key_len])) {
        (1, Ok(key)) => Read::Whole(Op::Set(key, &body[key_len..body_len]), len),
        (2, Ok(key)) => Read::Whole(Op::Delete(key), len),
        _ => Read::BadBody(len),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(ops: &[Op<'_>]) -> Vec<u8> {
        let mut bytes = FILE_HEAD.to_vec();
        ops.iter().for_each(|op| encode(*op, &mut bytes));
        bytes
    }

    fn keys(bytes: &[u8]) -> (Vec<String>, Replayed) {
        let mut keys = Vec::new();
        let done = replay(bytes, |op| keys.push(parts(op).0.to_owned()));
        (keys, done)
    }

    #[test]
    fn a_damaged_record_costs_itself_only() {
        let ops = [Op::Set("a", b"1111"), Op::Set("b", b"2222"), Op::Set("c", b"3333"), Op::Delete("a")];
        let whole = file(&ops);
        for at in FILE_HEAD.len()..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x5a;
            let (keys, done) = keys(&bytes);
            assert_eq!(keys.len(), 3, "byte {at}");
            let last = at >= whole.len() - encoded_len(ops[3]);
            assert_eq!(
                (done.damaged, done.torn_bytes > 0),
                (usize::from(!last), last),
                "byte {at}: {done:?}"
            );
        }
    }

    #[test]
    fn a_file_cut_anywhere_gives_what_is_whole() {
        let whole = file(&[Op::Set("a", b"1"), Op::Set("b", &[7; 1000]), Op::Delete("a")]);
        for len in 0..=whole.len() {
            let (keys, done) = keys(&whole[..len]);
            assert_eq!(done.end + done.torn_bytes, len, "at {len}");
            assert!(keys.len() <= 3 && (len < whole.len() || keys.len() == 3), "at {len}");
        }
    }

    #[test]
    fn any_bytes_can_be_read() {
        let mut random = fastrand::Rng::with_seed(4711);
        println!("seed 4711");
        for _ in 0..200 {
            let mut bytes = file(&[Op::Set("k", &[1; 100]), Op::Set("k2", &[2; 300])]);
            for _ in 0..random.usize(1..40) {
                let at = random.usize(0..bytes.len());
                bytes[at] = random.u8(..);
            }
            let (_, done) = keys(&bytes);
            assert!(done.end + done.torn_bytes == bytes.len());
        }
    }

    #[test]
    fn heads_without_records_do_not_stall_the_reader() {
        // A value full of heads that each promise 64 KiB, behind a damaged record.
        let mut lure = FILE_HEAD.to_vec();
        encode(Op::Set("", &[0; VALUE_BYTES_MAX]), &mut lure);
        let head = lure[FILE_HEAD.len()..FILE_HEAD.len() + HEAD_BYTES].to_vec();
        let mut bytes = file(&[Op::Set("a", b"1")]);
        bytes.push(0);
        bytes.extend(head.iter().copied().cycle().take(4 << 20));
        let (keys, done) = keys(&bytes);
        assert_eq!((keys.len(), done.torn_bytes), (1, (4 << 20) + 1));
    }
}
