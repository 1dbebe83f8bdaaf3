//! Edits of some rows: columns with other values here and there, some bodies replaced, events put between others.
//!
//! ```text
//! base      host   "web1" "web1"   -    "db1"          values that are there, as (row, span)
//! patches                 "x"      "y"                 ascending rows, no value: the header goes
//! result           "web1" "x"      "y"  "db1"          in the cheaper of a column's two forms
//! ```
//!
//! Costs what is there, not rows times columns. A value that many rows share is stored once.

use std::ops::Range;

use bytes::Bytes;

use crate::batch::Batch;
use crate::column::Column;
use crate::headers::{HeaderName, Headers};
use crate::span::Span;

/// A value's place lies outside its text, or cuts a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPlace {
    /// Which of the spans, from 0.
    pub index: usize,
}

/// Events that are put between those of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Insertion<'a> {
    /// The new events, with headers of their own.
    pub events: &'a Batch,
    /// For each the row of the batch that it follows, ascending; the batch's length or more: behind all.
    pub after: &'a [u32],
    /// What they have of that row.
    pub inherit: Inherit,
}

/// What an inserted event has of the event it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// Nothing.
    Nothing,
    /// The headers that it has no value of its own for.
    Headers,
}

impl Column {
    /// A column with a value for each row; the text is kept as it is.
    ///
    /// # Errors
    /// If a span lies outside the text or cuts a character.
    pub fn from_text(text: String, spans: Vec<Span>) -> Result<Column, BadPlace> {
        check_places(&text, &spans)?;
        Ok(Column::Each { text: text.into(), spans: spans.into() })
    }

    /// A column of the given rows (ascending) out of `total`; the text is kept as it is.
    ///
    /// # Errors
    /// If a span lies outside the text or cuts a character.
    ///
    /// # Panics
    /// If rows and spans are not as many, or do not ascend, or a row is not below `total`.
    pub fn from_text_at(
        text: String,
        rows: Vec<u32>,
        spans: Vec<Span>,
        total: usize,
    ) -> Result<Column, BadPlace> {
        assert_eq!(rows.len(), spans.len(), "one value per row");
        assert_ascending(&rows, total);
        check_places(&text, &spans)?;
        Ok(Column::from_rows(text.into(), rows, spans, total))
    }

    /// A column (or none) with other values at some rows. No value: the row loses what it had. `None` when no row
    /// has one any more.
    ///
    /// # Panics
    /// If the patches do not ascend or one is outside the window; if the window is outside the column.
    #[must_use]
    pub fn patched(
        base: Option<&Column>,
        window: Range<usize>,
        patches: &[(u32, Option<&str>)],
    ) -> Option<Column> {
        let rows = window.len();
        let ascending = patches.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let inside = patches.last().is_none_or(|(row, _)| (*row as usize) < rows);
        assert!(ascending && inside, "patches ascend within {rows} rows");
        let (text, places) = match base {
            Some(column) => column.places(window),
            None => (&[][..], Vec::new()),
        };
        let (mut values, mut last, mut next) = (Values::default(), None, 0);
        for &(row, patch) in patches {
            while next < places.len() && places[next].0 < row {
                values.push_place(places[next].0, text, (places[next].1, &mut last));
                next += 1;
            }
            if next < places.len() && places[next].0 == row {
                next += 1;
            }
            if let Some(value) = patch {
                values.push(row, value.as_bytes());
            }
        }
        for &(row, place) in &places[next..] {
            values.push_place(row, text, (place, &mut last));
        }
        values.finish(rows)
    }

