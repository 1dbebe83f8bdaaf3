//! The optional channels of a batch: best effort, after the required ones, without waiting.

use std::sync::Arc;

use flumen_channel::{Channel, Patience};
use flumen_event::Batch;

use super::routing::Routed;
use super::{Inner, NamedChannel};
use crate::ledger::add;

/// The optional legs of a batch whose required legs are stored. Counted as dropped if abandoned.
pub(super) struct OptionalLegs<'a> {
    inner: &'a Inner,
    only_optional: usize,
    made: usize,
    legs: Vec<(NamedChannel, Batch)>,
}

impl<'a> OptionalLegs<'a> {
    pub(super) fn new(inner: &'a Inner, routed: Routed) -> Self {
        let made = routed.made_optional();
        Self { inner, only_optional: routed.only_optional, made, legs: routed.optional }
    }
    /// Each channel gets what fits of the front: at most its capacity, else half of that, a quarter, …
    pub(super) async fn store(mut self) {
        let mut reserved = Vec::new();
        for (channel, batch) in &self.legs {
            reserved.push(reserve_from_front(&channel.channel, batch).await);
        }
        let legs = std::mem::take(&mut self.legs);
        let _movement = self.inner.parts.gate.movement();
        self.count(legs.iter().map(|(_, part)| part.len()).sum());
        for (reserved, (channel, batch)) in reserved.into_iter().zip(legs) {
            let stored = reserved.map_or(0, |(reservation, count)| {
                reservation.commit(batch.slice(0..count));
                count
            });
            let cause = format!("optional channel {}: refused", channel.name);
            self.inner.parts.counters.dropped.add(&cause, batch.len() - stored);
        }
    }
    fn count(&self, legs: usize) {
        let counters = &self.inner.parts.counters;
        add(&counters.made, self.made);
        add(&counters.received, self.only_optional - self.made);
        add(&counters.accepted, self.only_optional - self.made);
        add(&counters.copies, legs - self.only_optional);
    }
}

/// Room, without waiting, for events from the front, and for how many.
async fn reserve_from_front(
    channel: &Arc<dyn Channel>,
    batch: &Batch,
) -> Option<(Box<dyn flumen_channel::Reservation>, usize)> {
    let mut wanted = batch.len().min(channel.limits().capacity);
    while wanted > 0 {
        let part = batch.slice(0..wanted);
        if let Ok(mut reservation) = channel.reserve(&part, Patience::None).await {
            let stored = reservation.persist(&part).await;
            let failed = |error| tracing::debug!(%error, "an optional channel could not store events");
            return stored.map_err(failed).ok().map(|()| (reservation, wanted));
        }
        wanted /= 2;
    }
    None
}

impl Drop for OptionalLegs<'_> {
    fn drop(&mut self) {
        if self.legs.is_empty() {
            return;
        }
        // The source was stopped between the required and the optional channels.
        let legs = std::mem::take(&mut self.legs);
        let _movement = self.inner.parts.gate.movement();
        self.count(legs.iter().map(|(_, part)| part.len()).sum());
        for (channel, part) in legs {
            self.inner
                .parts
                .counters
                .dropped
                .add(&format!("optional channel {}: stopped", channel.name), part.len());
        }
    }
}
