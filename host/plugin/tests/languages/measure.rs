//! The table of `guest-examples/LANGUAGES.md`: run by hand, in release, on a quiet machine.
//!
//! ```text
//! FLUMEN_GUESTS=target/guests cargo test --release -p flumen-plugin --test languages -- --ignored --nocapture
//! ```
//!
//! The guests are `ops_LANGUAGE.wasm` (option `op`: pass, drop, header, mask; built by `tests/guests/LANGUAGE.sh` from
//! `tests/guests/ops/`). Timed: host columns in, host edits out, with the checks of the canonical ABI; what the host does
//! to make a batch of the edits is not in it. The least of many runs, which is what the guest costs undisturbed.

use std::time::Instant;

use flumen_plugin::world::v0_1_0::bindings::exports::flumen::plugin::intercept::Batch;

use crate::guest::Compiled;
use crate::rows::{Columns, Row};

/// An event with a body of 200 bytes, a tenth of them digits, every tenth with `ERROR-7`; and two headers.
pub fn row(i: usize, more: &[(&str, &str)]) -> Row {
    let mut body =
        format!("2026-11-22T20:00:00.{:03}Z web1 GET /index.html?user={i:05} status=200 ", i % 1000);
    if i.is_multiple_of(10) {
        body.push_str("ERROR-7 ");
    }
    while body.len() < 200 {
        body.push_str("lorem ipsum dolor ");
    }
    body.truncate(200);
    let mut headers = [("host", "web1.example.org"), ("timestamp", "1700000000000")].to_vec();
    headers.extend_from_slice(more);
    let owned = headers.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
    Row { headers: owned.collect(), body: body.into_bytes() }
}

#[test]
#[ignore = "measures; run it by hand, in release, on a quiet machine"]
fn ns_per_event_by_language() {
    for language in ["c", "go", "js", "python"] {
        let Some(file) = crate::guest_file("ops", language) else { continue };
        let bytes = std::fs::metadata(&file).expect("it was there").len();
        let compiled = Compiled::new(&file);
        eprintln!("{language}: {} KiB, compiled in {} ms", bytes >> 10, compiled.compile_time.as_millis());
        let fresh = compiled.instance(usize::MAX >> 1).store.data().grown;
        eprintln!(
            "  needs {}; {} KiB of memory, {} table entries when made",
            compiled.resources,
            fresh.memory_bytes >> 10,
            fresh.table_elements
        );
        eprintln!(
            "  imports {:?}",
            compiled.imports.iter().filter(|i| !i.starts_with("flumen:")).collect::<Vec<_>>()
        );
        instances(&compiled);
        for op in ["pass", "drop", "header", "mask"] {
            let cells: Vec<String> = [1, 100, 1000].map(|count| per_event(&compiled, op, count)).to_vec();
            eprintln!("  {op:8} {}", cells.join(" / "));
        }
    }
}

fn instances(compiled: &Compiled) {
    let (mut instantiate, mut configure) = (u128::MAX, u128::MAX);
    for _ in 0..20 {
        let start = Instant::now();
        let mut instance = compiled.instance(usize::MAX >> 1);
        let made = start.elapsed().as_micros();
        instance.configure(&[("op", "pass")]).expect("no trap").expect("configured");
        instantiate = instantiate.min(made);
        configure = configure.min(start.elapsed().as_micros() - made);
    }
    let before = resident_kib();
    let held: Vec<_> = (0..20)
        .map(|_| {
            let mut instance = compiled.instance(usize::MAX >> 1);
            instance.configure(&[("op", "pass")]).expect("no trap").expect("configured");
            instance
        })
        .collect();
    let idle = (resident_kib() - before) / 20;
    drop(held);
    eprintln!("  instantiate {instantiate} us, first configure {configure} us, an idle instance {idle} KiB");
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

fn per_event(compiled: &Compiled, op: &str, count: usize) -> String {
    let mut instance = compiled.instance(usize::MAX >> 1);
    let needs = instance.configure(&[("op", op)]).expect("no trap").expect("configured");
    let rows: Vec<Row> = (0..count).map(|i| row(i, &[])).collect();
    let columns = Columns::of(&rows, &needs);
    let headers = columns.headers();
    let mut least = u128::MAX;
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < 5 || (begun.elapsed().as_millis() < 1500 && rounds < 5000) {
        let batch = Batch { count: columns.count, bodies: columns.bodies(), headers: &headers };
        let start = Instant::now();
        let edits = instance.intercept(batch).expect("no trap").expect("no error");
        least = least.min(start.elapsed().as_nanos());
        drop(edits);
        rounds += 1;
    }
    let each = least / count as u128;
    if each == 0 { format!("{least} ns for all") } else { each.to_string() }
}
