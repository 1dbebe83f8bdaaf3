//! What a store holds beside the guest: one store for each instance.

use std::sync::Arc;

use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::account::Account;
use crate::call::Control;
use crate::call::SLICE_TICKS;
use crate::imports::{self, Services};
use crate::limits::Limiter;
use crate::spec::PluginSpec;

/// The host's side of one instance.
pub struct PluginState {
    /// WASI as granted.
    pub wasi: WasiCtx,
    /// Handles that the guest holds.
    pub table: ResourceTable,
    /// The host's own imports.
    pub services: Services,
    pub(crate) limiter: Limiter,
    pub(crate) control: Arc<Control>,
}

impl WasiView for PluginState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A store for one instance. Its guest yields every [`SLICE_TICKS`] and ends when the call's time is over.
pub(crate) fn new_store(
    engine: &Engine,
    spec: &PluginSpec,
    memory_bytes_max: usize,
    tenant: &Arc<Account>,
) -> Store<PluginState> {
    let (services, wasi) = Services::new(spec);
    let limiter = Limiter::new(tenant.clone(), memory_bytes_max);
    let control = Arc::new(Control::new());
    let state = PluginState { wasi, table: ResourceTable::new(), services, limiter, control };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_epoch_deadline(SLICE_TICKS);
    store.epoch_deadline_callback(at_slice_end);
    store
}

/// Runs inside the guest, at the end of its slice.
fn at_slice_end(store: StoreContextMut<'_, PluginState>) -> wasmtime::Result<UpdateDeadline> {
    match store.data().control.end_of_slice() {
        Ok(()) => Ok(UpdateDeadline::Yield(SLICE_TICKS)),
        Err(over) => Err(wasmtime::Error::new(over)),
    }
}

/// A linker with everything that a plugin may import.
///
/// # Errors
/// If two offers have one name.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<PluginState>> {
    let mut linker = Linker::new(engine);
    imports::add_to_linker(&mut linker)?;
    Ok(linker)
}
