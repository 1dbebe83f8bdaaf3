//! A place in an arena.

use std::ops::Range;

/// Start and length of a piece of an arena. Arenas are at most 4 GiB - 2 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    /// The mark of "this event has no value here", used inside header columns only.
    pub const ABSENT: Span = Span { start: u32::MAX, len: 0 };

    /// A span over `range`.
    ///
    /// # Panics
    /// If the range does not fit 32 bits: arenas are cut long before that.
    #[must_use]
    pub fn new(range: Range<usize>) -> Self {
        assert!(range.end < u32::MAX as usize && range.start <= range.end, "span {range:?} out of bounds");
        Self { start: range.start as u32, len: (range.end - range.start) as u32 }
    }
    /// The bytes covered, as a range of the arena.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
    /// First byte after the span.
    #[must_use]
    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }
    /// Whether it says that an event has no value; only inside header columns.
    #[must_use]
    pub fn is_absent(self) -> bool {
        self.start == u32::MAX
    }
}
