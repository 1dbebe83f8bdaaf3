//! The pinned directories, unpacked, and events as the lines that Flume's `header_and_text` writes.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flumen_flumelog::{FlumeChannel, FlumeDirectories};
use flumen_keystore::{KeyFiles, SecretKey};
use tempfile::TempDir;

pub const NAMES: [&str; 9] = [
    "checkpointed",
    "clean",
    "encrypted",
    "killed",
    "no_checkpoint",
    "partial",
    "partial_clean",
    "rolled_back",
    "two_dirs",
];

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub fn unpack(name: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let file = std::fs::File::open(fixtures().join(format!("{name}.tar.gz"))).expect(name);
    tar::Archive::new(GzDecoder::new(file)).unpack(dir.path()).expect(name);
    dir
}

/// The lines that real Flume delivered.
pub fn expected(name: &str) -> Vec<String> {
    let text = std::fs::read(fixtures().join(format!("{name}.expected.txt"))).expect(name);
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// The keys of a directory that has a store.
pub fn keys(dir: &Path) -> Vec<(String, SecretKey)> {
    if !dir.join("keys.jceks").exists() {
        return Vec::new();
    }
    let keys = vec![("key-0".to_owned(), None), ("key-1".to_owned(), Some(dir.join("key-1.pw")))];
    let files = KeyFiles { store: dir.join("keys.jceks"), store_password: dir.join("store.pw"), keys };
    files.load().expect("the keys")
}

pub fn open(dir: &Path) -> FlumeChannel {
    let directories = FlumeDirectories::below(&[dir.to_owned()]).expect("a channel");
    FlumeChannel::open(&directories, &keys(dir)).expect("readable")
}

/// All events as lines of `header_and_text`.
pub fn deliver(channel: &mut FlumeChannel) -> Vec<String> {
    let mut lines = Vec::new();
    let batches: Vec<_> = channel.map(|batch| batch.expect("readable")).collect();
    for event in batches.iter().flat_map(|batch| batch.iter()) {
        let mut headers = Vec::new();
        event.headers_in_java_order(&mut headers);
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        lines.push(format!("{{{}}} {}", headers.join(", "), String::from_utf8_lossy(event.body())));
    }
    lines
}

/// The number in `event N of …`.
pub fn number(line: &str) -> usize {
    let digits = line.split("event ").nth(1).and_then(|rest| rest.split(' ').next());
    digits.and_then(|digits| digits.parse().ok()).expect("a number")
}

/// Every file and its content.
pub fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut content = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            content.extend(self::content(&path));
        } else {
            content.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
    content
}
