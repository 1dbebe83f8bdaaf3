//! Headers that are set and removed.
//!
//! All entries of one name are brought together first, so that each touched column is made once: the cost is the
//! values that were given and those that the touched columns have, however many entries they come in.

use std::collections::HashMap;
use std::sync::Arc;

use flumen_event::{Batch, Column, HeaderName, Span};

use super::Bounds;
use super::breach::{At, Breach};
use super::check::{self, Budget};
use crate::world::v0_1_0::bindings::flumen::plugin::columns::HeaderRemoval;
use crate::world::v0_1_0::bindings::flumen::plugin::types::{ColumnResult, ValuesResult};

/// Entries may name a header several times, for different rows; beyond this many times the headers a batch may have
/// they only cost.
const ENTRIES_PER_NAME_MAX: usize = 16;
/// A text is left behind when less than one in this many of its bytes is used, if it has at least
/// [`TEXT_COPY_BYTES_MIN`].
const TEXT_COPY_BELOW: usize = 4;
const TEXT_COPY_BYTES_MIN: usize = 4096;
/// From this many names on, columns are found by an index.
const INDEX_FROM: usize = 8;

/// What to do, removals first.
pub(super) struct Changes {
    pub(super) removals: Vec<HeaderRemoval>,
    pub(super) columns: Vec<ColumnResult>,
    /// What `columns` is called in a breach.
    pub(super) list: &'static str,
}

/// One checked entry.
struct Entry {
    name: String,
    /// None: all.
    rows: Option<Vec<u32>>,
    values: Values,
}

enum Values {
    Gone,
    Same(String),
    /// In step with the rows.
    Each(String, Vec<Span>),
}

/// The batch with the changes.
pub(super) fn edit(
    batch: &Batch,
    changes: Changes,
    (bounds, budget): (&Bounds, &mut Budget),
) -> Result<Batch, Breach> {
    if changes.removals.is_empty() && changes.columns.is_empty() {
        return Ok(batch.clone());
    }
    let names_max = bounds.columns_max.max(batch.headers().len());
    let entries = checked(changes, (batch.len(), names_max), budget)?;
    if batch.is_empty() {
        return Ok(batch.clone());
    }
    let groups = by_name(entries);
    if groups.len() > names_max + batch.headers().len() {
        return Err(Breach::Names { names: groups.len(), names_max });
    }
    let find = Finder::new(batch, groups.len());
    let mut columns = Vec::with_capacity(groups.len());
    for entries in groups {
        let name: HeaderName = entries[0].name.as_str().into();
        if let Resolved::Changed(column) = resolve(batch, find.column(&name), (&name, entries), budget)? {
            columns.push((name, column));
        }
    }
    let edited = batch.with_columns(columns);
    match edited.headers().len() {
        names if names > names_max => Err(Breach::Names { names, names_max }),
        _ => Ok(edited),
    }
}

fn checked(
    changes: Changes,
    (count, names_max): (usize, usize),
    budget: &mut Budget,
) -> Result<Vec<Entry>, Breach> {
    let entries_max = names_max * ENTRIES_PER_NAME_MAX;
    for (list, entries) in [("remove-headers", changes.removals.len()), (changes.list, changes.columns.len())]
    {
        if entries > entries_max {
            return Err(Breach::Entries { part: At::list(list).part(), entries, entries_max });
        }
    }
    let mut entries = Vec::with_capacity(changes.removals.len() + changes.columns.len());
    for (index, removal) in changes.removals.into_iter().enumerate() {
        let at = At::entry("remove-headers", index, &removal.name);
        budget.charge_each(1, removal.name.len())?;
        let rows = check::rows(removal.rows, count, at)?;
        entries.push(Entry { name: removal.name, rows, values: Values::Gone });
    }
    for (index, column) in changes.columns.into_iter().enumerate() {
        entries.push(checked_column(column, count, (changes.list, index), budget)?);
    }
    Ok(entries)
}

fn checked_column(
    column: ColumnResult,
    count: usize,
    (list, index): (&'static str, usize),
    budget: &mut Budget,
) -> Result<Entry, Breach> {
    let name = column.name;
    let at = At::entry(list, index, &name);
    budget.charge_each(1, name.len())?;
    let rows = check::rows(column.rows, count, at)?;
    let rows_named = rows.as_ref().map_or(count, Vec::len);
    let values = match column.values {
        ValuesResult::Same(value) => {
            budget.charge_each(rows_named, name.len() + value.len())?;
            Values::Same(value)
        }
        ValuesResult::Each(packed) => {
            let sizes = (packed.data.len(), rows_named);
            let spans = check::spans(&packed.spans, sizes, (budget, name.len()), at)?;
            Values::Each(packed.data, spans)
        }
    };
    if let Values::Each(text, spans) = &values {
        check_characters(text, spans, at)?;
    }
    Ok(Entry { name, rows, values })
}

fn check_characters(text: &str, spans: &[Span], at: At<'_>) -> Result<(), Breach> {
    let cut = |span: &Span| !text.is_char_boundary(span.start as usize) || !text.is_char_boundary(span.end());
    match spans.iter().position(cut) {
        None => Ok(()),
        Some(index) => {
            let (start, end) = (spans[index].start, spans[index].end() as u32);
            Err(Breach::Character { part: at.part(), index, start, end })
        }
    }
}

/// The entries of each name in their order, names in the order of their first entry.
fn by_name(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut groups: Vec<Vec<Entry>> = Vec::with_capacity(entries.len());
    if entries.len() < INDEX_FROM {
        for entry in entries {
            match groups.iter_mut().find(|group| group[0].name == entry.name) {
                Some(group) => group.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        return groups;
    }
    let mut places: HashMap<String, usize> = HashMap::with_capacity(entries.len());
    for entry in entries {
        match places.get(&entry.name) {
            Some(&at) => groups[at].push(entry),
            None => {
                places.insert(entry.name.clone(), groups.len());
                groups.push(vec![entry]);
            }
        }
    }
    groups
}

/// Finds columns by name.
struct Finder<'a> {
    batch: &'a Batch,
    index: Option<HashMap<&'a str, &'a Column>>,
}

impl<'a> Finder<'a> {
    fn new(batch: &'a Batch, look_ups: usize) -> Self {
        let indexed = || batch.headers().columns().map(|(name, column)| (&**name, column)).collect();
        let index = (look_ups >= INDEX_FROM && batch.headers().len() >= INDEX_FROM).then(indexed);
        Self { batch, index }
    }
    fn column(&self, name: &str) -> Option<&'a Column> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.batch.headers().column(name),
        }
    }
}

