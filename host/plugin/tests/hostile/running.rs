//! Guests that do not end, or want more than they may have.

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};

use super::guest::Guest;
use super::room::{attack, attack_with, batch, goes_on, plugin, refusal, says};

#[tokio::test]
async fn an_endless_loop_ends_with_its_time() {
    let guest = Guest::new().does("(loop $l (br $l)) (unreachable)");
    let met = attack("loop", &guest).await;
    says(&met.error, &["limits.batchTimeMsMax", "300 ms"]);
}

#[tokio::test]
async fn an_endless_loop_of_host_calls_ends_with_its_time() {
    let guest = Guest::new()
        .imports(r#"(import "flumen:plugin/clock@0.1.0" "monotonic-nanos" (func $now (result i64)))"#, "")
        .does("(loop $l (drop (call $now)) (br $l)) (unreachable)");
    says(&attack("hostcall-loop", &guest).await.error, &["limits.batchTimeMsMax", "300 ms"]);
}

#[tokio::test]
async fn fuel_ends_a_loop_where_it_is_metered() {
    let guest = Guest::new().does("(loop $l (br $l)) (unreachable)");
    let met = attack_with("fuel", &guest, |spec| spec.limits.fuel_per_event = Some(10_000)).await;
    says(&met.error, &["limits.fuelPerEvent"]);
}

#[tokio::test]
async fn memory_does_not_grow_beyond_its_limit() {
    let guest = Guest::new()
        .does("(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)");
    says(&attack("memory", &guest).await.error, &["limits.memoryBytesMax", "4194304"]);
}

#[tokio::test]
async fn memory_does_not_grow_by_four_gigabytes_at_once() {
    let guest = Guest::new().does("(drop (memory.grow (i32.const 65000))) (unreachable)");
    says(&attack("memory-leap", &guest).await.error, &["limits.memoryBytesMax", "4194304"]);
}

#[tokio::test]
async fn a_table_does_not_grow_beyond_its_limit() {
    let guest = Guest::new().with("(table $t 1 funcref)").does(
        "(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1)))) (unreachable)",
    );
    says(&attack("table", &guest).await.error, &["table of", "100000"]);
}

#[tokio::test]
async fn recursion_ends_with_the_stack() {
    let guest = Guest::new()
        .with("(func $f (param i32) (result i32) (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))")
        .does("(call $f (i32.const 0))");
    says(&attack("stack", &guest).await.error, &["call stack exhausted"]);
}

#[tokio::test]
async fn a_trap_in_a_batch_is_that_batchs_only() {
    says(&attack("trap", &Guest::new().does("(unreachable)")).await.error, &["trapped", "unreachable"]);
    let divides = Guest::new().does("(i32.div_u (i32.const 1) (global.get $n))");
    says(&attack("divide", &divides).await.error, &["trapped", "divide by zero"]);
}

#[tokio::test]
async fn a_trap_in_configure_names_the_plugin_and_runs_nothing() {
    let error = refusal("trap-configure", &Guest::new().configures_with("(unreachable)").component()).await;
    says(&error, &["cannot be configured", "unreachable"]);
}

#[tokio::test]
async fn a_loop_in_configure_ends() {
    let component = Guest::new().configures_with("(loop $l (br $l))").component();
    says(&refusal("loop-configure", &component).await, &["cannot be configured", "10000 ms"]);
}

#[tokio::test]
async fn a_start_function_that_loops_ends() {
    let component = Guest::new().with("(func $s (loop $l (br $l))) (start $s)").component();
    says(&refusal("loop-start", &component).await, &["10000 ms"]);
}

#[tokio::test]
async fn a_start_function_that_traps_is_refused() {
    let component = Guest::new().with("(func $s (unreachable)) (start $s)").component();
    says(&refusal("trap-start", &component).await, &["unreachable"]);
}

#[tokio::test]
async fn four_gigabytes_of_initial_memory_are_refused() {
    let error = refusal("memory-initial", &Guest::new().pages(65_536).component()).await;
    says(&error, &["limits.memoryBytesMax", "4194304"]);
}

#[tokio::test]
async fn a_realloc_that_loops_ends_with_its_time() {
    let guest = Guest::new().does("(global.set $n (i32.const 1)) (unreachable)");
    attack("realloc-prelude", &guest).await;
    let looping =
        Guest::new().reallocs_with("(if (local.get $size) (then (loop $l (br $l)))) (i32.const 16)");
    let (plugin, _folder) = plugin("realloc-loop", &looping.component(), |_| {});
    plugin.load().await.expect("an empty batch needs no memory");
    let mut drops = Drops::default();

    let out = plugin.intercept(batch(&["a"]), &mut drops).await.expect("it becomes a dead letter");
    assert_eq!((out.len(), drops.dead_letters().len()), (0, 1));
    let error = drops.dead_letters()[0].1.event(0).header("flumen.error").expect("an error").to_owned();
    says(&error, &["limits.batchTimeMsMax"]);
}

#[tokio::test]
async fn a_realloc_that_points_outside_is_a_trap() {
    for (name, at) in [("realloc-outside", -16), ("realloc-unaligned", 65_537)] {
        let guest = Guest::new()
            .reallocs_with(&format!("(select (i32.const {at}) (i32.const 16) (local.get $size))"));
        let (plugin, _folder) = plugin(name, &guest.component(), |_| {});
        plugin.load().await.expect("an empty batch needs no memory");
        let mut drops = Drops::default();

        let out = plugin.intercept(batch(&["a"]), &mut drops).await.expect("it becomes a dead letter");
        assert_eq!((out.len(), drops.dead_letters().len()), (0, 1), "{name}");
    }
}

#[tokio::test]
async fn a_guest_that_sleeps_for_ever_ends_with_its_time() {
    let wit = "package wasi:io@0.2.0;
        interface poll {
          resource pollable { block: func(); }
        }
        ----
        package wasi:clocks@0.2.0;
        interface monotonic-clock {
          use wasi:io/poll@0.2.0.{pollable};
          subscribe-duration: func(when: u64) -> pollable;
        }";
    let imports = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $sleep (param i64) (result i32)))
        (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;
    let guest = Guest::new()
        .imports(imports, wit)
        .does("(call $block (call $sleep (i64.const 9000000000000000000))) (unreachable)");
    says(&attack("sleep", &guest).await.error, &["limits.batchTimeMsMax", "300 ms"]);
}

/// A tenant's memory never shows up in another's: slots are zeroed before they are given on.
#[tokio::test]
async fn nothing_of_an_earlier_tenant_is_left_in_memory() {
    let writer = Guest::new().does(
        "(loop $l (i32.store (i32.add (i32.const 131072) (local.get $i)) (i32.const 0x5EC2E7))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 100000))))
         (unreachable)",
    );
    // Answers normally if all it finds is zero, and traps if not.
    let reader = "(loop $l (if (i32.load (i32.add (i32.const 131072) (local.get $i))) (then (unreachable)))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 100000))))
         (i32.const 1024)";
    for round in 0..8 {
        attack(&format!("writer-{round}"), &writer).await;
        let component = Guest::new().does(reader).component();
        let (plugin, _folder) = plugin(&format!("reader-{round}"), &component, |_| {});

        let out = plugin.intercept(batch(&["X"]), &mut Drops::default()).await;
        assert_eq!(out.expect("it found zeros only").len(), 1, "round {round}");
        goes_on("reader", &plugin).await;
    }
}
