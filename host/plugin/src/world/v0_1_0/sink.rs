//! World `sink`: one instance, whose calls build on each other.

use flumen_event::Batch;
use futures_util::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::flumen::plugin::deliver;
use super::columns::{Bounds, Breach, Budget, Part, Reads, Scratch, rejections, rows_of_bits};
use super::{Call, pairs};
use crate::error::Failure;
use crate::instance::Live;
use crate::plugin::World;
use crate::spec::Kind;
use crate::store::PluginState;

/// The world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sink;

/// An instance's exports.
pub struct Bindings {
    guest: deliver::Guest,
    scratch: Scratch,
}

/// What became of the events of one call. Rows that are not named were stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Rows to be given again, ascending.
    pub pending: Vec<u32>,
    /// Rows that can never be stored, ascending.
    pub rejected: Vec<u32>,
    /// Why, in step with `rejected`.
    pub reasons: Vec<String>,
}

impl World for Sink {
    const KIND: Kind = Kind::Sink;
    type Indices = deliver::GuestIndices;
    type Bindings = Bindings;
    type Answer = Reads;

    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Self::Indices> {
        deliver::GuestIndices::new(pre)
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
            let needs = bindings.guest.call_configure(store, &pairs(options)).await??;
            Ok(Reads::new(needs, flumen_event::Limits::default().columns_max)?)
        })
    }
    /// `deliver` comes after `start`, which reaches out to the store: nothing is called before the sink opens.
    fn self_test<'a>(
        &'a self,
        _store: &'a mut Store<PluginState>,
        _bindings: &'a mut Bindings,
        _answer: &'a Reads,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// Has the instance get ready.
pub fn start(mut live: Live<Sink>) -> Call<Sink, ()> {
    Box::pin(async move {
        let result = match live.bindings.guest.call_start(&mut live.store).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(trap) => Err(Failure::Trap(trap)),
        };
        (live, result)
    })
}

/// Has the instance end.
pub fn stop(mut live: Live<Sink>) -> Call<Sink, ()> {
    Box::pin(async move {
        let result = live.bindings.guest.call_stop(&mut live.store).await.map_err(Failure::Trap);
        (live, result)
    })
}

/// Gives the instance some events; the answer is checked.
pub fn deliver(mut live: Live<Sink>, batch: Batch, bounds: Bounds) -> Call<Sink, Delivery> {
    Box::pin(async move {
        let result = on_batch(&mut live, &batch, bounds).await;
        (live, result)
    })
}

async fn on_batch(live: &mut Live<Sink>, batch: &Batch, bounds: Bounds) -> Result<Delivery, Failure> {
    let reads = live.answer.clone();
    let bindings = &mut live.bindings;
    let encoded = bindings.scratch.encode(batch, &reads);
    let answer = bindings.guest.call_deliver(&mut live.store, encoded.as_param()).await??;
    let pending = match answer.pending {
        Some(words) => rows_of_bits(&words, batch.len(), "pending")?,
        None => Vec::new(),
    };
    let (rejected, reasons) = rejections(answer.rejected, batch.len(), &mut Budget::new(&bounds))?;
    if let Some(&row) = rejected.iter().find(|row| pending.binary_search(row).is_ok()) {
        return Err(Breach::PendingRejected { part: Part { list: "rejected", entry: None }, row }.into());
    }
    Ok(Delivery { pending, rejected, reasons })
}
