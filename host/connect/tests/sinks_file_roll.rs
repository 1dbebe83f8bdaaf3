//! `file_roll` on the real file system. Broken disks are tested inside the sink, with disks made of memory.

#[path = "sink_fixtures/mod.rs"]
mod fixtures;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use flumen_connect::{Sink, SinkCounters};
use flumen_event::Batch;
use tempfile::TempDir;

fn sink(directory: &Path, pairs: &[(&str, &str)]) -> Box<dyn Sink> {
    let directory = [("sink.directory", directory.to_str().expect("UTF-8"))];
    fixtures::sink("file_roll", &[&directory, pairs].concat())
}

fn batch(bodies: &[&str]) -> Batch {
    fixtures::batch(bodies, &[("k", "v")])
}

/// Paths and contents in the order of the names.
fn files(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).expect("text"))).collect()
}

#[tokio::test]
async fn delivered_events_are_in_the_file_before_deliver_returns() {
    let home = TempDir::new().expect("a directory");
    let mut sink = sink(home.path(), &[]);
    assert_eq!(sink.batch_size(), 100);
    sink.open().await.expect("opens");
    assert_eq!(files(home.path())[0].1, "", "the file is there from the start");
    sink.deliver(&[batch(&["one", "two"]), batch(&["three"])]).await.expect("delivers");
    assert_eq!(files(home.path())[0].1, "one\ntwo\nthree\n");
    sink.close().await.expect("closes");
}

#[tokio::test]
async fn files_are_named_as_flumes() {
    let home = TempDir::new().expect("a directory");
    let names = [("sink.pathManager.prefix", "web-"), ("sink.pathManager.extension", "log")];
    let mut sink = sink(home.path(), &names);
    sink.open().await.expect("opens");
    let name = files(home.path())[0].0.file_name().expect("named").to_string_lossy().into_owned();
    let millis = name.strip_prefix("web-").and_then(|n| n.strip_suffix("-1.log")).expect("Flume's form");
    assert!(millis.len() == 13 && millis.bytes().all(|b| b.is_ascii_digit()), "{name}");
}

#[tokio::test]
async fn serializer_options_reach_the_file() {
    let home = TempDir::new().expect("a directory");
    let mut sink = sink(
        home.path(),
        &[("sink.serializer", "HEADER_AND_TEXT"), ("sink.serializer.appendNewline", "false")],
    );
    sink.open().await.expect("opens");
    sink.deliver(&[batch(&["a", "b"])]).await.expect("delivers");
    assert_eq!(files(home.path())[0].1, "{k=v} a{k=v} b");
}

#[tokio::test]
async fn a_missing_directory_is_named_and_tried_again() {
    let home = TempDir::new().expect("a directory");
    let directory = home.path().join("missing");
    let counters = Arc::new(SinkCounters::default());
    let mut sink = sink(&directory, &[]);
    sink.attach(counters.clone());
    for _ in 0..2 {
        let error = sink.open().await.expect_err("no directory").to_string();
        assert!(error.contains(directory.to_str().expect("UTF-8")) && error.contains("create it"), "{error}");
    }
    std::fs::create_dir(&directory).expect("creates");
    sink.open().await.expect("opens");
    sink.deliver(&[batch(&["a"])]).await.expect("delivers");
    let found = files(&directory);
    assert!(found[0].0.to_string_lossy().ends_with("-1") && found[0].1 == "a\n", "{found:?}");
    let get = flumen_connect::ledger::get;
    assert_eq!((get(&counters.connection_failed), get(&counters.connection_created)), (2, 1));
}

