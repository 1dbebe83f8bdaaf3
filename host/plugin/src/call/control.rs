//! The clock of one instance's present call, shared by the guest's epoch callback and whoever drives the call.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::Overrun;

/// Epoch ticks of one slice. With 1 a call that begins shortly before a tick would be cut off at once.
pub(crate) const SLICE_TICKS: u64 = 2;

/// The clock of a call.
#[derive(Debug)]
pub(crate) struct Control {
    clock: Mutex<Clock>,
    /// Slices that were used up to their end.
    slices: AtomicU64,
    cpu_ns: AtomicU64,
}

#[derive(Debug)]
struct Clock {
    started: Instant,
    /// Time that the call waited for its turn.
    excused: Duration,
    max: Duration,
    overrun: Option<Overrun>,
}

impl Control {
    pub(crate) fn new() -> Self {
        let clock =
            Clock { started: Instant::now(), excused: Duration::ZERO, max: Duration::MAX, overrun: None };
        Self { clock: Mutex::new(clock), slices: AtomicU64::new(0), cpu_ns: AtomicU64::new(0) }
    }
    fn clock(&self) -> std::sync::MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    /// A call begins.
    pub(crate) fn begin(&self, now: Instant, max: Duration) {
        *self.clock() = Clock { started: now, excused: Duration::ZERO, max, overrun: None };
        self.slices.store(0, Relaxed);
        self.cpu_ns.store(0, Relaxed);
    }
    /// The call waited for its turn.
    pub(crate) fn excuse(&self, waited: Duration) {
        self.clock().excused += waited;
    }
    /// When its time will be over, as far as can be said now.
    pub(crate) fn deadline(&self) -> Instant {
        let clock = self.clock();
        let far = Duration::from_secs(365 * 24 * 3600);
        clock.started + clock.excused + clock.max.min(far)
    }
    /// Whether the time is over; remembered if so.
    pub(crate) fn check(&self) -> Result<(), Overrun> {
        let mut clock = self.clock();
        let ran = clock.started.elapsed().saturating_sub(clock.excused);
        if ran <= clock.max {
            return Ok(());
        }
        let over = Overrun::Time { max: clock.max, ran };
        Err(clock.overrun.get_or_insert(over).clone())
    }
    /// The guest has used up a slice: it yields, or ends if its time is over.
    pub(crate) fn end_of_slice(&self) -> Result<(), Overrun> {
        self.slices.fetch_add(1, Relaxed);
        self.check()
    }
    /// The call ran for this long.
    pub(crate) fn add_cpu(&self, used: Duration) {
        self.cpu_ns.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
    /// How long it ran, without what it waited.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.cpu_ns.load(Relaxed)
    }
    /// Slices that were used up.
    pub(crate) fn slices(&self) -> u64 {
        self.slices.load(Relaxed)
    }
    /// Why the call was ended from outside.
    pub(crate) fn overrun(&self) -> Option<Overrun> {
        self.clock().overrun.clone()
    }
}
