//! Counters of one plugin, and what they say now.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::error::CallError;
use crate::grants::egress::EgressCounts;

/// Kinds of failed calls, as [`CallError::kind`] names them.
pub const FAILURES: [&str; 16] = [
    "not-loaded",
    "config",
    "retry",
    "invalid",
    "fatal",
    "trap",
    "time",
    "fuel",
    "memory",
    "table",
    "output",
    "breach",
    "broken",
    "busy",
    "lost",
    "stopped",
];

/// Counters of one plugin.
#[derive(Debug, Default)]
pub struct Counters {
    calls: AtomicU64,
    events_in: AtomicU64,
    events_out: AtomicU64,
    failures: [AtomicU64; FAILURES.len()],
    discards: AtomicU64,
    worn: AtomicU64,
    live: AtomicUsize,
    swaps: AtomicU64,
    swaps_refused: AtomicU64,
    slow_calls: AtomicU64,
    call_ns: AtomicU64,
    cpu_ns: AtomicU64,
    fuel: AtomicU64,
    memory_bytes_peak: AtomicUsize,
}

impl Counters {
    /// The adapter counts what went in and came out, once a batch.
    pub fn events(&self, into: usize, out: usize) {
        self.events_in.fetch_add(into as u64, Relaxed);
        self.events_out.fetch_add(out as u64, Relaxed);
    }
    pub(crate) fn called(&self, (ns, cpu_ns): (u64, u64), slow: bool, memory_bytes: usize) {
        self.calls.fetch_add(1, Relaxed);
        self.call_ns.fetch_add(ns, Relaxed);
        self.cpu_ns.fetch_add(cpu_ns, Relaxed);
        self.slow_calls.fetch_add(u64::from(slow), Relaxed);
        if memory_bytes > self.memory_bytes_peak.load(Relaxed) {
            self.memory_bytes_peak.fetch_max(memory_bytes, Relaxed);
        }
    }
    /// What a metered call has used; counted apart, because few plugins are metered.
    pub(crate) fn burnt(&self, fuel: u64) {
        self.fuel.fetch_add(fuel, Relaxed);
    }
    pub(crate) fn failed(&self, error: &CallError) {
        if let Some(at) = FAILURES.iter().position(|kind| *kind == error.kind()) {
            self.failures[at].fetch_add(1, Relaxed);
        }
    }
    pub(crate) fn discarded(&self) {
        self.discards.fetch_add(1, Relaxed);
    }
    pub(crate) fn worn(&self) {
        self.worn.fetch_add(1, Relaxed);
    }
    pub(crate) fn swapped(&self) {
        self.swaps.fetch_add(1, Relaxed);
    }
    pub(crate) fn swap_refused(&self) {
        self.swaps_refused.fetch_add(1, Relaxed);
    }
    /// Adds the counters' part to a status.
    pub(crate) fn fill(&self, status: &mut PluginStatus) {
        let named = FAILURES.iter().zip(&self.failures).map(|(kind, count)| (*kind, count.load(Relaxed)));
        status.calls = self.calls.load(Relaxed);
        status.events_in = self.events_in.load(Relaxed);
        status.events_out = self.events_out.load(Relaxed);
        status.failures = named.filter(|(_, count)| *count > 0).collect();
        status.discards = self.discards.load(Relaxed);
        status.worn = self.worn.load(Relaxed);
        status.instances = self.live.load(Relaxed);
        status.swaps = self.swaps.load(Relaxed);
        status.swaps_refused = self.swaps_refused.load(Relaxed);
        status.slow_calls = self.slow_calls.load(Relaxed);
        status.call_ns = self.call_ns.load(Relaxed);
        status.cpu_ns = self.cpu_ns.load(Relaxed);
        status.fuel = self.fuel.load(Relaxed);
        status.memory_bytes_peak = self.memory_bytes_peak.load(Relaxed);
    }
}

/// One instance is live while this is.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Counters>);

impl Seat {
    pub(crate) fn take(counters: &Arc<Counters>) -> Self {
        counters.live.fetch_add(1, Relaxed);
        Self(counters.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Relaxed);
    }
}

/// What is to be said of one plugin now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginStatus {
    /// The component's place in the configuration.
    pub path: String,
    /// Its agent.
    pub agent: String,
    /// Its tenant.
    pub tenant: String,
    /// SHA-256 of the component that is in use, in hexadecimal; empty before it was loaded.
    pub digest: String,
    /// 1 for the component it was started with, one more for each swap; 0 before it was loaded.
    pub version: u64,
    /// The exported interface, with its version: `flumen:plugin/intercept@0.1.0`.
    pub world: String,
    /// Calls that were made, successful or not.
    pub calls: u64,
    /// Events that went in.
    pub events_in: u64,
    /// Events that came out.
    pub events_out: u64,
    /// Failed calls, by kind; kinds that never happened are left out.
    pub failures: Vec<(&'static str, u64)>,
    /// Instances that were thrown away after a failure.
    pub discards: u64,
    /// Instances that were replaced between two calls because their memory came near to its limit.
    pub worn: u64,
    /// Instances that exist.
    pub instances: usize,
    /// Components that were swapped in.
    pub swaps: u64,
    /// Components that were not, because they are bad.
    pub swaps_refused: u64,
    /// Calls that took longer than a slice, 2 ms.
    pub slow_calls: u64,
    /// Time between the begin and the end of calls, in nanoseconds.
    pub call_ns: u64,
    /// Of it the time in which they ran: slices of the pool by CPU time, first slices (at most 2 ms) by the clock.
    pub cpu_ns: u64,
    /// Fuel that successful calls have used; 0 where `limits.fuelPerEvent` is not set.
    pub fuel: u64,
    /// The most linear memory that an instance had after a call.
    pub memory_bytes_peak: usize,
    /// Log lines that `limits.logBytesPerSecondMax` cut off.
    pub log_lines_cut: u64,
    /// Bytes of these.
    pub log_bytes_cut: u64,
    /// What became of its HTTP requests; none without `grants.http`.
    pub egress: Option<EgressCounts>,
    /// `closed` (it works), `open` (left alone for now), `trial`, `stopped`.
    pub breaker: &'static str,
    /// Failures in a row.
    pub failures_in_a_row: u32,
}
