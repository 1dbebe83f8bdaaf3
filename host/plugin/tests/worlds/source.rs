//! The source: nothing is lost and nothing doubled over traps, roll-backs and restarts; a kill doubles one batch at most.

use std::future::Future as _;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use flumen_channel::{Channel, Gate};
use flumen_connect::outlet::NamedChannel;
use flumen_connect::{
    ComponentError, Leg, Outlet, Rows, Selector, Source as _, SourceContext, SourceCounters, SourceEnd,
    Stopper,
};
use flumen_event::Batch;
use flumen_plugin::produce::{CheckpointFile, SourcePlugin};
use flumen_plugin::spec::{Kind, OnError};
use tokio::sync::Notify;

use super::fixture::{channel, host_in, on_error, spec};

/// All events into the one channel.
struct Straight;

impl Selector for Straight {
    fn route(&self, _batch: &Batch) -> Vec<Leg> {
        vec![Leg { channel: 0, required: true, rows: Rows::All }]
    }
}

fn context(into: &Arc<dyn Channel>) -> (SourceContext, Stopper) {
    let (stopper, stop) = Stopper::new();
    let counters = Arc::new(SourceCounters::default());
    let channels = vec![NamedChannel { name: "c1".into(), channel: into.clone() }];
    let outlet =
        Outlet::new(Vec::new(), Box::new(Straight), channels, Arc::new(Gate::default()), counters.clone());
    (SourceContext { outlet, stop, counters, ready: Arc::new(Notify::new()) }, stopper)
}

fn source(state: &Path, options: &[(&str, &str)]) -> SourcePlugin {
    SourcePlugin::new(&host_in(state), spec(Kind::Source, options))
}

/// Everything in the channel: the numbers, and the last event's header `calls`.
async fn drained(channel: &Arc<dyn Channel>) -> (Vec<u64>, String) {
    let (mut numbers, mut calls) = (Vec::new(), String::new());
    while let Some(take) = channel.try_take(10_000).await.expect("memory never fails") {
        for event in take.batches().iter().flat_map(Batch::iter) {
            numbers.push(String::from_utf8_lossy(event.body()).parse().expect("a number"));
            event.header("calls").unwrap_or_default().clone_into(&mut calls);
        }
        take.commit(&mut || ()).await.expect("memory never fails");
    }
    (numbers, calls)
}

fn to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

async fn run(
    state: &Path,
    into: &Arc<dyn Channel>,
    options: &[(&str, &str)],
) -> Result<SourceEnd, ComponentError> {
    source(state, options).run(&context(into).0).await
}

#[tokio::test]
async fn it_ends_when_there_is_no_more_and_goes_on_there_after_a_restart() {
    let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
    let end = run(state.path(), &into, &[("total", "25")]).await.expect("it runs");
    assert_eq!(end, SourceEnd::Finished);
    let (numbers, calls) = drained(&into).await;
    assert_eq!(numbers, to(25));
    assert_eq!(calls, "start(0) next(0) committed(10) next(10) committed(20) next(20) ");
    let stored = CheckpointFile::new(state.path(), "a1.source.p").load().expect("readable");
    assert_eq!(stored.as_deref(), Some(&b"25"[..]));

    run(state.path(), &into, &[("total", "40")]).await.expect("it runs");
    let (numbers, calls) = drained(&into).await;
    assert_eq!(numbers, (26..=40).collect::<Vec<_>>());
    assert!(calls.starts_with("start(25) next(25) "), "{calls}");
}

#[tokio::test]
async fn a_trap_in_any_function_loses_and_doubles_nothing() {
    for trap in ["trap.next", "trap.committed"] {
        let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
        let end = run(state.path(), &into, &[("total", "50"), (trap, "20")]).await;
        assert_eq!(end.expect(trap), SourceEnd::Finished);
        let (numbers, calls) = drained(&into).await;
        assert_eq!(numbers, to(50), "{trap}");
        assert!(calls.starts_with("start(20) next(20) "), "{trap}: another instance: {calls}");
    }
}

#[tokio::test]
async fn a_source_that_cannot_start_is_reported_and_tried_again_by_the_agent() {
    let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
    let error = run(state.path(), &into, &[("trap.start", "0")]).await.expect_err("it never starts");
    assert!(error.to_string().contains("trap in start at 0"), "{error}");
    assert_eq!(drained(&into).await.0, to(0));
    run(state.path(), &into, &[("total", "3")]).await.expect("repaired, it runs");
    assert_eq!(drained(&into).await.0, to(3));
}

#[tokio::test]
async fn what_asks_to_be_called_again_is() {
    for (retry, expected) in [
        ("retry.next", "next(10) next(10) committed(20)"),
        ("retry.committed", "committed(10) committed(10) next(10)"),
    ] {
        let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
        run(state.path(), &into, &[("total", "30"), (retry, "10")]).await.expect(retry);
        let (numbers, calls) = drained(&into).await;
        assert_eq!(numbers, to(30), "{retry}");
        assert!(calls.contains(expected), "{retry}: {calls}");
    }
}

