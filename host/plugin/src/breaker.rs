//! Leaves a plugin alone that fails again and again.
//!
//! ```text
//!            failure (the threshold's)                 pause over
//! closed ───────────────────────────▶ open ───────────────────────────▶ trial: one call goes through
//!    ▲                                  ▲                                 │ fails: open, the pause doubles
//!    └──────────────── success ─────────┴─────────────────────────────────┘
//! ```
//! `stop` is a state of its own: only a reload ends it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::CallError;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Guards one plugin.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Whether anything but "closed, no failure" is to be found in the state: one load where all is well.
    touched: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    last: String,
    open_until: Option<Instant>,
    pause: Duration,
    trial: bool,
    stopped: Option<String>,
}

impl Breaker {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    /// Whether a call may be made now, and whether it is the trial that decides on the next pause. One that may must report [`success`](Self::success),
    /// [`failure`](Self::failure) or [`no_verdict`](Self::no_verdict).
    pub(crate) fn admit(&self) -> Result<bool, CallError> {
        if !self.touched.load(Relaxed) {
            return Ok(false);
        }
        let mut state = self.state();
        if let Some(last) = &state.stopped {
            return Err(CallError::Stopped(last.clone()));
        }
        let Some(until) = state.open_until else { return Ok(false) };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() && !state.trial {
            state.trial = true;
            return Ok(true);
        }
        Err(CallError::Broken { wait, failures: state.failures, last: state.last.clone() })
    }
    pub(crate) fn success(&self) {
        if self.touched.load(Relaxed) {
            let mut state = self.state();
            if state.stopped.is_none() {
                *state = State::default();
                self.touched.store(false, Relaxed);
            }
        }
    }
    /// A call that says nothing of the plugin's health ended (its caller went away).
    pub(crate) fn no_verdict(&self) {
        if self.touched.load(Relaxed) {
            self.state().trial = false;
        }
    }
    /// `threshold`: how many failures in a row open it. Answers whether it has just been opened or its pause grown.
    pub(crate) fn failure(&self, error: &str, threshold: u32) -> bool {
        let mut state = self.state();
        self.touched.store(true, Relaxed);
        let was_open = state.open_until.is_some_and(|until| until > Instant::now());
        state.failures += 1;
        error.clone_into(&mut state.last);
        if was_open || state.failures < threshold {
            return false;
        }
        state.trial = false;
        state.pause = (state.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        state.open_until = Some(Instant::now() + state.pause);
        true
    }
    /// Nothing passes any more.
    pub(crate) fn stop(&self, error: &str) {
        self.touched.store(true, Relaxed);
        self.state().stopped.get_or_insert_with(|| error.to_owned());
    }
    /// Another component is in use: what the old one did says nothing of it.
    pub(crate) fn reset(&self) {
        *self.state() = State::default();
        self.touched.store(false, Relaxed);
    }
    /// For the status: the state's name, and failures in a row.
    pub(crate) fn describe(&self) -> (&'static str, u32) {
        let state = self.state();
        let name = match (&state.stopped, state.open_until, state.trial) {
            (Some(_), _, _) => "stopped",
            (None, None, _) => "closed",
            (None, Some(_), true) => "trial",
            (None, Some(_), false) => "open",
        };
        (name, state.failures)
    }
}

/// Lets one complaint a second into the log.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<(Option<Instant>, usize)>);

impl Complaints {
    /// Whether to complain now; answers how many events were not complained about since the last time.
    pub(crate) fn admit(&self, events: usize) -> Option<usize> {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.0.is_some_and(|last| last.elapsed() < Duration::from_secs(1)) {
            state.1 += events;
            return None;
        }
        state.0 = Some(Instant::now());
        Some(std::mem::take(&mut state.1))
    }
}
