//! What the JSON handler costs per event, in requests of 100 events of 200 bytes with two headers.
//! `cargo bench -p flumen-connect --bench http_json`; divan prints the rate in events. Row `serde_json` is the same
//! request read into Rust's own strings, for comparison.

use std::collections::HashMap;

use bytes::Bytes;
use divan::counter::ItemsCount;
use flumen_connect::http_handlers::json;
use serde_json::Value;

fn main() {
    divan::main();
}

const EVENTS: usize = 100;

/// A request whose bodies end with `tail`, as it is written in JSON.
fn request(tail: &str) -> Bytes {
    let event = |n: usize| {
        let filler = "x".repeat(189 - tail.len());
        format!(r#"{{"headers":{{"host":"h1","seq":"{n}"}},"body":"{n:010} {filler}{tail}"}}"#)
    };
    let events: Vec<String> = (0..EVENTS).map(event).collect();
    format!("[{}]", events.join(",")).into()
}

#[divan::bench(args = [("plain", ""), ("one escape a body", "\\n"), ("umlauts", "äöü")])]
fn handler(bencher: divan::Bencher<'_, '_>, (_, tail): (&str, &str)) {
    let request = request(tail);
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| json::read(&request).expect("events"));
}

/// Events that are never written like the one before them: each is read anew.
#[divan::bench]
fn handler_of_two_forms_in_turn(bencher: divan::Bencher<'_, '_>) {
    let event = |n: usize| {
        let (seq, host) = (format!(r#""seq":"{n}""#), r#""host":"h1""#);
        let headers = if n.is_multiple_of(2) { format!("{seq},{host}") } else { format!("{host},{seq}") };
        format!(r#"{{"headers":{{{headers}}},"body":"{n:010} {}"}}"#, "x".repeat(189))
    };
    let events: Vec<String> = (0..EVENTS).map(event).collect();
    let request = Bytes::from(format!("[{}]", events.join(",")));
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| json::read(&request).expect("events"));
}

#[divan::bench]
fn serde_json(bencher: divan::Bencher<'_, '_>) {
    let request = request("");
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| {
        let events: Vec<HashMap<String, Value>> = serde_json::from_slice(&request).expect("events");
        events
    });
}
