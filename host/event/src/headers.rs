//! The header columns of a batch.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::column::Column;
use crate::java_order::{java_copy_order, java_hash_order};

/// A header's name; cheap to copy.
pub type HeaderName = Arc<str>;

/// From this many sparse columns on, the headers of one event are found through an index instead of by
/// asking every column: a batch of 1,000 events with 1,000 different headers must not cost a million look-ups.
const INDEX_FROM: usize = 8;

/// All headers of a batch, by column, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    columns: Arc<Vec<(HeaderName, Column)>>,
    /// How many columns from the front were there when Flume would have copied the map; see `java_copy_order`.
    copied: usize,
    cache: Arc<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    java_order: OnceLock<Vec<u32>>,
    row_index: OnceLock<RowIndex>,
}

/// For each row the sparse columns that have a value there.
#[derive(Debug)]
struct RowIndex {
    starts: Vec<u32>,
    columns: Vec<u32>,
}

impl Headers {
    /// The columns, in the order they were added.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&HeaderName, &Column)> {
        self.columns.iter().map(|(n, c)| (n, c))
    }
    /// Number of columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.len()
    }
    /// Whether no event has any header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
    /// The column of a name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(n, _)| &**n == name).map(|(_, c)| c)
    }
    /// Adds a column, or puts it in the place of the one with the same name.
    pub(crate) fn set(&mut self, name: HeaderName, column: Column) {
        let columns = self.edit();
        match columns.iter_mut().find(|(n, _)| *n == name) {
            Some(slot) => slot.1 = column,
            None => columns.push((name, column)),
        }
    }
    /// Removes a column.
    pub(crate) fn remove(&mut self, name: &str) {
        if self.column(name).is_some() {
            self.keep(|n, _| &**n != name);
        }
    }
    /// Removes the columns of these names.
    pub(crate) fn remove_all(&mut self, names: &HashSet<&str>) {
        if self.columns.iter().any(|(n, _)| names.contains(&**n)) {
            self.keep(|n, _| !names.contains(&**n));
        }
    }
    /// Keeps the columns that `wanted` says.
    fn keep(&mut self, mut wanted: impl FnMut(&HeaderName, &mut Column) -> bool) {
        let (mut at, mut gone, copied) = (0, 0, self.copied);
        self.edit().retain_mut(|(name, column)| {
            let kept = wanted(name, column);
            gone += usize::from(!kept && at < copied);
            at += 1;
            kept
        });
        self.copied -= gone;
    }
    /// Says that these headers are what the events' first map is copied from, in Flume.
    pub(crate) fn mark_copied(&mut self) {
        self.copied = self.columns.len();
        self.cache = Arc::default();
    }
    /// Sets and removes columns; of two changes with one name the later counts. O(columns + changes).
    pub(crate) fn set_all(&mut self, changes: Vec<(HeaderName, Option<Column>)>) {
        if changes.len() < INDEX_FROM {
            for (name, column) in changes {
                match column {
                    Some(column) => self.set(name, column),
                    None => self.remove(&name),
                }
            }
            return;
        }
        let latest: HashMap<HeaderName, usize> =
            changes.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        let mut changes: Vec<Option<(HeaderName, Option<Column>)>> = changes.into_iter().map(Some).collect();
        self.keep(|name, column| match latest.get(name).and_then(|&at| changes[at].take()) {
            None => true,
            Some((_, None)) => false,
            Some((_, Some(new))) => {
                *column = new;
                true
            }
        });
        let fresh = changes.into_iter().enumerate().filter_map(|(at, change)| Some((at, change?)));
        let fresh = fresh.filter(|(at, (name, _))| latest.get(name) == Some(at));
        self.edit().extend(fresh.filter_map(|(_, (name, column))| Some((name, column?))));
    }
    /// Adds a column whose name is known to be new.
    pub(crate) fn push(&mut self, name: HeaderName, column: Column) {
        self.edit().push((name, column));
    }
    fn edit(&mut self) -> &mut Vec<(HeaderName, Column)> {
        self.cache = Arc::default();
        Arc::make_mut(&mut self.columns)
    }
    pub(crate) fn gather(&self, kept: &[u32]) -> Headers {
        let mut copied = 0;
        let mut columns = Vec::with_capacity(self.columns.len());
        for (at, (name, column)) in self.columns.iter().enumerate() {
            if let Some(column) = column.gather(kept) {
                columns.push((name.clone(), column));
                copied += usize::from(at < self.copied);
            }
        }
        Headers { columns: Arc::new(columns), copied, cache: Arc::default() }
    }
    pub(crate) fn held_bytes(&self) -> usize {
        self.columns.iter().map(|(n, c)| n.len() + c.held_bytes()).sum()
    }

    /// The headers of one row, in the order in which their columns were added.
    pub(crate) fn row(&self, row: usize, rows: usize) -> impl Iterator<Item = (&str, &str)> {
        let indexed = self.indexed(rows);
        let always = self
            .columns
            .iter()
            .filter(move |(_, c)| indexed.is_none() || !matches!(c, Column::Some { .. }))
            .filter_map(move |(n, c)| Some((&**n, c.get(row)?)));
        let sparse = indexed.into_iter().flat_map(move |index| {
            let found = index.starts[row] as usize..index.starts[row + 1] as usize;
            index.columns[found].iter().filter_map(move |&c| {
                let (name, column) = &self.columns[c as usize];
                Some((&**name, column.get(row)?))
            })
        });
        always.chain(sparse)
    }

    fn indexed(&self, rows: usize) -> Option<&RowIndex> {
        let sparse = self.columns.iter().filter(|(_, c)| matches!(c, Column::Some { .. })).count();
        (sparse >= INDEX_FROM).then(|| self.cache.row_index.get_or_init(|| self.index_rows(rows)))
    }

    fn index_rows(&self, rows: usize) -> RowIndex {
        let mut starts = vec![0u32; rows + 1];
        let sparse = || {
            (0u32..).zip(self.columns.iter()).filter_map(|(at, (_, column))| match column {
                Column::Some { rows, .. } => Some((at, rows)),
                _ => None,
            })
        };
        for (_, present) in sparse() {
            present.iter().for_each(|&r| starts[r as usize + 1] += 1);
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut columns = vec![0; starts[rows] as usize];
        for (at, present) in sparse() {
            for &row in present.iter() {
                columns[next[row as usize] as usize] = at;
                next[row as usize] += 1;
            }
        }
        RowIndex { starts, columns }
    }

    /// The headers of one row in the order in which Java's `HashMap` would give them.
    pub(crate) fn row_in_java_order<'a>(
        &'a self,
        row: usize,
        rows: usize,
        out: &mut Vec<(&'a str, &'a str)>,
    ) {
        out.clear();
        if self.copied > 0 {
            let copied = self.columns[..self.copied].iter().filter(|(_, c)| c.get(row).is_some()).count();
            let present = self.columns.iter().filter_map(|(n, c)| Some((&**n, c.get(row)?)));
            let present: Vec<(&str, &str)> = present.collect();
            let names: Vec<&str> = present.iter().map(|(n, _)| *n).collect();
            out.extend(java_copy_order(&names, copied).into_iter().map(|at| present[at as usize]));
            return;
        }
        if self.indexed(rows).is_none() && self.columns.len() <= 12 {
            // One order serves all rows: up to twelve entries a HashMap keeps its first table size.
            let order =
                self.cache.java_order.get_or_init(|| java_hash_order(self.columns.iter().map(|(n, _)| &**n)));
            let ordered = order.iter().map(|&at| &self.columns[at as usize]);
            out.extend(ordered.filter_map(|(n, c)| Some((&**n, c.get(row)?))));
            return;
        }
        let present: Vec<(&str, &str)> = self.row(row, rows).collect();
        out.extend(
            java_hash_order(present.iter().map(|(n, _)| *n)).into_iter().map(|at| present[at as usize]),
        );
    }
}
