//! Published configurations against the whole catalog: what `flumen check` keeps of each.
//!
//! The files belong to other people and are not part of the project; the test runs where `FLUMEN_SHARED`, or
//! `../shared` beside the checkout, has them, and says so where not. `host/config/tests` has fixtures of our own
//! for the same odd cases.

use std::path::PathBuf;

use flumen_config::{Input, LoadOptions, load};

/// What is dropped although Flume's first validation, which wrote the table, keeps it: Flume drops the same
/// later, when it configures the component, for the reason beside each.
const DROPPED_LATER: &[&str] = &[
    // An HTTP handler of its owner's own, in Java.
    "05.properties HTTPSource",
    // Two sinks under the default processor, because the file spells `processor` as `policy`.
    "29.properties sink1",
    "29.properties sink2",
    // `port = ${NC_PORT}` with no such variable: not a number.
    "38.properties src1",
    // Bound to no source and no sink.
    "43.properties mch",
    // An interceptor of its owner's own, in Java.
    "46.properties r1",
];

fn corpus() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("FLUMEN_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    Some(shared.join("reference/realworld")).filter(|dir| dir.is_dir())
}

#[test]
fn what_flume_keeps_of_published_configurations_is_kept() {
    let Some(dir) = corpus() else {
        println!("SKIP: no published configurations at hand (set FLUMEN_SHARED)");
        return;
    };
    let catalog = flumen_connect::catalog::catalog();
    let expected = std::fs::read_to_string(dir.join("EXPECTED.tsv")).expect("EXPECTED.tsv");
    let mut dropped = Vec::new();
    let mut compared = 0;
    for row in expected.lines().filter(|row| !row.starts_with('#')) {
        let fields: Vec<&str> = row.split('\t').collect();
        let [file, agent, "ok", kept @ ..] = fields.as_slice() else { continue };
        let loaded = load(&[Input::File(dir.join(file))], &LoadOptions::default(), &catalog);
        let found = loaded.agent(agent).unwrap_or_else(|| panic!("{file}: agent {agent} is gone"));
        let lists = [&found.sources, &found.channels, &found.sinks];
        for (names, list) in kept.iter().zip(lists) {
            for name in names.split_whitespace().filter(|n| !list.iter().any(|c| c.name == **n)) {
                dropped.push(format!("{file} {name}"));
            }
        }
        compared += 1;
    }
    assert!(compared >= 60, "only {compared} agents compared");
    assert_eq!(dropped, DROPPED_LATER);
}
