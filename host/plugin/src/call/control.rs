//! The clock of one instance's present call, shared by the guest's epoch callback and whoever drives the call.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::Overrun;

/// Epoch ticks of one slice. With 1 a call that begins shortly before a tick would be cut off at once.
pub(crate) const SLICE_TICKS: u64 = 2;

/// The clock of a call.
#[derive(Debug)]
pub(crate) struct Control(Mutex<Clock>, AtomicU64);

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
        Self(Mutex::new(clock), AtomicU64::new(0))
    }
    fn clock(&self) -> std::sync::MutexGuard<'_, Clock> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    /// A call begins.
    pub(crate) fn begin(&self, now: Instant, max: Duration) {
        *self.clock() = Clock { started: now, excused: Duration::ZERO, max, overrun: None };
        self.1.store(0, Relaxed);
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
        self.1.fetch_add(1, Relaxed);
        self.check()
    }
    /// Slices that were used up.
    pub(crate) fn slices(&self) -> u64 {
        self.1.load(Relaxed)
    }
    /// Why the call was ended from outside.
    pub(crate) fn overrun(&self) -> Option<Overrun> {
        self.clock().overrun.clone()
    }
}
