//! The thread that advances the engines' epochs while any guest runs.
//!
//! ```text
//! asleep ──a guest runs──▶ lazy: every 4 ms ◀──50 ms without a long call── prompt: every ms
//!   ▲── no guest for 50 ms ──┘      └───────────── a call is long ──────────▶┘
//! ```
//!
//! Calls that end within their first slice need no ticks, and each wake-up costs a virtual machine with two cores some
//! 20 µs: 2 % of one at a tick each millisecond. So ticks are prompt only while there are calls that need them.
//!
//! Invariant: while `running` is not 0 the ticker is awake, or has been told to wake.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// The length of a tick while some call is long.
pub(crate) const PROMPT_TICK: Duration = Duration::from_millis(1);
/// The length of a tick while all calls are quick: how soon one that is not is noticed.
pub(crate) const LAZY_TICK: Duration = Duration::from_millis(4);
/// Prompt ticks after the last sign of a long call.
const PROMPT_TICKS: u32 = 50;
/// Without a guest for so long the ticker sleeps; steady work with pauses does not pay for waking it.
const IDLE: Duration = Duration::from_millis(50);

/// Advances epochs. Dropping the last handle but the thread's own ends the thread.
#[derive(Default)]
pub(crate) struct Ticker {
    engines: Mutex<Vec<Engine>>,
    running: AtomicUsize,
    /// Prompt ticks that are left.
    prompt: AtomicU32,
    asleep: AtomicBool,
    stop: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let ticker = Arc::new(Self::default());
        let its = ticker.clone();
        let thread = std::thread::Builder::new().name("flumen-epochs".into()).spawn(move || its.run())?;
        *ticker.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(thread.thread().clone());
        Ok(ticker)
    }
    /// From now on this engine's epoch advances too.
    pub(crate) fn add(&self, engine: Engine) {
        self.engines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(engine);
    }
    /// A guest runs until the answer is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.running.fetch_add(1, SeqCst);
        if self.asleep.load(SeqCst) && self.asleep.swap(false, SeqCst) {
            self.unpark();
        }
        Running(self)
    }
    /// A call is long: ticks are prompt for a while.
    pub(crate) fn hurry(&self) {
        if self.prompt.swap(PROMPT_TICKS, SeqCst) == 0 {
            self.unpark();
        }
    }
    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.stop.store(true, SeqCst);
        self.unpark();
    }
    fn unpark(&self) {
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            thread.unpark();
        }
    }

    fn run(&self) {
        let mut idle = Duration::ZERO;
        while !self.stop.load(SeqCst) {
            let tick = self.next_tick();
            // Woken early by `hurry` it ticks early, for the call that has just turned out to be long.
            std::thread::park_timeout(tick);
            for engine in &*self.engines.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
                engine.increment_epoch();
            }
            idle = if self.running.load(SeqCst) == 0 { idle + tick } else { Duration::ZERO };
            if idle >= IDLE {
                self.sleep_until_a_guest_runs();
                idle = Duration::ZERO;
            }
        }
    }
    fn next_tick(&self) -> Duration {
        match self.prompt.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => PROMPT_TICK,
            Err(_) => LAZY_TICK,
        }
    }
    /// `asleep` is set before `running` is read, and a guest counts itself before it reads `asleep`: one of both sees
    /// the other.
    fn sleep_until_a_guest_runs(&self) {
        self.asleep.store(true, SeqCst);
        while self.asleep.load(SeqCst) && self.running.load(SeqCst) == 0 && !self.stop.load(SeqCst) {
            std::thread::park();
        }
        self.asleep.store(false, SeqCst);
    }
}

/// A guest runs while this lives.
pub(crate) struct Running<'a>(&'a Ticker);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_prompt_while_calls_are_long_and_for_a_while_after() {
        let ticker = Ticker::default();
        assert_eq!(ticker.next_tick(), LAZY_TICK);
        ticker.hurry();
        assert_eq!(ticker.next_tick(), PROMPT_TICK);
        ticker.hurry();
        for left in (0..PROMPT_TICKS).rev() {
            assert_eq!(ticker.next_tick(), PROMPT_TICK, "{left} are left");
        }
        assert_eq!(ticker.next_tick(), LAZY_TICK);
    }
}
