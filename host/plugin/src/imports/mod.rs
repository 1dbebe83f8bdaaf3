//! What every plugin may import from the host: world `base` of `flumen:plugin`.
//!
//! ```text
//! Registry ─▶ Services (one for each plugin path; shared by its instances, kept over replacements)
//!               ├─ log      PluginLog      one limit for log.write, stdout and stderr
//!               ├─ metrics  PluginMetrics  at most 256 series
//!               └─ state    StateStore     a file, synced within a second by the keeper's thread
//!             Imports (one for each instance) ─▶ the Host traits of each world version
//! ```
//!
//! Invariants: no function here panics on what a guest gives it; none blocks a thread on the disk longer than one
//! write(2); whatever a guest can make the host keep is bounded, and the bound is a constant in this folder. A guest
//! that goes over a bound that it must know of traps with a text that names the bound.

mod host;
pub mod lines;
pub mod log;
pub mod metrics;
pub mod rate;
pub mod registry;
pub mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tracing::Level;
use wasmtime::Store;
use wasmtime::component::ResourceTable;

pub use self::host::{Base, Handle, add_to_linker};
use self::log::PluginLog;
use self::metrics::PluginMetrics;
pub use self::registry::{Registry, StateHome};
use self::state::StateStore;

/// Streams, pollables, requests, counters and the like that an instance may hold at a time.
pub const TABLE_ENTRIES_MAX: usize = 2048;
/// Handles in the component's own tables, resources of its own (encoders) included.
pub const COMPONENT_HANDLES_MAX: usize = 16 << 10;

/// What the host does for one plugin.
#[derive(Debug)]
pub struct Services {
    path: Arc<str>,
    log: Arc<PluginLog>,
    metrics: PluginMetrics,
    state: StateStore,
    started: Instant,
    /// That the wall clock was read without a grant has been said.
    clock_missed: AtomicBool,
    keeper: registry::Keeper,
}

impl Services {
    /// The plugin's place in the configuration.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Arc<PluginLog> {
        &self.log
    }
    /// Its numbers.
    #[must_use]
    pub fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }
    /// Its store.
    #[must_use]
    pub fn state(&self) -> &StateStore {
        &self.state
    }
}

/// What one instance has of its plugin's services. Lives in the store's data.
#[derive(Debug)]
pub struct Imports {
    services: Arc<Services>,
    wall_clock: bool,
    metric_handles: usize,
}

impl Imports {
    /// For a new instance. `wall_clock`: `grants.clock = wall`.
    #[must_use]
    pub fn new(services: Arc<Services>, wall_clock: bool) -> Self {
        Self { services, wall_clock, metric_handles: 0 }
    }
    /// The plugin's services.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }
    /// Whether the wall clock was granted. The first time it was not, and is read all the same, is logged.
    pub(crate) fn may_read_wall_clock(&self) -> bool {
        if !self.wall_clock && !self.services.clock_missed.swap(true, Relaxed) {
            let text = "it reads the wall clock, which stands at 1970-01-01T00:00:00Z; `grants.clock = wall` lets it run";
            self.services.log.host_line(Level::WARN, text);
        }
        self.wall_clock
    }
    fn monotonic(&self) -> Duration {
        self.services.started.elapsed()
    }
}

/// Implemented by the data of a plugin's store.
pub trait HasImports: Send + 'static {
    /// The instance's imports, and the table that its handles are in.
    fn imports(&mut self) -> View<'_>;
}

/// A borrowed look at an instance's imports; the `Host` traits are implemented on it.
pub struct View<'a> {
    /// The instance's imports.
    pub imports: &'a mut Imports,
    /// The table of the instance's resources, shared with WASI.
    pub table: &'a mut ResourceTable,
}

/// Bounds what the engine itself keeps for an instance. `transfer_bytes_max`: what one call between guest and host
/// may move towards the host, answers of the guest included.
pub fn bound_store<T: HasImports>(store: &mut Store<T>, transfer_bytes_max: usize) {
    store.data_mut().imports().table.set_max_capacity(TABLE_ENTRIES_MAX);
    store.set_max_component_handles(COMPONENT_HANDLES_MAX);
    store.set_hostcall_fuel(transfer_bytes_max);
}
