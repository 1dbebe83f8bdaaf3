//! Keeps one source running: a source that fails is tried again, and visibly so.

use std::sync::Arc;
use std::time::Duration;

use flumen_connect::{Outlet, Source, SourceContext, SourceEnd, StopSignal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::status::{SourceStatus, State};

/// Flume's supervisor tries again every three seconds.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// A source and what it needs to run.
pub(super) struct SourceUnit {
    pub(super) source: Box<dyn Source>,
    /// A fresh one, for after a panic.
    pub(super) rebuild: Box<dyn Fn() -> Option<Box<dyn Source>> + Send + Sync>,
    pub(super) outlet: Outlet,
    pub(super) status: Arc<SourceStatus>,
}

/// Runs the source until it is finished or the agent stops.
pub(super) fn spawn(unit: SourceUnit, stop: &StopSignal) -> JoinHandle<()> {
    tokio::spawn(supervise(unit, stop.clone()))
}

/// The source, and then what it has left on its way to optional channels. Whoever cuts this off drops that.
async fn supervise(unit: SourceUnit, stop: StopSignal) {
    let outlet = AbandonOnDrop(unit.outlet.clone());
    run(unit, stop).await;
    outlet.0.settled().await;
}

async fn run(unit: SourceUnit, stop: StopSignal) {
    let SourceUnit { source, rebuild, outlet, status } = unit;
    let ready = Arc::new(Notify::new());
    let context =
        SourceContext { outlet, stop: stop.clone(), counters: status.counters.clone(), ready: ready.clone() };
    let mut source = Some(source);
    loop {
        let Some(mut running) = source.take().or_else(&rebuild) else { return };
        tracing::info!("Starting Source {}", status.unit.name);
        let given = context.clone();
        let mut task = AbortOnDrop(tokio::spawn(async move {
            let end = running.run(&given).await;
            (running, end)
        }));
        let ended = loop {
            tokio::select! {
                () = ready.notified() => status.unit.set(State::Running),
                ended = &mut task.0 => break ended,
            }
        };
        match ended {
            Ok((_, Ok(end))) => return settle(&status, end),
            Ok((again, Err(error))) => {
                source = Some(again);
                failed(&status, &error.to_string());
            }
            Err(panic) => failed(&status, &format!("internal error: {panic}")),
        }
        tokio::select! {
            () = stop.requested() => return status.unit.set(State::Stopped),
            () = tokio::time::sleep(RETRY_AFTER) => {}
        }
    }
}

/// What optional channels have not stored by then is given up, and counted.
struct AbandonOnDrop(Outlet);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon_optional();
    }
}

/// The source ends when its supervisor is cut off.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn settle(status: &SourceStatus, end: SourceEnd) {
    match end {
        SourceEnd::Stopped => status.unit.set(State::Stopped),
        SourceEnd::Finished => {
            status.unit.set(State::Finished);
            tracing::info!("Source {} has no more events", status.unit.name);
        }
    }
}

fn failed(status: &SourceStatus, why: &str) {
    tracing::error!("Source {}: {why}; trying again in {} s", status.unit.name, RETRY_AFTER.as_secs());
    status.unit.set(State::Failing(why.to_owned()));
}
