//! One component on a bare wasmtime, with the imports that every plugin may use: what these tests need of a host,
//! and no more, so that a failure here is the guest's or the toolchain's.
//!
//! ```text
//! file ─▶ Component ─▶ instantiate ─▶ configure(options) ─▶ intercept(batch)…
//!          compile_ms      instantiate_us   configure_us
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::rows::{Columns, Row};
use flumen_plugin::world::v0_1_0::bindings::exports::flumen::plugin::intercept::{
    Batch, Edits, Guest, GuestIndices, Needs,
};
use flumen_plugin::world::v0_1_0::bindings::exports::flumen::plugin::serialize;
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::Error;
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::{clock, columns, log, metrics, state, types};
use futures_util::FutureExt;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, ResourceLimiter, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// What the guests' imports write to, and the tests read.
pub struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
    /// What the instance's memories and tables have become.
    pub grown: Grown,
    /// Lines of `log`: level and message, fields behind it.
    pub lines: Vec<String>,
    /// Counters and gauges by name.
    pub numbers: BTreeMap<String, f64>,
    handles: HashMap<u32, String>,
    keys: BTreeMap<String, Vec<u8>>,
    started: Instant,
}

impl Host {
    fn new(memory_bytes_max: usize) -> Self {
        Self {
            wasi: WasiCtxBuilder::new().build(),
            table: ResourceTable::new(),
            grown: Grown { memory_bytes_max, ..Grown::default() },
            lines: Vec::new(),
            numbers: BTreeMap::new(),
            handles: HashMap::new(),
            keys: BTreeMap::new(),
            started: Instant::now(),
        }
    }

    fn handle(&mut self, name: String) -> u32 {
        let number = u32::try_from(self.handles.len()).expect("tests make few metrics");
        self.handles.insert(number, name);
        number
    }
}

/// Grants memory up to a limit for each linear memory, and remembers how much there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grown {
    memory_bytes_max: usize,
    /// Bytes of all linear memories together.
    pub memory_bytes: usize,
    /// Entries of all tables together.
    pub table_elements: usize,
}

impl ResourceLimiter for Grown {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_bytes_max;
        if granted {
            self.memory_bytes += desired - current;
        }
        Ok(granted)
    }
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.table_elements += desired - current;
        Ok(true)
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

type Pairs = Vec<(String, String)>;

impl log::Host for Host {
    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(!matches!(level, log::Level::Trace | log::Level::Debug))
    }
    fn write(&mut self, level: log::Level, message: String, fields: Pairs) -> wasmtime::Result<()> {
        self.lines.push(format!("{level:?} {message} {fields:?}"));
        Ok(())
    }
}

