//! What all plugins of the process share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tokio::runtime::Runtime;

use crate::account::{Account, Accounts, TenantStatus};
use crate::call::{Driver, Fair, Ticker};
use crate::compile::{Bounds, Compiler};
use crate::engine::Engines;
use crate::error::LoadError;
use crate::grants::Outside;
use crate::grants::egress::Network;
use crate::imports::StateHome;
use crate::intercept::DeadLetters;
use crate::plugin::{self, AnyPlugin};
use crate::tenants::{self, Tenant, Tenants};

/// How plugins are run. The defaults are those of the program without options.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Where compiled plugins are kept: a folder that only this user can write to. None: one below the system's
    /// folder for temporary files.
    pub cache_dir: Option<PathBuf>,
    /// Where plugins' key-value state is kept.
    pub state_dir: PathBuf,
    /// Whether that state is kept in memory only, for trying plugins out.
    pub state_in_memory: bool,
    /// What HTTP requests use of the machine.
    pub network: Network,
    /// A program that is run as `PROGRAM plugin-compile …` to compile untrusted components within bounds.
    /// None: they are compiled in this process, where memory and CPU time cannot be bounded.
    pub compile_helper: Option<PathBuf>,
    /// Bounds of one compilation.
    pub compile_bounds: Bounds,
    /// The tenants. None: those that are installed in the process ([`tenants::install`]) when they are asked for.
    pub tenants: Option<Tenants>,
    /// Slots for instances of interceptors, serializers, deserializers and selectors.
    pub compute_instances_max: u32,
    /// Slots for instances of sources, sinks, HTTP handlers, and of all plugins with grants.
    pub io_instances_max: u32,
    /// Threads of the pool that runs calls beyond their first slice. 0: as many as the machine has cores.
    pub fair_threads: usize,
    /// Niceness of these threads, 0 to 19.
    pub fair_nice: i32,
    /// Whether components are looked at every 2 s, and swapped when their file changes.
    pub watch_files: bool,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            state_dir: PathBuf::from("plugin-state"),
            state_in_memory: false,
            network: Network::default(),
            compile_helper: None,
            compile_bounds: Bounds::default(),
            tenants: None,
            compute_instances_max: 1000,
            io_instances_max: 200,
            fair_threads: 0,
            fair_nice: 10,
            watch_files: false,
        }
    }
}

/// Engines, tenants, threads, and the list of plugins.
pub struct Host {
    options: HostOptions,
    accounts: Accounts,
    dead_letters: DeadLetters,
    pub(crate) engines: Engines,
    pub(crate) driver: Driver,
    pub(crate) compiler: Compiler,
    pub(crate) outside: Outside,
    plugins: Mutex<Vec<Weak<dyn AnyPlugin>>>,
    /// Dropped by [`Drop`], which may happen where waiting for its threads is not allowed.
    runtime: Option<Runtime>,
}

static HOST: OnceLock<Arc<Host>> = OnceLock::new();
static OPTIONS: OnceLock<HostOptions> = OnceLock::new();

/// Says how the process's host is to be started when the first plugin is made, if one is: a process without plugins
/// has none of its threads. The first call counts.
pub fn prepare(options: HostOptions) {
    let _first_counts = OPTIONS.set(options);
}

/// The process's host, if a plugin was ever made.
#[must_use]
pub fn running() -> Option<&'static Arc<Host>> {
    HOST.get()
}

/// Starts the process's host. Called once, before the first plugin is made.
///
/// # Errors
/// If there is a host already, or the threads cannot be started.
pub fn start(options: HostOptions) -> Result<&'static Arc<Host>, LoadError> {
    let mine = Host::new(options)?;
    let host = HOST.get_or_init(|| mine.clone());
    if !Arc::ptr_eq(&mine, host) {
        return Err(LoadError::Engine("it was started before, with other options".to_owned()));
    }
    Ok(host)
}

/// The process's host; started as [`prepare`] said, else with the defaults, if nobody has started it.
///
/// # Panics
/// If no thread can be started.
#[must_use]
pub fn host() -> &'static Arc<Host> {
    HOST.get_or_init(|| {
        let options = OPTIONS.get().cloned().unwrap_or_default();
        Host::new(options).expect("a process that runs can start a few threads")
    })
}

impl Host {
    /// A host of its own, for tests; programs have one, see [`start`].
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(options: HostOptions) -> Result<Arc<Self>, LoadError> {
        let no_thread = |error: std::io::Error| LoadError::Engine(format!("cannot start a thread: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("flumen-plugin-io")
            .enable_all()
            .build()
            .map_err(no_thread)?;
        let ticker = Ticker::start().map_err(no_thread)?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = if options.fair_threads == 0 { cores } else { options.fair_threads };
        let pool = (threads, options.fair_nice);
        let fair = Fair::start(ticker.clone(), runtime.handle().clone(), pool).map_err(no_thread)?;
        let engines = Engines::new(options.compute_instances_max, options.io_instances_max, ticker.clone());
        let compiler = Compiler::new(&options);
        let driver = Driver { fair, ticker, runtime: runtime.handle().clone() };
        let state = if options.state_in_memory {
            StateHome::Memory
        } else {
            StateHome::Folder(options.state_dir.clone())
        };
        let outside = Outside::with_network(state, options.network.clone()).map_err(no_thread)?;
        let plugins = Mutex::default();
        let runtime = Some(runtime);
        let host = Arc::new(Self {
            options,
            accounts: Accounts::default(),
            dead_letters: DeadLetters::default(),
            engines,
            driver,
            compiler,
            outside,
            plugins,
            runtime,
        });
        if host.options.watch_files {
            let _runs_until_the_host_is_gone =
                host.driver.runtime.spawn(plugin::watch(Arc::downgrade(&host)));
        }
        Ok(host)
    }
    /// How it was started.
    #[must_use]
    pub fn options(&self) -> &HostOptions {
        &self.options
    }
    /// The tenant that an agent belongs to now.
    #[must_use]
    pub fn tenant(&self, agent: &str) -> Arc<Tenant> {
        self.options
            .tenants
            .as_ref()
            .map_or_else(|| tenants::of_agent(agent), |own| own.of_agent(agent).clone())
    }
    /// The tenant's account, with the ceilings that it has now.
    #[must_use]
    pub fn account(&self, tenant: &Tenant) -> Arc<Account> {
        self.accounts.of(tenant)
    }
    /// What plugins share of the world: their metrics, their state, their egress.
    #[must_use]
    pub fn outside(&self) -> &Outside {
        &self.outside
    }
    /// Where dead letters go.
    #[must_use]
    pub fn dead_letters(&self) -> &DeadLetters {
        &self.dead_letters
    }
    /// The figures of all tenants that have, or had, a plugin.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantStatus> {
        self.accounts.all().iter().map(|account| account.snapshot()).collect()
    }
    /// All plugins that are in use, in the order in which they were made.
    #[must_use]
    pub fn plugins(&self) -> Vec<Arc<dyn AnyPlugin>> {
        self.list().iter().filter_map(Weak::upgrade).collect()
    }
    pub(crate) fn register(&self, plugin: Weak<dyn AnyPlugin>) {
        let mut list = self.list();
        list.retain(|plugin| plugin.strong_count() > 0);
        list.push(plugin);
    }
    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn AnyPlugin>>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Runs what takes long and is no guest's call, compilation, off the caller's thread.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let done = self.driver.runtime.spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(LoadError::Engine(format!("compilation was interrupted: {error}"))))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.driver.fair.stop();
        self.driver.ticker.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
