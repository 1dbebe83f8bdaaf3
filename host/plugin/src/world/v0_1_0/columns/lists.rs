//! Batches as lists of events, for the world `interceptor-simple`.

use flumen_event::{Batch, BatchBuilder, LimitExceeded, Limits};

use super::Bounds;
use super::breach::Breach;
use super::check::Budget;
use crate::world::v0_1_0::bindings::flumen::plugin::types::{EventParam, EventResult};

/// The headers of all events, one behind the other.
#[derive(Debug, Default)]
pub struct ListScratch<'a> {
    headers: Vec<(&'a str, &'a str)>,
}

/// A batch in the types of the bindings.
#[derive(Debug)]
pub struct Lists<'a> {
    events: Vec<EventParam<'a>>,
}

impl<'a> ListScratch<'a> {
    /// The headers of a batch.
    #[must_use]
    pub fn of(batch: &'a Batch) -> Self {
        Self { headers: batch.iter().flat_map(|event| event.headers()).collect() }
    }
    /// The events with their headers.
    #[must_use]
    pub fn encode(&'a self, batch: &'a Batch) -> Lists<'a> {
        let mut next = 0;
        let events = batch.iter().map(|event| {
            let first = next;
            next += event.headers().count();
            EventParam { headers: &self.headers[first..next], body: event.body() }
        });
        Lists { events: events.collect() }
    }
}

impl<'a> Lists<'a> {
    /// What is handed to the bindings.
    #[must_use]
    pub fn as_param(&self) -> &[EventParam<'a>] {
        &self.events
    }
}

/// The events as a batch. Of two headers with one name the later counts.
///
/// # Errors
/// If they are beyond the bounds.
pub fn events_from_list(events: &[EventResult], bounds: &Bounds) -> Result<Batch, Breach> {
    if events.len() > bounds.events_max {
        return Err(Breach::Events { events: events.len(), events_max: bounds.events_max });
    }
    let mut budget = Budget::new(bounds);
    // What is over the bytes is found by the budget, which counts places too.
    let limits = Limits { columns_max: bounds.columns_max, ..Limits::default() };
    let mut builder = BatchBuilder::new(limits);
    for event in events {
        budget.charge_each(1, event.body.len())?;
        for (name, value) in &event.headers {
            budget.charge_each(1, name.len() + value.len())?;
        }
        let headers = event.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        builder.push(&event.body, headers).map_err(|over| match over {
            LimitExceeded::EventTooLarge | LimitExceeded::BatchFull => {
                Breach::Names { names: bounds.columns_max + 1, names_max: bounds.columns_max }
            }
        })?;
    }
    Ok(builder.finish())
}
