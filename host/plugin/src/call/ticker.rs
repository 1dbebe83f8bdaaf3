//! The thread that advances the engines' epochs, once a millisecond while any guest runs.
//!
//! Invariant: while `running` is not 0 the ticker is awake, or has been told to wake. It goes to sleep only after
//! [`IDLE_TICKS`] without a guest, so that steady work with pauses does not pay for waking it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// The length of a tick.
pub(crate) const TICK: Duration = Duration::from_millis(1);
const IDLE_TICKS: u32 = 50;

/// Advances epochs. Dropping the last handle but the thread's own ends the thread.
pub(crate) struct Ticker {
    engines: Mutex<Vec<Engine>>,
    running: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let ticker = Arc::new(Self {
            engines: Mutex::new(Vec::new()),
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            thread: Mutex::new(None),
        });
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
        let mut idle = 0;
        while !self.stop.load(SeqCst) {
            std::thread::sleep(TICK);
            for engine in &*self.engines.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
                engine.increment_epoch();
            }
            idle = if self.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
            if idle >= IDLE_TICKS {
                self.sleep_until_a_guest_runs();
                idle = 0;
            }
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
