//! The guests of the languages other than Rust, each held to the same golden files as the Rust one, and measured.
//!
//! They are built by `tests/guests/{python,js,go,c}.sh` into `$FLUMEN_GUESTS` (else `target/guests`). A guest that
//! could not be built left a `.skipped` file with the reason beside where it would be, and its tests say SKIPPED; one
//! that is simply not there is a failure when `FLUMEN_GUESTS` is set, else SKIPPED with the command that builds it.

mod guest;
mod measure;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};

use flumen_plugin::world::v0_1_0::bindings::exports::flumen::plugin::intercept::{Batch, Needs};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::Error;
use serde_json::Value;

use crate::guest::{Compiled, Instance};
use crate::rows::{Columns, Row, apply, read_jsonl};

/// The default of `limits.memoryBytesMax`: each guest has to do with it.
const MEMORY_BYTES_MAX: usize = 64 << 20;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The guest's file; none, said aloud, when there is a reason for its absence.
pub fn guest_file(name: &str, language: &str) -> Option<PathBuf> {
    let given = std::env::var_os("FLUMEN_GUESTS").map(PathBuf::from);
    let folder = given.clone().unwrap_or_else(|| root().join("target/guests"));
    let file = folder.join(format!("{name}_{language}.wasm"));
    if file.exists() {
        return Some(file);
    }
    match fs::read_to_string(file.with_extension("skipped")) {
        Ok(reason) => eprintln!("SKIPPED {name} in {language}: {}", reason.trim()),
        Err(_) if given.is_some() => {
            panic!("{} is not there: run tests/guests/{language}.sh", file.display())
        }
        Err(_) => eprintln!(
            "SKIPPED {name} in {language}: build it with OUT={} tests/guests/{language}.sh",
            folder.display()
        ),
    }
    None
}

fn golden(folder: &str, file: &str) -> String {
    let path = root().join("guest-examples/golden").join(folder).join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn options_of(config: &Value) -> Vec<(&str, &str)> {
    config
        .as_object()
        .expect("an object")
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str().expect("text")))
        .collect()
}

/// Runs `rows` through a configured instance.
fn run(instance: &mut Instance, needs: &Needs, rows: &[Row]) -> Vec<Row> {
    let columns = Columns::of(rows, needs);
    let headers = columns.headers();
    let batch = Batch { count: columns.count, bodies: columns.bodies(), headers: &headers };
    let edits = instance.intercept(batch).expect("no trap").expect("no error");
    let (out, rejected) = apply(rows.to_vec(), &edits);
    assert_eq!(rejected, []);
    out
}

fn gives_the_golden_output(compiled: &Compiled) {
    for folder in ["mask_digits", "mask_digits_defaults"] {
        let config: Value = serde_json::from_str(&golden(folder, "config.json")).expect("JSON");
        let (input, expected) =
            (read_jsonl(&golden(folder, "input.jsonl")), read_jsonl(&golden(folder, "expected.jsonl")));
        // In one batch, one by one, and none: what depends on where a batch begins shows here.
        for size in [input.len(), 1, 7] {
            let mut instance = compiled.instance(MEMORY_BYTES_MAX);
            let needs =
                instance.configure(&options_of(&config)).expect("no trap").expect("a good configuration");
            assert_eq!(run(&mut instance, &needs, &[]), []);
            let out: Vec<Row> =
                input.chunks(size).flat_map(|rows| run(&mut instance, &needs, rows)).collect();
            for (i, (got, want)) in out.iter().zip(&expected).enumerate() {
                assert_eq!(got, want, "{folder}, batches of {size}, event {i}");
            }
            assert_eq!(out.len(), expected.len(), "{folder}, batches of {size}");
        }
    }
}

