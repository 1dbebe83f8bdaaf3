//! Real published configurations are judged as Flume's own `FlumeConfiguration` judges them.
//!
//! `EXPECTED.tsv` beside the files was written by that Java class, 1.9.0 and 1.11.0. The files belong to others and
//! are not in this repository; our own cases with the same oddities are in `tests/fixtures`.

mod common;

use std::path::Path;

#[test]
fn every_realworld_file_keeps_what_flume_keeps() {
    let Some(dir) = common::realworld() else { return };
    let wrong = differences(&dir);
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_fixture_keeps_what_flume_keeps() {
    let wrong = differences(&common::fixtures());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The rows of EXPECTED.tsv that a load does not give, and the other way round.
fn differences(dir: &Path) -> Vec<String> {
    let expected = std::fs::read_to_string(dir.join("EXPECTED.tsv")).expect("EXPECTED.tsv");
    let files = common::configurations(dir);
    assert!(files.len() >= 15, "only {} files in {}", files.len(), dir.display());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let of_file: Vec<&str> = expected
            .lines()
            .filter(|l| l.starts_with(&format!("{name}\t")) && l.split('\t').nth(1) != Some("ERR"))
            .collect();
        assert!(!of_file.is_empty(), "{name} is not in EXPECTED.tsv");
        let errors = expected.lines().find(|l| l.starts_with(&format!("{name}\tERR"))).unwrap_or_default();
        let actual = common::kept(&file);
        for line in &of_file {
            if !actual.iter().any(|a| a == line.trim_end_matches('\t')) {
                wrong.push(format!("missing: {line}"));
            }
        }
        for line in &actual {
            // Agents that only a misspelt key brought into being are in the list of errors alone.
            let agent = line.split('\t').nth(1).unwrap_or_default();
            let only_an_error = line.ends_with("REMOVED")
                && errors.contains(&format!("AGENT_CONFIGURATION_INVALID:{agent}:"));
            if !of_file.iter().any(|l| l.trim_end_matches('\t') == line) && !only_an_error {
                wrong.push(format!("surplus: {line}"));
            }
        }
    }
    wrong
}
