//! All plugins' services in this process, and the thread that looks after them.
//!
//! A plugin is known by its path in the configuration. Replacing its instance, its component or its whole agent
//! by a new version finds the same services again, as long as one of both is alive: its metrics go on, its store
//! is opened once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Services;
use super::log::PluginLog;
use super::metrics::{PluginMetrics, Reading};
use super::state::{self, OpenError, StateStore};
use crate::spec::PluginSpec;

/// How long a store may stay unsynced, and how late the last report on cut log lines may come.
const TICK: Duration = Duration::from_millis(500);

/// Where the stores of plugins are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateHome {
    /// One file for each plugin in this folder.
    Folder(PathBuf),
    /// In memory, gone with the process: for trying out plugins on the command line.
    Memory,
}

/// All plugins' services. One for each process, or for each test.
#[derive(Debug)]
pub struct Registry {
    home: StateHome,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    plugins: Mutex<BTreeMap<Arc<str>, Weak<Services>>>,
    /// Set when the keeper has something to do, or has to end.
    wake: Mutex<Wake>,
    woken: Condvar,
}

#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum Wake {
    #[default]
    Idle,
    Work,
    End,
}

impl Registry {
    /// An empty registry with its keeper, a thread that sleeps while no plugin writes.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn new(home: StateHome) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let keeper = shared.clone();
        std::thread::Builder::new().name("plugin-keeper".into()).spawn(move || keep(&keeper))?;
        Ok(Self { home, shared })
    }

    /// The services of this plugin, with the limits that it has now. Reads its store, if it has one: called when a
    /// plugin is built, not from a guest's call.
    ///
    /// # Errors
    /// If its store cannot be opened.
    pub fn services(&self, spec: &PluginSpec) -> Result<Arc<Services>, OpenError> {
        let mut plugins = self.shared.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(services) = plugins.get(spec.path.as_str()).and_then(Weak::upgrade) {
            services.log.set_limit(spec.limits.log_bytes_per_second_max);
            return Ok(services);
        }
        let path: Arc<str> = spec.path.as_str().into();
        let log = Arc::new(PluginLog::new(path.clone(), spec.limits.log_bytes_per_second_max));
        let state = match &self.home {
            StateHome::Memory => StateStore::in_memory(log.clone()),
            StateHome::Folder(folder) => {
                StateStore::open(log.clone(), &folder.join(state::file_name(&spec.path)))?
            }
        };
        let services = Arc::new(Services {
            path: path.clone(),
            log,
            metrics: PluginMetrics::default(),
            state,
            started: Instant::now(),
            clock_missed: false.into(),
            keeper: Keeper(Arc::downgrade(&self.shared)),
        });
        plugins.retain(|_, known| known.strong_count() > 0);
        plugins.insert(path, Arc::downgrade(&services));
        Ok(services)
    }

    /// The numbers of all plugins, by path: for `/metrics`.
    #[must_use]
    pub fn read_metrics(&self) -> Vec<(Arc<str>, Vec<Reading>)> {
        self.shared.alive().into_iter().map(|plugin| (plugin.path.clone(), plugin.metrics.read())).collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.wake(Wake::End);
    }
}

impl Shared {
    fn alive(&self) -> Vec<Arc<Services>> {
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.values().filter_map(Weak::upgrade).collect()
    }

    fn wake(&self, why: Wake) {
        let mut wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        if *wake != Wake::End && *wake != why {
            *wake = why;
            self.woken.notify_one();
        }
    }

    /// Waits for work; false: the end.
    fn wait(&self) -> bool {
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wake =
            self.woken.wait_while(wake, |wake| *wake == Wake::Idle).unwrap_or_else(PoisonError::into_inner);
        if *wake == Wake::Work {
            *wake = Wake::Idle;
            // A tick of patience gathers what follows; the end does not wait for it.
            let (wake, _timed_out) = self
                .woken
                .wait_timeout_while(wake, TICK, |wake| *wake != Wake::End)
                .unwrap_or_else(PoisonError::into_inner);
            return *wake != Wake::End;
        }
        false
    }
}

/// What a plugin's services wake the keeper with.
#[derive(Clone, Debug)]
pub(super) struct Keeper(Weak<Shared>);

impl Keeper {
    /// Something is to be synced or said within a second.
    pub(super) fn wake(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.wake(Wake::Work);
        }
    }
}

fn keep(shared: &Shared) {
    while shared.wait() {
        let mut more = false;
        for plugin in shared.alive() {
            if plugin.state.needs_care() {
                plugin.state.maintain();
            }
            plugin.log.report(Instant::now());
            more |= plugin.state.needs_care() || plugin.log.report_pending();
        }
        if more {
            shared.wake(Wake::Work);
        }
    }
    for plugin in shared.alive() {
        plugin.state.maintain();
    }
}
