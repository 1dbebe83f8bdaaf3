//! Worlds `interceptor` and `interceptor-simple`: a component exports the interface of one of both.

use flumen_event::Batch;
use futures_util::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::SELF_TEST_BYTES_MAX;
use super::bindings::exports::flumen::plugin::{intercept, intercept_events};
use super::columns::{Applied, Bounds, ListScratch, Reads, Scratch, apply, events_from_list};
use crate::error::Failure;
use crate::instance::Live;
use crate::plugin::World;
use crate::spec::Kind;
use crate::store::PluginState;

/// Both worlds of an interceptor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interceptor;

/// Where the exports of a component are.
pub enum Indices {
    /// World `interceptor`.
    Columns(intercept::GuestIndices),
    /// World `interceptor-simple`.
    Events(intercept_events::GuestIndices),
}

/// The exports of an instance.
pub enum Bindings {
    /// World `interceptor`.
    Columns(intercept::Guest, Scratch),
    /// World `interceptor-simple`.
    Events(intercept_events::Guest),
}

impl World for Interceptor {
    const KIND: Kind = Kind::Interceptor;
    type Indices = Indices;
    type Bindings = Bindings;
    type Answer = Reads;

    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Indices> {
        if pre.component().get_export_index(None, "flumen:plugin/intercept@0.1.0").is_some() {
            return intercept::GuestIndices::new(pre).map(Indices::Columns);
        }
        intercept_events::GuestIndices::new(pre).map(Indices::Events)
    }
    fn load(
        indices: &Indices,
        store: &mut Store<PluginState>,
        instance: &Instance,
    ) -> wasmtime::Result<Bindings> {
        Ok(match indices {
            Indices::Columns(indices) => {
                Bindings::Columns(indices.load(store, instance)?, Scratch::default())
            }
            Indices::Events(indices) => Bindings::Events(indices.load(store, instance)?),
        })
    }
    fn configure<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a Bindings,
        options: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<Reads, Failure>> {
        Box::pin(async move {
            let options: Vec<(&str, &str)> =
                options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            match bindings {
                Bindings::Columns(guest, _) => {
                    let needs = guest.call_configure(store, &options).await??;
                    Ok(Reads::new(needs, flumen_event::Limits::default().columns_max)?)
                }
                Bindings::Events(guest) => {
                    guest.call_configure(store, &options).await??;
                    Ok(Reads::everything())
                }
            }
        })
    }
    fn self_test<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a mut Bindings,
        answer: &'a Reads,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let bounds = Bounds::new(SELF_TEST_BYTES_MAX);
            let applied = on_batch((store, bindings, answer), &Batch::default(), &bounds).await?;
            if applied.batch.is_empty() {
                return Ok(());
            }
            Err(Failure::Breach(format!("{} events came of none", applied.batch.len())))
        })
    }
}

/// One batch through one instance, checked. The answer never holds more than the bounds say.
///
/// # Errors
/// What the guest answered or did.
pub fn intercept(
    mut live: Live<Interceptor>,
    batch: Batch,
    bounds: Bounds,
) -> BoxFuture<'static, (Live<Interceptor>, Result<Applied, Failure>)> {
    Box::pin(async move {
        let answer = live.answer.clone();
        let result = on_batch((&mut live.store, &mut live.bindings, &answer), &batch, &bounds).await;
        (live, result)
    })
}

type Guest<'a> = (&'a mut Store<PluginState>, &'a mut Bindings, &'a Reads);

async fn on_batch(
    (store, bindings, reads): Guest<'_>,
    batch: &Batch,
    bounds: &Bounds,
) -> Result<Applied, Failure> {
    match bindings {
        Bindings::Columns(guest, scratch) => {
            let encoded = scratch.encode(batch, reads);
            let edits = guest.call_intercept(store, encoded.as_param()).await??;
            Ok(apply(batch, edits, bounds)?)
        }
        Bindings::Events(guest) => {
            let headers = ListScratch::of(batch);
            let lists = headers.encode(batch);
            let events = guest.call_intercept(store, lists.as_param()).await??;
            let batch_out = events_from_list(&events, bounds)?;
            Ok(by_count(batch, batch_out))
        }
    }
}

/// What became of a list of events: lists do not say which went and which came, so their numbers decide.
fn by_count(before: &Batch, after: Batch) -> Applied {
    Applied {
        filtered: before.len().saturating_sub(after.len()),
        added: after.len().saturating_sub(before.len()),
        batch: after,
        ..Applied::default()
    }
}
