//! What was released does not change.

use std::collections::BTreeMap;
use std::fs;

use sha2::{Digest as _, Sha256};

use super::fixture::package;

/// The pinned digests, by path below the package's folder.
fn pinned() -> BTreeMap<String, String> {
    let text = fs::read_to_string(package().join("SHA256SUMS")).expect("the list of digests");
    text.lines()
        .map(|line| {
            let (digest, path) = line.split_once("  ").expect("digest, two blanks, path");
            (path.to_owned(), digest.to_owned())
        })
        .collect()
}

fn found() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (folder, prefix, ending) in [("", "", "wit"), ("fixtures", "fixtures/", "wasm")] {
        for entry in fs::read_dir(package().join(folder)).expect("the package") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            if name.ends_with(&format!(".{ending}")) {
                let digest = Sha256::digest(fs::read(entry.path()).expect("readable"));
                let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                found.insert(format!("{prefix}{name}"), digest);
            }
        }
    }
    found
}

/// A change of the contract is a new version, in a folder of its own. See `wit/README.md`.
#[test]
fn a_released_file_is_as_it_was_released() {
    assert_eq!(found(), pinned());
}

#[test]
fn there_is_a_small_fixture_of_each_world() {
    let worlds = fs::read_to_string(package().join("worlds.wit")).expect("the worlds");
    let names = worlds.lines().filter_map(|line| line.strip_prefix("world ")?.split_whitespace().next());
    let names: Vec<String> =
        names.filter(|name| *name != "base").map(|name| name.replace('-', "_")).collect();
    assert_eq!(names.len(), 8);
    for name in names {
        let file = package().join(format!("fixtures/{name}.wasm"));
        let size = fs::metadata(&file).unwrap_or_else(|error| panic!("{name}: {error}")).len();
        assert!(size < 100 << 10, "{name} has {size} bytes");
    }
}
