//! World `deserializer`: one instance for each stream, with one decoder.

use flumen_event::Batch;
use futures_util::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, ResourceAny};

use super::bindings::exports::flumen::plugin::deserialize;
use super::columns::{Bounds, Breach, events_from};
use super::{Call, SELF_TEST_BYTES_MAX, pairs};
use crate::error::Failure;
use crate::instance::Live;
use crate::plugin::World;
use crate::spec::Kind;
use crate::store::PluginState;

/// The world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deserializer;

/// An instance's exports, and its decoder.
pub struct Bindings {
    guest: deserialize::Guest,
    decoder: Option<ResourceAny>,
}

/// What the decoder is to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Make the decoder of a stream's name, from a position on.
    Open(String, u64),
    /// The next bytes.
    Decode(Vec<u8>),
    /// There are no more.
    Finish,
}

/// What may be answered to a step.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// Events and bytes.
    pub bounds: Bounds,
    /// The position that was answered last.
    pub least: u64,
    /// Behind the last byte given.
    pub most: u64,
}

/// Events, and where reading can start again.
pub type Decoded = (Batch, u64);

impl World for Deserializer {
    const KIND: Kind = Kind::Deserializer;
    type Indices = deserialize::GuestIndices;
    type Bindings = Bindings;
    type Answer = ();

    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Self::Indices> {
        deserialize::GuestIndices::new(pre)
    }
    fn load(
        indices: &Self::Indices,
        store: &mut Store<PluginState>,
        instance: &Instance,
    ) -> wasmtime::Result<Bindings> {
        Ok(Bindings { guest: indices.load(store, instance)?, decoder: None })
    }
    fn configure<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a Bindings,
        options: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(bindings.guest.call_configure(store, &pairs(options)).await??) })
    }
    fn self_test<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a mut Bindings,
        _answer: &'a (),
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let bounds = Bounds::new(SELF_TEST_BYTES_MAX).with_events_max(1);
            let allowed = Allowed { bounds, least: 0, most: 0 };
            take(store, bindings, Step::Open(String::new(), 0), allowed).await?;
            let (events, _) = take(store, bindings, Step::Finish, allowed).await?;
            if !events.is_empty() {
                return Err(Failure::Breach(format!("{} events came of no bytes", events.len())));
            }
            Ok(())
        })
    }
}

/// One step of the instance's decoder, checked.
pub fn step(mut live: Live<Deserializer>, step: Step, allowed: Allowed) -> Call<Deserializer, Decoded> {
    Box::pin(async move {
        let result = take(&mut live.store, &mut live.bindings, step, allowed).await;
        (live, result)
    })
}

async fn take(
    store: &mut Store<PluginState>,
    bindings: &mut Bindings,
    step: Step,
    allowed: Allowed,
) -> Result<Decoded, Failure> {
    let guest = bindings.guest.decoder();
    let events_max = u32::try_from(allowed.bounds.events_max).unwrap_or(u32::MAX);
    let decoded = match (step, bindings.decoder) {
        (Step::Open(name, position), former) => {
            bindings.decoder = None;
            if let Some(former) = former {
                former.resource_drop_async(&mut *store).await?;
            }
            bindings.decoder = Some(guest.call_constructor(&mut *store, &name, position).await?);
            return Ok((Batch::default(), position));
        }
        (_, None) => return Err(Failure::Breach("a stream is read before it was opened".to_owned())),
        (Step::Decode(bytes), Some(decoder)) => {
            guest.call_decode(&mut *store, decoder, &bytes, events_max).await??
        }
        (Step::Finish, Some(decoder)) => guest.call_finish(&mut *store, decoder, events_max).await??,
    };
    let (position, least, most) = (decoded.position, allowed.least, allowed.most);
    if position < least || position > most {
        return Err(Breach::Position { position, least, most }.into());
    }
    Ok((events_from(decoded.events, &allowed.bounds)?, position))
}
