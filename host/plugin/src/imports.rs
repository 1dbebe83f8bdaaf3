//! What the host offers to every plugin: WASI with everything denied.

use wasmtime::component::Linker;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::spec::PluginSpec;
use crate::store::PluginState;

/// Standard error that is kept for the error of a trap.
const STDERR_BYTES_MAX: usize = 16 << 10;

/// The host's side of one instance's imports.
pub struct Services {
    stderr: MemoryOutputPipe,
}

impl Services {
    /// Services for one instance of a plugin, and its WASI context.
    #[must_use]
    pub fn new(_spec: &PluginSpec) -> (Self, WasiCtx) {
        let stderr = MemoryOutputPipe::new(STDERR_BYTES_MAX);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stderr(stderr.clone());
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        (Self { stderr }, wasi.build())
    }
    /// The end of what the guest wrote to standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.contents()).into_owned()
    }
}

/// Offers all of it to components.
///
/// # Errors
/// If two offers have one name.
pub fn add_to_linker(linker: &mut Linker<PluginState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}