fn refuses_bad_options_by_key(compiled: &Compiled) {
    for line in golden("mask_digits", "refused.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let mut instance = compiled.instance(MEMORY_BYTES_MAX);
        match instance.configure(&options_of(&case["config"])).expect("no trap") {
            Err(Error::Config(error)) => {
                assert_eq!(error.key.as_deref(), case["key"].as_str(), "{line}");
                assert!(!error.message.is_empty(), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

/// How a guest's memory behaves over many batches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// It grows no more after the first batches.
    Bounded,
    /// The toolchain leaks what is answered: componentize-py 0.25.1 never frees a `list<u8>` that goes out
    /// (`maybe_pop_list` of its runtime). It is bounded only when the host replaces an instance, between two calls,
    /// that has come to three quarters of its limit.
    LeaksAnswers,
}

/// A hundred thousand events through one instance (a million with `FLUMEN_TEST_LONG`), no trap, and no growth once
/// it is warm.
fn memory_stays_bounded(compiled: &Compiled, memory: Memory) {
    let batches = match memory {
        _ if std::env::var_os("FLUMEN_TEST_LONG").is_some() => 1000,
        Memory::Bounded => 100,
        Memory::LeaksAnswers => 250,
    };
    let configured = || {
        let mut instance = compiled.instance(MEMORY_BYTES_MAX);
        let needs =
            instance.configure(&[("header", "card")]).expect("no trap").expect("a good configuration");
        (instance, needs)
    };
    let (mut instance, needs) = configured();
    let rows: Vec<Row> = (0..1000).map(|i| measure::row(i, &[("card", "4111 1111")])).collect();
    let columns = Columns::of(&rows, &needs);
    let headers = columns.headers();
    let (mut warm, mut replaced) = (0, 0);
    for round in 0..batches {
        let batch = Batch { count: columns.count, bodies: columns.bodies(), headers: &headers };
        let called = instance.intercept(batch);
        let grown = instance.store.data().grown;
        let edits =
            called.unwrap_or_else(|e| panic!("batch {round} with {grown:?}: {e:?}")).expect("no error");
        assert!(edits.bodies.is_some() && edits.set_headers.len() == 2);
        if round < 50 {
            warm = grown.memory_bytes;
        }
        if memory == Memory::LeaksAnswers && grown.memory_bytes > MEMORY_BYTES_MAX / 4 * 3 {
            replaced += 1;
            instance = configured().0;
        }
    }
    let grown = instance.store.data().grown;
    eprintln!("after {batches} batches of 1000: {grown:?}, {replaced} instances replaced");
    match memory {
        Memory::Bounded => assert_eq!(grown.memory_bytes, warm, "memory grew after the first 50 batches"),
        Memory::LeaksAnswers => assert!(replaced > 0, "the toolchain leaks no more: expect `Bounded` of it"),
    }
}

/// Every kind of edit, and everything the host offers, by the per-event side of the kits. C adds no events.
fn every_kind_of_edit(compiled: &Compiled, adds: bool) {
    let mut instance = compiled.instance(MEMORY_BYTES_MAX);
    let needs = instance.configure(&[("op", "edits")]).expect("no trap").expect("a good configuration");
    let row = |host: &str, body: &str| Row {
        headers: [("host".to_owned(), host.to_owned())].into(),
        body: body.as_bytes().to_vec(),
    };
    let rows = ["zero", "one", "two", "three", "four"].map(|body| row(&format!("wéb-{body}"), body)).to_vec();
    let columns = Columns::of(&rows, &needs);
    let headers = columns.headers();
    let batch = Batch { count: columns.count, bodies: columns.bodies(), headers: &headers };
    let edits = instance.intercept(batch).expect("no trap").expect("no error");
    let (out, rejected) = apply(rows, &edits);
    let mut expected = read_jsonl(concat!(
        r#"{"headers": {"seen": "yes", "state": "v1k"}, "body": "new"}"#,
        "\n",
        r#"{"headers": {"new": "1"}, "body": "added"}"#,
        "\n",
        r#"{"headers": {"a": "wéb-three", "seen": "yes"}, "body": "three"}"#,
        "\n",
        r#"{"headers": {"seen": "särskild"}, "body": "four"}"#
    ));
    if !adds {
        expected.remove(1);
    }
    assert_eq!((out, rejected), (expected, vec![(2, "bad".to_owned())]));
    let host = instance.store.data();
    assert_eq!((host.numbers["edits"], host.numbers["level"]), (2.0, 0.5));
    assert!(host.lines.len() == 1 && host.lines[0].starts_with("Level::Info edited"), "{:?}", host.lines);
}

macro_rules! language {
    ($module:ident, $language:literal, $memory:expr) => {
        mod $module {
            #[test]
            fn mask_digits_is_the_one_of_every_language_and_bounded() {
                let Some(file) = crate::guest_file("mask_digits", $language) else { return };
                let compiled = crate::Compiled::new(&file);
                crate::gives_the_golden_output(&compiled);
                crate::refuses_bad_options_by_key(&compiled);
                crate::memory_stays_bounded(&compiled, $memory);
            }

            #[test]
            fn every_kind_of_edit_reaches_the_host() {
                let Some(file) = crate::guest_file("ops", $language) else { return };
                crate::every_kind_of_edit(&crate::Compiled::new(&file), $language != "c");
            }
        }
    };
}

language!(python, "python", crate::Memory::LeaksAnswers);
language!(js, "js", crate::Memory::Bounded);
language!(go, "go", crate::Memory::Bounded);
language!(c, "c", crate::Memory::Bounded);

#[test]
fn a_serializer_in_python_writes_its_file() {
    let Some(file) = guest_file("tsv", "python") else { return };
    let rows = read_jsonl(concat!(
        r#"{"headers": {"host": "web1", "z": "ü"}, "body": "one\ttwo"}"#,
        "\n",
        r#"{"headers": {}, "body": ""}"#,
        "\n",
        r#"{"headers": {"host": "web\n2"}, "bodyBase64": "//4="}"#
    ));
    let mut instance = Compiled::new(&file).instance(MEMORY_BYTES_MAX);
    let out = instance.serialize(&[("headers", "z host"), ("title", "true")], &rows);
    let expected: &[u8] = b"z\thost\tbody\n\xc3\xbc\tweb1\tone two\n\t\t\n\tweb 2\t\xff\xfe\n";
    assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
}
