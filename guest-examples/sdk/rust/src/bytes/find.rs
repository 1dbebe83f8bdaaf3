//! Finding bytes and texts.
//!
//! A text is looked for by two of its bytes, the two that are probably the rarest: only where both stand at their
//! distance the whole text is compared.

use super::blocks::search;
use super::vector::Vector;

/// The place of the first such byte.
#[inline]
pub fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    let wanted = Vector::all(byte);
    search(bytes, bytes, |vector, _| vector.eq(wanted), |place| bytes[place] == byte)
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
        let places = (bytes.len() + 1).checked_sub(text.len())?;
        match text {
            [] => Some(0),
            [byte] => find_byte(bytes, *byte),
            _ => {
                // Where the chosen bytes stand for each place where the text may begin.
                let (firsts, seconds) = (&bytes[self.first..][..places], &bytes[self.second..][..places]);
                let (first, second) = (Vector::all(text[self.first]), Vector::all(text[self.second]));
                let hits = |a: Vector, b: Vector| a.eq(first).and(b.eq(second));
                search(firsts, seconds, hits, |place| bytes[place..].starts_with(text))
            }
        }
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
