//! What a plugin costs: host batch in, host batch out, beside native code that does the same.
//!
//! `cargo bench -p flumen-plugin --bench crossing`. Bodies of 200 bytes, two headers. `items` are events.

// Divan's attribute makes functions that look unused.
#![allow(missing_docs, reason = "a program, not a library")]

#[path = "../tests/core/guest.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod guest;

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use flumen_connect::interceptor::{AsyncInterceptor, Drops};
use flumen_event::{Batch, BatchBuilder, HeaderName, Limits, Span};
use flumen_plugin::Host;
use flumen_plugin::call::block_on;
use flumen_plugin::intercept::InterceptorPlugin;

const EVENTS: [usize; 4] = [1, 10, 100, 1000];
const OPERATIONS: [&str; 4] = ["pass", "filter", "header", "mask"];

fn main() {
    divan::main();
}

/// Every fourth event is one to drop; digits are spread over each body.
fn input(events: usize) -> Batch {
    let mut builder = BatchBuilder::new(Limits::default());
    for event in 0..events {
        let start = if event % 4 == 0 { "drop" } else { "keep" };
        let body: String = format!("{start} {event:06} ")
            .chars()
            .chain("abcdefg 42 hijklmnop ".chars().cycle())
            .take(200)
            .collect();
        builder.push(body.as_bytes(), [("host", "web1"), ("status", "200")]).expect("it is small");
    }
    builder.finish()
}

#[divan::bench(args = EVENTS, consts = [0, 1, 2, 3])]
fn guest_<const OPERATION: usize>(bencher: Bencher<'_, '_>, events: usize) {
    let plugin = guest::plugin(OPERATIONS[OPERATION]);
    block_on(plugin.load()).expect("it loads");
    let batch = input(events);
    bencher.counter(ItemsCount::new(events)).bench_local(|| {
        block_on(plugin.intercept(batch.clone(), &mut Drops::default())).expect("it answers")
    });
}

#[divan::bench(args = EVENTS, consts = [0, 1, 2, 3])]
fn native_<const OPERATION: usize>(bencher: Bencher<'_, '_>, events: usize) {
    let batch = input(events);
    bencher.counter(ItemsCount::new(events)).bench_local(|| native(OPERATIONS[OPERATION], batch.clone()));
}

fn native(operation: &str, batch: Batch) -> Batch {
    match operation {
        "filter" => batch.filter(|event| !event.body().starts_with(b"drop")),
        "header" => batch.with_constant(&HeaderName::from("seen"), "yes"),
        "mask" => {
            let spans: Vec<Span> = batch.spans().to_vec();
            let mut arena = batch.arena().to_vec();
            for byte in &mut arena {
                *byte = if byte.is_ascii_digit() { b'#' } else { *byte };
            }
            batch.with_bodies(arena.into(), spans)
        }
        _ => batch,
    }
}

/// Instantiation in a slot of the pool, `configure` and the self-test's call; the host and the code are there.
#[divan::bench]
fn instance_from_the_pool(bencher: Bencher<'_, '_>) {
    let plugin = guest::plugin("pass");
    block_on(plugin.load()).expect("it loads");
    let mut lease = plugin.plugin().lease();
    bencher.bench_local(|| {
        lease.discard();
        block_on(lease.ready()).expect("there is a slot")
    });
}

/// A new host, 20 plugins, all from the cache, and one event through each.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn twenty_plugins_from_the_cache(bencher: Bencher<'_, '_>) {
    block_on(guest::plugin("pass").load()).expect("it is in the cache now");
    bencher.bench_local(|| {
        let host: Arc<Host> = Host::new(guest::options()).expect("it starts");
        let plugins: Vec<InterceptorPlugin> =
            (0..20).map(|_| InterceptorPlugin::new(&host, guest::spec("header"))).collect();
        for plugin in &plugins {
            block_on(plugin.intercept(input(1), &mut Drops::default())).expect("it answers");
        }
        plugins
    });
}
