//! Netty's framing of Avro IPC: a stream is cut into frames, whatever pieces it comes in.
//!
//! ```text
//! serial u32 │ buffers u32 │ buffers × ( length u32 │ bytes )          all numbers big endian
//! ```
//!
//! The borders between buffers mean nothing; they are taken out here, in the one copy from the reader's buffer
//! into an arena of the frame's own size. So a frame holds what it has and no more, and nothing is held between
//! frames. Memory is taken for what has come, never for what is only claimed.

use bytes::{Bytes, BytesMut};

/// What a frame may be.
#[derive(Clone, Copy, Debug)]
pub struct FrameLimits {
    /// Most bytes of a frame, framing included.
    pub bytes_max: usize,
    /// Most buffers of a frame.
    pub buffers_max: u32,
}

/// The stream holds no frame that can be taken. What follows cannot be understood either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Too many bytes.
    #[error("a request of {claimed} bytes or more, frameBytesMax is {max}")]
    TooLarge {
        /// Known so far.
        claimed: u64,
        /// The limit.
        max: usize,
    },
    /// Too many buffers.
    #[error("a request in {claimed} buffers, frameBuffersMax is {max}")]
    TooManyBuffers {
        /// What it says.
        claimed: u32,
        /// The limit.
        max: u32,
    },
}

/// One request or answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Chosen by the client, the same in the answer.
    pub serial: u32,
    /// All buffers in a row.
    pub payload: Bytes,
}

/// What comes next in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Serial,
    Buffers,
    Length,
    Bytes,
}

/// Cuts a stream into frames.
#[derive(Debug)]
pub struct Framer {
    limits: FrameLimits,
    next: Next,
    serial: u32,
    buffers_left: u32,
    /// Of the present buffer.
    bytes_left: usize,
    /// Of the present frame, framing included.
    frame_bytes: u64,
    payload: BytesMut,
    /// A number of which not all bytes have come.
    number: [u8; 4],
    number_bytes: usize,
}

impl Framer {
    /// At the start of a stream.
    #[must_use]
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            next: Next::Serial,
            serial: 0,
            buffers_left: 0,
            bytes_left: 0,
            frame_bytes: 0,
            payload: BytesMut::new(),
            number: [0; 4],
            number_bytes: 0,
        }
    }
    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.next != Next::Serial || self.number_bytes > 0
    }
    /// Bytes that are held of a frame that has not ended.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.payload.capacity()
    }

    /// Takes bytes off the front of `input` until a frame is complete or the input is used up.
    ///
    /// # Errors
    /// If the frame is beyond the limits.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        loop {
            if self.next == Next::Bytes {
                self.copy(input);
                if self.bytes_left > 0 {
                    return Ok(None);
                }
                self.next = Next::Length;
                self.buffers_left -= 1;
            } else {
                let Some(number) = self.number(input) else { return Ok(None) };
                self.step(number, input)?;
            }
            if self.next == Next::Length && self.buffers_left == 0 {
                self.next = Next::Serial;
                let payload = std::mem::take(&mut self.payload).freeze();
                return Ok(Some(Frame { serial: self.serial, payload }));
            }
        }
    }

    fn step(&mut self, number: u32, input: &[u8]) -> Result<(), FrameError> {
        match self.next {
            Next::Serial => {
                self.serial = number;
                self.next = Next::Buffers;
            }
            Next::Buffers => {
                let max = self.limits.buffers_max;
                if number > max {
                    return Err(FrameError::TooManyBuffers { claimed: number, max });
                }
                self.buffers_left = number;
                self.frame_bytes = 8;
                self.next = Next::Length;
                let in_sight = payload_in_sight(number, input);
                self.payload = BytesMut::with_capacity(in_sight.min(self.limits.bytes_max));
            }
            Next::Length | Next::Bytes => {
                self.frame_bytes += 4 + u64::from(number);
                let max = self.limits.bytes_max;
                if self.frame_bytes > max as u64 {
                    return Err(FrameError::TooLarge { claimed: self.frame_bytes, max });
                }
                self.bytes_left = number as usize;
                self.next = Next::Bytes;
            }
        }
        Ok(())
    }

    fn copy(&mut self, input: &mut &[u8]) {
        let (now, rest) = input.split_at(self.bytes_left.min(input.len()));
        self.payload.extend_from_slice(now);
        self.bytes_left -= now.len();
        *input = rest;
    }

    fn number(&mut self, input: &mut &[u8]) -> Option<u32> {
        if self.number_bytes == 0
            && let Some((number, rest)) = input.split_first_chunk::<4>()
        {
            *input = rest;
            return Some(u32::from_be_bytes(*number));
        }
        while self.number_bytes < 4 {
            let (&byte, rest) = input.split_first()?;
            self.number[self.number_bytes] = byte;
            self.number_bytes += 1;
            *input = rest;
        }
        self.number_bytes = 0;
        Some(u32::from_be_bytes(self.number))
    }
}

