//! From the file to a version in use, and from one version to the next.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{CONFIGURE_TIME_MAX, Plugin, Version, World};
use crate::compile::Stamp;
use crate::engine::EngineKind;
use crate::error::{CallError, Failure, GuestError, LoadError};
use crate::instance::{self, Live};
use crate::spec::Limits;
use crate::status::Seat;
use crate::store;
use crate::world;

/// After a failed load the first call that comes this much later tries again.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// What became of earlier attempts to load.
#[derive(Default)]
pub(super) struct Attempts {
    failed: Option<(Instant, Arc<LoadError>)>,
    versions: u64,
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The file has the component that is in use.
    Same,
    /// Another component is in use from now on.
    Swapped {
        /// Its SHA-256, in hexadecimal.
        digest: String,
    },
}

impl<W: World> Plugin<W> {
    /// Compiles, configures and tests the component, if that was not done yet.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(self: &Arc<Self>) -> Result<(), Arc<LoadError>> {
        let mut attempts = self.loading.lock().await;
        if self.version().is_some() {
            return Ok(());
        }
        self.load_now(&mut attempts).await.map(|_| ())
    }

    /// The version in use; the first call loads it. After a failure it is not tried at each call.
    pub(super) async fn loaded(self: &Arc<Self>) -> Result<Arc<Version<W>>, CallError> {
        if let Some(version) = self.version() {
            return Ok(version);
        }
        let mut attempts = self.loading.lock().await;
        if let Some(version) = self.version() {
            return Ok(version);
        }
        if let Some((at, error)) = &attempts.failed
            && at.elapsed() < LOAD_AGAIN_AFTER
        {
            return Err(CallError::NotLoaded(error.clone()));
        }
        self.load_now(&mut attempts).await.map_err(CallError::NotLoaded)
    }

    async fn load_now(self: &Arc<Self>, attempts: &mut Attempts) -> Result<Arc<Version<W>>, Arc<LoadError>> {
        let result = self.prepare(attempts.versions + 1).await;
        match result {
            Ok((version, live)) => {
                attempts.failed = None;
                attempts.versions += 1;
                Ok(self.switch(version, live))
            }
            Err(error) => {
                let error = Arc::new(error);
                attempts.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Looks at the file again. A component that cannot be used leaves the one in use where it is. Ends `stopped`
    /// and a pause after failures, also if the component is the same.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn reload(self: &Arc<Self>) -> Result<Reloaded, Arc<LoadError>> {
        let mut attempts = self.loading.lock().await;
        let looked_at = self.looked_at();
        let result = self.reload_now(&mut attempts).await.map_err(Arc::new);
        match &result {
            Ok(_) => self.breaker.reset(),
            Err(error) => {
                self.counters.swap_refused();
                if looked_at != self.looked_at() {
                    tracing::error!(plugin = %self.spec.path, %error, in_use = %self.digest(),
                        "the new component is not used, the old one goes on");
                }
            }
        }
        result
    }

    async fn reload_now(self: &Arc<Self>, attempts: &mut Attempts) -> Result<Reloaded, LoadError> {
        let (version, live) = self.prepare(attempts.versions + 1).await?;
        if self.version().is_some_and(|current| current.digest == version.digest) {
            return Ok(Reloaded::Same);
        }
        attempts.versions += 1;
        attempts.failed = None;
        let first = self.version().is_none();
        let version = self.switch(version, live);
        if !first {
            self.counters.swapped();
        }
        tracing::info!(plugin = %self.spec.path, digest = %version.digest, version = version.number,
            "another component is in use");
        Ok(Reloaded::Swapped { digest: version.digest.clone() })
    }

    /// Calls that come later use this version; those that run end on the old one, whose idle instances go now.
    fn switch(&self, version: Arc<Version<W>>, live: Live<W>) -> Arc<Version<W>> {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(version.clone());
        let old = std::mem::replace(&mut *self.idle(), vec![live]);
        drop(old);
        version
    }
    fn looked_at(&self) -> Option<Stamp> {
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn file_differs(&self) -> bool {
        let now = Stamp::of(&self.spec.component);
        // A file that is gone for a moment is being replaced.
        now.is_some() && self.version().is_some() && now != self.looked_at()
    }

    /// Everything that can go wrong with a component, before any event reaches it.
    async fn prepare(self: &Arc<Self>, number: u64) -> Result<(Arc<Version<W>>, Live<W>), LoadError> {
        let kind = EngineKind::of(&self.spec, self.limits.fuel_per_event.is_some());
        // Before it is read: what is written later is another file for the watcher.
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = Stamp::of(&self.spec.component);
        let (host, spec, limits) = (self.host.clone(), self.spec.clone(), self.limits);
        let version = self
            .host
            .aside(move || {
                let source = host.compiler.read(&spec.component)?;
                source.check_allowed(&host.tenant(&spec.agent))?;
                let interface = source.check(world::interfaces(W::KIND))?;
                let room = host.engines.room(kind)?;
                let component = host.compiler.component(&room.engine, kind.fuel, &source)?;
                let imports = |error: wasmtime::Error| LoadError::Imports {
                    file: spec.component.clone(),
                    reason: format!("it cannot be linked: {error:#}"),
                };
                let pre = room.linker.instantiate_pre(&component).map_err(imports)?;
                let indices = W::indices(&pre).map_err(imports)?;
                let reach = host.outside.reach(&spec, &limits, &host.tenant(&spec.agent))?;
                Ok(Version {
                    number,
                    digest: source.digest.to_string(),
                    interface,
                    room,
                    pre,
                    indices,
                    reach,
                })
            })
            .await?;
        let version = Arc::new(version);
        let live = self.make(&version).await.map_err(configure_error)?;
        let live = self.tested(live).await.map_err(LoadError::SelfTest)?;
        Ok((version, live))
    }

    async fn tested(self: &Arc<Self>, live: Live<W>) -> Result<Live<W>, CallError> {
        let me = self.clone();
        let (live, result) = self
            .run(live, 0, move |mut live| {
                Box::pin(async move {
                    let tested = me.world.self_test(&mut live.store, &mut live.bindings, &live.answer).await;
                    (live, tested)
                })
            })
            .await;
        result?;
        live.ok_or(CallError::Lost)
    }

    /// A new instance, configured.
    pub(super) async fn make(self: &Arc<Self>, version: &Arc<Version<W>>) -> Result<Live<W>, CallError> {
        let engine = &version.room.engine;
        let granted = version.reach.granted().map_err(|error| CallError::Busy(error.to_string()))?;
        let mut store = store::new_store(engine, granted, &self.limits, &self.tenant);
        let unhurried = Limits {
            batch_time_max: CONFIGURE_TIME_MAX,
            fuel_per_event: self.limits.fuel_per_event.map(|_| u64::MAX),
            ..self.limits
        };
        instance::begin(&mut store, &unhurried, 0)?;
        let control = store.data().control.clone();
        let (me, version) = (self.clone(), version.clone());
        let making = Box::pin(async move {
            let made = me.instantiate(&version, &mut store).await;
            match made {
                Ok((bindings, answer)) => {
                    let (answer, seat) = (Arc::new(answer), Seat::take(&me.counters));
                    let configured_bytes = store.data().limiter.memory_bytes();
                    Ok(Live {
                        store,
                        bindings,
                        answer,
                        version: version.number,
                        configured_bytes,
                        _seat: seat,
                    })
                }
                Err(failure) => Err(instance::explain(&mut store, &unhurried, 0, failure)),
            }
        });
        let made = self.host.driver.drive(&self.tenant, &control, true, making).await;
        let made = made.unwrap_or_else(|ended| Err(instance::explain_end(ended)));
        if let Err(error) = &made {
            self.counters.failed(error);
        }
        made
    }
    async fn instantiate(
        &self,
        version: &Version<W>,
        store: &mut wasmtime::Store<store::PluginState>,
    ) -> Result<(W::Bindings, W::Answer), Failure> {
        let instance = version.pre.instantiate_async(&mut *store).await?;
        let bindings = W::load(&version.indices, store, &instance)?;
        let answer = self.world.configure(store, &bindings, &self.spec.options).await?;
        Ok((bindings, answer))
    }
}

fn configure_error(error: CallError) -> LoadError {
    match error {
        CallError::Guest(GuestError::Config { key, message }) => LoadError::Config { key, message },
        other => LoadError::Configure(other),
    }
}
