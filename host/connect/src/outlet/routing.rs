//! From a batch to what goes where: interceptors in their order, then the selector.
//!
//! ```text
//! in + made = dropped + dead letters + with a required leg + with optional legs only
//! ```
//! Nothing is counted here: the same events may come again when a channel was full.

use std::sync::Arc;

use flumen_channel::Channel;
use flumen_event::{Batch, BatchBuilder};

use super::Inner;
use crate::interceptor::{AnyInterceptor, Drops, InterceptError};
use crate::ledger::add;
use crate::selector::{AnySelector, Leg, Rows};

/// A batch that interceptors and selector are done with.
pub(super) struct Routed {
    pub(super) drops: Drops,
    /// Events with at least one required leg.
    pub(super) covered: usize,
    /// Events with optional legs only.
    pub(super) only_optional: usize,
    /// Events that are put aside.
    pub(super) dead_letters: usize,
    /// Events that interceptors made.
    pub(super) made: usize,
    /// What is put all or nothing, dead letters included, in the order in which room is reserved.
    pub(super) required: Vec<(Arc<dyn Channel>, Batch)>,
    /// Which of the source's channels get what, if they can.
    pub(super) optional: Vec<(usize, Batch)>,
}

impl Routed {
    /// Events whose fate the put of the required channels decides.
    fn settled(&self) -> usize {
        self.drops.total() + self.dead_letters + self.covered
    }
    /// Of the made events those that are counted together with the required channels.
    fn made_required(&self) -> usize {
        self.made.min(self.settled())
    }
    /// Of the made events those that are counted together with the optional channels.
    pub(super) fn made_optional(&self) -> usize {
        self.made - self.made_required()
    }
}

impl Inner {
    pub(super) async fn route(&self, batch: Batch) -> Result<Routed, InterceptError> {
        let before = batch.len();
        let mut drops = Drops::default();
        let batch = self.intercept(batch, &mut drops).await?;
        let legs = match &self.parts.selector {
            _ if batch.is_empty() => Vec::new(),
            AnySelector::Native(selector) => selector.route(&batch),
            AnySelector::Waiting(selector) => selector.route(&batch).await?,
        };
        let required = covered(batch.len(), legs.iter().filter(|leg| leg.required));
        let routable = covered(batch.len(), legs.iter());
        drops.add("selector: no channel", batch.len() - routable);
        let dead_letters = drops.dead_letters().iter().map(|(_, letters)| letters.len()).sum();
        let mut routed = Routed {
            covered: required,
            only_optional: routable - required,
            dead_letters,
            made: drops.made_total(),
            drops,
            required: vec![],
            optional: vec![],
        };
        // What an interceptor says of itself is taken at its word, but never so that the ledger goes wrong unseen.
        debug_assert_eq!(
            before + routed.made,
            routed.settled() + routed.only_optional,
            "events went missing"
        );
        for leg in legs {
            self.add_leg(&mut routed, leg, &batch);
        }
        if dead_letters > 0 {
            self.add_dead_letters(&mut routed);
        }
        Ok(routed)
    }

    async fn intercept(&self, mut batch: Batch, drops: &mut Drops) -> Result<Batch, InterceptError> {
        for interceptor in &self.parts.interceptors {
            batch = match interceptor {
                AnyInterceptor::Native(native) => native.intercept(batch, drops)?,
                AnyInterceptor::Waiting(plugin) => plugin.intercept(batch, drops).await?,
            };
            if batch.is_empty() {
                break;
            }
        }
        Ok(batch)
    }

    fn add_leg(&self, routed: &mut Routed, leg: Leg, batch: &Batch) {
        let part = match leg.rows {
            Rows::All => batch.clone(),
            Rows::Some(rows) => batch.select(&rows),
        };
        if part.is_empty() {
            return;
        }
        if leg.required {
            routed.required.push((self.parts.channels[leg.channel].channel.clone(), part));
        } else {
            routed.optional.push((leg.channel, part));
        }
    }

    /// Dead letters join the required legs, in the agent's order of channels, files last: sources that share
    /// channels reserve room in one order, and a file, which cannot take its lines back after a crash, is written
    /// when nothing else can fail any more. One channel gets one batch, or it could wait for itself.
    fn add_dead_letters(&self, routed: &mut Routed) {
        for (target, letters) in routed.drops.dead_letters() {
            let same = routed.required.iter_mut().find(|(channel, _)| Arc::ptr_eq(channel, target));
            match same.and_then(|(_, part)| joined(part, letters).map(|both| (part, both))) {
                Some((part, both)) => *part = both,
                None => routed.required.push((target.clone(), letters.clone())),
            }
        }
        let place = |channel: &Arc<dyn Channel>| {
            let place = self.parts.put_order.iter().position(|one| Arc::ptr_eq(one, channel));
            place.unwrap_or(usize::MAX)
        };
        routed.required.sort_by_key(|(channel, _)| place(channel));
    }

    /// Called in the movement in which the required channels get the events. Answers how many of them were
    /// received.
    pub(super) fn count_stored(&self, routed: &Routed) -> usize {
        let counters = &self.parts.counters;
        let legs: usize = routed.required.iter().map(|(_, part)| part.len()).sum();
        let received = routed.settled() - routed.made_required();
        add(&counters.made, routed.made_required());
        add(&counters.received, received);
        add(&counters.accepted, received);
        add(&counters.copies, legs - routed.covered - routed.dead_letters);
        add(&counters.dead_letters, routed.dead_letters);
        routed.drops.iter().for_each(|(cause, events)| counters.dropped.add(cause, events));
        received
    }
}

/// Both batches as one, if it is within what a batch may be.
fn joined(first: &Batch, second: &Batch) -> Option<Batch> {
    let mut builder = BatchBuilder::default();
    for event in first.iter().chain(second.iter()) {
        let headers: Vec<_> = event.headers().collect();
        builder.push(event.body(), headers).ok()?;
    }
    Some(builder.finish())
}

/// How many of the batch's events have at least one of the legs.
fn covered<'a>(events: usize, legs: impl Iterator<Item = &'a Leg>) -> usize {
    let mut has_leg = vec![false; events];
    for leg in legs {
        match &leg.rows {
            Rows::All => return events,
            Rows::Some(rows) => rows.iter().for_each(|&row| has_leg[row as usize] = true),
        }
    }
    has_leg.iter().filter(|has| **has).count()
}
