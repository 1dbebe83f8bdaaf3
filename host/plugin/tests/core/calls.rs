//! Calls that succeed, and where they run.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::AnyPlugin as _;

use super::guest::{batch, bodies, plugin, spec};

#[tokio::test]
async fn a_guest_passes_filters_sets_headers_and_rewrites() {
    let input = batch(&["one 1", "drop 2", "three 33"]);
    let mut drops = Drops::default();
    let passed = plugin("pass").intercept(input.clone(), &mut drops).await.expect("it passes");
    assert_eq!(bodies(&passed), bodies(&input));
    assert_eq!(drops.total(), 0);

    let filtered = plugin("filter").intercept(input.clone(), &mut drops).await.expect("it filters");
    assert_eq!(bodies(&filtered), ["one 1", "three 33"]);
    let noted: Vec<_> = drops.iter().collect();
    assert_eq!(noted, [("a1.sources.r1.interceptors.filter: filtered", 1)]);

    let marked = plugin("header").intercept(input.clone(), &mut drops).await.expect("it marks");
    assert!(
        marked
            .iter()
            .all(|event| event.header("seen") == Some("yes") && event.header("host") == Some("web1"))
    );

    let masked = plugin("mask").intercept(input, &mut drops).await.expect("it masks");
    assert_eq!(bodies(&masked), ["one #", "drop #", "three ##"]);
}

#[tokio::test]
async fn an_instance_is_used_again_and_again() {
    let plugin = plugin("calls");
    for call in 1..=50 {
        let out = plugin.intercept(batch(&["x"]), &mut Drops::default()).await.expect("it counts");
        // The self-test was the first call.
        assert_eq!(out.event(0).header("calls"), Some((call + 1).to_string().as_str()));
    }
    let status = plugin.plugin().status();
    assert_eq!((status.instances, status.calls, status.discards), (1, 51, 0));
    assert_eq!((status.events_in, status.events_out), (50, 50));
    assert!(status.memory_bytes_peak >= 65536 && status.world.ends_with("intercept@0.1.0"), "{status:?}");
}

/// On a runtime with one thread a call that loops for a second must leave that thread to others.
#[tokio::test]
async fn a_guest_that_computes_for_long_does_not_hold_the_callers_thread() {
    let (slow, quick) = (plugin("spin-ms"), plugin("header"));
    slow.load().await.expect("it loads");
    quick.load().await.expect("it loads");
    let slow_done = AtomicBool::new(false);
    let spin = async {
        let out = slow.intercept(batch(&["300"]), &mut Drops::default()).await;
        slow_done.store(true, Relaxed);
        out.expect("it ends in time")
    };
    let others = async {
        let mut calls = 0;
        while !slow_done.load(Relaxed) {
            quick.intercept(batch(&["x"]), &mut Drops::default()).await.expect("it marks");
            calls += 1;
            tokio::task::yield_now().await;
        }
        calls
    };
    let (_, calls) = tokio::join!(spin, others);
    assert!(calls > 20, "only {calls} other calls in 300 ms");
    assert_eq!(slow.plugin().status().slow_calls, 1);
}

#[test]
fn a_call_can_be_waited_for_without_a_runtime() {
    let plugin = plugin("spin-ms");
    let out = flumen_plugin::call::block_on(async {
        plugin.intercept(batch(&["20"]), &mut Drops::default()).await.expect("it ends in time")
    });
    assert_eq!(out.len(), 1);
}

#[tokio::test]
async fn no_more_calls_at_a_time_than_instances() {
    let mut spec = spec("sleep-ms");
    spec.instances = Some(1);
    let plugin = flumen_plugin::intercept::InterceptorPlugin::new(super::guest::host(), spec);
    let call = || async { plugin.intercept(batch(&["30"]), &mut Drops::default()).await.expect("it sleeps") };
    tokio::join!(call(), call(), call());
    let status = plugin.plugin().status();
    assert_eq!(status.instances, 1, "{status:?}");
    assert!(status.call_ns > 80_000_000, "{status:?}");
}

#[tokio::test]
async fn a_dropped_call_takes_its_instance_with_it() {
    let plugin = plugin("spin-ms");
    plugin.load().await.expect("it loads");
    let call =
        plugin.intercept(batch(&["60000"]), &mut Drops::default()).await_for(Duration::from_millis(20)).await;
    assert!(call.is_none(), "it was to be dropped");
    let out = plugin.intercept(batch(&["1"]), &mut Drops::default()).await.expect("another instance answers");
    assert_eq!(out.len(), 1);
    // The old one goes at the end of the slice that runs.
    super::guest::eventually("the dropped call's instance is gone", || {
        plugin.plugin().status().instances == 1
    })
    .await;
}

/// A future's answer, if it comes in time; else the future is dropped.
trait AwaitFor: Future + Sized {
    async fn await_for(self, time: Duration) -> Option<Self::Output> {
        tokio::time::timeout(time, self).await.ok()
    }
}
impl<F: Future> AwaitFor for F {}
