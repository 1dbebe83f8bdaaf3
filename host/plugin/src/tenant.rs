//! Tenants: who a plugin's work is charged to, and the ceilings it works below.
//!
//! ```text
//! charge(ns) ──▶ cpu used ──▶ virtual time = used / weight     who is next in the fair pool
//!          └───▶ budget: refilled with `cpu_cores_max` per second, at most 100 ms of it ahead;
//!                below zero: the tenant's work waits until it is not
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::spec::{Limits, PluginSpec};

/// How far ahead of its share a tenant may work.
const BURST: Duration = Duration::from_millis(100);

/// What `tenants.toml` says of one tenant, as far as plugins go.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantRules {
    /// Its name.
    pub name: String,
    /// Its agents, by name.
    pub agents: Vec<String>,
    /// Its part of the CPU where tenants compete, relative to the others' weights. At least 1.
    pub cpu_weight: u32,
    /// The most CPU its plugins get, in cores (0.5: half of one); none: no ceiling.
    pub cpu_cores_max: Option<f64>,
    /// Linear memory of all its plugins together, in bytes; none: no ceiling.
    pub plugin_memory_bytes_max: Option<usize>,
    /// SHA-256 of the components it may run, in lower-case hexadecimal; none: any.
    pub plugins: Option<Vec<String>>,
    /// Ceilings of what each plugin may set for itself; none: no ceiling.
    pub limits: LimitCeilings,
}

/// The most that a plugin of the tenant may allow itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitCeilings {
    /// Of `limits.memoryBytesMax`.
    pub memory_bytes_max: Option<usize>,
    /// Of `limits.batchTimeMsMax`.
    pub batch_time_max: Option<Duration>,
    /// Of `limits.fuelPerEvent`; a plugin without one gets this.
    pub fuel_per_event: Option<u64>,
    /// Of `limits.outputBytesMax`.
    pub output_bytes_max: Option<usize>,
    /// Of `limits.logBytesPerSecondMax`.
    pub log_bytes_per_second_max: Option<usize>,
}

impl LimitCeilings {
    /// The plugin's own limits, lowered to these.
    #[must_use]
    pub fn lower(&self, own: Limits) -> Limits {
        fn least<T: Ord + Copy>(own: T, ceiling: Option<T>) -> T {
            ceiling.map_or(own, |ceiling| ceiling.min(own))
        }
        let fuel = own.fuel_per_event.map(|own| least(own, self.fuel_per_event)).or(self.fuel_per_event);
        Limits {
            memory_bytes_max: least(own.memory_bytes_max, self.memory_bytes_max),
            batch_time_max: least(own.batch_time_max, self.batch_time_max),
            fuel_per_event: fuel,
            output_bytes_max: least(own.output_bytes_max, self.output_bytes_max),
            log_bytes_per_second_max: least(own.log_bytes_per_second_max, self.log_bytes_per_second_max),
        }
    }
}

impl Default for TenantRules {
    /// The tenant of every agent that no other tenant has: no ceilings.
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            agents: Vec::new(),
            cpu_weight: 1,
            cpu_cores_max: None,
            plugin_memory_bytes_max: None,
            plugins: None,
            limits: LimitCeilings::default(),
        }
    }
}

/// One tenant at run time.
#[derive(Debug)]
pub struct Tenant {
    /// Its place in the host's list.
    pub(crate) index: usize,
    rules: TenantRules,
    started: Instant,
    cpu_ns: AtomicU64,
    delayed_ns: AtomicU64,
    memory_bytes: AtomicUsize,
    memory_bytes_peak: AtomicUsize,
    /// When its budget is at zero again if nothing more is charged, in nanoseconds since `started`; the budget
    /// refills at a fixed rate, so this one number is the whole token bucket.
    paid_until_ns: AtomicI64,
}

impl Tenant {
    pub(crate) fn new(index: usize, rules: TenantRules) -> Arc<Self> {
        Arc::new(Self {
            index,
            rules,
            started: Instant::now(),
            cpu_ns: AtomicU64::new(0),
            delayed_ns: AtomicU64::new(0),
            memory_bytes: AtomicUsize::new(0),
            memory_bytes_peak: AtomicUsize::new(0),
            paid_until_ns: AtomicI64::new(0),
        })
    }
    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> &TenantRules {
        &self.rules
    }

