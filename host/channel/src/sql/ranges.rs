//! Which events of a row are gone: sets of numbers as ranges.

use std::ops::Range;

/// What of `0..events` is in none of the ranges, which may overlap and come in any order.
pub fn left_of(events: u32, gone: &mut [Range<u32>]) -> Vec<Range<u32>> {
    gone.sort_by_key(|range| range.start);
    let (mut left, mut at) = (Vec::new(), 0);
    for range in gone.iter() {
        if range.start > at {
            left.push(at..range.start.min(events));
        }
        at = at.max(range.end);
    }
    if at < events {
        left.push(at..events);
    }
    left.retain(|range| !range.is_empty());
    left
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range that is left is what is expected")]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_exact_however_ranges_overlap() {
        // A take whose commit was answered by nobody may have been recorded, and is taken again otherwise cut.
        assert_eq!(left_of(6, &mut [0..3, 0..2, 2..5]), [5..6]);
        assert_eq!(left_of(6, &mut [4..5, 0..1]), [1..4, 5..6]);
        assert_eq!(left_of(6, &mut [3..9, 0..3]), []);
        assert_eq!(left_of(6, &mut []), [0..6]);
    }
}
