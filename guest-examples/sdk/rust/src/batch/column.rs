//! One header over the rows of a batch: as it came in, and as it is changed.
//!
//! ```text
//! rows    [ 0,   2,   3,       7   ]   only those that were edited: many headers with few rows each stay small
//! spans   [ 0,4  0,4  REMOVED  4,9 ]
//! text    "prodstage"                  a value that comes again right away stands there once
//! ```

use std::cell::Cell;

use super::same_bytes;
use crate::bindings::flumen::plugin::columns::HeaderRemoval;
use crate::bindings::flumen::plugin::types::{Column, PackedText, Rows, Values};

/// A header as the host gave it.
#[derive(Debug)]
pub(crate) struct InputColumn {
    pub name: String,
    rows: Rows,
    values: Values,
    /// Where in `rows` the last reader was; rows are mostly read in order.
    cursor: Cell<usize>,
}

impl From<Column> for InputColumn {
    fn from(column: Column) -> Self {
        Self { name: column.name, rows: column.rows, values: column.values, cursor: Cell::new(0) }
    }
}

impl InputColumn {
    pub fn get(&self, row: u32) -> Option<&str> {
        let item = match &self.rows {
            Rows::All => row as usize,
            Rows::Only(rows) => self.locate(rows, row)?,
        };
        Some(match &self.values {
            Values::Same(value) => value,
            Values::Each(PackedText { data, spans }) => {
                &data[spans[2 * item] as usize..spans[2 * item + 1] as usize]
            }
        })
    }

    fn locate(&self, rows: &[u32], row: u32) -> Option<usize> {
        let at = self.cursor.get();
        for near in [at, at + 1] {
            match rows.get(near) {
                Some(&found) if found == row => {
                    self.cursor.set(near);
                    return Some(near);
                }
                // Between the last one read and this one there is none.
                Some(&found) if found > row && near > at => return None,
                _ => {}
            }
        }
        let found = rows.binary_search(&row);
        self.cursor.set(found.unwrap_or_else(|behind| behind.saturating_sub(1)));
        found.ok()
    }
}

/// In place of a span: the header is removed from that row.
const REMOVED: [u32; 2] = [u32::MAX; 2];

/// What an edit says of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edited<'a> {
    Unchanged,
    Removed,
    Set(&'a str),
}

/// The edits of several headers.
#[derive(Debug, Default)]
pub(crate) struct ColumnSet {
    columns: Vec<ColumnEdits>,
    /// Behind the column found last: events mostly get the same headers in the same order.
    cursor: usize,
}

impl ColumnSet {
    /// The edits of this header, made when there are none.
    #[inline]
    pub fn of(&mut self, name: &str) -> &mut ColumnEdits {
        let named = |column: &ColumnEdits| same_bytes(column.name.as_bytes(), name.as_bytes());
        let at = match self.columns.get(self.cursor) {
            Some(column) if named(column) => self.cursor,
            _ => self.columns.iter().position(named).unwrap_or_else(|| {
                self.columns.push(ColumnEdits::new(name));
                self.columns.len() - 1
            }),
        };
        self.cursor = if at + 1 < self.columns.len() { at + 1 } else { 0 };
        &mut self.columns[at]
    }
    /// What they say of one header of a row.
    #[inline]
    pub fn get(&self, name: &str, row: u32) -> Edited<'_> {
        for column in &self.columns {
            if same_bytes(column.name.as_bytes(), name.as_bytes()) {
                return column.get(row);
            }
        }
        Edited::Unchanged
    }
    pub fn iter(&self) -> impl Iterator<Item = &ColumnEdits> {
        self.columns.iter()
    }
    pub fn reorder(&mut self, order: &[u32]) {
        self.columns.iter_mut().for_each(|column| column.reorder(order));
    }
    /// The edits as the host wants them, over `count` rows.
    pub fn finish(self, count: u32) -> (Vec<HeaderRemoval>, Vec<Column>) {
        if count == 0 {
            // What holds for all of none is nothing: an empty batch is answered by empty edits.
            return (Vec::new(), Vec::new());
        }
        let (mut removals, mut columns) = (Vec::new(), Vec::with_capacity(self.columns.len()));
        for column in self.columns {
            column.finish(count, &mut removals, &mut columns);
        }
        (removals, columns)
    }
}

/// The edits of one header.
#[derive(Debug)]
pub(crate) struct ColumnEdits {
    pub name: String,
    /// The rows that were edited, ascending, and two numbers for each: a span of `text`, or [`REMOVED`].
    rows: Vec<u32>,
    spans: Vec<u32>,
    removed: usize,
    text: String,
    /// The span of the value set last; the same value again takes no more room.
    last: Option<[u32; 2]>,
    /// Whether there are two different values.
    distinct: bool,
    /// What holds for the other rows.
    rest: Rest,
}

#[derive(Debug, PartialEq, Eq)]
enum Rest {
    Unchanged,
    Removed,
    Set(String),
}