/// How many bytes of the payload the input holds, so that a frame that is there gets memory once and exactly.
fn payload_in_sight(buffers: u32, mut input: &[u8]) -> usize {
    let mut bytes = 0;
    for _ in 0..buffers {
        let Some((length, rest)) = input.split_first_chunk::<4>() else { break };
        let length = u32::from_be_bytes(*length) as usize;
        bytes += length.min(rest.len());
        input = rest.get(length..).unwrap_or_default();
    }
    bytes
}

/// Appends the head of a frame.
pub fn put_head(serial: u32, buffers: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&serial.to_be_bytes());
    out.extend_from_slice(&buffers.to_be_bytes());
}

/// Appends one buffer. What is beyond 4 GiB has been refused long before.
pub fn put_buffer(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FrameLimits = FrameLimits { bytes_max: 1000, buffers_max: 10 };

    fn all(framer: &mut Framer, mut input: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = framer.feed(&mut input).expect("within the limits") {
            frames.push(frame);
        }
        assert!(input.is_empty());
        frames
    }
    fn frame(serial: u32, buffers: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        put_head(serial, buffers.len() as u32, &mut out);
        buffers.iter().for_each(|buffer| put_buffer(buffer, &mut out));
        out
    }

    #[test]
    fn frames_come_whole_however_the_stream_is_cut() {
        let stream =
            [frame(1, &[b"ab", b"", b"cd"]), frame(2, &[]), frame(7, &[b"", b"", b""]), frame(3, &[b"xyz"])];
        let stream = stream.concat();
        let whole = all(&mut Framer::new(LIMITS), &stream);
        let texts: Vec<_> = whole.iter().map(|f| (f.serial, &f.payload[..])).collect();
        assert_eq!(texts, [(1, &b"abcd"[..]), (2, b""), (7, b""), (3, b"xyz")]);
        for first in 0..stream.len() {
            for second in first..stream.len() {
                let mut framer = Framer::new(LIMITS);
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                let frames: Vec<Frame> = pieces.iter().flat_map(|piece| all(&mut framer, piece)).collect();
                assert_eq!(frames, whole);
                assert!(!framer.is_inside());
            }
        }
    }

    #[test]
    fn a_frame_that_has_begun_is_said_to_have() {
        for part in 1..8 {
            let mut framer = Framer::new(LIMITS);
            assert!(all(&mut framer, &frame(1, &[b""])[..part]).is_empty());
            assert!(framer.is_inside());
        }
    }

    #[test]
    fn claims_beyond_the_limits_are_refused_without_memory() {
        let mut framer = Framer::new(LIMITS);
        let mut claim: &[u8] = b"\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff";
        assert!(matches!(framer.feed(&mut claim), Err(FrameError::TooLarge { .. })));
        assert_eq!(framer.held_bytes(), 0);
        let mut framer = Framer::new(LIMITS);
        let mut claim: &[u8] = b"\0\0\0\x01\x7f\xff\xff\xff";
        assert!(matches!(framer.feed(&mut claim), Err(FrameError::TooManyBuffers { .. })));
    }

    #[test]
    fn a_claim_within_the_limits_gets_memory_for_what_has_come_only() {
        let mut framer = Framer::new(FrameLimits { bytes_max: 1 << 31, buffers_max: 10 });
        let mut claim: &[u8] = b"\0\0\0\x01\0\0\0\x01\x7f\xff\xff\x00abc";
        assert_eq!(framer.feed(&mut claim), Ok(None));
        assert!(framer.held_bytes() < 100, "{}", framer.held_bytes());
    }

    #[test]
    fn many_small_buffers_add_up_to_a_limit() {
        let mut framer = Framer::new(LIMITS);
        let stream = frame(1, &[&[0; 300][..]; 4]);
        assert!(matches!(framer.feed(&mut &stream[..]), Err(FrameError::TooLarge { max: 1000, .. })));
    }
}
