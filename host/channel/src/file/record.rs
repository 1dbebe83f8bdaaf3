//! The records of a segment, and its head: what the bytes mean. Version 1.
//!
//! ```text
//! segment   head (512) │ the same head again (512) │ record │ record │ … │ zeros up to the preallocated length;
//!           if the first record, a state, has flag 2: what an earlier segment has left there
//!
//! head       0 "FLUMENLG" │ 8 version u32 │ 12 CRC32C u32 of the 512 bytes with zeros here
//!           16 segment u64 │ 24 made at u64 │ 32 channel [16] │ 48 random [16]
//!           64 cipher: length u16, name │ key: length u16, name │ zeros
//!
//! record     0 magic u32 │ 4 CRC32C u32 of bytes 8..64
//!  (64)      8 kind u8 │ 9 flags u8 │ 10 zero u16 │ 12 payload bytes u32
//!           16 CRC32C u32 of the payload │ 20 events u32
//!           24 segment u64 │ 32 sequence u64
//!           40 durable u64 │ 48 put at u64
//!           56 body bytes u32 │ 60 first event u32
//! payload   put    a packed batch (flumen-event, packed.rs), sealed if flag 1 is set
//!           take   n × ( segment u64, from u32, to u32 )       events of that segment that are done
//!           state  see state.rs
//!           zeros up to a multiple of 16
//! ```
//!
//! Numbers are little endian, times milliseconds since 1970. *sequence* orders the events of all folders of a
//! channel: first number of a put. *durable* is how many bytes of this very segment were known to be durable when
//! the record was written: a damaged record before that point had been acknowledged, one behind it may be the
//! torn end of a crash. *first event* counts the events of the segment: takes name events by segment and number,
//! and a gap in the numbers says how many events a damaged record had. A record names its segment, so bytes of another
//! one are never taken for its own; the head has a checksum of its own, so a damaged payload costs that record only.
//! That checksum begins with random bytes of the segment: a sender who puts the image of a record into the body of
//! an event cannot have it found when a reader searches for the next good record behind a damaged one. For the same two
//! reasons no record of an earlier segment in the same file is taken for one of this.
//!
//! Later versions: readers refuse a higher version of the head, and skip flags and kinds that they do not know
//! only if bit 7 is clear ("may be ignored"). What is zero today is written as zero.

use crate::file::cipher::RecordNonce;

/// The version that is written.
pub const VERSION: u32 = 1;
/// Bytes of a segment's head.
pub const HEAD_BYTES: usize = 512;
/// Where the first record lies: behind two copies of the head.
pub const RECORDS_AT: u64 = 2 * HEAD_BYTES as u64;
/// Bytes of a record before its payload.
pub const RECORD_BYTES: usize = 64;
/// Where in a record the number of its segment is.
pub(crate) const SEGMENT_AT: usize = 24;
/// Records begin at multiples of this.
pub const ALIGN: usize = 16;
/// Set in `flags` where the payload is sealed.
pub const SEALED: u8 = 1;
/// Set in `flags` of a segment's first state if the file held another segment before.
pub const RECYCLED: u8 = 2;
/// A flag or kind with this bit must not be skipped by a reader that does not know it.
const MUST_KNOW: u8 = 0x80;
/// No channel has as many segments or events; what says so is damaged, whatever its checksum says.
pub const NUMBER_MAX: u64 = 1 << 62;
const MAGIC: u32 = u32::from_le_bytes(*b"flR1");
const HEAD_MAGIC: &[u8; 8] = b"FLUMENLG";

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A batch.
    Put,
    /// Events that are done: delivered, or never committed.
    Take,
    /// All that was known of earlier segments when this one was begun.
    State,
    /// Written by a later version, and said to be of no need for this one.
    Unknown(u8),
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Put => 1,
            Kind::Take => 2,
            Kind::State => 3,
            Kind::Unknown(kind) => kind,
        }
    }
    fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Kind::Put),
            2 => Some(Kind::Take),
            3 => Some(Kind::State),
            other => (other & MUST_KNOW == 0).then_some(Kind::Unknown(other)),
        }
    }
}

/// What the checksums of a segment's records begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u32);

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// What it is.
    pub kind: Kind,
    /// [`SEALED`], [`RECYCLED`], or nothing.
    pub flags: u8,
    /// Bytes of the payload as stored.
    pub payload_bytes: u32,
    /// Checksum of the payload as stored.
    pub payload_crc: u32,
    /// Events of a put, else 0.
    pub events: u32,
    /// The segment it was written to.
    pub segment: u64,
    /// Number of the first event in the order of the channel.
    pub sequence: u64,
    /// Bytes of the segment that were durable before it.
    pub durable: u64,
    /// When it was put.
    pub put_at_ms: u64,
    /// Bytes of the bodies.
    pub body_bytes: u32,
    /// Events of the segment before it.
    pub first_event: u32,
}

