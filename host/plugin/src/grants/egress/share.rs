//! How much of the network a plugin, and a tenant, may use at a time, and what they did with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{BYTES_PER_SECOND_MAX, OPEN_REQUESTS_MAX, TENANT_OPEN_REQUESTS_MAX};
use crate::imports::rate::Bucket;
use crate::spec::HttpGrant;
use crate::tenants::Tenant;

/// What became of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressCounts {
    /// Requests that were let through.
    pub allowed: u64,
    /// Requests that were refused, by [`Refusal::name`](super::Refusal::name).
    pub refused: BTreeMap<&'static str, u64>,
    /// Of those let through, those that got no answer.
    pub failed: u64,
    /// Bytes of bodies that were sent.
    pub bytes_out: u64,
    /// Bytes of bodies that were received.
    pub bytes_in: u64,
}

/// The share of one plugin or one tenant.
#[derive(Debug)]
pub struct Share {
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// none: no ceiling.
    sent: Option<Bucket>,
    received: Option<Bucket>,
    /// none: no ceiling.
    hosts: Option<Vec<HttpGrant>>,
    counts: EgressCounts,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In,
}

impl Share {
    fn new(places: usize, bytes_per_second: Option<u64>, hosts: Option<Vec<HttpGrant>>) -> Self {
        let bucket =
            || bytes_per_second.map(|rate| Bucket::new(rate, rate.saturating_mul(2), Instant::now()));
        let (sent, received) = (bucket(), bucket());
        let state = State { sent, received, hosts, counts: EgressCounts::default() };
        Self { places: Arc::new(Semaphore::new(places)), state: Mutex::new(state) }
    }

    pub(super) fn of_plugin() -> Self {
        Self::new(OPEN_REQUESTS_MAX, Some(BYTES_PER_SECOND_MAX), None)
    }

    /// A place for one more request, if there is one.
    pub(super) fn take_place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Whether the tenant may send requests there.
    pub(super) fn allows(&self, destination: &HttpGrant) -> bool {
        self.lock().hosts.as_ref().is_none_or(|hosts| hosts.iter().any(|host| host.covers(destination)))
    }

    /// Counts bytes that went, and says how long to wait before the next.
    pub(super) fn spend(&self, way: Way, bytes: usize) -> Duration {
        let mut state = self.lock();
        let State { sent, received, counts, .. } = &mut *state;
        let (bucket, count) = match way {
            Way::Out => (sent, &mut counts.bytes_out),
            Way::In => (received, &mut counts.bytes_in),
        };
        *count += bytes as u64;
        bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.owe(bytes as u64, Instant::now()))
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut EgressCounts)) {
        change(&mut self.lock().counts);
    }

    /// What became of its requests so far.
    #[must_use]
    pub fn counts(&self) -> EgressCounts {
        self.lock().counts.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shares of all tenants.
#[derive(Debug, Default)]
pub struct Shares(Mutex<BTreeMap<Arc<str>, Arc<Share>>>);

impl Shares {
    /// The tenant's share, with the ceilings that it has now.
    pub fn of(&self, tenant: &Tenant) -> Arc<Share> {
        let rate = tenant.ceilings.egress_bytes_per_second_max.as_ref().map(|ceiling| ceiling.value);
        let hosts = tenant.ceilings.egress_hosts.as_ref().map(|ceiling| ceiling.value.clone());
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&tenant.name) {
            share.set_ceilings(rate, hosts);
            return share.clone();
        }
        let share = Arc::new(Share::new(TENANT_OPEN_REQUESTS_MAX, rate, hosts));
        shares.insert(tenant.name.clone(), share.clone());
        share
    }
}

impl Share {
    fn set_ceilings(&self, bytes_per_second: Option<u64>, hosts: Option<Vec<HttpGrant>>) {
        let now = Instant::now();
        let mut state = self.lock();
        let State { sent, received, .. } = &mut *state;
        for bucket in [sent, received] {
            match (bytes_per_second, bucket.as_mut()) {
                (Some(rate), Some(bucket)) => bucket.set_rate(rate, rate.saturating_mul(2), now),
                (rate, _) => *bucket = rate.map(|rate| Bucket::new(rate, rate.saturating_mul(2), now)),
            }
        }
        state.hosts = hosts;
    }
}