impl ColumnEdits {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rows: Vec::new(),
            spans: Vec::new(),
            removed: 0,
            text: String::new(),
            last: None,
            distinct: false,
            rest: Rest::Unchanged,
        }
    }

    pub fn get(&self, row: u32) -> Edited<'_> {
        match (self.locate(row).map(|at| self.span(at)), &self.rest) {
            (Ok(REMOVED), _) | (Err(_), Rest::Removed) => Edited::Removed,
            (Ok([start, end]), _) => Edited::Set(&self.text[start as usize..end as usize]),
            (Err(_), Rest::Unchanged) => Edited::Unchanged,
            (Err(_), Rest::Set(value)) => Edited::Set(value),
        }
    }

    /// Sets one row to what `write` appends.
    #[inline]
    pub fn set_with(&mut self, row: u32, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        write(&mut self.text);
        let bytes = self.text.as_bytes();
        let span = match self.last {
            Some([a, b]) if same_bytes(&bytes[start..], &bytes[a as usize..b as usize]) => {
                self.text.truncate(start);
                [a, b]
            }
            last => {
                self.distinct = last.is_some();
                [small(start), small(self.text.len())]
            }
        };
        self.last = Some(span);
        self.put(row, span);
    }
    pub fn remove(&mut self, row: u32) {
        self.put(row, REMOVED);
    }

    /// Sets all rows, those that were edited before as well.
    pub fn set_all(&mut self, value: &str) {
        *self = Self { rest: Rest::Set(value.to_owned()), ..Self::new(&self.name) };
    }
    pub fn remove_all(&mut self) {
        *self = Self { rest: Rest::Removed, ..Self::new(&self.name) };
    }

    #[inline]
    fn put(&mut self, row: u32, span: [u32; 2]) {
        self.removed += usize::from(span == REMOVED);
        if self.rows.last().is_none_or(|last| *last < row) {
            self.rows.push(row);
            self.spans.extend(span);
            return;
        }
        match self.locate(row) {
            Ok(at) => {
                self.removed -= usize::from(self.span(at) == REMOVED);
                self.spans[2 * at..2 * at + 2].copy_from_slice(&span);
            }
            Err(at) => {
                self.rows.insert(at, row);
                self.spans.splice(2 * at..2 * at, span);
            }
        }
    }

    /// Where the row stands in `rows`, or should. Rows are mostly edited one after the other, or all.
    #[inline]
    fn locate(&self, row: u32) -> Result<usize, usize> {
        match self.rows.last() {
            None => Err(0),
            Some(last) if *last < row => Err(self.rows.len()),
            Some(last) if *last == row => Ok(self.rows.len() - 1),
            _ if self.rows.get(row as usize) == Some(&row) => Ok(row as usize),
            _ => self.rows.binary_search(&row),
        }
    }
    fn span(&self, at: usize) -> [u32; 2] {
        [self.spans[2 * at], self.spans[2 * at + 1]]
    }

    /// Gives the rows new numbers: row `i` becomes what row `order[i]` was.
    pub fn reorder(&mut self, order: &[u32]) {
        let moved =
            order.iter().zip(0..).filter_map(|(old, new)| Some((new, self.span(self.locate(*old).ok()?))));
        let (rows, spans): (Vec<u32>, Vec<[u32; 2]>) = moved.unzip();
        (self.rows, self.spans) = (rows, spans.concat());
    }

    fn finish(mut self, count: u32, removals: &mut Vec<HeaderRemoval>, columns: &mut Vec<Column>) {
        self.spread_rest(count);
        match self.rest {
            Rest::Set(value) => {
                columns.push(Column { name: self.name, rows: Rows::All, values: Values::Same(value) });
                return;
            }
            Rest::Removed => {
                removals.push(HeaderRemoval { name: self.name, rows: Rows::All });
                return;
            }
            Rest::Unchanged => {}
        }
        if self.removed > 0 {
            removals.push(HeaderRemoval { name: self.name.clone(), rows: self.split_removed() });
        }
        if self.rows.is_empty() {
            return;
        }
        let rows = if self.rows.len() == count as usize { Rows::All } else { Rows::Only(self.rows) };
        let values = if self.distinct {
            Values::Each(PackedText { data: self.text, spans: self.spans })
        } else {
            Values::Same(self.text)
        };
        columns.push(Column { name: self.name, rows, values });
    }

    /// What holds for the rest becomes rows of its own, when some rows have theirs.
    fn spread_rest(&mut self, count: u32) {
        if self.rows.is_empty() || self.rest == Rest::Unchanged {
            return;
        }
        let (rows, spans) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.spans));
        let rest = std::mem::replace(&mut self.rest, Rest::Unchanged);
        let mut own = rows.into_iter().zip(spans.chunks_exact(2)).peekable();
        self.removed = 0;
        for row in 0..count {
            match (own.next_if(|(edited, _)| *edited == row), &rest) {
                (Some((_, span)), _) => self.put(row, [span[0], span[1]]),
                (None, Rest::Set(value)) => self.set_with(row, |text| text.push_str(value)),
                (None, _) => self.remove(row),
            }
        }
    }

    /// Takes out the rows that are removed.
    fn split_removed(&mut self) -> Rows {
        let (rows, spans) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.spans));
        let mut gone = Vec::with_capacity(self.removed);
        for (row, span) in rows.into_iter().zip(spans.chunks_exact(2)) {
            if span == REMOVED {
                gone.push(row);
            } else {
                self.rows.push(row);
                self.spans.extend_from_slice(span);
            }
        }
        Rows::Only(gone)
    }
}

/// Decimal digits, without the formatter.
pub(crate) fn push_number(text: &mut String, number: u64) {
    let mut digits = [0_u8; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for digit in &digits[at..] {
        text.push(char::from(b'0' + digit));
    }
}

/// A place in a buffer of a guest.
pub(crate) fn small(place: usize) -> u32 {
    u32::try_from(place).expect("a guest's memory is below 4 GiB")
}
