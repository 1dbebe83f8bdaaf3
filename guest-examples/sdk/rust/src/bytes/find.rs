//! Finding bytes and texts.
//!
//! A text is looked for by two of its bytes, the two that are probably the rarest: only where both stand at their
//! distance the whole text is compared.

use super::blocks::{Search, any, search};

/// The place of the first such byte.
#[inline]
pub fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    search(bytes.len(), &Byte { bytes, byte })
}
/// The first place where `text` stands. For more than a few searches for the same text there is [`Finder`].
pub fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    Pair::of(text).find(bytes, text)
}
/// Whether `text` stands anywhere in the bytes.
pub fn contains(bytes: &[u8], text: &[u8]) -> bool {
    find(bytes, text).is_some()
}

/// Looks for one text many times.
#[derive(Clone, Debug)]
pub struct Finder {
    text: Vec<u8>,
    pair: Pair,
}

impl Finder {
    /// For this text. An empty one is found everywhere.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        Self { pair: Pair::of(&text), text }
    }
    /// The first place where it stands.
    #[inline]
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.pair.find(bytes, &self.text)
    }
    /// Whether it stands anywhere.
    #[inline]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.find(bytes).is_some()
    }
}

struct Byte<'a> {
    bytes: &'a [u8],
    byte: u8,
}
impl Search for Byte<'_> {
    #[inline(always)]
    fn hint<const N: usize>(&self, at: usize) -> bool {
        let Some(block) = self.bytes[at..].first_chunk::<N>() else { return true };
        any::<N>(|i| block[i] == self.byte)
    }
    #[inline]
    fn look(&self, from: usize, to: usize) -> Option<usize> {
        let (words, rest) = self.bytes[from..to].as_chunks::<8>();
        for (word, place) in words.iter().zip((from..).step_by(8)) {
            // The lowest byte that is zero after the exclusive or is the first that is equal.
            let zeros = u64::from_le_bytes(*word) ^ (u64::MAX / 255 * u64::from(self.byte));
            let marks = zeros.wrapping_sub(u64::MAX / 255) & !zeros & (u64::MAX / 255 * 128);
            if marks != 0 {
                return Some(place + marks.trailing_zeros() as usize / 8);
            }
        }
        let rest_from = to - rest.len();
        rest.iter().position(|byte| *byte == self.byte).map(|place| rest_from + place)
    }
}

/// Two places of a text.
#[derive(Clone, Copy, Debug)]
struct Pair {
    first: usize,
    second: usize,
}

impl Pair {
    fn of(text: &[u8]) -> Self {
        let mut rarest = Self { first: 0, second: text.len().saturating_sub(1) };
        let rank = |place: usize| text.get(place).map_or(0, |byte| commonness(*byte));
        for place in 0..text.len() {
            if rank(place) < rank(rarest.first) {
                rarest.first = place;
            }
        }
        for place in (0..text.len()).filter(|place| *place != rarest.first) {
            if rarest.second == rarest.first || rank(place) < rank(rarest.second) {
                rarest.second = place;
            }
        }
        rarest
    }
    #[inline]
    fn find(self, bytes: &[u8], text: &[u8]) -> Option<usize> {
        let Some(places) = (bytes.len() + 1).checked_sub(text.len()) else { return None };
        match text {
            [] => Some(0),
            [byte] => find_byte(bytes, *byte),
            _ => search(
                places,
                &Text {
                    bytes,
                    text,
                    firsts: &bytes[self.first..],
                    seconds: &bytes[self.second..],
                    first: text[self.first],
                    second: text[self.second],
                },
            ),
        }
    }
}

struct Text<'a> {
    bytes: &'a [u8],
    text: &'a [u8],
    /// Where the chosen bytes stand if the text began at 0.
    firsts: &'a [u8],
    seconds: &'a [u8],
    first: u8,
    second: u8,
}
impl Search for Text<'_> {
    #[inline(always)]
    fn hint<const N: usize>(&self, at: usize) -> bool {
        let (firsts, seconds) = (self.firsts[at..].first_chunk::<N>(), self.seconds[at..].first_chunk::<N>());
        let (Some(firsts), Some(seconds)) = (firsts, seconds) else { return true };
        any::<N>(|i| (firsts[i] == self.first) & (seconds[i] == self.second))
    }
    #[inline]
    fn look(&self, from: usize, to: usize) -> Option<usize> {
        (from..to).find(|place| {
            self.firsts[*place] == self.first
                && self.seconds[*place] == self.second
                && self.bytes[*place..].starts_with(self.text)
        })
    }
}

/// How often a byte comes, roughly, in logs: rare ones make the search quick.
fn commonness(byte: u8) -> u8 {
    match byte {
        b' ' | b'e' | 0 => 9,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 8,
        b'0' | b'1' => 7,
        b'a'..=b'z' => 6,
        b'2'..=b'9' | b'.' | b'-' | b':' | b'/' | b'"' => 5,
        b'A'..=b'Z' | b'=' | b',' | b'_' => 3,
        _ => 1,
    }
}
