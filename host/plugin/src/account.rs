//! What a tenant has used at run time, and how far it is below its ceilings. (What the ceilings are: [`crate::tenants`].)
//!
//! ```text
//! charge(ns) ──▶ cpu used ──▶ virtual time = used / weight     who is next in the fair pool
//!          └───▶ budget: refilled with `cpu_share_max` per second, at most 100 ms of it saved up;
//!                below zero: the tenant's work waits until it is not
//! ```

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::tenants::Tenant;

/// How far ahead of its share a tenant may work.
const BURST: Duration = Duration::from_millis(100);

/// The account of one tenant. Lives as long as the host; its ceilings may change.
#[derive(Debug)]
pub struct Account {
    name: Arc<str>,
    /// Its place in the host's list.
    pub(crate) index: usize,
    opened: Instant,
    cpu_weight: AtomicU32,
    /// 0: no ceiling.
    cpu_millicores_max: AtomicU32,
    memory_bytes_max: AtomicUsize,
    cpu_ns: AtomicU64,
    delayed_ns: AtomicU64,
    memory_bytes: AtomicUsize,
    memory_bytes_peak: AtomicUsize,
    /// When what it has used will be covered by its share, in nanoseconds since `opened`. The budget refills at a
    /// fixed rate, so this one number is the whole token bucket.
    paid_until_ns: AtomicI64,
}

impl Account {
    fn open(index: usize, tenant: &Tenant) -> Arc<Self> {
        let account = Self {
            name: tenant.name.clone(),
            index,
            opened: Instant::now(),
            cpu_weight: AtomicU32::new(1),
            cpu_millicores_max: AtomicU32::new(0),
            memory_bytes_max: AtomicUsize::new(usize::MAX),
            cpu_ns: AtomicU64::new(0),
            delayed_ns: AtomicU64::new(0),
            memory_bytes: AtomicUsize::new(0),
            memory_bytes_peak: AtomicUsize::new(0),
            paid_until_ns: AtomicI64::new(0),
        };
        account.set_ceilings(tenant);
        Arc::new(account)
    }
    fn set_ceilings(&self, tenant: &Tenant) {
        let ceilings = &tenant.ceilings;
        let share = ceilings.cpu_share_max.as_ref().map_or(0, |share| share.value.millicores.max(1));
        let memory = ceilings.plugin_memory_bytes_max.as_ref().map_or(usize::MAX, |max| max.value);
        self.cpu_weight.store(tenant.cpu_weight().max(1), Relaxed);
        self.cpu_millicores_max.store(share, Relaxed);
        self.memory_bytes_max.store(memory, Relaxed);
    }
    /// The tenant's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    pub(crate) fn cpu_weight(&self) -> u32 {
        self.cpu_weight.load(Relaxed)
    }

    /// Charges CPU time.
    pub(crate) fn charge(&self, used: Duration) {
        let used_ns = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_ns.fetch_add(used_ns, Relaxed);
        let millicores = self.cpu_millicores_max.load(Relaxed);
        if millicores == 0 {
            return;
        }
        let price_ns =
            i64::try_from(used_ns.saturating_mul(1000) / u64::from(millicores)).unwrap_or(i64::MAX);
        let saved_up_from = self.now_ns() - BURST.as_nanos() as i64;
        let after = |paid_ns: i64| Some(paid_ns.max(saved_up_from).saturating_add(price_ns));
        let _always_some = self.paid_until_ns.fetch_update(Relaxed, Relaxed, after);
    }
    /// When it may work again, if it is above its ceiling now.
    pub(crate) fn delayed_until(&self) -> Option<Instant> {
        if self.cpu_millicores_max.load(Relaxed) == 0 {
            return None;
        }
        let ahead_ns = u64::try_from(self.paid_until_ns.load(Relaxed) - self.now_ns()).ok()?;
        (ahead_ns > 0).then(|| Instant::now() + Duration::from_nanos(ahead_ns))
    }
    pub(crate) fn add_delay(&self, waited: Duration) {
        self.delayed_ns.fetch_add(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
    fn now_ns(&self) -> i64 {
        i64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    /// Takes memory, if the ceiling allows.
    ///
    /// # Errors
    /// What all its plugins would have had together, and the ceiling.
    pub(crate) fn take_memory(&self, bytes: usize) -> Result<(), (usize, usize)> {
        let max = self.memory_bytes_max.load(Relaxed);
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
            name: self.name.to_string(),
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

/// The accounts of a host, opened when a tenant's first plugin is made.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<Vec<Arc<Account>>>);

impl Accounts {
    /// The tenant's account, with the ceilings that it has now.
    pub(crate) fn of(&self, tenant: &Tenant) -> Arc<Account> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.iter().find(|account| account.name == tenant.name) {
            account.set_ceilings(tenant);
            return account.clone();
        }
        let account = Account::open(accounts.len(), tenant);
        accounts.push(account.clone());
        account
    }
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
