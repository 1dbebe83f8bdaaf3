//! A sink type, a sink as its settings would make it, and events for it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use flumen_config::{ComponentSpec, Settings};
use flumen_connect::Sink;
use flumen_connect::catalog::by_name;
use flumen_connect::sinks::TYPES;
use flumen_event::{Batch, BatchBuilder};

pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::from_pairs("a1.sinks.k1", pairs.iter().copied())
}
pub fn spec(kind: &str) -> ComponentSpec {
    by_name(TYPES, kind).expect("known").spec
}
pub fn sink(kind: &str, pairs: &[(&str, &str)]) -> Box<dyn Sink> {
    (by_name(TYPES, kind).expect("known").build)(&settings(pairs)).expect("valid settings")
}

/// Events with these bodies, and the same headers on each.
pub fn batch(bodies: &[&str], headers: &[(&str, &str)]) -> Batch {
    let mut builder = BatchBuilder::default();
    for body in bodies {
        builder.push(body.as_bytes(), headers.iter().copied()).expect("fits");
    }
    builder.finish()
}
