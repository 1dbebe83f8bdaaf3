//! Events that a plugin made.

use bytes::Bytes;
use flumen_event::Batch;

use super::Bounds;
use super::breach::{At, Breach};
use super::check::{self, Budget};
use super::headers::{self, Changes};
use crate::world::v0_1_0::bindings::flumen::plugin::types::{ColumnResult, Events, PackedResult};

/// The events as a batch. The guest's buffers become its arena and its texts without a copy, where most of them is
/// used.
///
/// # Errors
/// If they break the contract or are beyond the bounds.
pub fn events_from(events: Events, bounds: &Bounds) -> Result<Batch, Breach> {
    let lists = Lists { bodies: "bodies", headers: "headers" };
    made(events.bodies, events.headers, lists, (bounds, &mut Budget::new(bounds)))
}

/// What the lists are called in a breach.
#[derive(Clone, Copy)]
pub(super) struct Lists {
    pub(super) bodies: &'static str,
    pub(super) headers: &'static str,
}

/// Bodies and headers as a batch.
pub(super) fn made(
    bodies: PackedResult,
    columns: Vec<ColumnResult>,
    lists: Lists,
    (bounds, budget): (&Bounds, &mut Budget),
) -> Result<Batch, Breach> {
    let at = At::list(lists.bodies);
    let events = check::items(&bodies.spans, at)?;
    if events > bounds.events_max {
        return Err(Breach::Events { events, events_max: bounds.events_max });
    }
    let spans = check::spans(&bodies.spans, (bodies.data.len(), events), (&mut *budget, 0), at)?;
    let batch = Batch::from_arena(Bytes::from(bodies.data), spans).compacted();
    headers::edit(&batch, Changes { removals: Vec::new(), columns, list: lists.headers }, (bounds, budget))
}
