//! World `selector`.

use flumen_connect::{Leg, Rows};
use flumen_event::Batch;
use futures_util::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::flumen::plugin::route::{self, ChannelSets, Choice};
use super::columns::{Breach, Part, Reads, Scratch};
use super::{Call, pairs};
use crate::error::{Failure, GuestError};
use crate::instance::Live;
use crate::plugin::World;
use crate::spec::Kind;
use crate::store::PluginState;

/// Channels that fit the bits of a set.
const CHANNELS_MAX: usize = 64;

/// The world, for a source with these channels.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Their names, in the order of the source's list.
    pub channels: Vec<String>,
}

/// An instance's exports.
pub struct Bindings {
    guest: route::Guest,
    scratch: Scratch,
}

impl World for Selector {
    const KIND: Kind = Kind::Selector;
    type Indices = route::GuestIndices;
    type Bindings = Bindings;
    type Answer = Reads;

    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Self::Indices> {
        route::GuestIndices::new(pre)
    }
    fn load(
        indices: &Self::Indices,
        store: &mut Store<PluginState>,
        instance: &Instance,
    ) -> wasmtime::Result<Bindings> {
        Ok(Bindings { guest: indices.load(store, instance)?, scratch: Scratch::default() })
    }
    fn configure<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a Bindings,
        options: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<Reads, Failure>> {
        Box::pin(async move {
            if self.channels.len() > CHANNELS_MAX {
                let message = format!(
                    "its source has {} channels, a plugin chooses among {CHANNELS_MAX} at most",
                    self.channels.len()
                );
                return Err(GuestError::Config { key: None, message }.into());
            }
            let channels: Vec<&str> = self.channels.iter().map(String::as_str).collect();
            let needs = bindings.guest.call_configure(store, &pairs(options), &channels).await??;
            Ok(Reads::new(needs, flumen_event::Limits::default().columns_max)?)
        })
    }
    fn self_test<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a mut Bindings,
        answer: &'a Reads,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            on_batch((store, bindings, answer), &Batch::default(), self.channels.len()).await.map(drop)
        })
    }
}

/// The way of every event of a batch through one instance, checked.
pub fn route(mut live: Live<Selector>, batch: Batch, channels: usize) -> Call<Selector, Vec<Leg>> {
    Box::pin(async move {
        let answer = live.answer.clone();
        let result = on_batch((&mut live.store, &mut live.bindings, &answer), &batch, channels).await;
        (live, result)
    })
}

type Guest<'a> = (&'a mut Store<PluginState>, &'a mut Bindings, &'a Reads);

async fn on_batch(
    (store, bindings, reads): Guest<'_>,
    batch: &Batch,
    channels: usize,
) -> Result<Vec<Leg>, Failure> {
    let encoded = bindings.scratch.encode(batch, reads);
    let choice = bindings.guest.call_route(store, encoded.as_param()).await??;
    Ok(legs(choice, batch.len(), channels)?)
}

/// The choice as legs, in the order of the channels.
///
/// # Errors
/// If there is not one set for each event, or one names a channel that is not there.
pub fn legs(choice: Choice, events: usize, channels: usize) -> Result<Vec<Leg>, Breach> {
    check("required", &choice.required, (events, channels))?;
    check("optional", &choice.optional, (events, channels))?;
    let mut legs = Vec::new();
    let required = |row| of_row(&choice.required, row);
    // What is required is not put a second time because it is optional as well.
    let optional = |row| of_row(&choice.optional, row) & !of_row(&choice.required, row);
    if let (ChannelSets::Same(_), ChannelSets::Same(_)) = (&choice.required, &choice.optional) {
        for channel in (0..channels).filter(|_| events > 0) {
            for (set, required) in [(required(0), true), (optional(0), false)] {
                if set >> channel & 1 == 1 {
                    legs.push(Leg { channel, required, rows: Rows::All });
                }
            }
        }
        return Ok(legs);
    }
    let mut rows = vec![(Vec::new(), Vec::new()); channels];
    for row in 0..events {
        push_bits(required(row), |channel| rows[channel].0.push(row as u32));
        push_bits(optional(row), |channel| rows[channel].1.push(row as u32));
    }
    for (channel, (required, optional)) in rows.into_iter().enumerate() {
        for (rows, required) in [(required, true), (optional, false)] {
            match rows.len() {
                0 => {}
                count if count == events => legs.push(Leg { channel, required, rows: Rows::All }),
                _ => legs.push(Leg { channel, required, rows: Rows::Some(rows) }),
            }
        }
    }
    Ok(legs)
}

fn of_row(sets: &ChannelSets, row: usize) -> u64 {
    match sets {
        ChannelSets::Same(set) => *set,
        ChannelSets::Each(sets) => sets[row],
    }
}

fn push_bits(mut set: u64, mut push: impl FnMut(usize)) {
    while set != 0 {
        push(set.trailing_zeros() as usize);
        set &= set - 1;
    }
}

fn check(list: &'static str, sets: &ChannelSets, (events, channels): (usize, usize)) -> Result<(), Breach> {
    let sets = match sets {
        ChannelSets::Same(set) => std::slice::from_ref(set),
        ChannelSets::Each(sets) if sets.len() == events => sets,
        ChannelSets::Each(sets) => {
            return Err(Breach::Items { part: Part { list, entry: None }, items: sets.len(), rows: events });
        }
    };
    let beyond = |set: u64| channels < CHANNELS_MAX && set >> channels != 0;
    match sets.iter().position(|set| beyond(*set)) {
        None => Ok(()),
        Some(row) => {
            let channel = sets[row].ilog2();
            Err(Breach::Channel { part: Part { list, entry: None }, row, channel, channels })
        }
    }
}
