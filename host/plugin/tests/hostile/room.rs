//! A host with a hostile tenant and a victim, and what has to hold after every attack.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flumen_channel::{Channel, MemoryChannel, MemoryLimits};
use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_event::{Batch, BatchBuilder, Limits as BatchLimits};
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::{DeadLetter, Grants, Kind, Limits, OnError, PluginSpec};
use flumen_plugin::{AnyPlugin as _, Host, HostOptions};

use super::guest::Guest;

/// What the whole process may hold while one of these guests runs: the tests run side by side.
const RESIDENT_BYTES_MAX: usize = 2 << 30;

/// The host of all these tests.
pub fn host() -> &'static Arc<Host> {
    static HOST: OnceLock<(Arc<Host>, tempfile::TempDir)> = OnceLock::new();
    let (host, _folder) = HOST.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let options = HostOptions {
            cache_dir: Some(folder.path().join("cache")),
            state_dir: folder.path().join("state"),
            compute_instances_max: 64,
            io_instances_max: 64,
            ..HostOptions::default()
        };
        (Host::new(options).expect("it starts"), folder)
    });
    host
}

/// What an attack met.
pub struct Met {
    /// The error in the dead letter of the event that was the attack's.
    pub error: String,
    /// The plugin, still usable.
    pub plugin: InterceptorPlugin,
    _folder: tempfile::TempDir,
}

/// A plugin of this guest, not loaded.
pub fn plugin(
    name: &str,
    component: &[u8],
    change: impl FnOnce(&mut PluginSpec),
) -> (InterceptorPlugin, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, component).expect("written");
    let mut spec = PluginSpec {
        path: format!("hostile.sources.r1.interceptors.{name}"),
        agent: format!("hostile-{name}"),
        kind: Kind::Interceptor,
        component: file,
        options: vec![],
        limits: Limits {
            memory_bytes_max: 4 << 20,
            batch_time_max: Duration::from_millis(300),
            output_bytes_max: 1 << 20,
            ..Limits::default()
        },
        grants: Grants::default(),
        on_error: OnError::DeadLetter(DeadLetter::Channel("dead".into())),
        instances: Some(2),
    };
    change(&mut spec);
    let channel: Arc<dyn Channel> = Arc::new(MemoryChannel::new(
        MemoryLimits {
            capacity: 100,
            transaction_capacity: 100,
            keep_alive: Duration::from_secs(1),
            body_bytes_max: 0,
        },
        Arc::default(),
    ));
    host().dead_letters().set(&spec.agent, DeadLetter::Channel("dead".into()), channel);
    (InterceptorPlugin::new(host(), spec), folder)
}

/// Lets a guest meet an event that sets it off, before two that do not, beside a victim; all that has to hold in
/// any case is checked here.
pub async fn attack(name: &str, guest: &Guest) -> Met {
    attack_with(name, guest, |_| {}).await
}

/// The same with other settings.
pub async fn attack_with(name: &str, guest: &Guest, change: impl FnOnce(&mut PluginSpec)) -> Met {
    let (hostile, folder) = plugin(name, &guest.component(), change);
    hostile.load().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let (victim, _folder) = plugin(&format!("victim-of-{name}"), &Guest::new().component(), |_| {});
    let mut drops = Drops::default();
    let (out, served) =
        tokio::join!(hostile.intercept(batch(&["X", "first", "second"]), &mut drops), serve(&victim));
    let out = out.unwrap_or_else(|error| panic!("{name}: {} {}", error.interceptor, error.reason));
    assert_eq!(served, 200, "{name}: an event of the victim is missing");
    assert_eq!(bodies(&out), ["first", "second"], "{name}: the good events go on, the bad one does not");
    let [(_, letters)] = drops.dead_letters() else { panic!("{name}: {drops:?}") };
    assert_eq!((bodies(letters), drops.total()), (vec!["X".to_owned()], 0), "{name}");
    let letter = letters.event(0);
    let path = format!("hostile.sources.r1.interceptors.{name}");
    assert_eq!(letter.header("flumen.plugin"), Some(path.as_str()));
    let error = letter.header("flumen.error").expect("an error").to_owned();
    let status = hostile.plugin().status();
    assert!(status.discards >= 1, "{name}: the instance was used again: {status:?}");
    goes_on(name, &hostile).await;
    assert!(resident_bytes() < RESIDENT_BYTES_MAX, "{name}: {} bytes", resident_bytes());
    Met { error, plugin: hostile, _folder: folder }
}

/// The next good batch is processed.
pub async fn goes_on(name: &str, plugin: &InterceptorPlugin) {
    let out = plugin.intercept(batch(&["next"]), &mut Drops::default()).await;
    let out = out.unwrap_or_else(|error| panic!("{name}: the next good batch: {}", error.reason));
    assert_eq!(bodies(&out), ["next"], "{name}");
}

async fn serve(victim: &InterceptorPlugin) -> usize {
    let mut served = 0;
    for _ in 0..20 {
        let out = victim.intercept(batch(&["v"; 10]), &mut Drops::default()).await.expect("the victim works");
        served += out.len();
    }
    served
}

/// Why a file is not loaded; the host goes on.
pub async fn refusal(name: &str, bytes: &[u8]) -> String {
    let (plugin, _folder) = plugin(name, bytes, |_| {});
    let error = plugin.load().await.expect_err("it is to be refused").to_string();
    let (good, _folder) = self::plugin(&format!("beside-{name}"), &Guest::new().component(), |_| {});
    goes_on(name, &good).await;
    error
}

/// Events with these bodies.
pub fn batch(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new(BatchLimits::default());
    for body in bodies {
        builder.push(body.as_bytes(), [("host", "web1")]).expect("small");
    }
    builder.finish()
}

/// The bodies.
pub fn bodies(batch: &Batch) -> Vec<String> {
    batch.iter().map(|event| String::from_utf8_lossy(event.body()).into_owned()).collect()
}

/// What the process holds.
pub fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: usize = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}

/// All of these are in the text.
pub fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
