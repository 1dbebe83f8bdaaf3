//! Checks that all lists share, and the budget of an answer.

use flumen_event::Span;

use super::breach::{At, Breach};
use super::{Bounds, PLACE_BYTES};
use crate::world::v0_1_0::bindings::flumen::plugin::types::{Rejection, RowsResult};

/// Bytes that an answer may still have.
#[derive(Debug)]
pub(crate) struct Budget {
    used: u64,
    bytes_max: usize,
}

impl Budget {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self { used: 0, bytes_max: bounds.bytes_max }
    }
    /// Counts `items` values of `bytes` each, and their places.
    pub(crate) fn charge_each(&mut self, items: usize, bytes: usize) -> Result<(), Breach> {
        self.charge((items as u64).saturating_mul((bytes + PLACE_BYTES) as u64))
    }
    /// Counts bytes.
    pub(crate) fn charge(&mut self, bytes: u64) -> Result<(), Breach> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.bytes_max as u64 {
            return Err(Breach::Bytes { bytes: self.used, bytes_max: self.bytes_max });
        }
        Ok(())
    }
}

/// The rows of a list; none: all of them.
pub(super) fn rows(rows: RowsResult, count: usize, at: At<'_>) -> Result<Option<Vec<u32>>, Breach> {
    let RowsResult::Only(rows) = rows else { return Ok(None) };
    if let Some(index) = rows.windows(2).position(|pair| pair[0] >= pair[1]) {
        let (before, row) = (rows[index], rows[index + 1]);
        return Err(Breach::Order { part: at.part(), index: index + 1, row, before });
    }
    match rows.last() {
        Some(&row) if row as usize >= count => {
            let index = rows.partition_point(|&row| (row as usize) < count);
            Err(Breach::Row { part: at.part(), index, row: rows[index], rows: count })
        }
        // Rows that ascend below `count` and are `count` many are all rows.
        _ => Ok((rows.len() < count).then_some(rows)),
    }
}

/// How many items the spans make.
pub(super) fn items(spans: &[u32], at: At<'_>) -> Result<usize, Breach> {
    if !spans.len().is_multiple_of(2) {
        return Err(Breach::Unpaired { part: at.part(), numbers: spans.len() });
    }
    Ok(spans.len() / 2)
}

/// The spans of `expected` items in so many bytes, counted against the budget.
pub(super) fn spans(
    spans: &[u32],
    (bytes, expected): (usize, usize),
    (budget, name_bytes): (&mut Budget, usize),
    at: At<'_>,
) -> Result<Vec<Span>, Breach> {
    let items = items(spans, at)?;
    if items != expected {
        return Err(Breach::Items { part: at.part(), items, rows: expected });
    }
    if bytes >= u32::MAX as usize {
        return Err(Breach::Bytes { bytes: bytes as u64, bytes_max: u32::MAX as usize });
    }
    let pairs = || spans.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let bad = |(start, end): (u32, u32)| start > end || end as usize > bytes;
    // One pass without a way out in its middle: it is the common case, and goes several spans at a time.
    let (any_bad, sum) = pairs().fold((false, 0u64), |(any_bad, sum), (start, end)| {
        (any_bad | bad((start, end)), sum.wrapping_add(u64::from(end.wrapping_sub(start))))
    });
    if any_bad {
        let first = pairs().enumerate().find(|(_, pair)| bad(*pair));
        let (index, (start, end)) = first.unwrap_or_default();
        return Err(Breach::Span { part: at.part(), index, start, end, bytes });
    }
    budget.charge_each(items, name_bytes)?;
    budget.charge(sum)?;
    Ok(pairs().map(|(start, end)| Span { start, len: end - start }).collect())
}

/// The rows whose bit is set in a bitmap; bits behind the last row mean nothing.
pub(crate) fn rows_of_bits(words: &[u64], count: usize, list: &'static str) -> Result<Vec<u32>, Breach> {
    let expected = count.div_ceil(64);
    if words.len() != expected {
        let part = At::list(list).part();
        return Err(Breach::Words { part, words: words.len(), expected, rows: count });
    }
    let mut rows = Vec::with_capacity(words.iter().map(|word| word.count_ones() as usize).sum());
    for (at, &word) in words.iter().enumerate() {
        let left = count - at * 64;
        let mut word = if left < 64 { word & ((1 << left) - 1) } else { word };
        if word == u64::MAX {
            rows.extend(at as u32 * 64..at as u32 * 64 + 64);
            continue;
        }
        while word != 0 {
            rows.push(at as u32 * 64 + word.trailing_zeros());
            word &= word - 1;
        }
    }
    Ok(rows)
}

/// The rejected rows, ascending, and why.
pub(crate) fn rejections(
    list: Vec<Rejection>,
    count: usize,
    budget: &mut Budget,
) -> Result<(Vec<u32>, Vec<String>), Breach> {
    if list.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let part = || At::list("rejected").part();
    let mut pairs = Vec::with_capacity(list.len().min(count));
    for (index, Rejection { row, reason }) in list.into_iter().enumerate() {
        if row as usize >= count {
            return Err(Breach::Row { part: part(), index, row, rows: count });
        }
        budget.charge_each(1, reason.len())?;
        pairs.push((row, reason));
    }
    pairs.sort_by_key(|(row, _)| *row);
    if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Breach::Twice { part: part(), row: pair[0].0 });
    }
    Ok(pairs.into_iter().unzip())
}