    /// The values of a window of rows: what they point into, and their rows, counted from the window's first.
    fn places(&self, window: Range<usize>) -> (&[u8], Vec<(u32, Span)>) {
        let rows = 0..window.len() as u32;
        match self {
            Column::Constant(value) => {
                (value.as_bytes(), rows.map(|row| (row, Span::new(0..value.len()))).collect())
            }
            Column::Each { text, spans } => {
                let places = rows.zip(spans[window].iter().copied());
                (text, places.filter(|(_, span)| !span.is_absent()).collect())
            }
            Column::Some { text, rows, spans } => {
                let (first, end) = (window.start as u32, window.end as u32);
                let from = rows.partition_point(|&row| row < first);
                let to = rows.partition_point(|&row| row < end);
                let places =
                    rows[from..to].iter().map(|row| row - first).zip(spans[from..to].iter().copied());
                (text, places.collect())
            }
        }
    }

    /// Whether it can stand in a batch of so many rows.
    fn fits(&self, total: usize) -> bool {
        match self {
            Column::Constant(_) => true,
            Column::Each { spans, .. } => spans.len() == total,
            Column::Some { rows, .. } => rows.last().is_none_or(|&last| (last as usize) < total),
        }
    }
}

/// Collects values with their rows, each text once.
#[derive(Default)]
struct Values {
    text: Vec<u8>,
    rows: Vec<u32>,
    spans: Vec<Span>,
}

impl Values {
    fn push(&mut self, row: u32, value: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(value);
        self.push_stored(row, Span::new(start..self.text.len()));
    }
    fn push_stored(&mut self, row: u32, stored: Span) {
        self.rows.push(row);
        self.spans.push(stored);
    }
    /// Pushes a piece of another text; equal places in a row are copied once. `last` belongs to that text.
    fn push_place(&mut self, row: u32, text: &[u8], (place, last): (Span, &mut Option<(Span, Span)>)) {
        match *last {
            Some((seen, stored)) if seen == place => self.push_stored(row, stored),
            _ => {
                self.push(row, &text[place.range()]);
                *last = self.spans.last().map(|&stored| (place, stored));
            }
        }
    }
    fn finish(self, total: usize) -> Option<Column> {
        (!self.rows.is_empty())
            .then(|| Column::from_rows(Bytes::from(self.text), self.rows, self.spans, total))
    }
}

impl Batch {
    /// The column of a header with other values at some rows, for [`with_columns`](Self::with_columns). No value:
    /// the row loses what it had. `None` when no row has one any more.
    ///
    /// # Panics
    /// If the rows do not ascend or one is outside the batch.
    #[must_use]
    pub fn patched_column(&self, name: &str, patches: &[(u32, Option<&str>)]) -> Option<Column> {
        let window = self.first_row()..self.first_row() + self.len();
        Column::patched(self.headers().column(name), window, patches)
    }

    /// The batch with these columns in place of those with the same names; no column: the header goes.
    /// O(columns + changes). Of two changes with one name the later counts.
    ///
    /// # Panics
    /// If a column does not fit the number of events.
    #[must_use]
    pub fn with_columns(&self, changes: Vec<(HeaderName, Option<Column>)>) -> Batch {
        if changes.is_empty() {
            return self.clone();
        }
        let by_row = |column: &Option<Column>| !matches!(column, None | Some(Column::Constant(_)));
        let mut batch =
            if changes.iter().any(|(_, column)| by_row(column)) { self.whole() } else { self.clone() };
        for (name, column) in &changes {
            let fits = column.as_ref().is_none_or(|column| column.fits(batch.len()));
            assert!(fits, "a column of header {name} for a batch of {} events", batch.len());
        }
        batch.headers_mut().set_all(changes);
        batch
    }

    /// The batch with other bodies at some rows: pieces of `data`, which is copied behind the present bodies.
    ///
    /// # Panics
    /// If rows and spans are not as many, or do not ascend, or one is outside the batch or `data`.
    #[must_use]
    pub fn with_bodies_at(&self, rows: &[u32], data: &[u8], spans: &[Span]) -> Batch {
        assert_eq!(rows.len(), spans.len(), "one body per row");
        assert_ascending(rows, self.len());
        let mut all = self.spans().to_vec();
        for &row in rows {
            all[row as usize] = Span::new(0..0);
        }
        let kept: usize = all.iter().map(|span| span.len as usize).sum();
        let given: usize = spans.iter().map(|span| span.len as usize).sum();
        let mut arena = Vec::with_capacity(kept + given);
        copy_places(&mut arena, self.arena(), (&mut all, kept));
        let mut new = spans.to_vec();
        copy_places(&mut arena, data, (&mut new, given));
        for (&row, span) in rows.iter().zip(new) {
            all[row as usize] = span;
        }
        self.with_bodies(arena.into(), all)
    }

