//! Avro's binary encoding, read from a slice. Every error says at which byte and what was expected.

use flumen_event::Span;

/// The bytes are not what the protocol says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The input ends inside of something.
    #[error("it ends inside {0}")]
    Ends(&'static str),
    /// A length or number is impossible.
    #[error("{0} at byte {1} is impossible")]
    Impossible(&'static str, usize),
    /// An event that no batch can hold.
    #[error("an event has more than {0} headers")]
    TooManyHeaders(usize),
    /// More events or headers than a request may have.
    #[error("it has more than {0} events and headers")]
    TooManyEvents(usize),
    /// The peer's own protocol cannot be understood, or does not fit.
    #[error("{0}")]
    Protocol(String),
}

/// A position in a payload. After an error it is of no use.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    /// Bytes that are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
    /// Where the next byte is.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// A zig-zag coded number of one to ten bytes.
    ///
    /// # Errors
    /// If it does not end, or has more than 64 bits.
    #[inline]
    pub fn long(&mut self) -> Result<i64, Malformed> {
        // Nearly all numbers here are one byte long.
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(i64::from(byte >> 1) ^ -i64::from(byte & 1))
            }
            _ => self.long_of_several_bytes(),
        }
    }
    fn long_of_several_bytes(&mut self) -> Result<i64, Malformed> {
        let start = self.at;
        let mut number = 0u64;
        for (count, &byte) in self.bytes[start..].iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7F) << (7 * count);
            if byte < 0x80 {
                if count == 9 && byte > 1 {
                    return Err(Malformed::Impossible("a number", start));
                }
                self.at = start + count + 1;
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        if self.left() < 10 {
            return Err(Malformed::Ends("a number"));
        }
        Err(Malformed::Impossible("a number", start))
    }

    /// `bytes` and `string`: a length and so many bytes, as a place in the payload.
    ///
    /// # Errors
    /// If they are not there.
    #[inline]
    pub fn span(&mut self, what: &'static str) -> Result<Span, Malformed> {
        let at = self.at;
        let length = usize::try_from(self.long()?).map_err(|_| Malformed::Impossible(what, at))?;
        if length > self.left() {
            return Err(Malformed::Ends(what));
        }
        let start = self.at;
        self.at += length;
        Ok(Span { start: start as u32, len: length as u32 })
    }
    /// As [`span`](Self::span), as a slice.
    ///
    /// # Errors
    /// If they are not there.
    pub fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let span = self.span(what)?;
        Ok(&self.bytes[span.range()])
    }
    /// So many bytes.
    ///
    /// # Errors
    /// If they are not there.
    pub fn fixed(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        if count > self.left() {
            return Err(Malformed::Ends(what));
        }
        let start = self.at;
        self.at += count;
        Ok(&self.bytes[start..self.at])
    }
    /// A boolean.
    ///
    /// # Errors
    /// If it is neither 0 nor 1.
    pub fn boolean(&mut self) -> Result<bool, Malformed> {
        let at = self.at;
        match self.fixed(1, "a boolean")? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Malformed::Impossible("a boolean", at)),
        }
    }

    /// The head of the next block of a map or array: how many items follow, 0 at the end. A negative count is
    /// followed by the block's size in bytes, which is of no use to those who read the items.
    ///
    /// # Errors
    /// If the count is impossible.
    #[inline]
    pub fn block(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let at = self.at;
        let count = self.long()?;
        if count < 0 {
            let size = self.long()?;
            let fits = usize::try_from(size).is_ok_and(|size| size <= self.left());
            if !fits || count == i64::MIN {
                return Err(Malformed::Impossible(what, at));
            }
        }
        Ok(count.unsigned_abs())
    }

    /// Passes over a map of bytes: the metadata of calls and handshakes, which Flume leaves empty.
    ///
    /// # Errors
    /// If it is no map.
    pub fn skip_metadata(&mut self) -> Result<(), Malformed> {
        loop {
            let items = self.block("metadata")?;
            if items == 0 {
                return Ok(());
            }
            for _ in 0..items {
                self.span("metadata")?;
                self.span("metadata")?;
            }
        }
    }
}

/// Appends a zig-zag coded number.
pub fn put_long(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length and bytes: `bytes` and `string`.
pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_written() {
        for number in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::MAX, i64::MIN, 1 << 40] {
            let mut bytes = Vec::new();
            put_long(number, &mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.long(), reader.left()), (Ok(number), 0));
            let cut = &bytes[..bytes.len() - 1];
            assert_eq!(Reader::new(cut).long(), Err(Malformed::Ends("a number")));
        }
        assert!(matches!(Reader::new(&[0xFF; 10]).long(), Err(Malformed::Impossible(..))));
    }

    #[test]
    fn lengths_beyond_the_input_are_refused() {
        assert_eq!(Reader::new(b"\x06ab").span("it"), Err(Malformed::Ends("it")));
        assert_eq!(Reader::new(b"\x01ab").span("it"), Err(Malformed::Impossible("it", 0)));
        let huge = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        assert_eq!(Reader::new(&huge).span("it"), Err(Malformed::Ends("it")));
    }

    #[test]
    fn blocks_may_be_several_and_say_their_size() {
        // Two blocks of one entry, the first with its size; then the end.
        let mut reader = Reader::new(b"\x01\x08\x02k\x02v\x02\x02k\x02v\x00rest");
        assert_eq!(reader.skip_metadata(), Ok(()));
        assert_eq!(reader.left(), 4);
        assert!(Reader::new(b"\x01\x08\x02k").skip_metadata().is_err());
    }
}
