//! The clock of one instance's present call, shared by the guest's epoch callback and whoever drives the call.
//!
//! ```text
//! begin ─▶ First ─▶ Queued ◀──────────── woken ── Waiting      counts: First by the clock, Running by the thread's
//!                     └──▶ Running ──── not done ───▲          CPU time, Waiting by the clock, Queued not at all
//! ```
//! So a crowded machine, which lets a call wait for its turn or takes the CPU from its thread, does not make a plugin
//! overrun its limit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::ticker::{LAZY_TICK, PROMPT_TICK};
use crate::error::Overrun;

/// Epoch ticks of one slice. With 1 a call that begins shortly before a tick would be cut off at once.
pub(crate) const SLICE_TICKS: u64 = 2;
/// A first slice is counted by the clock, which also runs while the thread is not scheduled (reading a thread's CPU
/// time is a system call, too dear for each quick call); a guest cannot run for longer than its ticks.
const FIRST_SLICE_MAX: Duration = LAZY_TICK.saturating_mul(SLICE_TICKS as u32).saturating_add(PROMPT_TICK);
/// A call that takes longer is long, whether its slice was ended by a tick or not.
pub(crate) const LONG: Duration = PROMPT_TICK.saturating_mul(SLICE_TICKS as u32);

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
    phase: Phase,
    /// What the phases before the present one count.
    used: Duration,
    max: Duration,
    overrun: Option<Overrun>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// On the caller's thread, since then.
    First(Instant),
    /// Waits for its turn in the pool.
    Queued,
    /// On a thread of the pool whose CPU time was this.
    Running(Duration),
    /// In a function of the host, since then.
    Waiting(Instant),
}

impl Clock {
    /// Called on the thread that runs the guest, if it runs.
    fn now(&self) -> Duration {
        let phase = match self.phase {
            Phase::First(since) => since.elapsed().min(FIRST_SLICE_MAX),
            Phase::Queued => Duration::ZERO,
            Phase::Running(before) => thread_cpu().saturating_sub(before),
            Phase::Waiting(since) => since.elapsed(),
        };
        self.used.saturating_add(phase)
    }
    fn enter(&mut self, phase: Phase) {
        self.used = self.now();
        self.phase = phase;
    }
}

impl Control {
    pub(crate) fn new() -> Self {
        let clock = Clock { phase: Phase::Queued, used: Duration::ZERO, max: Duration::MAX, overrun: None };
        Self { clock: Mutex::new(clock), slices: AtomicU64::new(0), cpu_ns: AtomicU64::new(0) }
    }
    fn clock(&self) -> std::sync::MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    /// A call begins, on its caller's thread.
    pub(crate) fn begin(&self, now: Instant, max: Duration) {
        *self.clock() = Clock { phase: Phase::First(now), used: Duration::ZERO, max, overrun: None };
        self.slices.store(0, Relaxed);
        self.cpu_ns.store(0, Relaxed);
    }
    /// The first slice ended; answers how long it was.
    pub(crate) fn end_first(&self) -> Duration {
        let first = self.clock().now();
        self.add_cpu(first);
        first
    }
    /// It waits for its turn from now on.
    pub(crate) fn queue(&self) {
        self.clock().enter(Phase::Queued);
    }
    /// Its turn has come, on this thread of the pool.
    pub(crate) fn run(&self) {
        self.clock().enter(Phase::Running(thread_cpu()));
    }
    /// Its turn is over; answers the CPU time of it.
    pub(crate) fn wait(&self) -> Duration {
        let mut clock = self.clock();
        let before = clock.used;
        clock.enter(Phase::Waiting(Instant::now()));
        let ran = clock.used.saturating_sub(before);
        drop(clock);
        self.add_cpu(ran);
        ran
    }
    fn add_cpu(&self, ran: Duration) {
        self.cpu_ns.fetch_add(u64::try_from(ran.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
    /// When its time will be over if it goes on as now; not called while it runs in the pool.
    pub(crate) fn deadline(&self) -> Instant {
        let clock = self.clock();
        let far = Duration::from_secs(365 * 24 * 3600);
        let now = if matches!(clock.phase, Phase::Running(_)) { clock.used } else { clock.now() };
        Instant::now() + clock.max.saturating_sub(now).min(far)
    }
    /// Whether the time is over; remembered if so. Called where it runs, or while it does not run.
    pub(crate) fn check(&self) -> Result<(), Overrun> {
        let mut clock = self.clock();
        let ran = clock.now();
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

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
