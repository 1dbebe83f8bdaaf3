//! A batch with the edits that an interceptor answered.

use bytes::Bytes;
use flumen_event::Batch;

use super::Bounds;
use super::added;
use super::breach::{At, Breach};
use super::check::{self, Budget};
use super::headers::{self, Changes};
use crate::world::v0_1_0::bindings::flumen::plugin::columns::{BodyChange, Edits};

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The events that go on.
    pub batch: Batch,
    /// How many were filtered out.
    pub filtered: usize,
    /// How many are new.
    pub added: usize,
    /// Those that cannot be processed.
    pub rejected: Rejected,
}

/// Events that a plugin cannot process.
#[derive(Clone, Debug, Default)]
pub struct Rejected {
    /// The events as they were given to it.
    pub events: Batch,
    /// Why, one for each.
    pub reasons: Vec<String>,
}

/// Applies the edits in the order that `columns.wit` says. What is not edited is shared with `batch`.
///
/// # Errors
/// If they break the contract or are beyond the bounds.
pub fn apply(batch: &Batch, edits: Edits, bounds: &Bounds) -> Result<Applied, Breach> {
    let budget = &mut Budget::new(bounds);
    let edited = match edits.bodies {
        Some(change) => with_bodies(batch, change, budget)?,
        None => batch.clone(),
    };
    let changes = Changes { removals: edits.remove_headers, columns: edits.set_headers, list: "set-headers" };
    let edited = headers::edit(&edited, changes, (bounds, &mut *budget))?;
    let (rejected, reasons) = check::rejections(edits.rejected, batch.len(), budget)?;
    let kept = survivors(batch.len(), edits.keep, &rejected)?;
    let staying = kept.as_ref().map_or(batch.len(), Vec::len);
    let filtered = batch.len() - staying - rejected.len();
    let (result, added) = match edits.added {
        Some(addition) => added::insert((batch.len(), &edited), kept.as_deref(), addition, (bounds, budget))?,
        None => (kept.map_or_else(|| edited.clone(), |kept| edited.select(&kept)), 0),
    };
    let rejected = if rejected.is_empty() {
        Rejected::default()
    } else {
        Rejected { events: batch.select(&rejected), reasons }
    };
    Ok(Applied { batch: result, filtered, added, rejected })
}

/// The rows that are neither filtered out nor rejected; none: all of them.
fn survivors(count: usize, keep: Option<Vec<u64>>, rejected: &[u32]) -> Result<Option<Vec<u32>>, Breach> {
    let mut kept = match keep {
        Some(words) => check::rows_of_bits(&words, count, "keep")?,
        None if rejected.is_empty() => return Ok(None),
        None => (0..count as u32).collect(),
    };
    if !rejected.is_empty() {
        kept.retain(|row| rejected.binary_search(row).is_err());
    }
    Ok((kept.len() < count).then_some(kept))
}

fn with_bodies(batch: &Batch, change: BodyChange, budget: &mut Budget) -> Result<Batch, Breach> {
    let at = At::list("bodies");
    let rows = check::rows(change.rows, batch.len(), at)?;
    let expected = rows.as_ref().map_or(batch.len(), Vec::len);
    let data = change.bodies.data;
    let spans = check::spans(&change.bodies.spans, (data.len(), expected), (budget, 0), at)?;
    Ok(match rows {
        None => batch.with_bodies(Bytes::from(data), spans).compacted(),
        Some(rows) if rows.is_empty() => batch.clone(),
        Some(rows) => batch.with_bodies_at(&rows, &data, &spans),
    })
}
