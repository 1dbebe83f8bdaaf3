//! The `Host` traits of `flumen:plugin` 0.1.0, on [`View`].

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::Level;
use wasmtime::component::{HasData, Linker, Resource};

use super::metrics::{HANDLES_MAX, MetricError, Series, SeriesKind};
use super::state::record::{self, Op};
use super::state::{StateError, StateStore};
use super::{HasImports, Services, View, log as plugin_log};
use crate::world::v0_1_0::bindings::flumen::plugin::{clock, log, metrics, state};

/// Ties [`View`] to the linker.
pub struct Base;

impl HasData for Base {
    type Data<'a> = View<'a>;
}

/// Links the world `base`.
///
/// # Errors
/// If something of that name is linked already.
pub fn add_to_linker<T: HasImports>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    log::add_to_linker::<_, Base>(linker, T::imports)?;
    metrics::add_to_linker::<_, Base>(linker, T::imports)?;
    clock::add_to_linker::<_, Base>(linker, T::imports)?;
    state::add_to_linker::<_, Base>(linker, T::imports)
}

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Trace => Self::TRACE,
            log::Level::Debug => Self::DEBUG,
            log::Level::Info => Self::INFO,
            log::Level::Warn => Self::WARN,
            log::Level::Error => Self::ERROR,
        }
    }
}

impl log::Host for View<'_> {
    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(plugin_log::enabled(level.into()))
    }

    fn write(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let services = &self.imports.services;
        services.log.write(level.into(), &message, &fields);
        if services.log.report_pending() {
            services.keeper.wake();
        }
        Ok(())
    }
}

/// A counter or a gauge that an instance holds.
pub struct Handle(Arc<Series>);

impl View<'_> {
    fn series(
        &mut self,
        kind: SeriesKind,
        name: String,
        labels: Vec<(String, String)>,
    ) -> wasmtime::Result<Handle> {
        let path = &self.imports.services.path;
        if self.imports.metric_handles >= HANDLES_MAX {
            return Err(MetricError::TooManyHandles { name }).map_err(|error| trap(path, error));
        }
        let series = self.imports.services.metrics.series(kind, name, labels);
        let series = series.map_err(|error| trap(path, error))?;
        self.imports.metric_handles += 1;
        Ok(Handle(series))
    }

    fn forget(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        self.imports.metric_handles -= 1;
        Ok(())
    }
}

fn trap(path: &str, error: MetricError) -> wasmtime::Error {
    wasmtime::Error::new(error).context(format!("plugin {path}"))
}

impl metrics::Host for View<'_> {}

impl metrics::HostCounter for View<'_> {
    fn new(
        &mut self,
        name: String,
        labels: Vec<(String, String)>,
    ) -> wasmtime::Result<Resource<metrics::Counter>> {
        let handle = self.series(SeriesKind::Counter, name, labels)?;
        Ok(Resource::new_own(self.table.push(handle)?.rep()))
    }
    fn add(&mut self, counter: Resource<metrics::Counter>, count: u64) -> wasmtime::Result<()> {
        self.table.get(&Resource::<Handle>::new_borrow(counter.rep()))?.0.add(count);
        Ok(())
    }
    fn drop(&mut self, counter: Resource<metrics::Counter>) -> wasmtime::Result<()> {
        self.forget(Resource::new_own(counter.rep()))
    }
}

impl metrics::HostGauge for View<'_> {
    fn new(
        &mut self,
        name: String,
        labels: Vec<(String, String)>,
    ) -> wasmtime::Result<Resource<metrics::Gauge>> {
        let handle = self.series(SeriesKind::Gauge, name, labels)?;
        Ok(Resource::new_own(self.table.push(handle)?.rep()))
    }
    fn set(&mut self, gauge: Resource<metrics::Gauge>, value: f64) -> wasmtime::Result<()> {
        self.table.get(&Resource::<Handle>::new_borrow(gauge.rep()))?.0.set(value);
        Ok(())
    }
    fn drop(&mut self, gauge: Resource<metrics::Gauge>) -> wasmtime::Result<()> {
        self.forget(Resource::new_own(gauge.rep()))
    }
}

impl clock::Host for View<'_> {
    fn monotonic_nanos(&mut self) -> wasmtime::Result<u64> {
        // 584 years.
        Ok(u64::try_from(self.imports.monotonic().as_nanos()).unwrap_or(u64::MAX))
    }
    fn wall_millis(&mut self) -> wasmtime::Result<Option<u64>> {
        if !self.imports.wall_clock {
            return Ok(None);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl From<StateError> for state::StateError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::TooLarge => Self::TooLarge,
            StateError::Full => Self::Full,
            StateError::Io => Self::Io,
        }
    }
}

/// Waits until the plugin may write so much. The call's own time limit goes on meanwhile.
async fn pace(services: &Services, op: Op<'_>) {
    let wait = services.state.pace(record::encoded_len(op));
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

impl state::Host for View<'_> {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, state::StateError>> {
        Ok(Ok(self.imports.services.state.get(&key).map(|value| value.to_vec())))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), state::StateError>> {
        let services = &self.imports.services;
        // Too large is known before anything is waited for.
        let sizes = StateStore::check_sizes(&key, &value);
        if sizes.is_ok() {
            pace(services, Op::Set(&key, &value)).await;
        }
        let done = sizes.and_then(|()| services.state.set(&key, &value));
        services.keeper.wake();
        Ok(done.map_err(Into::into))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), state::StateError>> {
        let services = &self.imports.services;
        if services.state.get(&key).is_none() {
            return Ok(Ok(()));
        }
        pace(services, Op::Delete(&key)).await;
        let done = services.state.delete(&key);
        services.keeper.wake();
        Ok(done.map_err(Into::into))
    }

    fn keys(
        &mut self,
        prefix: String,
        after: Option<String>,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<String>, state::StateError>> {
        Ok(Ok(self.imports.services.state.keys(&prefix, after.as_deref(), max as usize)))
    }
}
