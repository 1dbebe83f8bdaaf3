//! How characters lie in bytes: how wide a line end is, and what a byte order mark says.
//!
//! In UTF-16 and UTF-32 a line end is two or four bytes, and 0x0A alone is half of another character. `UTF-16`
//! and `UTF-32` without a byte order say it by a mark at the start of a stream. Java writes them big endian,
//! `UTF-16` with a mark in front (measured with OpenJDK 17).

/// Which byte of a character comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The most significant.
    Big,
    /// The least significant.
    Little,
}

/// The units that a charset's characters are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// Bytes of a unit, and so of a line feed: 1, 2 or 4.
    pub width: usize,
    /// Their order; of a marked charset the one without a mark.
    pub order: Order,
    /// Whether a stream says the order by a mark at its start, and what is written is big endian.
    pub marked: bool,
}

impl Units {
    pub(super) const NARROW: Self = Self { width: 1, order: Order::Big, marked: false };
    pub(super) const UTF_16: Self = Self { width: 2, order: Order::Big, marked: true };
    pub(super) const UTF_32: Self = Self { width: 4, order: Order::Big, marked: true };

    pub(super) const fn utf_16(order: Order) -> Self {
        Self { width: 2, order, marked: false }
    }
    pub(super) const fn utf_32(order: Order) -> Self {
        Self { width: 4, order, marked: false }
    }
    /// The name of the wide charset of these units.
    pub(super) fn name(self) -> &'static str {
        match (self.width, self.marked, self.order) {
            (2, true, _) => "UTF-16",
            (2, false, Order::Big) => "UTF-16BE",
            (2, false, Order::Little) => "UTF-16LE",
            (_, true, _) => "UTF-32",
            (_, false, Order::Big) => "UTF-32BE",
            (_, false, Order::Little) => "UTF-32LE",
        }
    }

    /// The byte order that a mark at the start of a stream tells.
    #[must_use]
    pub fn order_of_mark(self, start: &[u8]) -> Option<Order> {
        match (self.width, start) {
            (2, [0xFE, 0xFF, ..]) | (4, [0, 0, 0xFE, 0xFF, ..]) => Some(Order::Big),
            (2, [0xFF, 0xFE, ..]) | (4, [0xFF, 0xFE, 0, 0, ..]) => Some(Order::Little),
            _ => None,
        }
    }

    /// Whether the unit at `at` (a multiple of the width) is this ASCII character.
    #[must_use]
    pub fn is_at(self, bytes: &[u8], at: usize, ascii: u8) -> bool {
        let Some(unit) = bytes.get(at..at + self.width) else { return false };
        let (mark, zeros) = match self.order {
            Order::Big => (unit[self.width - 1], &unit[..self.width - 1]),
            Order::Little => (unit[0], &unit[1..]),
        };
        mark == ascii && zeros.iter().all(|b| *b == 0)
    }

    /// Appends a line as Java would encode it in a marked charset: big endian, for UTF-16 with a mark.
    pub fn append_marked(self, line: &[u8], body: &mut impl Extend<u8>) {
        if self.width == 2 && !line.is_empty() {
            body.extend([0xFE, 0xFF]);
        }
        for unit in line.chunks(self.width) {
            match self.order {
                Order::Big => body.extend(unit.iter().copied()),
                Order::Little => body.extend(unit.iter().rev().copied()),
            }
        }
    }
}
