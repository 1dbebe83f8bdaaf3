//! New events between those of a batch.

use flumen_event::{Batch, Column, Inherit, Insertion};

use super::Bounds;
use super::breach::{At, Breach};
use super::check::Budget;
use super::events::{self, Lists};
use crate::world::v0_1_0::bindings::flumen::plugin::columns::Addition;

/// The kept events of an edited batch with the new ones between them, and how many those are.
pub(super) fn insert(
    (count, edited): (usize, &Batch),
    kept: Option<&[u32]>,
    addition: Addition,
    (bounds, budget): (&Bounds, &mut Budget),
) -> Result<(Batch, usize), Breach> {
    let lists = Lists { bodies: "added.bodies", headers: "added.headers" };
    let events = events::made(addition.bodies, addition.headers, lists, (bounds, &mut *budget))?;
    let (after, at) = (addition.after, At::list("added.after"));
    if after.len() != events.len() {
        return Err(Breach::Items { part: at.part(), items: after.len(), rows: events.len() });
    }
    if let Some(index) = after.windows(2).position(|pair| pair[0] > pair[1]) {
        let (before, row) = (after[index], after[index + 1]);
        return Err(Breach::Order { part: at.part(), index: index + 1, row, before });
    }
    let added = events.len();
    let staying = kept.map_or(count, <[u32]>::len);
    if staying.saturating_add(added) > bounds.events_max.max(count) {
        return Err(Breach::Events { events: staying + added, events_max: bounds.events_max });
    }
    let inherit = if addition.inherit_headers {
        charge_inherited(edited, &after, budget)?;
        Inherit::Headers
    } else {
        Inherit::Nothing
    };
    let names_max = bounds.columns_max.max(edited.headers().len());
    let batch = edited.with_inserted(kept, Insertion { events: &events, after: &after, inherit });
    match batch.headers().len() {
        names if names > names_max => Err(Breach::Names { names, names_max }),
        _ => Ok((batch, added)),
    }
}

/// Counts the headers that new events have of the rows they follow: a row can be followed by very many.
fn charge_inherited(edited: &Batch, after: &[u32], budget: &mut Budget) -> Result<(), Breach> {
    let with_row = &after[..after.partition_point(|&row| (row as usize) < edited.len())];
    let first = edited.first_row();
    for (name, column) in edited.headers().columns() {
        match column {
            Column::Constant(value) => budget.charge_each(with_row.len(), name.len() + value.len())?,
            Column::Each { spans, .. } => {
                // Before the walk: absent values cost a place too.
                budget.charge_each(with_row.len(), name.len())?;
                let values = with_row.iter().map(|&row| u64::from(spans[first + row as usize].len));
                budget.charge(values.sum())?;
            }
            Column::Some { rows, spans, .. } => {
                let window = first as u32..(first + edited.len()) as u32;
                let from = rows.partition_point(|row| *row < window.start);
                let to = rows.partition_point(|row| *row < window.end);
                for (row, span) in rows[from..to].iter().zip(&spans[from..to]) {
                    let row = row - window.start;
                    let start = with_row.partition_point(|&after| after < row);
                    let followers = with_row[start..].partition_point(|&after| after == row);
                    budget.charge_each(followers, name.len() + span.len as usize)?;
                }
            }
        }
    }
    Ok(())
}
