//! The bodies of a batch: the buffer they came in, edited in place, and one buffer for those that are new.
//!
//! ```text
//! data    first line\nsecond line\nthird line      handed back as it is when all bodies keep their length
//! spans   0,10  11,22  23,33                       two numbers a row
//! fresh   "a longer second line"                   appended to
//! slots   NONE  0,20                               two numbers a row, grown to the last row that has a new body
//! ```

use super::column::small;
use crate::bindings::flumen::plugin::columns::BodyChange;
use crate::bindings::flumen::plugin::types::{Packed, Rows};

const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Bodies {
    /// Whether the host was asked for them.
    asked: bool,
    data: Vec<u8>,
    spans: Vec<u32>,
    fresh: Vec<u8>,
    slots: Vec<u32>,
    /// Rows that have a slot.
    renewed: u32,
    /// Rows that were given out to be edited in place, as bits, how many, and their bytes.
    touched: Vec<u64>,
    touched_rows: u32,
    touched_bytes: usize,
}

impl From<Option<Packed>> for Bodies {
    fn from(packed: Option<Packed>) -> Self {
        let asked = packed.is_some();
        let Packed { data, spans } = packed.unwrap_or(Packed { data: Vec::new(), spans: Vec::new() });
        Self { asked, data, spans, ..Self::default() }
    }
}

impl Bodies {
    #[inline]
    pub fn get(&self, row: u32) -> &[u8] {
        if let Some((start, end)) = self.slot(row) {
            return &self.fresh[start..end];
        }
        assert!(self.asked, "the plugin reads a body, and its `needs` do not ask for bodies");
        let (start, end) = self.span(row);
        &self.data[start..end]
    }

    /// The body, to be changed without a change of its length.
    #[inline]
    pub fn get_mut(&mut self, row: u32) -> &mut [u8] {
        if let Some((start, end)) = self.slot(row) {
            return &mut self.fresh[start..end];
        }
        assert!(self.asked, "the plugin reads a body, and its `needs` do not ask for bodies");
        if self.touched.is_empty() {
            self.untangle();
            self.touched = vec![0; self.spans.len() / 2 / 64 + 1];
        }
        let (start, end) = self.span(row);
        let (word, bit) = (row as usize / 64, 1_u64 << (row % 64));
        if self.touched[word] & bit == 0 {
            self.touched[word] |= bit;
            self.touched_rows += 1;
            self.touched_bytes += end - start;
        }
        &mut self.data[start..end]
    }

    /// A new body: what `write` appends.
    #[inline]
    pub fn set_with(&mut self, row: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.fresh.len();
        write(&mut self.fresh);
        self.put(row, start);
    }

    /// A new body made of the one there is, if `write` says yes.
    #[inline]
    pub fn rewrite(&mut self, row: u32, write: impl FnOnce(&[u8], &mut Vec<u8>) -> bool) -> bool {
        let start = self.fresh.len();
        let renewed = if let Some((from, to)) = self.slot(row) {
            // It lies in the buffer that grows: a row is rarely rewritten twice.
            let old = self.fresh[from..to].to_vec();
            write(&old, &mut self.fresh)
        } else {
            assert!(self.asked, "the plugin reads a body, and its `needs` do not ask for bodies");
            let (from, to) = self.span(row);
            if self.slots.is_empty() {
                // Mostly all that follow are rewritten as well, and to about their length: a buffer that grows
                // would be copied again and again.
                self.fresh.reserve((self.data.len() - from) / 16 * 17 + 64);
            }
            write(&self.data[from..to], &mut self.fresh)
        };
        if renewed {
            self.put(row, start);
        } else {
            self.fresh.truncate(start);
        }
        renewed
    }

    #[inline]
    fn put(&mut self, row: u32, start: usize) {
        // A `write` that cuts the buffer off instead of appending has written nothing.
        let (start, end) = (small(start.min(self.fresh.len())), small(self.fresh.len()));
        let at = 2 * row as usize;
        if at >= self.slots.len() {
            self.slots.reserve(2 * (self.spans.len() / 2).max(row as usize + 1) - self.slots.len());
            self.slots.resize(at, NONE);
            self.slots.extend([start, end]);
            self.renewed += 1;
        } else {
            self.renewed += u32::from(self.slots[at] == NONE);
            self.slots[at..at + 2].copy_from_slice(&[start, end]);
        }
    }

    #[inline]
    fn slot(&self, row: u32) -> Option<(usize, usize)> {
        let at = 2 * row as usize;
        match self.slots.get(at..at + 2) {
            Some(slot) if slot[0] != NONE => Some((slot[0] as usize, slot[1] as usize)),
            _ => None,
        }
    }
    #[inline]
    fn span(&self, row: u32) -> (usize, usize) {
        let at = 2 * row as usize;
        (self.spans[at] as usize, self.spans[at + 1] as usize)
    }

