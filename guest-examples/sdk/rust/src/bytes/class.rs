//! Sets of bytes.

use std::ops::RangeInclusive;

use super::blocks::{Kernel, KernelMut, Lanes, Search, any, search, sum, sum_mut};

/// A set of bytes: up to four ranges are compared at once, more are looked up in a table.
#[derive(Clone, Debug)]
pub struct Class {
    /// Start and width; those not used repeat the first.
    ranges: [(u8, u8); 4],
    kind: Kind,
    table: [bool; 256],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Empty,
    OneRange,
    FourRanges,
    Table,
}

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
        let mut class = Self { ranges: [(0, 0); 4], kind: Kind::Empty, table: [false; 256] };
        let (mut i, mut used) = (0, 0);
        while i < ranges.len() {
            let (start, end) = (*ranges[i].start(), *ranges[i].end());
            i += 1;
            if start > end {
                continue;
            }
            let mut byte = start as usize;
            while byte <= end as usize {
                class.table[byte] = true;
                byte += 1;
            }
            if used < 4 {
                let mut slot = used;
                while slot < 4 {
                    class.ranges[slot] = (start, end - start);
                    slot += if used == 0 { 1 } else { 4 };
                }
            }
            used += 1;
        }
        class.kind = match used {
            0 => Kind::Empty,
            1 => Kind::OneRange,
            2..=4 => Kind::FourRanges,
            _ => Kind::Table,
        };
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
    pub const fn has(&self, byte: u8) -> bool {
        self.table[byte as usize]
    }
    /// Whether any of the bytes does.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.find(bytes).is_some()
    }
    /// The place of the first byte that does.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self.kind {
            Kind::Empty => None,
            Kind::OneRange => search(bytes.len(), &Find { bytes, class: One(self.ranges[0]) }),
            Kind::FourRanges => search(bytes.len(), &Find { bytes, class: Four(self.ranges) }),
            Kind::Table => search(bytes.len(), &Find { bytes, class: Table(&self.table) }),
        }
    }
    /// How many do.
    pub fn count(&self, bytes: &[u8]) -> usize {
        match self.kind {
            Kind::Empty => 0,
            Kind::OneRange => sum(bytes, &Count(One(self.ranges[0]))),
            Kind::FourRanges => sum(bytes, &Count(Four(self.ranges))),
            Kind::Table => sum(bytes, &Count(Table(&self.table))),
        }
    }
    /// Replaces those that do, and answers how many there were.
    pub fn replace(&self, bytes: &mut [u8], with: u8) -> usize {
        match self.kind {
            Kind::Empty => 0,
            Kind::OneRange => sum_mut(bytes, &Replace(One(self.ranges[0]), with)),
            Kind::FourRanges => sum_mut(bytes, &Replace(Four(self.ranges), with)),
            Kind::Table => sum_mut(bytes, &Replace(Table(&self.table), with)),
        }
    }
}

trait Test {
    fn test(&self, byte: u8) -> bool;
}
struct One((u8, u8));
struct Four([(u8, u8); 4]);
struct Table<'a>(&'a [bool; 256]);

impl Test for One {
    #[inline(always)]
    fn test(&self, byte: u8) -> bool {
        byte.wrapping_sub(self.0.0) <= self.0.1
    }
}
impl Test for Four {
    #[inline(always)]
    fn test(&self, byte: u8) -> bool {
        let [a, b, c, d] = self.0;
        One(a).test(byte) | One(b).test(byte) | One(c).test(byte) | One(d).test(byte)
    }
}
impl Test for Table<'_> {
    #[inline(always)]
    fn test(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }
}

struct Count<T>(T);
impl<T: Test> Kernel for Count<T> {
    #[inline(always)]
    fn block<const N: usize>(&self, block: &[u8; N], lanes: &mut Lanes) {
        for i in 0..N {
            lanes[i % 16] += u8::from(self.0.test(block[i]));
        }
    }
}

struct Replace<T>(T, u8);
impl<T: Test> KernelMut for Replace<T> {
    #[inline(always)]
    fn block<const N: usize>(&self, block: &mut [u8; N], lanes: &mut Lanes) {
        for i in 0..N {
            let found = self.0.test(block[i]);
            block[i] = if found { self.1 } else { block[i] };
            lanes[i % 16] += u8::from(found);
        }
    }
}

struct Find<'a, T> {
    bytes: &'a [u8],
    class: T,
}
impl<T: Test> Search for Find<'_, T> {
    #[inline(always)]
    fn hint<const N: usize>(&self, at: usize) -> bool {
        let Some(block) = self.bytes[at..].first_chunk::<N>() else { return true };
        any::<N>(|i| self.class.test(block[i]))
    }
    #[inline]
    fn look(&self, from: usize, to: usize) -> Option<usize> {
        let found = self.bytes[from..to].iter().position(|byte| self.class.test(*byte));
        found.map(|place| from + place)
    }
}
