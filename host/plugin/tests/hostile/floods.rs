//! Guests that fill what the host gives them: log, metrics, state, handles, standard output.

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::AnyPlugin as _;

use super::guest::Guest;
use super::room::{attack, batch, goes_on, host, plugin, resident_bytes, says};

const LOG: &str = r#"(import "flumen:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_its_time_ends() {
    let guest = Guest::new()
        .imports(LOG, "")
        .does("(loop $l (call $log (i32.const 4) (i32.const 4096) (i32.const 1000) (i32.const 0) (i32.const 0)) (br $l)) (unreachable)");
    says(&attack("log-flood", &guest).await.error, &["limits.batchTimeMsMax"]);
}

/// A list of 100,000 fields that are all the same 100 kB: the engine's bound on what one call may move ends it.
#[tokio::test]
async fn fields_that_overlap_do_not_fill_the_hosts_memory() {
    let guest = Guest::new()
        .imports(LOG, "")
        .pages(40)
        .does(
            "(loop $l
               (local.set $j (i32.add (i32.const 200000) (i32.shl (local.get $i) (i32.const 4))))
               (i32.store (local.get $j) (i32.const 4096)) (i32.store offset=4 (local.get $j) (i32.const 100000))
               (i32.store offset=8 (local.get $j) (i32.const 4096)) (i32.store offset=12 (local.get $j) (i32.const 100000))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000))))
             (call $log (i32.const 4) (i32.const 4096) (i32.const 0) (i32.const 200000) (i32.const 100000))
             (unreachable)",
        );
    let before = resident_bytes();
    let met = attack("log-fields", &guest).await;
    says(&met.error, &["trapped", "fuel"]);
    assert!(resident_bytes().saturating_sub(before) < 400 << 20);
}

#[tokio::test]
async fn a_flood_of_metrics_traps_at_the_limit() {
    // The name is `n`, the label's value four bytes that count up.
    let guest = Guest::new()
        .imports(r#"(import "flumen:plugin/metrics@0.1.0" "[constructor]counter" (func $counter (param i32 i32 i32 i32) (result i32)))
            (import "flumen:plugin/metrics@0.1.0" "[resource-drop]counter" (func $drop (param i32)))"#, "")
        .data(4096, b"n")
        .data(4112, &[0, 16, 0, 0, 1, 0, 0, 0, 0x40, 16, 0, 0, 4, 0, 0, 0])
        .does(
            "(loop $l
               (i32.store (i32.const 4160) (i32.or (i32.const 0x30303030)
                  (i32.or (i32.and (local.get $i) (i32.const 0x0f)) (i32.or
                  (i32.shl (i32.and (local.get $i) (i32.const 0xf0)) (i32.const 4))
                  (i32.shl (i32.and (local.get $i) (i32.const 0xf00)) (i32.const 8))))))
               (call $drop (call $counter (i32.const 4096) (i32.const 1) (i32.const 4112) (i32.const 1)))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br $l))
             (unreachable)",
        );
    let met = attack("metrics-flood", &guest).await;
    says(&met.error, &["256 series"]);
    let read = host().outside().registry().read_metrics();
    let (_, series) = read.iter().find(|(path, _)| path.ends_with("metrics-flood")).expect("the plugin");
    assert_eq!(series.len(), 256);
}