    /// Some of the events (`kept`, ascending; none: all), with others put between them. Bodies are copied.
    ///
    /// # Panics
    /// If `kept` or the insertion's rows do not ascend, or there is not one row per new event.
    #[must_use]
    pub fn with_inserted(&self, kept: Option<&[u32]>, insertion: Insertion<'_>) -> Batch {
        let order = Order::new(self.len(), kept, insertion);
        let bodies = |batch: &Batch, at: &[u32]| -> usize {
            let places = batch.spans().iter().zip(at).filter(|(_, at)| **at != GONE);
            places.map(|(span, _)| span.len as usize).sum()
        };
        let size = bodies(self, &order.old_at) + bodies(insertion.events, &order.new_at);
        let mut arena = Vec::with_capacity(size);
        let mut spans = vec![Span::new(0..0); order.total];
        for (batch, places) in [(self, &order.old_at), (insertion.events, &order.new_at)] {
            for (event, &at) in batch.iter().zip(places).filter(|(_, at)| **at != GONE) {
                let start = arena.len();
                arena.extend_from_slice(event.body());
                spans[at as usize] = Span::new(start..arena.len());
            }
        }
        let mut headers = Headers::default();
        for (name, column) in self.headers().columns() {
            let own = insertion.events.headers().column(name);
            if let Some(column) = order.column(self, Some(column), (insertion, own)) {
                headers.push(name.clone(), column);
            }
        }
        for (name, own) in insertion.events.headers().columns() {
            if self.headers().column(name).is_none()
                && let Some(column) = order.column(self, None, (insertion, Some(own)))
            {
                headers.push(name.clone(), column);
            }
        }
        Batch::from_parts(arena.into(), spans, headers)
    }
}

/// Position of an event that is not in the result.
const GONE: u32 = u32::MAX;

/// Where old and new events stand in the result.
struct Order {
    old_at: Vec<u32>,
    new_at: Vec<u32>,
    total: usize,
}

impl Order {
    fn new(rows: usize, kept: Option<&[u32]>, insertion: Insertion<'_>) -> Self {
        let after = insertion.after;
        assert_eq!(after.len(), insertion.events.len(), "one row per new event");
        assert!(after.is_sorted(), "inserted events ascend");
        if let Some(kept) = kept {
            assert_ascending(kept, rows);
        }
        let mut order = Order { old_at: vec![GONE; rows], new_at: Vec::with_capacity(after.len()), total: 0 };
        let (mut next_kept, mut next_new) = (0, 0);
        for row in 0..rows {
            let stays = kept.is_none_or(|kept| kept.get(next_kept) == Some(&(row as u32)));
            if stays {
                next_kept += 1;
                order.old_at[row] = order.total as u32;
                order.total += 1;
            }
            while next_new < after.len() && after[next_new] as usize == row {
                order.push_new();
                next_new += 1;
            }
        }
        after[next_new..].iter().for_each(|_| order.push_new());
        order
    }

    fn push_new(&mut self) {
        self.new_at.push(self.total as u32);
        self.total += 1;
    }

