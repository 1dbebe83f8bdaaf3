//! The guest, built once, and plugins of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use flumen_channel::{MemoryChannel, MemoryLimits};
use flumen_event::{Batch, BatchBuilder, Limits as BatchLimits};
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::{Grants, Kind, Limits, OnError, PluginSpec};
use flumen_plugin::{Host, HostOptions};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The component's file. Installs the target if it is missing.
pub fn component() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = std::env::var_os("FLUMEN_GUEST_TARGET_DIR")
            .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests-core"), PathBuf::from);
        let build = || {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "--release", "--target", "wasm32-wasip2", "--target-dir"]);
            cargo.arg(&target).current_dir(root().join("tests/guests-core")).env_remove("RUSTFLAGS");
            cargo.status().expect("cargo runs").success()
        };
        if !build() {
            let added = Command::new("rustup").args(["target", "add", "wasm32-wasip2"]).status();
            assert!(
                added.is_ok_and(|status| status.success()) && build(),
                "the guest cannot be built: see above"
            );
        }
        target.join("wasm32-wasip2/release/guests_core.wasm")
    })
}

/// The component's bytes, with this number as its version.
pub fn version(number: u32) -> Vec<u8> {
    let mut bytes = std::fs::read(component()).expect("it was built");
    let mark = b"GUEST-VERSION:0000000000";
    let places: Vec<usize> =
        (0..bytes.len() - mark.len()).filter(|at| bytes[*at..].starts_with(mark)).collect();
    assert_eq!(places.len(), 1, "the version is in the data once");
    bytes[places[0] + 14..places[0] + 24].copy_from_slice(format!("{number:010}").as_bytes());
    bytes
}

/// A host with a cache that all tests of the process share: the guest is compiled once.
pub fn host() -> &'static Arc<Host> {
    static HOST: OnceLock<Arc<Host>> = OnceLock::new();
    HOST.get_or_init(|| Host::new(options()).expect("threads can be started"))
}

pub fn options() -> HostOptions {
    HostOptions {
        cache_dir: Some(cache()),
        compute_instances_max: 50,
        io_instances_max: 20,
        ..HostOptions::default()
    }
}

fn cache() -> PathBuf {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    CACHE.get_or_init(|| tempfile::tempdir().expect("a folder")).path().join("cache")
}

/// What a configuration would say.
pub fn spec(what: &str) -> PluginSpec {
    PluginSpec {
        path: format!("a1.sources.r1.interceptors.{what}"),
        agent: "a1".to_owned(),
        kind: Kind::Interceptor,
        component: component().to_owned(),
        options: vec![("do".to_owned(), what.to_owned())],
        limits: Limits::default(),
        grants: Grants::default(),
        on_error: OnError::Retry,
        instances: Some(2),
    }
}

/// A plugin that does this.
pub fn plugin(what: &str) -> InterceptorPlugin {
    InterceptorPlugin::new(host(), spec(what))
}

/// Events with these bodies.
pub fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new(BatchLimits::default());
    for body in bodies {
        builder.push(body.as_bytes(), [("host", "web1")]).expect("it is small");
    }
    builder.finish()
}

/// The bodies.
pub fn bodies(batch: &Batch) -> Vec<String> {
    batch.iter().map(|event| String::from_utf8_lossy(event.body()).into_owned()).collect()
}

/// Waits for something that other threads bring about.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("not within 10 s: {what}");
}

/// A channel for dead letters.
pub fn channel() -> MemoryChannel {
    let limits = MemoryLimits {
        capacity: 100,
        transaction_capacity: 100,
        keep_alive: std::time::Duration::from_secs(1),
        body_bytes_max: 0,
    };
    MemoryChannel::new(limits, Arc::default())
}

/// Tenants of this text.
pub fn tenants(text: &str) -> flumen_plugin::tenants::Tenants {
    let mut findings = flumen_config::Diagnostics::default();
    let source = flumen_config::SourceText::new("tenants.toml", text);
    let read = flumen_plugin::tenants::Tenants::read(&source, &mut findings);
    read.unwrap_or_else(|| panic!("{findings:?}"))
}
