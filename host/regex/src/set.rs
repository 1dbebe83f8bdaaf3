//! Sets of code points: what every Java character class, escape and property becomes.
//!
//! Surrogates are code points here, as in Java; they drop out when a set meets UTF-8 text.

/// The last code point.
pub(crate) const LAST: u32 = 0x10_FFFF;

/// A set of code points as sorted, disjoint, non-adjacent inclusive ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CharSet {
    ranges: Vec<(u32, u32)>,
}

impl CharSet {
    /// The empty set.
    pub(crate) fn new() -> CharSet {
        CharSet::default()
    }

    /// The set of one code point.
    pub(crate) fn single(c: u32) -> CharSet {
        CharSet { ranges: vec![(c, c)] }
    }

    /// All code points from `first` to `last`, both included.
    pub(crate) fn range(first: u32, last: u32) -> CharSet {
        if first > last { CharSet::new() } else { CharSet { ranges: vec![(first, last)] } }
    }

    /// The union of ranges in any order, overlapping or not.
    pub(crate) fn of(ranges: &[(u32, u32)]) -> CharSet {
        let mut set = CharSet { ranges: ranges.to_vec() };
        set.normalise();
        set
    }

    /// The ranges, sorted and disjoint.
    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Whether no code point is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `c` is in the set.
    pub(crate) fn contains(&self, c: u32) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= c);
        after > 0 && self.ranges[after - 1].1 >= c
    }

    /// Adds one code point.
    pub(crate) fn add(&mut self, c: u32) {
        if !self.contains(c) {
            self.ranges.push((c, c));
            self.normalise();
        }
    }

    /// Everything in either set.
    pub(crate) fn union(mut self, other: &CharSet) -> CharSet {
        if !other.is_empty() {
            self.ranges.extend_from_slice(&other.ranges);
            self.normalise();
        }
        self
    }

    /// Everything in both sets.
    pub(crate) fn intersect(&self, other: &CharSet) -> CharSet {
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let mut ranges = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (left.peek(), right.peek()) {
            if a.max(c) <= b.min(d) {
                ranges.push((a.max(c), b.min(d)));
            }
            if b < d {
                left.next()
            } else {
                right.next()
            };
        }
        CharSet { ranges }
    }

    /// Everything not in the set.
    pub(crate) fn negate(&self) -> CharSet {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(first, last) in &self.ranges {
            if first > next {
                ranges.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= LAST {
            ranges.push((next, LAST));
        }
        CharSet { ranges }
    }

    fn normalise(&mut self) {
        self.ranges.sort_unstable();
        let mut kept: Vec<(u32, u32)> = Vec::with_capacity(self.ranges.len());
        for &(first, last) in &self.ranges {
            match kept.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => kept.push((first, last)),
            }
        }
        self.ranges = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negation_twice_is_the_set_and_intersection_agrees_with_contains() {
        let a = CharSet::of(&[(97, 109), (110, 122), (0, 3), (0x1_0000, LAST)]);
        assert_eq!(a.ranges(), [(0, 3), (97, 122), (0x1_0000, LAST)]);
        assert_eq!(a.negate().negate(), a);
        let both = a.intersect(&CharSet::of(&[(2, 100), (122, 0x1_0000)]));
        assert_eq!(both.ranges(), [(2, 3), (97, 100), (122, 122), (0x1_0000, 0x1_0000)]);
        assert!(both.contains(3) && !both.contains(4) && CharSet::new().negate().contains(LAST));
    }
}
