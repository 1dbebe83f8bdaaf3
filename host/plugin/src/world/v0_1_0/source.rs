//! World `source`: one instance, whose calls build on each other.

use flumen_event::Batch;
use futures_util::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::flumen::plugin::produce;
use super::columns::{Bounds, Breach, events_from};
use super::{Call, pairs};
use crate::error::Failure;
use crate::instance::Live;
use crate::plugin::World;
use crate::spec::Kind;
use crate::store::PluginState;

/// The largest checkpoint.
pub const CHECKPOINT_BYTES_MAX: usize = 64 << 10;

/// The world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source;

/// What the source has.
#[derive(Clone, Debug)]
pub enum Poll {
    /// Events, and the checkpoint that stands for them.
    Batch(Batch, Vec<u8>),
    /// None for so many milliseconds.
    Idle(u32),
    /// None any more.
    Done,
}

/// A call that answers nothing.
#[derive(Clone, Debug)]
pub enum Tell {
    /// Begin behind this checkpoint.
    Start(Option<Vec<u8>>),
    /// Everything up to it is stored.
    Committed(Vec<u8>),
    /// What came behind it was refused.
    RolledBack(Option<Vec<u8>>),
    /// The end.
    Stop,
}

impl World for Source {
    const KIND: Kind = Kind::Source;
    type Indices = produce::GuestIndices;
    type Bindings = produce::Guest;
    type Answer = ();

    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Self::Indices> {
        produce::GuestIndices::new(pre)
    }
    fn load(
        indices: &Self::Indices,
        store: &mut Store<PluginState>,
        instance: &Instance,
    ) -> wasmtime::Result<Self::Bindings> {
        indices.load(store, instance)
    }
    fn configure<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a Self::Bindings,
        options: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(bindings.call_configure(store, &pairs(options)).await??) })
    }
    /// Every call of a source is seen upstream, so there is none to test it with.
    fn self_test<'a>(
        &'a self,
        _store: &'a mut Store<PluginState>,
        _bindings: &'a mut Self::Bindings,
        _answer: &'a (),
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// Asks for events, checked. `wait_ms`: how long the guest may wait for some.
pub fn next_batch(mut live: Live<Source>, bounds: Bounds, wait_ms: u32) -> Call<Source, Poll> {
    Box::pin(async move {
        let result = poll(&mut live, bounds, wait_ms).await;
        (live, result)
    })
}

async fn poll(live: &mut Live<Source>, bounds: Bounds, wait_ms: u32) -> Result<Poll, Failure> {
    let max = u32::try_from(bounds.events_max).unwrap_or(u32::MAX);
    match live.bindings.call_next_batch(&mut live.store, max, wait_ms).await?? {
        produce::Poll::Idle(ms) => Ok(Poll::Idle(ms)),
        produce::Poll::Done => Ok(Poll::Done),
        produce::Poll::Batch(produce::SourceBatch { checkpoint, .. })
            if checkpoint.len() > CHECKPOINT_BYTES_MAX =>
        {
            Err(Breach::Checkpoint { bytes: checkpoint.len(), bytes_max: CHECKPOINT_BYTES_MAX }.into())
        }
        produce::Poll::Batch(batch) => Ok(Poll::Batch(events_from(batch.events, &bounds)?, batch.checkpoint)),
    }
}

/// Tells the source what became of things.
pub fn tell(mut live: Live<Source>, tell: Tell) -> Call<Source, ()> {
    Box::pin(async move {
        let (guest, store) = (&live.bindings, &mut live.store);
        let told = match tell {
            Tell::Start(checkpoint) => guest.call_start(store, checkpoint.as_deref()).await,
            Tell::Committed(checkpoint) => guest.call_committed(store, &checkpoint).await,
            Tell::RolledBack(checkpoint) => guest.call_rolled_back(store, checkpoint.as_deref()).await,
            Tell::Stop => guest.call_stop(store).await.map(Ok),
        };
        let result = match told {
            Ok(answer) => answer.map_err(Failure::from),
            Err(trap) => Err(Failure::Trap(trap)),
        };
        (live, result)
    })
}