#[tokio::test]
async fn a_batch_for_which_there_is_no_room_is_rolled_back_and_read_again() {
    for trap in [&[][..], &[("trap.rolled-back", "10")]] {
        let (state, into) = (tempfile::tempdir().expect("a folder"), channel(15));
        let options: Vec<_> = [("total", "30")].iter().chain(trap).copied().collect();
        let mut plugin = source(state.path(), &options).with_patience(Duration::from_millis(100));
        let (context, _stopper) = context(&into);
        let mut numbers = Vec::new();
        let mut calls = String::new();
        let taking = async {
            // Only when a batch was refused is there room again.
            while flumen_connect::ledger::get(&context.counters.rejected) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            while numbers.len() < 30 {
                let (more, seen) = drained(&into).await;
                numbers.extend(more);
                calls.push_str(&seen);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (end, ()) = tokio::join!(plugin.run(&context), taking);
        assert_eq!(end.expect("it runs"), SourceEnd::Finished);
        assert_eq!(numbers, to(30));
        let expected = if trap.is_empty() { "rolled-back(10) next(10)" } else { "start(10) next(10)" };
        assert!(calls.contains(expected), "{calls}");
    }
}

#[tokio::test]
async fn a_stop_ends_an_idle_wait_and_a_wait_for_room() {
    for (capacity, total) in [(1000, 5), (15, 500)] {
        let (state, into) = (tempfile::tempdir().expect("a folder"), channel(capacity));
        let total_text = u64::to_string(&total);
        let mut plugin = source(state.path(), &[("total", &total_text), ("then", "idle")]);
        let (context, stopper) = context(&into);
        let stopping = async {
            while into.status().events < 5 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stopper.stop();
        };
        let both = async { tokio::join!(plugin.run(&context), stopping) };
        let (end, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("it stops");
        assert_eq!(end.expect("it runs"), SourceEnd::Stopped);
        let (before, _) = drained(&into).await;
        let all = channel(1000);
        run(state.path(), &all, &[("total", &total_text)]).await.expect("it runs again");
        let (after, _) = drained(&all).await;
        assert_eq!(before.into_iter().chain(after).collect::<Vec<_>>(), to(total));
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_too_large_is_a_breach() {
    let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
    let options = [("total", "50"), ("large-checkpoint", "30")];
    let error = run(state.path(), &into, &options).await.expect_err("it cannot go on").to_string();
    assert!(error.contains("a checkpoint of 65537 bytes, at most 65536"), "{error}");
    assert_eq!(drained(&into).await.0, to(20));
}

#[tokio::test]
async fn a_damaged_checkpoint_is_said_and_not_read_over() {
    let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
    run(state.path(), &into, &[("total", "10")]).await.expect("it runs");
    drained(&into).await;
    let file = state.path().join("checkpoints/a1.source.p");
    let mut bytes = std::fs::read(&file).expect("there");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let error = run(state.path(), &into, &[("total", "20")]).await.expect_err("damaged").to_string();
    assert!(error.contains("is damaged") && error.contains("checkpoints/a1.source.p"), "{error}");
    assert_eq!(drained(&into).await.0, to(0));
}

#[tokio::test]
async fn stop_on_error_is_for_good() {
    let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
    let spec = on_error(spec(Kind::Source, &[("total", "50"), ("trap.next", "20")]), OnError::Stop);
    let mut plugin = SourcePlugin::new(&host_in(state.path()), spec);
    let (context, _stopper) = context(&into);
    for _ in 0..2 {
        let error = plugin.run(&context).await.expect_err("stopped").to_string();
        assert!(error.contains("stopped (onError = stop)"), "{error}");
    }
    assert_eq!(drained(&into).await.0, to(20));
}

/// Each life has a runtime, a host and threads of its own, and ends after so many polls of the source: at every place
/// where it can be interrupted. The channel outlives them as a durable one does.
#[test]
fn a_kill_at_any_step_loses_nothing_and_doubles_one_batch_at_most() {
    const STEP: usize = 10;
    for polls in 1.. {
        let (state, into) = (tempfile::tempdir().expect("a folder"), channel(1000));
        let finished = life(state.path(), &into, polls);
        let mut numbers = block_on(drained(&into)).0;
        let before = numbers.len();
        if !finished {
            assert!(life(state.path(), &into, usize::MAX), "the second life goes to the end");
        }
        numbers.extend(block_on(drained(&into)).0);
        let doubled = numbers.len() - 40;
        assert!(
            doubled == 0 || doubled == STEP,
            "killed after {polls} polls: {doubled} doubled, {before} before"
        );
        if doubled > 0 {
            assert_eq!(numbers[before..before + STEP], numbers[before - STEP..before], "the last batch only");
            numbers.drain(before - STEP..before);
        }
        assert_eq!(numbers, to(40), "killed after {polls} polls");
        if finished {
            assert!(polls > 5, "only {polls} polls: nothing was interrupted");
            return;
        }
    }
}

/// Whether the source came to its end.
fn life(state: &Path, into: &Arc<dyn Channel>, polls_max: usize) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut plugin = source(state, &[("total", "40")]);
        let (context, _stopper) = context(into);
        let mut run = pin!(plugin.run(&context));
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            if polls == polls_max {
                return Poll::Ready(false);
            }
            polls += 1;
            run.as_mut().poll(cx).map(|end| end.is_ok_and(|end| end == SourceEnd::Finished))
        })
        .await
    })
    // Dropping the runtime waits for a checkpoint that is being written: it is whole or not there.
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    flumen_plugin::call::block_on(future)
}