/// What entries make of a column.
enum Resolved {
    /// They name no row: it stays, seen through the batch's window.
    Unchanged,
    /// Another one, with just the batch's rows, or none any more.
    Changed(Option<Column>),
}

/// The column of a name after all its entries.
fn resolve(
    batch: &Batch,
    present: Option<&Column>,
    (name, mut entries): (&HeaderName, Vec<Entry>),
    budget: &mut Budget,
) -> Result<Resolved, Breach> {
    let count = batch.len();
    // What stands before an entry for all rows does not count any more.
    let fresh = entries.iter().rposition(|entry| entry.rows.is_none());
    let mut some = entries.split_off(fresh.map_or(0, |at| at + 1));
    let fresh = fresh.and_then(|_| entries.pop()).map(|entry| whole_column(entry.values, name));
    let fresh = fresh.transpose()?;
    let base = match &fresh {
        Some(column) => column.as_ref(),
        None => present,
    };
    some.retain(|entry| entry.rows.as_ref().is_some_and(|rows| !rows.is_empty()));
    let column = match (some.len(), base, fresh.is_some()) {
        (0, _, false) => return Ok(Resolved::Unchanged),
        (0, base, true) => base.cloned(),
        (1, None, _) => match some.pop() {
            Some(entry) => partial_column(entry, count, name)?,
            None => None,
        },
        (_, _, is_fresh) => {
            if let Some(Column::Constant(_)) = base {
                budget.charge_each(count, 0)?;
            }
            // A column of the batch is seen through the batch's window, a fresh one has just its rows.
            let first = if is_fresh { 0 } else { batch.first_row() };
            Column::patched(base, first..first + count, &patches(&some))
        }
    };
    Ok(Resolved::Changed(column))
}

/// The column of an entry for all rows.
fn whole_column(values: Values, name: &HeaderName) -> Result<Option<Column>, Breach> {
    match values {
        Values::Gone => Ok(None),
        Values::Same(value) => Ok(Some(Column::Constant(Arc::from(value)))),
        Values::Each(text, spans) => {
            let (text, spans) = compact(text, spans);
            Column::from_text(text, spans).map(Some).map_err(|bad| character_breach(name, bad.index))
        }
    }
}

/// The column of an entry for some rows, where there was none.
fn partial_column(entry: Entry, count: usize, name: &HeaderName) -> Result<Option<Column>, Breach> {
    let rows = entry.rows.unwrap_or_default();
    let (text, spans) = match entry.values {
        Values::Gone => return Ok(None),
        Values::Same(value) => {
            let span = Span::new(0..value.len());
            (value, vec![span; rows.len()])
        }
        Values::Each(text, spans) => compact(text, spans),
    };
    Column::from_text_at(text, rows, spans, count).map(Some).map_err(|bad| character_breach(name, bad.index))
}

fn character_breach(name: &HeaderName, index: usize) -> Breach {
    Breach::Character { part: At::entry("headers", 0, name).part(), index, start: 0, end: 0 }
}

/// The values of all entries, each row once, the last entry's.
fn patches(entries: &[Entry]) -> Vec<(u32, Option<&str>)> {
    let mut patches = Vec::with_capacity(entries.iter().filter_map(|e| Some(e.rows.as_ref()?.len())).sum());
    for entry in entries {
        let rows = entry.rows.iter().flatten().copied();
        match &entry.values {
            Values::Gone => patches.extend(rows.map(|row| (row, None))),
            Values::Same(value) => patches.extend(rows.map(|row| (row, Some(value.as_str())))),
            Values::Each(text, spans) => {
                patches.extend(rows.zip(spans).map(|(row, span)| (row, Some(&text[span.range()]))));
            }
        }
    }
    if entries.len() > 1 {
        // Stable, and the last of each row is wanted: seen from behind it is the first.
        patches.reverse();
        patches.sort_by_key(|(row, _)| *row);
        patches.dedup_by_key(|(row, _)| *row);
    }
    patches
}

/// A text of its own for a few values in a large buffer, so that they do not keep it alive.
fn compact(text: String, mut spans: Vec<Span>) -> (String, Vec<Span>) {
    let wanted: usize = spans.iter().map(|span| span.len as usize).sum();
    if text.len() < TEXT_COPY_BYTES_MIN || wanted.saturating_mul(TEXT_COPY_BELOW) >= text.len() {
        return (text, spans);
    }
    let mut own = String::with_capacity(wanted);
    for span in &mut spans {
        let start = own.len();
        own.push_str(&text[span.range()]);
        *span = Span::new(start..own.len());
    }
    (own, spans)
}
