//! Plugins of the fixtures, and what they work on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flumen_channel::{Channel, MemoryChannel, MemoryLimits};
use flumen_event::{Batch, BatchBuilder};
use flumen_plugin::spec::{DeadLetter, Grants, Kind, Limits, OnError, PluginSpec};
use flumen_plugin::{Host, HostOptions};

/// The folder of the released package.
pub fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0")
}

/// A host with a cache that all tests of the process share: each fixture is compiled once.
pub fn host() -> &'static Arc<Host> {
    static HOST: OnceLock<Arc<Host>> = OnceLock::new();
    HOST.get_or_init(|| Host::new(options(&folder().join("state"))).expect("threads can be started"))
}

/// A host of its own, with this folder for state: what a restarted process is.
pub fn host_in(state_dir: &Path) -> Arc<Host> {
    Host::new(options(state_dir)).expect("threads can be started")
}

fn options(state_dir: &Path) -> HostOptions {
    HostOptions {
        cache_dir: Some(folder().join("cache")),
        state_dir: state_dir.to_owned(),
        compute_instances_max: 40,
        io_instances_max: 40,
        ..HostOptions::default()
    }
}

fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder")).path()
}

/// What a configuration would say.
pub fn spec(kind: Kind, options: &[(&str, &str)]) -> PluginSpec {
    let file = match kind {
        Kind::Interceptor => "interceptor",
        Kind::Serializer => "serializer",
        Kind::Deserializer => "deserializer",
        Kind::Selector => "selector",
        Kind::Source => "source",
        Kind::Sink => "sink",
        Kind::HttpHandler => "http_handler",
    };
    PluginSpec {
        path: format!("a1.{file}.p"),
        agent: "a1".to_owned(),
        kind,
        component: package().join(format!("fixtures/{file}.wasm")),
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        limits: Limits { batch_time_max: Duration::from_millis(500), ..Limits::default() },
        grants: Grants::default(),
        on_error: OnError::Retry,
        instances: Some(2),
    }
}

/// The same, failing in another way.
pub fn on_error(spec: PluginSpec, on_error: OnError) -> PluginSpec {
    PluginSpec { on_error, ..spec }
}

/// Dead letters of this name.
pub fn letters(name: &str) -> OnError {
    OnError::DeadLetter(DeadLetter::Channel(name.to_owned()))
}

/// Events with these bodies, all with `host = web1`.
pub fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::default();
    for body in bodies {
        builder.push(body.as_bytes(), [("host", "web1")]).expect("it is small");
    }
    builder.finish()
}

/// The bodies.
pub fn bodies(batch: &Batch) -> Vec<String> {
    batch.iter().map(|event| String::from_utf8_lossy(event.body()).into_owned()).collect()
}

/// A channel for so many events.
pub fn channel(capacity: usize) -> Arc<dyn Channel> {
    let limits = MemoryLimits {
        capacity,
        transaction_capacity: capacity,
        keep_alive: Duration::from_millis(200),
        body_bytes_max: 0,
    };
    Arc::new(MemoryChannel::new(limits, Arc::default()))
}
