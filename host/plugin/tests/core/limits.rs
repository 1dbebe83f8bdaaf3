//! Every limit ends a call, names itself with its value, and leaves the plugin usable.

use std::time::Duration;

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::AnyPlugin as _;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::{OnError, PluginSpec};

use super::guest::{batch, host, spec};

/// The error of one call.
async fn error_of(spec: PluginSpec, bodies: &[&str]) -> (String, InterceptorPlugin) {
    let plugin = InterceptorPlugin::new(host(), spec);
    let failed = plugin.intercept(batch(bodies), &mut Drops::default()).await.expect_err("it is to fail");
    (failed.to_string(), plugin)
}
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
fn limited(what: &str, change: impl FnOnce(&mut PluginSpec)) -> PluginSpec {
    let mut spec = spec(what);
    change(&mut spec);
    spec
}

#[tokio::test]
async fn an_endless_loop_is_ended_by_its_time() {
    let spec = limited("loop", |spec| spec.limits.batch_time_max = Duration::from_millis(50));
    let (text, plugin) = error_of(spec, &["x"]).await;
    says(&text, &["limits.batchTimeMsMax", "50 ms", "interceptors.loop"]);
    let status = plugin.plugin().status();
    assert_eq!((status.discards, status.instances), (1, 0), "{status:?}");
    assert_eq!(status.failures, [("time", 1)]);
}

#[tokio::test]
async fn waiting_in_a_function_of_the_host_is_ended_by_the_same_time() {
    let spec = limited("sleep-ms", |spec| spec.limits.batch_time_max = Duration::from_millis(50));
    let started = std::time::Instant::now();
    let (text, _) = error_of(spec, &["60000"]).await;
    says(&text, &["limits.batchTimeMsMax", "50 ms"]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn memory_that_is_refused_is_named_in_the_trap_that_follows() {
    let spec = limited("grow", |spec| spec.limits.memory_bytes_max = 8 << 20);
    let (text, plugin) = error_of(spec, &["x"]).await;
    says(&text, &["limits.memoryBytesMax", "8388608 are allowed"]);
    assert_eq!(plugin.plugin().status().failures, [("memory", 1)]);
}

#[tokio::test]
async fn a_component_that_does_not_fit_into_its_memory_is_not_loaded() {
    let spec = limited("pass", |spec| spec.limits.memory_bytes_max = 1 << 16);
    let (text, _) = error_of(spec, &["x"]).await;
    says(&text, &["cannot be configured", "limits.memoryBytesMax", "65536 are allowed"]);
}

#[tokio::test]
async fn recursion_without_end_traps() {
    let (text, _) = error_of(spec("deep"), &["x"]).await;
    says(&text, &["trapped", "call stack exhausted"]);
}

#[tokio::test]
async fn fuel_ends_a_call() {
    let (text, plugin) =
        error_of(limited("loop", |spec| spec.limits.fuel_per_event = Some(10_000)), &["x", "y"]).await;
    says(&text, &["limits.fuelPerEvent", "30000 units"]);
    assert_eq!(plugin.plugin().status().failures, [("fuel", 1)]);
}

#[tokio::test]
async fn an_answer_over_its_size_is_refused() {
    let (text, _) =
        error_of(limited("mask", |spec| spec.limits.output_bytes_max = 10), &["a body of 19 bytes"]).await;
    says(&text, &["limits.outputBytesMax", "10 are allowed"]);
}

#[tokio::test]
async fn an_answer_that_breaks_the_contract_is_refused_and_its_instance_discarded() {
    let (text, plugin) = error_of(spec("breach"), &["x"]).await;
    says(&text, &["breaks the contract", "keep: 0 words for 1 events"]);
    assert_eq!(plugin.plugin().status().discards, 1);
}

#[tokio::test]
async fn a_trap_says_what_the_guest_said_and_where_it_was() {
    let (text, _) = error_of(spec("poison"), &["trap"]).await;
    says(&text, &["trapped", "poisoned on purpose", "guests_core"]);
}

#[tokio::test]
async fn after_a_trap_a_fresh_instance_answers() {
    let plugin = InterceptorPlugin::new(host(), limited("poison", |spec| spec.on_error = OnError::Drop));
    for _ in 0..20 {
        let mut drops = Drops::default();
        let out = plugin.intercept(batch(&["trap", "fine"]), &mut drops).await.expect("it goes on");
        assert_eq!((out.len(), drops.total()), (1, 1));
    }
}

#[tokio::test]
async fn refused_options_name_their_key() {
    let plugin = InterceptorPlugin::new(host(), spec("refuse"));
    let error = plugin.load().await.expect_err("it refuses");
    assert_eq!(error.to_string(), "config.do: is not what this plugin likes");
}

#[tokio::test]
async fn a_trap_in_configure_is_told() {
    let error = InterceptorPlugin::new(host(), spec("trap-in-configure")).load().await.expect_err("it traps");
    says(&error.to_string(), &["cannot be configured", "configure went wrong on purpose"]);
}

/// Some toolchains leak what they answer. No call of theirs is to fail for that.
#[tokio::test]
async fn an_instance_that_leaks_is_replaced_before_it_meets_its_limit() {
    let plugin =
        InterceptorPlugin::new(host(), limited("leak", |spec| spec.limits.memory_bytes_max = 16 << 20));
    for call in 0..100 {
        let out = plugin.intercept(batch(&["x"]), &mut Drops::default()).await;
        assert_eq!(out.unwrap_or_else(|error| panic!("call {call}: {error}")).len(), 1);
    }
    let status = plugin.plugin().status();
    assert!((5..=15).contains(&status.worn), "{status:?}");
    assert_eq!((status.discards, status.failures.len()), (0, 0), "{status:?}");
    assert!(status.memory_bytes_peak <= 16 << 20, "{status:?}");
}
