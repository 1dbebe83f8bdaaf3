//! One plugin: from its file to configured instances, calls of them, and another version in their place.
//!
//! ```text
//! new ─▶ load: read ▸ compile ▸ link ▸ configure ▸ self-test ─▶ current version ─▶ idle instances (last in, first out)
//!                            ▲                                                        │ ▲
//! reload (file changed) ─────┘ a bad version changes nothing                    call ─┘ └─ reusable, and still the
//!                                                                                          current version
//! ```
//!
//! Invariants: an instance is in the idle list or owned by exactly one call or lease. An instance that failed is never
//! used again. Calls that run when a version is replaced end on the old one; the next ones get the new one.

mod lease;
mod load;
mod watch;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::account::Account;
use crate::breaker::{Breaker, Complaints};
use crate::call::LONG;
use crate::compile::Stamp;
use crate::engine::Room;
use crate::error::{CallError, Failure, GuestError, LoadError};
use crate::grants::Reach;
use crate::host::Host;
use crate::instance::{self, Live};
use crate::spec::{Kind, Limits, OnError, PluginSpec};
use crate::status::{Counters, PluginStatus};
use crate::store::PluginState;

pub use lease::Lease;
pub use load::Reloaded;
pub(crate) use watch::watch;

/// Failures in a row after which a plugin is left alone for a while, where its input cannot be blamed any more.
pub(crate) const BREAK_AFTER: u32 = 5;
/// Instantiation and `configure` together: they may build tables that calls then use.
const CONFIGURE_TIME_MAX: Duration = Duration::from_secs(10);
/// A plugin whose calls are [`LONG`] starts in the fair pool from this score on; such a call adds [`SLOW_ADDS`], any other
/// takes one away.
const SLOW_FROM: u32 = 32;
const SLOW_ADDS: u32 = 8;
const SLOW_MAX: u32 = 64;

/// One kind of plugin: how its exports are found, configured and tested. One value for each plugin.
pub trait World: Send + Sync + 'static {
    /// The kind it serves; [`crate::world::interfaces`] says which interfaces a component may export for it.
    const KIND: Kind;
    /// Where a component's exports are; looked up once for each version.
    type Indices: Send + Sync + 'static;
    /// An instance's exports.
    type Bindings: Send + 'static;
    /// What `configure` answered.
    type Answer: Send + Sync + 'static;

    /// Finds the exports.
    ///
    /// # Errors
    /// If the component does not have them.
    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Self::Indices>;
    /// The exports of a new instance.
    ///
    /// # Errors
    /// If they have other types.
    fn load(
        indices: &Self::Indices,
        store: &mut Store<PluginState>,
        instance: &Instance,
    ) -> wasmtime::Result<Self::Bindings>;
    /// Calls `configure` of a new instance. Called once for each instance, before anything else.
    fn configure<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a Self::Bindings,
        options: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<Self::Answer, Failure>>;
    /// A call that changes nothing and must succeed. Called for the first instance of each version, before any event
    /// reaches it.
    fn self_test<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a mut Self::Bindings,
        answer: &'a Self::Answer,
    ) -> BoxFuture<'a, Result<(), Failure>>;
}

/// One plugin of one agent. Called from many tasks at once.
pub struct Plugin<W: World> {
    host: Arc<Host>,
    spec: PluginSpec,
    /// The plugin's own, lowered to the tenant's ceilings.
    limits: Limits,
    tenant: Arc<Account>,
    world: W,
    current: RwLock<Option<Arc<Version<W>>>>,
    idle: Mutex<Vec<Live<W>>>,
    /// One for each instance that calls may use at a time.
    turns: Semaphore,
    /// One load or reload at a time.
    loading: tokio::sync::Mutex<load::Attempts>,
    /// The file as it was when it was read last.
    looked_at: Mutex<Option<Stamp>>,
    breaker: Breaker,
    counters: Arc<Counters>,
    slowness: AtomicU32,
    complaints: Complaints,
}

/// A component as it is used now.
struct Version<W: World> {
    number: u64,
    digest: String,
    interface: &'static str,
    room: Arc<Room>,
    pre: InstancePre<PluginState>,
    indices: W::Indices,
    reach: Arc<Reach>,
}

/// A plugin of any kind, for those who look after all of them.
pub trait AnyPlugin: Send + Sync {
    /// What the configuration says of it.
    fn spec(&self) -> &PluginSpec;
    /// Its limits, lowered to the tenant's ceilings.
    fn limits(&self) -> &Limits;
    /// Its figures now.
    fn status(&self) -> PluginStatus;
    /// Compiles, configures and tests it, if that was not done yet.
    fn load(self: Arc<Self>) -> BoxFuture<'static, Result<(), Arc<LoadError>>>;
    /// Looks at its file again and swaps another component in; ends `stopped`.
    fn reload(self: Arc<Self>) -> BoxFuture<'static, Result<Reloaded, Arc<LoadError>>>;
    /// Whether its file is another one than the one that was looked at last.
    fn file_changed(&self) -> bool;
}

