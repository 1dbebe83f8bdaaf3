//! One instance of a plugin. A call owns its instance while it runs, so that both can move between threads.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::{Store, Trap};

use crate::call::{Control, Ended};
use crate::error::{CallError, Failure, GuestError, Overrun};
use crate::plugin::World;
use crate::spec::Limits;
use crate::status::Seat;
use crate::store::PluginState;

/// What of a guest's standard error goes into an error.
const STDERR_SHOWN_BYTES_MAX: usize = 2 << 10;
/// Frames of a backtrace that go into an error.
const FRAMES_SHOWN_MAX: usize = 8;
/// Functions of Rust's library between a panic and its trap.
const OF_A_PANIC: [&str; 3] = ["panicking::", "rust_panic", "rust_begin_unwind"];

/// A configured instance.
pub struct Live<W: World> {
    /// The store it lives in.
    pub store: Store<PluginState>,
    /// Its exports.
    pub bindings: W::Bindings,
    /// What `configure` answered.
    pub answer: Arc<W::Answer>,
    /// The version of the component it is of.
    pub(crate) version: u64,
    /// The linear memory it had when it was configured.
    pub(crate) configured_bytes: usize,
    /// Counts it as live.
    pub(crate) _seat: Seat,
}

impl<W: World> Live<W> {
    pub(crate) fn control(&self) -> Arc<Control> {
        self.store.data().control.clone()
    }
    pub(crate) fn begin(&mut self, limits: &Limits, events: usize) -> Result<(), CallError> {
        begin(&mut self.store, limits, events)
    }
    /// What the call that has just ended has used of its fuel.
    pub(crate) fn fuel_used(&self, limits: &Limits, events: usize) -> Option<u64> {
        Some(fuel(limits, events)?.saturating_sub(self.store.get_fuel().ok()?))
    }
    /// Whether it came so near to its limit that another one should take its place before the limit is hit in the
    /// middle of a call. Memory never shrinks, and some toolchains leak what they answer (componentize-py does). An
    /// instance that takes as much from the start is as it should be.
    pub(crate) fn is_worn(&self, limits: &Limits) -> bool {
        let held = self.store.data().limiter.memory_bytes();
        held > limits.memory_bytes_max / 4 * 3 && self.configured_bytes <= limits.memory_bytes_max / 2
    }
    /// What became of a call, and whether the instance can be used again.
    pub(crate) fn judge(&mut self, limits: &Limits, events: usize, failure: Failure) -> (CallError, bool) {
        let error = explain(&mut self.store, limits, events, failure);
        let reusable = matches!(error, CallError::Guest(GuestError::Retry(_) | GuestError::Invalid(_)));
        (error, reusable)
    }
}

/// Gives a call its fuel and its time.
pub(crate) fn begin(store: &mut Store<PluginState>, limits: &Limits, events: usize) -> Result<(), CallError> {
    if let Some(fuel) = fuel(limits, events) {
        store.set_fuel(fuel).map_err(|error| CallError::Busy(error.to_string()))?;
    }
    store.set_epoch_deadline(crate::call::SLICE_TICKS);
    store.data().control.begin(Instant::now(), limits.batch_time_max);
    let _refused_in_an_earlier_call = store.data_mut().limiter.take_refused();
    Ok(())
}

fn fuel(limits: &Limits, events: usize) -> Option<u64> {
    limits.fuel_per_event.map(|each| each.saturating_mul(events as u64 + 1))
}

/// The error of a call, with the limit that was hit where there was one.
pub(crate) fn explain(
    store: &mut Store<PluginState>,
    limits: &Limits,
    events: usize,
    failure: Failure,
) -> CallError {
    let error = match failure {
        Failure::Guest(error) => return CallError::Guest(error),
        Failure::Breach(what) => return CallError::Breach(what),
        Failure::Overrun(over) => return CallError::Overrun(over),
        Failure::Trap(error) => error,
    };
    if let Some(over) = error.downcast_ref::<Overrun>() {
        return CallError::Overrun(over.clone());
    }
    if let (Some(Trap::OutOfFuel), Some(max)) = (error.downcast_ref::<Trap>(), fuel(limits, events)) {
        return CallError::Overrun(Overrun::Fuel { max });
    }
    if let Some(refused) = store.data_mut().limiter.take_refused() {
        return CallError::Overrun(refused);
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CallError::Busy(error.to_string());
    }
    let stderr = store.data().granted.stderr();
    CallError::Trap { reason: error.root_cause().to_string(), trace: trace(&error), stderr: end_of(&stderr) }
}

/// A call that was ended from outside.
pub(crate) fn explain_end(ended: Ended) -> CallError {
    match ended {
        Ended::Overrun(over) => CallError::Overrun(over),
        Ended::Panicked => CallError::Trap {
            reason: "a function of the host failed while the plugin called it".to_owned(),
            trace: String::new(),
            stderr: String::new(),
        },
    }
}

fn trace(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return String::new() };
    let names: Vec<String> = backtrace.frames().iter().map(name).collect();
    // The way from a panic to its trap is the same each time.
    let panicking = names.iter().rposition(|name| OF_A_PANIC.iter().any(|part| name.contains(part)));
    let shown = panicking.map_or(&names[..], |last| &names[last + 1..]);
    let shown = if shown.is_empty() { &names[..] } else { shown };
    shown[..shown.len().min(FRAMES_SHOWN_MAX)].join("\n")
}

fn name(frame: &wasmtime::FrameInfo) -> String {
    let Some(name) = frame.func_name() else { return format!("function {}", frame.func_index()) };
    format!("{:#}", rustc_demangle::demangle(name))
}

fn end_of(text: &str) -> String {
    let mut from = text.len().saturating_sub(STDERR_SHOWN_BYTES_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}