impl RecordHead {
    /// Bytes from its start to the next record's.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        padded(RECORD_BYTES as u64 + u64::from(self.payload_bytes))
    }
    /// What names it for the cipher.
    #[must_use]
    pub fn nonce(&self, head: &SegmentHead) -> RecordNonce {
        RecordNonce { segment: head.random, record: self.first_event }
    }
    /// As it is stored.
    #[must_use]
    pub fn encode(&self, seed: Seed) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC.to_le_bytes());
        put(8, &[self.kind.byte(), self.flags]);
        put(12, &self.payload_bytes.to_le_bytes());
        put(16, &self.payload_crc.to_le_bytes());
        put(20, &self.events.to_le_bytes());
        put(24, &self.segment.to_le_bytes());
        put(32, &self.sequence.to_le_bytes());
        put(40, &self.durable.to_le_bytes());
        put(48, &self.put_at_ms.to_le_bytes());
        put(56, &self.body_bytes.to_le_bytes());
        put(60, &self.first_event.to_le_bytes());
        let crc = crc32c::crc32c_append(seed.0, &bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
    /// The head of a record of this segment, if there is an undamaged one at the start of the bytes.
    #[must_use]
    pub fn decode(bytes: &[u8], segment: u64, seed: Seed) -> Option<Self> {
        let bytes = bytes.get(..RECORD_BYTES)?;
        if number32(bytes, 0) != MAGIC || number32(bytes, 4) != crc32c::crc32c_append(seed.0, &bytes[8..]) {
            return None;
        }
        let head = Self {
            kind: Kind::of(bytes[8])?,
            flags: bytes[9],
            payload_bytes: number32(bytes, 12),
            payload_crc: number32(bytes, 16),
            events: number32(bytes, 20),
            segment: number64(bytes, 24),
            sequence: number64(bytes, 32),
            durable: number64(bytes, 40),
            put_at_ms: number64(bytes, 48),
            body_bytes: number32(bytes, 56),
            first_event: number32(bytes, 60),
        };
        let plausible = head.first_event.checked_add(head.events).is_some() && head.sequence < NUMBER_MAX;
        (head.segment == segment && head.flags & MUST_KNOW == 0 && plausible).then_some(head)
    }
}

/// What a segment begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// Its number, never used twice in a channel.
    pub segment: u64,
    /// When it was made, in milliseconds since 1970.
    pub made_at_ms: u64,
    /// Names the channel: folders of two channels must not be mixed.
    pub channel: [u8; 16],
    /// Drawn when it was made; see [`RecordNonce`].
    pub random: [u8; 16],
    /// The cipher of its sealed records, empty if there is none.
    pub cipher: String,
    /// The key of its sealed records, empty if there is none.
    pub key: String,
}

/// A segment's head cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is no segment, or both copies of its head are damaged.
    #[error("the head is damaged")]
    Damaged,
    /// A later Flumen wrote it.
    #[error("it has version {0} of the format; this Flumen reads up to version {VERSION}")]
    Version(u32),
}

/// Longest names of cipher and key together, in bytes.
pub const NAMES_BYTES_MAX: usize = HEAD_BYTES - 64 - 4;

impl SegmentHead {
    /// What the checksums of its records begin with.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed(number32(&self.random, 12))
    }
    /// As it is stored: one of its two copies.
    #[must_use]
    pub fn encode(&self) -> [u8; HEAD_BYTES] {
        let names = self.cipher.len() + self.key.len();
        assert!(names <= NAMES_BYTES_MAX, "names of {names} bytes were let through by the channel's checks");
        let mut bytes = [0; HEAD_BYTES];
        let mut at = 64;
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, HEAD_MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(16, &self.segment.to_le_bytes());
        put(24, &self.made_at_ms.to_le_bytes());
        put(32, &self.channel);
        put(48, &self.random);
        for name in [&self.cipher, &self.key] {
            put(at, &(name.len() as u16).to_le_bytes());
            put(at + 2, name.as_bytes());
            at += 2 + name.len();
        }
        let crc = crc32c::crc32c(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
    /// The head out of the first bytes of a segment, of which one copy may be damaged.
    ///
    /// # Errors
    /// If neither copy is a head, or it is one of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeadError> {
        let copies = bytes.chunks_exact(HEAD_BYTES).take(2);
        let mut outcome = Err(HeadError::Damaged);
        for copy in copies {
            match Self::decode_copy(copy) {
                Ok(head) => return Ok(head),
                Err(HeadError::Damaged) => {}
                later => outcome = later,
            }
        }
        outcome
    }
    fn decode_copy(bytes: &[u8]) -> Result<Self, HeadError> {
        let mut blank = bytes.to_vec();
        blank[12..16].fill(0);
        if &bytes[..8] != HEAD_MAGIC || number32(bytes, 12) != crc32c::crc32c(&blank) {
            return Err(HeadError::Damaged);
        }
        let version = number32(bytes, 8);
        if version > VERSION {
            return Err(HeadError::Version(version));
        }
        let mut names = &bytes[64..];
        let mut name = || {
            let (length, rest) = names.split_first_chunk::<2>()?;
            let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            names = rest;
            String::from_utf8(text.to_vec()).ok()
        };
        let (cipher, key) = name().zip(name()).ok_or(HeadError::Damaged)?;
        Ok(Self {
            segment: number64(bytes, 16),
            made_at_ms: number64(bytes, 24),
            channel: array16(bytes, 32),
            random: array16(bytes, 48),
            cipher,
            key,
        })
    }
}

/// The checksum of a payload.
#[must_use]
pub fn checksum(payload: &[u8]) -> u32 {
    crc32c::crc32c(payload)
}
/// The next multiple of [`ALIGN`].
#[must_use]
pub fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGN as u64)
}
/// The number at a place that is known to be there.
#[must_use]
pub fn number32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
/// The number at a place that is known to be there.
#[must_use]
pub fn number64(bytes: &[u8], at: usize) -> u64 {
    u64::from(number32(bytes, at)) | u64::from(number32(bytes, at + 4)) << 32
}
fn array16(bytes: &[u8], at: usize) -> [u8; 16] {
    std::array::from_fn(|n| bytes[at + n])
}
