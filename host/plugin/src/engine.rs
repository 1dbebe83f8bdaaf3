//! The engines: one configuration of the compiler, pools of their own.
//!
//! ```text
//!              compute                       io
//! runs         interceptor, serializer …     source, sink, http-handler, anything with grants
//! pool         `compute_instances_max`       `io_instances_max`
//! compiled     ╰────── the same .cwasm ──────╯     (with fuel: another compilation, made when first asked for)
//! ```

use std::sync::{Arc, OnceLock};

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::call::Ticker;
use crate::error::LoadError;
use crate::limits;
use crate::spec::{Grants, Kind, PluginSpec};
use crate::store::{self, PluginState};

/// Native stack of a guest. Recursion deeper than this traps.
const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of a call's fiber: the guest's and what host functions use above it.
const FIBER_STACK_BYTES: usize = 1 << 20;
/// Dirty pages of a slot up to here are zeroed in place when it is given back; more goes back to the kernel.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;

/// Which engine a plugin runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EngineKind {
    /// Whether it may wait for the world: its calls take long, and must not use up the others' slots.
    io: bool,
    /// Whether instructions are counted.
    pub(crate) fuel: bool,
}

impl EngineKind {
    pub(crate) fn of(spec: &PluginSpec, fuel: bool) -> Self {
        let waits = matches!(spec.kind, Kind::Source | Kind::Sink | Kind::HttpHandler);
        Self { io: waits || spec.grants != Grants::default(), fuel }
    }
    fn index(self) -> usize {
        usize::from(self.io) * 2 + usize::from(self.fuel)
    }
}

/// An engine and what is linked into its components.
pub(crate) struct Room {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<PluginState>,
}

/// The engines of a host, made when first asked for.
pub(crate) struct Engines {
    rooms: [OnceLock<Result<Arc<Room>, String>>; 4],
    compute_instances_max: u32,
    io_instances_max: u32,
    ticker: Arc<Ticker>,
}

impl Engines {
    pub(crate) fn new(compute_instances_max: u32, io_instances_max: u32, ticker: Arc<Ticker>) -> Self {
        Self { rooms: Default::default(), compute_instances_max, io_instances_max, ticker }
    }

    /// The engine of a kind.
    ///
    /// # Errors
    /// If this machine cannot have it (no address space for the pool).
    pub(crate) fn room(&self, kind: EngineKind) -> Result<Arc<Room>, LoadError> {
        let instances = if kind.io { self.io_instances_max } else { self.compute_instances_max };
        let made = self.rooms[kind.index()].get_or_init(|| {
            let room = Room::new(kind, instances).map_err(|error| format!("{error:#}"))?;
            self.ticker.add(room.engine.clone());
            Ok(Arc::new(room))
        });
        made.clone().map_err(LoadError::Engine)
    }
}

impl Room {
    fn new(kind: EngineKind, instances: u32) -> wasmtime::Result<Self> {
        let mut config = compiler_config(kind.fuel);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
        let engine = Engine::new(&config)?;
        let linker = store::linker(&engine)?;
        Ok(Self { engine, linker })
    }
}

/// Everything that decides what compiled code looks like: the same for the engine that runs it and for the process
/// that compiles it.
pub(crate) fn compiler_config(fuel: bool) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(fuel)
        .memory_init_cow(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances.saturating_add(instances / 4))
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .total_gc_heaps(0)
        .max_core_instances_per_component(limits::CORE_INSTANCES_MAX as u32)
        .max_memories_per_component(limits::MEMORIES_MAX as u32)
        .max_tables_per_component(limits::TABLES_MAX as u32)
        .max_tables_per_module(8)
        .table_elements(limits::TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .max_unused_warm_slots(100)
        .decommit_batch_size(16);
    pool
}