#[tokio::test]
async fn a_directory_that_is_deleted_while_running_is_noticed_before_events_leave_the_channel() {
    let home = TempDir::new().expect("a directory");
    let directory = home.path().join("out");
    std::fs::create_dir(&directory).expect("creates");
    let mut sink = sink(&directory, &[]);
    sink.open().await.expect("opens");
    std::fs::remove_dir_all(&directory).expect("removes");
    for _ in 0..2 {
        let error = sink.deliver(&[batch(&["a"])]).await.expect_err("nowhere to write").to_string();
        assert!(error.contains("does not exist"), "{error}");
    }
    std::fs::create_dir(&directory).expect("creates");
    sink.deliver(&[batch(&["a"])]).await.expect("delivers");
    assert_eq!(files(&directory).iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["a\n"]);
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_written_on() {
    let home = TempDir::new().expect("a directory");
    let mut sink = sink(home.path(), &[]);
    sink.open().await.expect("opens");
    sink.deliver(&[batch(&["a"])]).await.expect("delivers");
    std::fs::rename(&files(home.path())[0].0, home.path().join("moved")).expect("moves");
    sink.deliver(&[batch(&["b"])]).await.expect("delivers");
    assert_eq!(files(home.path()).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["a\nb\n"]);
}

#[tokio::test]
async fn fsync_writes_the_same_file() {
    let home = TempDir::new().expect("a directory");
    let mut sink = sink(home.path(), &[("sink.fsync", "batch"), ("sink.rollInterval", "0")]);
    sink.open().await.expect("opens");
    assert!(sink.idle_at().is_none(), "never rolls");
    sink.deliver(&[batch(&["a"])]).await.expect("delivers");
    sink.close().await.expect("closes");
    assert_eq!(files(home.path())[0].1, "a\n");
}

#[test]
fn wrong_options_are_refused_before_anything_starts() {
    let spec = fixtures::spec("file_roll");
    for (pairs, needle) in [
        (vec![], "`sink.directory` is not set"),
        (vec![("sink.directory", "/x"), ("sink.batchSize", "0")], "sink.batchSize = 0"),
        (vec![("sink.directory", "/x"), ("sink.fsync", "always")], "neither `never` nor `batch`"),
        (vec![("sink.directory", "/x"), ("sink.rollInterval", "30s")], "sink.rollInterval = 30s"),
    ] {
        let mut findings = flumen_config::Diagnostics::default();
        assert!(!(spec.check)(&fixtures::settings(&pairs), &mut findings));
        assert!(findings.iter().any(|d| d.message.contains(needle)), "{needle}: {findings:?}");
    }
}

/// The kernel's own short write and error in the middle of a batch. A process's limit on the size of its files
/// can be set without privileges; the signal that goes with it is ignored by a shell around this very test.
#[test]
fn a_write_cut_short_by_the_kernel_leaves_whole_lines_only() {
    const INSIDE: &str = "FLUMEN_TEST_FILE_LIMIT";
    if std::env::var_os(INSIDE).is_some() {
        return hit_the_file_size_limit();
    }
    let test = std::env::current_exe().expect("this test");
    let inside = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; exec "$0" --exact "$1" --nocapture"#])
        .arg(test)
        .arg("a_write_cut_short_by_the_kernel_leaves_whole_lines_only")
        .env(INSIDE, "1")
        .output()
        .expect("sh runs");
    assert!(inside.status.success(), "{}", String::from_utf8_lossy(&inside.stderr));
}

fn hit_the_file_size_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let home = TempDir::new().expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut sink = sink(home.path(), &[]);
    let line = "x".repeat(99);
    let unlimited = getrlimit(Resource::Fsize);
    let limited = Rlimit { current: Some(1550), ..unlimited };
    runtime.block_on(async {
        sink.open().await.expect("opens");
        sink.deliver(&[batch(&[line.as_str(); 10])]).await.expect("delivers");
        setrlimit(Resource::Fsize, limited).expect("a soft limit");
        let error = sink.deliver(&[batch(&[line.as_str(); 10])]).await.expect_err("too large").to_string();
        assert!(error.contains("File too large") && error.contains("new file"), "{error}");
        sink.deliver(&[batch(&[line.as_str(); 10])]).await.expect("fits a new file");
        setrlimit(Resource::Fsize, unlimited).expect("the limit of before");
    });
    let lengths: Vec<usize> = files(home.path()).iter().map(|(_, text)| text.len()).collect();
    assert_eq!(lengths, [1000, 1000], "the first was cut back from 1550 bytes");
}