#[tokio::test]
async fn counters_that_are_never_dropped_trap_at_the_limit() {
    let guest = Guest::new()
        .imports(r#"(import "flumen:plugin/metrics@0.1.0" "[constructor]counter" (func $counter (param i32 i32 i32 i32) (result i32)))"#, "")
        .data(4096, b"n")
        .does("(loop $l (drop (call $counter (i32.const 4096) (i32.const 1) (i32.const 0) (i32.const 0))) (br $l)) (unreachable)");
    says(&attack("handle-leak", &guest).await.error, &["1024 counters and gauges"]);
}

#[tokio::test]
async fn a_handle_that_is_used_after_it_was_dropped_traps() {
    let guest = Guest::new()
        .imports(r#"(import "flumen:plugin/metrics@0.1.0" "[constructor]counter" (func $counter (param i32 i32 i32 i32) (result i32)))
            (import "flumen:plugin/metrics@0.1.0" "[method]counter.add" (func $add (param i32 i64)))
            (import "flumen:plugin/metrics@0.1.0" "[resource-drop]counter" (func $drop (param i32)))"#, "")
        .data(4096, b"n")
        .does("(local.set $i (call $counter (i32.const 4096) (i32.const 1) (i32.const 0) (i32.const 0)))
               (call $drop (local.get $i)) (call $add (local.get $i) (i64.const 1)) (unreachable)");
    says(&attack("handle-reuse", &guest).await.error, &["trapped", "handle"]);
}

#[tokio::test]
async fn a_handle_that_was_never_given_traps() {
    let guest = Guest::new()
        .imports(
            r#"(import "flumen:plugin/metrics@0.1.0" "[method]counter.add" (func $add (param i32 i64)))"#,
            "",
        )
        .does("(call $add (i32.const 12345) (i64.const 1)) (unreachable)");
    says(&attack("handle-forged", &guest).await.error, &["trapped", "handle"]);
}

#[tokio::test]
async fn a_flood_of_state_stays_in_its_store_and_waits_for_the_disk() {
    // 64 KiB under a key of two bytes that counts up, for ever.
    let guest = Guest::new()
        .pages(8)
        .imports(r#"(import "flumen:plugin/state@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))"#, "")
        .does(
            "(loop $l
               (i32.store (i32.const 4096) (i32.or (i32.const 0x3030) (i32.or (i32.and (local.get $i) (i32.const 0x0f))
                  (i32.shl (i32.and (local.get $i) (i32.const 0xf0)) (i32.const 4)))))
               (call $set (i32.const 4096) (i32.const 2) (i32.const 100000) (i32.const 65536) (i32.const 4200))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br $l))
             (unreachable)",
        );
    says(&attack("state-flood", &guest).await.error, &["limits.batchTimeMsMax"]);
    let file = host().options().state_dir.join("hostile.sources.r1.interceptors.state-flood.kv");
    let bytes = file.metadata().expect("it wrote").len();
    // The burst is 16 MiB, then 4 MiB a second for two calls of 300 ms.
    assert!((1 << 20..40 << 20).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn a_flood_on_standard_output_is_cut_and_its_time_ends() {
    let wit = "package wasi:io@0.2.0;
        interface error {
          resource error;
        }
        interface streams {
          use error.{error};
          variant stream-error { last-operation-failed(error), closed }
          resource output-stream {
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
          }
        }
        ----
        package wasi:cli@0.2.0;
        interface stdout {
          use wasi:io/streams@0.2.0.{output-stream};
          get-stdout: func() -> output-stream;
        }";
    let imports = r#"(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
        (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))"#;
    let guest = Guest::new().imports(imports, wit).does(
        "(local.set $i (call $stdout))
         (loop $l (call $write (local.get $i) (i32.const 4096) (i32.const 4096) (i32.const 4000)) (br $l)) (unreachable)",
    );
    says(&attack("stdout-flood", &guest).await.error, &["limits.batchTimeMsMax"]);
    let leak =
        Guest::new().imports(imports, wit).does("(loop $l (drop (call $stdout)) (br $l)) (unreachable)");
    says(&attack("stdout-leak", &leak).await.error, &["trapped"]);
}

/// One flood after another: the plugin is left alone for a while, and neither the host nor its memory notices.
#[tokio::test]
async fn a_plugin_that_always_traps_is_left_alone_and_loses_nothing() {
    let (hostile, _folder) = plugin("always", &Guest::new().does("(unreachable)").component(), |_| {});
    let mut drops = Drops::default();
    let mut out = 0;
    for _ in 0..50 {
        out += hostile.intercept(batch(&["X"; 20]), &mut drops).await.expect("dead letters").len();
    }
    let letters: usize = drops.dead_letters().iter().map(|(_, letters)| letters.len()).sum();
    assert_eq!((out, letters + drops.total()), (0, 1000), "every event is somewhere");
    let status = hostile.plugin().status();
    assert!(status.calls < 500, "{status:?}");
    let (good, _folder) = plugin("beside-always", &Guest::new().component(), |_| {});
    goes_on("always", &good).await;
}
