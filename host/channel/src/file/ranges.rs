//! A set of numbers as ranges: which events of a segment are done.
//!
//! Sinks take from the head, so this is one range nearly always, and a few while several sinks are at work.

use std::collections::BTreeMap;
use std::ops::Range;

/// Numbers, as ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Start to end of each.
    ranges: BTreeMap<u32, u32>,
    count: u64,
}

impl Ranges {
    /// How many numbers are in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
    /// How many ranges it consists of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }
    /// Whether no number is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Range<u32>> {
        self.ranges.iter().map(|(&from, &to)| from..to)
    }

    /// Adds numbers, some of which may be in it already; says how many are new.
    pub fn insert(&mut self, added: Range<u32>) -> u64 {
        if added.is_empty() {
            return 0;
        }
        let (mut from, mut to) = (added.start, added.end);
        let before = self.count;
        // Every range that touches the new one begins at or before its end; the first may begin before its start.
        let first = self.ranges.range(..=from).next_back().filter(|(_, end)| **end >= from).map(|(s, _)| *s);
        while let Some((&start, &end)) = self.ranges.range(first.unwrap_or(from).min(from)..=to).next() {
            self.ranges.remove(&start);
            self.count -= u64::from(end - start);
            (from, to) = (from.min(start), to.max(end));
        }
        self.ranges.insert(from, to);
        self.count += u64::from(to - from);
        self.count - before
    }

    /// The parts of `within` that are not in the set, ascending.
    #[must_use]
    pub fn gaps(&self, within: Range<u32>) -> Vec<Range<u32>> {
        let mut gaps = Vec::new();
        if within.is_empty() {
            return gaps;
        }
        let mut next = within.start;
        let before = self.ranges.range(..=within.start).next_back();
        let inside =
            self.ranges.range(within.start.saturating_add(1)..within.end.max(within.start.saturating_add(1)));
        for (&from, &to) in before.into_iter().chain(inside) {
            if to <= next {
                continue;
            }
            if from > next {
                gaps.push(next..from.min(within.end));
            }
            next = to;
        }
        if next < within.end {
            gaps.push(next..within.end);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn ranges_equal_a_set_of_numbers(
            inserts in prop::collection::vec((0u32..60, 0u32..9), 0..40),
            window in (0u32..60, 0u32..30),
        ) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (from, count) in inserts {
                let fresh = (from..from + count).filter(|n| model.insert(*n)).count() as u64;
                prop_assert_eq!(ranges.insert(from..from + count), fresh);
            }
            prop_assert_eq!(ranges.count(), model.len() as u64);
            prop_assert_eq!(ranges.iter().flatten().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            let all: Vec<_> = ranges.iter().collect();
            prop_assert!(all.windows(2).all(|pair| pair[0].end < pair[1].start), "{:?}", all);
            let within = window.0..window.0 + window.1;
            let gaps: Vec<u32> = ranges.gaps(within.clone()).into_iter().flatten().collect();
            prop_assert_eq!(gaps, within.filter(|n| !model.contains(n)).collect::<Vec<_>>());
        }
    }
}
