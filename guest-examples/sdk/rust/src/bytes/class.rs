//! Sets of bytes.

use std::ops::RangeInclusive;

use super::blocks;
use super::vector::Vector;

/// A set of bytes: one or two ranges are compared, more are looked up.
///
/// ```text
/// byte 0x4e ──▶ low nibble e  ──▶ row: eight bits, one for each high nibble   (one table below 0x80, one above)
///           ──▶ high nibble 4 ──▶ bit 0001_0000                               row & bit: whether it belongs
/// ```
#[derive(Clone, Debug)]
pub struct Class {
    kind: Kind,
    below: [u8; 16],
    above: [u8; 16],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Empty,
    /// Start and width.
    One([u8; 2]),
    Two([u8; 4]),
    Table,
}

const BIT_OF_HIGH: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

impl Class {
    /// `0` to `9`.
    pub const DIGITS: Self = Self::of(&[b'0'..=b'9']);
    /// ASCII letters.
    pub const LETTERS: Self = Self::of(&[b'A'..=b'Z', b'a'..=b'z']);
    /// Space, tab, line feed, vertical tab, form feed, carriage return.
    pub const SPACE: Self = Self::of(&[b' '..=b' ', b'\t'..=b'\r']);
    /// Bytes that are not ASCII.
    pub const NOT_ASCII: Self = Self::of(&[0x80..=0xff]);

    /// The bytes of these ranges.
    pub const fn of(ranges: &[RangeInclusive<u8>]) -> Self {
        let mut class = Self { kind: Kind::Empty, below: [0; 16], above: [0; 16] };
        let mut i = 0;
        while i < ranges.len() {
            let (start, end) = (*ranges[i].start(), *ranges[i].end());
            i += 1;
            if start > end {
                continue;
            }
            let width = end - start;
            class.kind = match class.kind {
                Kind::Empty => Kind::One([start, width]),
                Kind::One([a, b]) => Kind::Two([a, b, start, width]),
                _ => Kind::Table,
            };
            let mut byte = start as usize;
            while byte <= end as usize {
                let (low, high) = (byte & 15, byte >> 4);
                let rows = if byte < 0x80 { &mut class.below } else { &mut class.above };
                rows[low] |= BIT_OF_HIGH[high];
                byte += 1;
            }
        }
        class
    }
    /// These bytes.
    pub fn bytes(bytes: &[u8]) -> Self {
        let mut table = [false; 256];
        bytes.iter().for_each(|byte| table[*byte as usize] = true);
        // Neighbours make one range.
        let mut ranges: Vec<RangeInclusive<u8>> = Vec::new();
        for byte in (0..=255_u8).filter(|byte| table[*byte as usize]) {
            match ranges.last_mut() {
                Some(last) if *last.end() == byte.wrapping_sub(1) => *last = *last.start()..=byte,
                _ => ranges.push(byte..=byte),
            }
        }
        Self::of(&ranges)
    }

    /// Whether this byte belongs to it.
    #[inline]
    pub const fn has(&self, byte: u8) -> bool {
        let rows = if byte < 0x80 { &self.below } else { &self.above };
        rows[(byte & 15) as usize] & BIT_OF_HIGH[(byte >> 4) as usize] != 0
    }
    /// Whether any of the bytes does.
    #[inline]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.find(bytes).is_some()
    }
    /// The place of the first byte that does.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        let is = |place: usize| self.has(bytes[place]);
        match self.kind {
            Kind::Empty => None,
            Kind::One(range) => blocks::search(bytes, bytes, |vector, _| in_one(vector, range), is),
            Kind::Two(ranges) => blocks::search(bytes, bytes, |vector, _| in_two(vector, ranges), is),
            Kind::Table => {
                let rows = self.rows();
                blocks::search(bytes, bytes, |vector, _| in_rows(vector, rows), is)
            }
        }
    }
    /// How many do.
    pub fn count(&self, bytes: &[u8]) -> usize {
        let is = |byte| self.has(byte);
        match self.kind {
            Kind::Empty => 0,
            Kind::One(range) => blocks::count(bytes, |vector| in_one(vector, range), is),
            Kind::Two(ranges) => blocks::count(bytes, |vector| in_two(vector, ranges), is),
            Kind::Table => {
                let rows = self.rows();
                blocks::count(bytes, |vector| in_rows(vector, rows), is)
            }
        }
    }
    /// Replaces those that do, and answers how many there were.
    pub fn replace(&self, bytes: &mut [u8], with: u8) -> usize {
        let is = |byte| self.has(byte);
        match self.kind {
            Kind::Empty => 0,
            Kind::One(range) => blocks::replace(bytes, with, |vector| in_one(vector, range), is),
            Kind::Two(ranges) => blocks::replace(bytes, with, |vector| in_two(vector, ranges), is),
            Kind::Table => {
                let rows = self.rows();
                blocks::replace(bytes, with, |vector| in_rows(vector, rows), is)
            }
        }
    }
    fn rows(&self) -> [Vector; 2] {
        [Vector::load(&self.below), Vector::load(&self.above)]
    }
}

#[inline(always)]
fn in_one(vector: Vector, [start, width]: [u8; 2]) -> Vector {
    vector.minus(Vector::all(start)).at_most(Vector::all(width))
}
#[inline(always)]
fn in_two(vector: Vector, [a, b, c, d]: [u8; 4]) -> Vector {
    in_one(vector, [a, b]).or(in_one(vector, [c, d]))
}
#[inline(always)]
fn in_rows(vector: Vector, [below, above]: [Vector; 2]) -> Vector {
    let (low, high) = (vector.and(Vector::all(15)), vector.high_nibbles());
    let ascii = vector.at_most(Vector::all(0x7f));
    let row = below.at(low).or_else(above.at(low), ascii);
    let absent = row.and(Vector::load(&BIT_OF_HIGH).at(high)).eq(Vector::all(0));
    Vector::all(0xff).and_not(absent)
}