    /// The column of one header: `base` of the old events, `own` of the new ones.
    fn column(
        &self,
        old: &Batch,
        base: Option<&Column>,
        (insertion, own): (Insertion<'_>, Option<&Column>),
    ) -> Option<Column> {
        let (after, events) = (insertion.after, insertion.events);
        let inherits = insertion.inherit == Inherit::Headers;
        if let (Some(Column::Constant(_)), None) = (base, own)
            && (after.is_empty() || inherits && after.last().is_some_and(|&l| (l as usize) < old.len()))
        {
            return base.cloned();
        }
        let window = |batch: &Batch| batch.first_row()..batch.first_row() + batch.len();
        let none = || (&[][..], Vec::new());
        let (base_text, base) = base.map_or_else(none, |column| column.places(window(old)));
        let (own_text, own) = own.map_or_else(none, |column| column.places(window(events)));
        let inherited = if inherits { after } else { &[] };
        let base = self.spread(&base, inherited, &own);
        let (mut values, mut last_base, mut last_own) = (Values::default(), None, None);
        let mut base = base.into_iter().peekable();
        for (new, place) in own {
            let at = self.new_at[new as usize];
            while let Some((row, span)) = base.next_if(|(row, _)| *row < at) {
                values.push_place(row, base_text, (span, &mut last_base));
            }
            values.push_place(at, own_text, (place, &mut last_own));
        }
        for (row, span) in base {
            values.push_place(row, base_text, (span, &mut last_base));
        }
        values.finish(self.total)
    }

    /// The old values at their new positions, and at those of the events that inherit them.
    fn spread(&self, base: &[(u32, Span)], after: &[u32], own: &[(u32, Span)]) -> Vec<(u32, Span)> {
        let mut spread = Vec::with_capacity(base.len());
        let (mut next, mut next_own) = (0, 0);
        for &(row, span) in base {
            if self.old_at[row as usize] != GONE {
                spread.push((self.old_at[row as usize], span));
            }
            next = first_from(after, next, row);
            while next < after.len() && after[next] == row {
                while next_own < own.len() && (own[next_own].0 as usize) < next {
                    next_own += 1;
                }
                let has_own = own.get(next_own).is_some_and(|(new, _)| *new as usize == next);
                if !has_own {
                    spread.push((self.new_at[next], span));
                }
                next += 1;
            }
        }
        spread
    }
}

/// The first index at or behind `from` whose value is not below `least`. Steps double, so that a few values over many
/// rows cost few looks.
fn first_from(ascending: &[u32], from: usize, least: u32) -> usize {
    let (mut low, mut step) = (from, 1);
    while low + step <= ascending.len() && ascending[low + step - 1] < least {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(ascending.len());
    low + ascending[low..high].partition_point(|&value| value < least)
}

/// Copies the places to the end of `arena` and makes them say where they are now. As one piece where at most half
/// of it is not wanted; places may overlap, so what is wanted is their sum.
fn copy_places(arena: &mut Vec<u8>, from: &[u8], (places, wanted): (&mut [Span], usize)) {
    let filled = || places.iter().filter(|span| span.len > 0);
    let first = filled().map(|span| span.start as usize).min().unwrap_or(0);
    let end = filled().map(|span| span.end()).max().unwrap_or(0);
    let base = arena.len();
    if end - first <= wanted.saturating_mul(2) {
        arena.extend_from_slice(&from[first..end]);
        for span in places.iter_mut() {
            let start = if span.len > 0 { base + span.start as usize - first } else { base };
            *span = Span::new(start..start + span.len as usize);
        }
        return;
    }
    for span in places.iter_mut() {
        let start = arena.len();
        arena.extend_from_slice(&from[span.range()]);
        *span = Span::new(start..arena.len());
    }
}

fn check_places(text: &str, spans: &[Span]) -> Result<(), BadPlace> {
    let bad = |span: &Span| !text.is_char_boundary(span.start as usize) || !text.is_char_boundary(span.end());
    match spans.iter().position(bad) {
        Some(index) => Err(BadPlace { index }),
        None => Ok(()),
    }
}

fn assert_ascending(rows: &[u32], total: usize) {
    let ascending = rows.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = rows.last().is_none_or(|&last| (last as usize) < total);
    assert!(ascending && inside, "rows ascend within {total}");
}