    /// Charges CPU time.
    pub(crate) fn charge(&self, used: Duration) {
        let used_ns = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_ns.fetch_add(used_ns, Relaxed);
        let Some(cores) = self.rules.cpu_cores_max else { return };
        let price_ns = (used_ns as f64 / cores.max(0.001)) as i64;
        let now_ns = self.now_ns();
        let after = |paid_ns: i64| Some(paid_ns.max(now_ns - BURST.as_nanos() as i64) + price_ns);
        let _always_some = self.paid_until_ns.fetch_update(Relaxed, Relaxed, after);
    }
    /// When it may work again, if it is above its ceiling now.
    pub(crate) fn delayed_until(&self) -> Option<Instant> {
        self.rules.cpu_cores_max?;
        let ahead_ns = self.paid_until_ns.load(Relaxed) - self.now_ns();
        u64::try_from(ahead_ns)
            .ok()
            .filter(|ahead| *ahead > 0)
            .map(|ahead| Instant::now() + Duration::from_nanos(ahead))
    }
    pub(crate) fn add_delay(&self, waited: Duration) {
        self.delayed_ns.fetch_add(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
    fn now_ns(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    /// Takes memory, if the ceiling allows.
    ///
    /// # Errors
    /// What all its plugins would have had together, and the ceiling.
    pub(crate) fn take_memory(&self, bytes: usize) -> Result<(), (usize, usize)> {
        let max = self.rules.plugin_memory_bytes_max.unwrap_or(usize::MAX);
        let wanted = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= max);
        match self.memory_bytes.fetch_update(Relaxed, Relaxed, wanted) {
            Ok(held) => {
                self.memory_bytes_peak.fetch_max(held + bytes, Relaxed);
                Ok(())
            }
            Err(held) => Err((held.saturating_add(bytes), max)),
        }
    }
    pub(crate) fn give_memory_back(&self, bytes: usize) {
        self.memory_bytes.fetch_sub(bytes, Relaxed);
    }

    /// Its figures now.
    #[must_use]
    pub fn snapshot(&self) -> TenantStatus {
        TenantStatus {
            name: self.rules.name.clone(),
            cpu_ns: self.cpu_ns.load(Relaxed),
            delayed_ns: self.delayed_ns.load(Relaxed),
            memory_bytes: self.memory_bytes.load(Relaxed),
            memory_bytes_peak: self.memory_bytes_peak.load(Relaxed),
        }
    }
}

/// Figures of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantStatus {
    /// Its name.
    pub name: String,
    /// Time that its plugins ran, in nanoseconds.
    pub cpu_ns: u64,
    /// Time that calls waited because the tenant was above its CPU ceiling, in nanoseconds.
    pub delayed_ns: u64,
    /// Linear memory its instances hold.
    pub memory_bytes: usize,
    /// The most they ever held.
    pub memory_bytes_peak: usize,
}

/// All tenants of the process.
#[derive(Debug)]
pub(crate) struct Tenants {
    list: Vec<Arc<Tenant>>,
}

impl Tenants {
    pub(crate) fn new(mut rules: Vec<TenantRules>) -> Self {
        if !rules.iter().any(|tenant| tenant.name == "default") {
            rules.push(TenantRules::default());
        }
        Self { list: rules.into_iter().enumerate().map(|(index, rules)| Tenant::new(index, rules)).collect() }
    }
    /// The tenant that has the plugin's agent, else the default one.
    pub(crate) fn of(&self, spec: &PluginSpec) -> Arc<Tenant> {
        let has = |tenant: &&Arc<Tenant>| tenant.rules.agents.contains(&spec.agent);
        let default = || self.list.iter().find(|tenant| tenant.rules.name == "default");
        self.list
            .iter()
            .find(has)
            .or_else(default)
            .cloned()
            .expect("`new` adds the default tenant where it is missing")
    }
    pub(crate) fn all(&self) -> &[Arc<Tenant>] {
        &self.list
    }
}