    /// Bodies that share bytes are parted, so that an edit of one does not show in another.
    fn untangle(&mut self) {
        let apart = self.spans.chunks_exact(2).try_fold(0, |end, span| (span[0] >= end).then_some(span[1]));
        if apart.is_some() {
            return;
        }
        let (mut data, mut spans) = (Vec::new(), Vec::with_capacity(self.spans.len()));
        for span in self.spans.chunks_exact(2) {
            let start = data.len();
            data.extend_from_slice(&self.data[span[0] as usize..span[1] as usize]);
            spans.extend([small(start), small(data.len())]);
        }
        (self.data, self.spans) = (data, spans);
    }

    /// The changed bodies as the host wants them.
    pub fn finish(mut self, count: u32) -> Option<BodyChange> {
        if self.touched_rows == 0 && self.renewed == 0 {
            return None;
        }
        // In place, and most of the buffer: it goes back without a copy.
        if self.renewed == 0 && 2 * self.touched_bytes >= self.data.len() {
            if self.touched_rows == count {
                let bodies = Packed { data: self.data, spans: self.spans };
                return Some(BodyChange { rows: Rows::All, bodies });
            }
            let rows: Vec<u32> = (0..count).filter(|row| self.is_touched(*row)).collect();
            let spans = rows.iter().flat_map(|row| self.span_of(*row)).collect();
            return Some(BodyChange { rows: Rows::Only(rows), bodies: Packed { data: self.data, spans } });
        }
        if self.renewed == count {
            let bodies = Packed { data: self.fresh, spans: self.slots };
            return Some(BodyChange { rows: Rows::All, bodies });
        }
        let (mut rows, mut spans) = (Vec::new(), Vec::new());
        for row in 0..count {
            let span = match self.slot(row) {
                Some((start, end)) => [small(start), small(end)],
                None if self.is_touched(row) => self.moved(row),
                None => continue,
            };
            rows.push(row);
            spans.extend(span);
        }
        Some(BodyChange { rows: Rows::Only(rows), bodies: Packed { data: self.fresh, spans } })
    }

    fn is_touched(&self, row: u32) -> bool {
        self.touched.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
    fn span_of(&self, row: u32) -> [u32; 2] {
        let at = 2 * row as usize;
        [self.spans[at], self.spans[at + 1]]
    }
    /// A body that was edited in place, copied behind the new ones.
    fn moved(&mut self, row: u32) -> [u32; 2] {
        let (from, to) = self.span(row);
        let start = self.fresh.len();
        self.fresh.extend_from_slice(&self.data[from..to]);
        [small(start), small(self.fresh.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data: &[u8], spans: &[u32]) -> Bodies {
        Bodies::from(Some(Packed { data: data.to_vec(), spans: spans.to_vec() }))
    }

    // Spans may overlap and come in any order.
    #[test]
    fn an_edit_in_place_does_not_show_in_a_body_that_shares_bytes() {
        for spans in [[0, 4, 2, 6], [0, 6, 0, 6], [3, 6, 0, 4]] {
            let mut bodies = of(b"abcdef", &spans);
            let other = bodies.get(1).to_vec();
            bodies.get_mut(0).fill(b'#');
            assert_eq!(bodies.get(1), other, "{spans:?}");
        }
    }

    #[test]
    fn bodies_edited_in_place_go_back_in_the_buffer_they_came_in() {
        let mut bodies = of(b"ab\ncd", &[0, 2, 3, 5]);
        let buffer = bodies.data.as_ptr();
        bodies.get_mut(0)[0] = b'A';
        bodies.get_mut(1)[0] = b'C';
        let change = bodies.finish(2).expect("changed");
        assert!(matches!(change.rows, Rows::All) && change.bodies.data == b"Ab\nCd");
        assert_eq!((change.bodies.data.as_ptr(), change.bodies.spans), (buffer, vec![0, 2, 3, 5]));
    }

    #[test]
    fn one_edit_among_many_does_not_send_the_rest() {
        let mut bodies = of(&[b'x'; 100], &[0, 1, 1, 100]);
        bodies.get_mut(0)[0] = b'y';
        let change = bodies.finish(2).expect("changed");
        assert!(matches!(change.rows, Rows::Only(rows) if rows == [0]));
        assert_eq!((change.bodies.data, change.bodies.spans), (b"y".to_vec(), vec![0, 1]));
    }
}
