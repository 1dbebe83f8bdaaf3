//! Mutants of all files are judged as Flume's own `FlumeConfiguration` judges them.
//!
//! Needs Java and the jars of Flume 1.11: `FLUME_LIB=/tmp/flume/lib cargo test -p flumen-config --test differential`.
//! Without `FLUME_LIB` it says so and does nothing; the fixtures' EXPECTED.tsv holds the same judge's word.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use common::{Random, mutate};

const MUTANTS: usize = 6_000;

#[test]
fn mutants_keep_what_flume_keeps() {
    let Some(lib) = std::env::var_os("FLUME_LIB") else {
        println!("skipped: FLUME_LIB is not set");
        return;
    };
    let seed = std::env::var("FLUMEN_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7);
    println!("seed {seed}");
    let dir = tempfile::tempdir().expect("a folder");
    write_mutants(dir.path(), seed);
    let theirs = oracle(Path::new(&lib), dir.path());
    let mut wrong = Vec::new();
    let mut compared = 0;
    for path in common::configurations(dir.path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let rows = theirs.get(&name).expect("Flume's word on every mutant");
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("the mutant")).into_owned();
        if rows.iter().any(|row| row.contains("\tTHROWS\t")) || differs_on_purpose(&text) {
            continue;
        }
        compared += 1;
        let ours: BTreeSet<String> = common::kept(&path).into_iter().collect();
        if ours != *rows {
            wrong.push(format!("ours {ours:#?}\nFlume {rows:#?}\n{text}\n"));
        }
    }
    println!("{compared} mutants compared");
    assert!(compared > MUTANTS * 7 / 10, "only {compared}");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// What Flumen does better on purpose (see `agents.rs`): `load_balancing` selectors. And NUL characters, which Flume
/// trims from names here and not there.
fn differs_on_purpose(text: &str) -> bool {
    text.contains('\0') || (text.contains("selector.type") && text.contains("load_balancing"))
}

fn write_mutants(dir: &Path, seed: u64) {
    let mut random = Random(seed);
    let mut files = common::configurations(&common::fixtures());
    files.extend(common::realworld().map(|dir| common::configurations(&dir)).unwrap_or_default());
    for number in 0..MUTANTS {
        let bytes = std::fs::read(&files[number % files.len()]).expect("the file");
        let mut mutant = mutate(&bytes, &mut random);
        for _ in 0..random.below(4) {
            mutant = mutate(&mutant, &mut random);
        }
        std::fs::write(dir.join(format!("{number:05}.properties")), mutant).expect("written");
    }
}

/// The rows that Flume gives, by file.
fn oracle(lib: &Path, dir: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/FlumeOracle.java");
    let output = Command::new("java")
        .args(["-cp", &format!("{}/*", lib.display())])
        .arg(source)
        .arg(dir)
        .output()
        .expect("java runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut cells = line.split('\t');
        let (Some(file), Some(agent)) = (cells.next(), cells.next()) else { continue };
        let of_file = rows.entry(file.to_owned()).or_default();
        if agent != "ERR" {
            of_file.insert(line.trim_end_matches('\t').to_owned());
        }
    }
    rows
}