impl metrics::Host for Host {}
impl metrics::HostCounter for Host {
    fn new(&mut self, name: String, _labels: Pairs) -> wasmtime::Result<Resource<metrics::Counter>> {
        Ok(Resource::new_own(self.handle(name)))
    }
    fn add(&mut self, this: Resource<metrics::Counter>, count: u64) -> wasmtime::Result<()> {
        #[allow(clippy::cast_precision_loss, reason = "tests count little")]
        let count = count as f64;
        *self.numbers.entry(self.handles[&this.rep()].clone()).or_default() += count;
        Ok(())
    }
    fn drop(&mut self, _this: Resource<metrics::Counter>) -> wasmtime::Result<()> {
        Ok(())
    }
}
impl metrics::HostGauge for Host {
    fn new(&mut self, name: String, _labels: Pairs) -> wasmtime::Result<Resource<metrics::Gauge>> {
        Ok(Resource::new_own(self.handle(name)))
    }
    fn set(&mut self, this: Resource<metrics::Gauge>, value: f64) -> wasmtime::Result<()> {
        self.numbers.insert(self.handles[&this.rep()].clone(), value);
        Ok(())
    }
    fn drop(&mut self, _this: Resource<metrics::Gauge>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl clock::Host for Host {
    fn monotonic_nanos(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
    fn wall_millis(&mut self) -> wasmtime::Result<Option<u64>> {
        Ok(None)
    }
}

impl state::Host for Host {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, state::StateError>> {
        Ok(Ok(self.keys.get(&key).cloned()))
    }
    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), state::StateError>> {
        if value.len() > 64 << 10 {
            return Ok(Err(state::StateError::TooLarge));
        }
        self.keys.insert(key, value);
        Ok(Ok(()))
    }
    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), state::StateError>> {
        self.keys.remove(&key);
        Ok(Ok(()))
    }
    fn keys(
        &mut self,
        prefix: String,
        after: Option<String>,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<String>, state::StateError>> {
        let matching =
            self.keys.keys().filter(|k| k.starts_with(&prefix) && after.as_ref().is_none_or(|a| *k > a));
        Ok(Ok(matching.take(max as usize).cloned().collect()))
    }
}
impl types::Host for Host {}
impl columns::Host for Host {}

/// A component, compiled once; instances are made from it.
pub struct Compiled {
    engine: Engine,
    pre: wasmtime::component::InstancePre<Host>,
    intercept: Option<GuestIndices>,
    serialize: Option<serialize::GuestIndices>,
    /// How long Cranelift took.
    pub compile_time: Duration,
    /// What the host has to give: linear memories, tables, core instances, and the size of the first memories.
    pub resources: String,
    /// The imports beside the plugin's own.
    pub imports: Vec<String>,
}

impl Compiled {
    /// Compiles `file` as production does: epochs on, concurrency support off.
    pub fn new(file: &Path) -> Self {
        let mut config = Config::new();
        config.epoch_interruption(true).concurrency_support(false);
        // The stack of production, as far as these tests know it.
        config.max_wasm_stack(512 << 10).async_stack_size(2 << 20);
        let engine = Engine::new(&config).expect("the configuration is valid");
        let start = Instant::now();
        let component =
            Component::from_file(&engine, file).unwrap_or_else(|e| panic!("{}: {e:?}", file.display()));
        let compile_time = start.elapsed();
        let mut linker = Linker::<Host>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("WASI is linked once");
        log::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).expect("linked once");
        metrics::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).expect("linked once");
        clock::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).expect("linked once");
        state::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).expect("linked once");
        types::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).expect("linked once");
        columns::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).expect("linked once");
        let resources = component.resources_required().map_or_else(
            || "memories or tables of its importer's".to_owned(),
            |r| {
                format!(
                    "{} memories (largest at start {:?} pages), {} tables (largest at start {:?})",
                    r.num_memories, r.max_initial_memory_size, r.num_tables, r.max_initial_table_size
                )
            },
        );
        let imports = component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
        let pre = linker.instantiate_pre(&component).unwrap_or_else(|e| panic!("{}: {e:?}", file.display()));
        // A component exports one of the two.
        let (intercept, serialize) = (GuestIndices::new(&pre).ok(), serialize::GuestIndices::new(&pre).ok());
        Self { engine, pre, intercept, serialize, compile_time, resources, imports }
    }

    /// A fresh, not yet configured instance.
    pub fn instance(&self, memory_bytes_max: usize) -> Instance {
        let mut store = Store::new(&self.engine, Host::new(memory_bytes_max));
        store.limiter(|host| &mut host.grown);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance =
            ready(self.pre.instantiate_async(&mut store)).expect("the component can be instantiated");
        let of_it = "the indices are this component's";
        let intercept = self.intercept.as_ref().map(|i| i.load(&mut store, &instance).expect(of_it));
        let serialize = self.serialize.as_ref().map(|i| i.load(&mut store, &instance).expect(of_it));
        Instance { store, intercept, serialize }
    }
}

/// One instance. No epoch ever ticks here, so every call is ready at its first poll.
pub struct Instance {
    pub store: Store<Host>,
    intercept: Option<Guest>,
    serialize: Option<serialize::Guest>,
}

impl Instance {
    pub fn configure(&mut self, options: &[(&str, &str)]) -> wasmtime::Result<Result<Needs, Error>> {
        let guest = self.intercept.as_ref().expect("an interceptor");
        ready(guest.call_configure(&mut self.store, options))
    }

    pub fn intercept(&mut self, batch: Batch<'_>) -> wasmtime::Result<Result<Edits, Error>> {
        let guest = self.intercept.as_ref().expect("an interceptor");
        ready(guest.call_intercept(&mut self.store, batch))
    }

    /// Configures a serializer, and writes one whole file: begin, a batch of the rows, flush, finish.
    pub fn serialize(&mut self, options: &[(&str, &str)], rows: &[Row]) -> Vec<u8> {
        let guest = self.serialize.as_ref().expect("a serializer");
        let format =
            ready(guest.call_configure(&mut self.store, options)).expect("no trap").expect("configured");
        let columns = Columns::of(rows, &format.needs);
        let headers = columns.headers();
        let batch = Batch { count: columns.count, bodies: columns.bodies(), headers: &headers };
        let encoder = guest.encoder();
        let file = ready(encoder.call_constructor(&mut self.store)).expect("no trap");
        let mut out = ready(encoder.call_begin(&mut self.store, file)).expect("no trap").expect("begun");
        out.extend(
            ready(encoder.call_write(&mut self.store, file, batch)).expect("no trap").expect("written"),
        );
        out.extend(ready(encoder.call_flush(&mut self.store, file)).expect("no trap").expect("flushed"));
        out.extend(ready(encoder.call_finish(&mut self.store, file)).expect("no trap").expect("finished"));
        ready(file.resource_drop_async(&mut self.store)).expect("no trap");
        out
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    std::pin::pin!(future).now_or_never().expect("nothing suspends: no epoch ticks, no import waits")
}