impl<W: World> Plugin<W> {
    /// A plugin of the host's. Nothing is read before [`load`](Self::load) or the first call.
    #[must_use]
    pub fn new(host: &Arc<Host>, spec: PluginSpec, world: W) -> Arc<Self> {
        let rules = host.tenant(&spec.agent);
        let tenant = host.account(&rules);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let instances = spec.instances.unwrap_or(cores).max(1);
        let plugin = Arc::new(Self {
            host: host.clone(),
            limits: rules.ceilings.plugin.lower(spec.limits),
            tenant,
            world,
            current: RwLock::new(None),
            idle: Mutex::default(),
            turns: Semaphore::new(instances),
            loading: tokio::sync::Mutex::default(),
            looked_at: Mutex::default(),
            breaker: Breaker::default(),
            counters: Arc::default(),
            slowness: AtomicU32::new(0),
            complaints: Complaints::default(),
            spec,
        });
        let any: Arc<dyn AnyPlugin> = plugin.clone();
        host.register(Arc::downgrade(&any));
        plugin
    }
    /// What the configuration says of it.
    #[must_use]
    pub fn spec(&self) -> &PluginSpec {
        &self.spec
    }
    /// Its limits, lowered to the tenant's ceilings.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
    /// What the adapter gave it.
    #[must_use]
    pub fn world(&self) -> &W {
        &self.world
    }
    /// Its counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
    /// SHA-256 of the component in use, in hexadecimal; empty before it is loaded.
    #[must_use]
    pub fn digest(&self) -> String {
        self.version().map(|version| version.digest.clone()).unwrap_or_default()
    }
    /// The host it belongs to.
    #[must_use]
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }
    pub(crate) fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Calls an instance, whichever is free: for kinds whose calls do not build on each other. Waits for one if all
    /// are busy. `events`: how many the call is about, for its fuel. A plugin that failed several times in a row is
    /// not called for a while.
    ///
    /// Dropping the future ends the call and discards the instance.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<T, F>(self: &Arc<Self>, events: usize, call: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(Live<W>) -> BoxFuture<'static, (Live<W>, Result<T, Failure>)> + Send,
    {
        self.breaker.admit()?;
        let undecided = Trial(&self.breaker);
        let result = self.call_in_any_case(events, call).await;
        undecided.decided();
        self.conclude(&result);
        result
    }

    /// As [`call`](Self::call), without asking the breaker and without telling it.
    pub(crate) async fn call_in_any_case<T, F>(
        self: &Arc<Self>,
        events: usize,
        call: F,
    ) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(Live<W>) -> BoxFuture<'static, (Live<W>, Result<T, Failure>)> + Send,
    {
        let version = self.loaded().await?;
        let Ok(_turn) = self.turns.acquire().await else { return Err(CallError::Lost) };
        let live = match self.take_idle(version.number) {
            Some(live) => live,
            None => self.make(&version).await?,
        };
        let (live, result) = self.run(live, events, call).await;
        match live {
            Some(live) if live.is_worn(&self.limits) => self.counters.worn(),
            Some(live) => self.give_back(live),
            None => {}
        }
        result
    }

    /// One call on an instance; gives it back if it can be used again.
    async fn run<T, F>(
        &self,
        mut live: Live<W>,
        events: usize,
        call: F,
    ) -> (Option<Live<W>>, Result<T, CallError>)
    where
        T: Send + 'static,
        F: FnOnce(Live<W>) -> BoxFuture<'static, (Live<W>, Result<T, Failure>)> + Send,
    {
        let control = live.control();
        if let Err(error) = live.begin(&self.limits, events) {
            return (None, Err(error));
        }
        let started = Instant::now();
        let driven = self.host.driver.drive(&self.tenant, &control, !self.is_slow(), call(live)).await;
        let slow = control.slices() > 0 || Duration::from_nanos(control.cpu_ns()) >= LONG;
        self.note_slowness(slow);
        let ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (live, result) = match driven {
            Ok((live, Ok(value))) => (Some(live), Ok(value)),
            Ok((mut live, Err(failure))) => {
                let (error, reusable) = live.judge(&self.limits, events, failure);
                (reusable.then_some(live), Err(error))
            }
            Err(ended) => (None, Err(instance::explain_end(ended))),
        };
        let memory = live.as_ref().map_or(0, |live| live.store.data().limiter.memory_bytes());
        self.counters.called((ns, control.cpu_ns()), slow, memory);
        if let Some(fuel) = live.as_ref().and_then(|live| live.fuel_used(&self.limits, events)) {
            self.counters.burnt(fuel);
        }
        if let Err(error) = &result {
            self.counters.failed(error);
        }
        if live.is_none() {
            self.counters.discarded();
        }
        (live, result)
    }

    /// Tells the breaker how a call ended.
    fn conclude<T>(&self, result: &Result<T, CallError>) {
        match result {
            Ok(_) | Err(CallError::Guest(GuestError::Retry(_) | GuestError::Invalid(_))) => {
                self.breaker.success()
            }
            Err(CallError::Busy(_) | CallError::Lost | CallError::NotLoaded(_)) => self.breaker.no_verdict(),
            Err(error) => self.fail(error, BREAK_AFTER),
        }
    }
    /// Notes a failure in the breaker, and says so when the plugin is left alone from now on.
    pub(crate) fn fail(&self, error: &CallError, threshold: u32) {
        if self.breaker.failure(&error.to_string(), threshold) {
            let (_, failures) = self.breaker.describe();
            tracing::warn!(plugin = %self.spec.path, digest = %self.digest(), %error, failures,
                "the plugin failed and is left alone for a while");
        }
    }
    /// Says that events were lost to a failure, once a second at most.
    pub(crate) fn complain(&self, error: &CallError, events: usize) {
        let Some(unsaid) = self.complaints.admit(events) else { return };
        tracing::warn!(plugin = %self.spec.path, digest = %self.digest(), %error, events, unsaid,
            on_error = self.spec.on_error.name(), "the plugin could not process events");
    }
    /// `onError = stop`.
    pub(crate) fn stop(&self, error: &CallError) {
        self.breaker.stop(&error.to_string());
        tracing::error!(plugin = %self.spec.path, digest = %self.digest(), %error,
            "the plugin failed and is stopped (onError = stop); reload it to go on");
    }

    /// `onError = stop` after a failure that it is about.
    pub(crate) fn stop_if_asked(&self, error: &CallError) {
        if self.spec.on_error == OnError::Stop && error.is_of_input() {
            self.stop(error);
        }
    }

    fn version(&self) -> Option<Arc<Version<W>>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn idle(&self) -> MutexGuard<'_, Vec<Live<W>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn take_idle(&self, version: u64) -> Option<Live<W>> {
        let live = self.idle().pop();
        live.filter(|live| live.version == version)
    }
    fn give_back(&self, live: Live<W>) {
        let version = self.current.read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: a swap empties the list after it has changed the version.
        if version.as_ref().is_some_and(|version| version.number == live.version) {
            self.idle().push(live);
        }
    }
    fn is_slow(&self) -> bool {
        self.slowness.load(Relaxed) >= SLOW_FROM
    }
    fn note_slowness(&self, slow: bool) {
        let now = self.slowness.load(Relaxed);
        let next = if slow { (now + SLOW_ADDS).min(SLOW_MAX) } else { now.saturating_sub(1) };
        if next != now {
            self.slowness.store(next, Relaxed);
        }
    }
    fn fill_status(&self) -> PluginStatus {
        let mut status = PluginStatus {
            path: self.spec.path.clone(),
            agent: self.spec.agent.clone(),
            tenant: self.tenant.name().to_owned(),
            ..PluginStatus::default()
        };
        if let Some(version) = self.version() {
            status.digest.clone_from(&version.digest);
            status.version = version.number;
            version.interface.clone_into(&mut status.world);
            (status.log_lines_cut, status.log_bytes_cut) = version.reach.services().log().cut();
            status.egress = version.reach.egress().map(|egress| egress.counts());
        }
        (status.breaker, status.failures_in_a_row) = self.breaker.describe();
        self.counters.fill(&mut status);
        status
    }
}

/// A call that the breaker let through. Dropped undecided when its caller goes away before it ends.
pub(crate) struct Trial<'a>(pub(crate) &'a Breaker);

impl Trial<'_> {
    /// The call has ended, and the breaker knows how.
    pub(crate) fn decided(self) {
        std::mem::forget(self);
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.0.no_verdict();
    }
}

impl<W: World> AnyPlugin for Plugin<W> {
    fn spec(&self) -> &PluginSpec {
        &self.spec
    }
    fn limits(&self) -> &Limits {
        &self.limits
    }
    fn status(&self) -> PluginStatus {
        self.fill_status()
    }
    fn load(self: Arc<Self>) -> BoxFuture<'static, Result<(), Arc<LoadError>>> {
        Box::pin(async move { Plugin::load(&self).await })
    }
    fn reload(self: Arc<Self>) -> BoxFuture<'static, Result<Reloaded, Arc<LoadError>>> {
        Box::pin(async move { Plugin::reload(&self).await })
    }
    fn file_changed(&self) -> bool {
        self.file_differs()
    }
}
