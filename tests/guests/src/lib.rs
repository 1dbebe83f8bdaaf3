//! The Rust guests of `guest-examples`, for tests of the host.
//!
//! `tests/run` builds them before the tests and names their folder in `FLUMEN_GUESTS`. A test that runs without it,
//! by plain `cargo test`, builds those it needs: `tests/guests/build` takes no time when there is nothing to do.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The component of a guest by its name in `guest-examples/rust`.
///
/// # Panics
/// If it is not there and cannot be built: the test cannot say anything then.
#[must_use]
pub fn component(name: &str) -> PathBuf {
    let folder = std::env::var_os("FLUMEN_GUESTS").map_or_else(|| build(name), PathBuf::from);
    let file = folder.join(format!("{name}.wasm"));
    assert!(file.is_file(), "there is no guest {}: run tests/guests/build", file.display());
    file
}

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies in tests/guests")
}

fn build(name: &str) -> PathBuf {
    // One at a time, and each guest once in a process.
    static BUILT: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    if built.get_or_insert_default().insert(name.to_owned()) {
        let mut script = Command::new(repository().join("tests/guests/build"));
        // What cargo sets for a test of the host must not reach the build of a guest.
        let output = script.arg(name).env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS").output();
        let output = output.expect("tests/guests/build can be started");
        assert!(
            output.status.success(),
            "tests/guests/build {name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    target.join("guests")
}
