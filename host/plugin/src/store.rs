//! What a store holds beside the guest: one store for each instance.

use std::sync::Arc;

use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::account::Account;
use crate::call::Control;
use crate::call::SLICE_TICKS;
use crate::grants::{self, Granted};
use crate::imports::{self, HasImports};
use crate::limits::Limiter;
use crate::spec::Limits;

/// The host's side of one instance.
pub struct PluginState {
    /// What it was given of the host and the world.
    pub granted: Granted,
    /// Handles that the guest holds.
    pub table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) control: Arc<Control>,
}

impl WasiView for PluginState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.granted.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for PluginState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Granted { http, hooks, .. } = &mut self.granted;
        WasiHttpCtxView { ctx: http, table: &mut self.table, hooks }
    }
}

impl HasImports for PluginState {
    fn imports(&mut self) -> imports::View<'_> {
        imports::View { imports: &mut self.granted.imports, table: &mut self.table }
    }
}

/// What a call may move from the guest to the host beside its answer's bytes: spans, rows, a log line.
const TRANSFER_SLACK_BYTES: usize = 16 << 20;

/// A store for one instance. Its guest yields every [`SLICE_TICKS`] and ends when the call's time is over.
pub(crate) fn new_store(
    engine: &Engine,
    granted: Granted,
    limits: &Limits,
    tenant: &Arc<Account>,
) -> Store<PluginState> {
    let limiter = Limiter::new(tenant.clone(), limits.memory_bytes_max);
    let control = Arc::new(Control::new());
    let state = PluginState { granted, table: ResourceTable::new(), limiter, control };
    let mut store = Store::new(engine, state);
    imports::bound_store(&mut store, limits.output_bytes_max.saturating_add(TRANSFER_SLACK_BYTES));
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
    grants::add_to_linker(&mut linker)?;
    Ok(linker)
}
