//! Another component in the place of one that works.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::plugin::Reloaded;
use flumen_plugin::spec::PluginSpec;
use flumen_plugin::{AnyPlugin as _, Host, HostOptions};

use super::guest::{self, batch, bodies, host, spec};

/// As an installer does it: never half of a file at the place.
fn put(file: &Path, bytes: &[u8]) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, bytes).expect("it is written");
    std::fs::rename(&beside, file).expect("it is renamed");
}
fn plugin_at(host: &Arc<Host>, what: &str, file: &Path) -> InterceptorPlugin {
    put(file, &guest::version(0));
    InterceptorPlugin::new(host, PluginSpec { component: file.to_owned(), ..spec(what) })
}
async fn version_of(plugin: &InterceptorPlugin) -> u32 {
    let out = plugin.intercept(batch(&["x"]), &mut Drops::default()).await.expect("it answers");
    out.event(0).header("version").and_then(|text| text.parse().ok()).expect("it is a number")
}

#[tokio::test]
async fn a_reload_swaps_at_the_next_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plugin.wasm");
    let plugin = plugin_at(host(), "version", &file);
    assert_eq!(version_of(&plugin).await, 0);
    assert_eq!(plugin.plugin().reload().await.expect("nothing changed"), Reloaded::Same);
    put(&file, &guest::version(7));
    assert_eq!(version_of(&plugin).await, 0, "a changed file is no reload");
    let before = plugin.plugin().digest();
    let reloaded = plugin.plugin().reload().await.expect("it is good");
    assert_eq!(reloaded, Reloaded::Swapped { digest: plugin.plugin().digest() });
    assert_ne!(plugin.plugin().digest(), before);
    assert_eq!(version_of(&plugin).await, 7);
    let status = plugin.plugin().status();
    assert_eq!((status.version, status.swaps, status.instances), (2, 1, 1), "{status:?}");
}

#[tokio::test]
async fn a_bad_component_leaves_the_old_one_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plugin.wasm");
    let plugin = plugin_at(host(), "version", &file);
    assert_eq!(version_of(&plugin).await, 0);
    let whole = guest::version(1);
    for bad in [&whole[..whole.len() / 2], b"\0asm\x01\0\0\0", b"nonsense"] {
        put(&file, bad);
        plugin.plugin().reload().await.expect_err("it is bad");
        assert_eq!(version_of(&plugin).await, 0);
    }
    assert_eq!(plugin.plugin().status().swaps_refused, 3);
    put(&file, &whole);
    plugin.plugin().reload().await.expect("it is good");
    assert_eq!(version_of(&plugin).await, 1);
}

#[tokio::test]
async fn a_component_that_refuses_the_options_is_not_swapped_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plugin.wasm");
    let plugin = plugin_at(host(), "refuse-new", &file);
    plugin.load().await.expect("version 0 takes them");
    put(&file, &guest::version(1));
    let error = plugin.plugin().reload().await.expect_err("version 1 refuses them");
    assert_eq!(error.to_string(), "config.do: is not what this plugin likes");
    assert_eq!(plugin.plugin().status().version, 1);
}

#[tokio::test]
async fn a_changed_file_is_swapped_in_without_being_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plugin.wasm");
    let host = Host::new(HostOptions { watch_files: true, ..guest::options() }).expect("it starts");
    let plugin = plugin_at(&host, "version", &file);
    assert_eq!(version_of(&plugin).await, 0);
    put(&file, b"bad");
    guest::eventually("the bad one is refused", || plugin.plugin().status().swaps_refused == 1).await;
    put(&file, &guest::version(3));
    guest::eventually("the good one is in use", || plugin.plugin().status().swaps == 1).await;
    assert_eq!(version_of(&plugin).await, 3);
    assert_eq!(plugin.plugin().status().swaps_refused, 1, "one content is refused once");
}

/// 1,000 swaps between two versions while three tasks send: every event comes out once, marked by one of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_swaps_under_load_lose_and_double_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plugin.wasm");
    let plugin = Arc::new(plugin_at(host(), "version", &file));
    plugin.load().await.expect("it loads");
    let versions = [guest::version(0), guest::version(1)];
    let (done, by_new) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let (plugin, done, by_new) = (plugin.clone(), done.clone(), by_new.clone());
            tokio::spawn(async move {
                let mut sent = 0u64;
                while !done.load(Relaxed) {
                    let names: Vec<String> = (sent..sent + 10).map(|n| n.to_string()).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let mut drops = Drops::default();
                    let out = plugin.intercept(batch(&names), &mut drops).await.expect("no call fails");
                    assert_eq!(
                        (bodies(&out), drops.total()),
                        (names.iter().map(|name| (*name).to_owned()).collect(), 0)
                    );
                    let marks: Vec<_> =
                        out.iter().map(|event| event.header("version").map(str::to_owned)).collect();
                    assert!(
                        marks.windows(2).all(|two| two[0] == two[1]),
                        "one batch, one version: {marks:?}"
                    );
                    by_new.fetch_add(u64::from(marks[0].as_deref() == Some("0000000001")), Relaxed);
                    sent += 10;
                    tokio::task::yield_now().await;
                }
                sent
            })
        })
        .collect();
    for swap in 1..=1000usize {
        put(&file, &versions[swap % 2]);
        let reloaded = plugin.plugin().reload().await.expect("both are good");
        assert!(matches!(reloaded, Reloaded::Swapped { .. }), "{swap}: {reloaded:?}");
    }
    done.store(true, Relaxed);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.expect("no assertion failed");
    }
    let status = plugin.plugin().status();
    assert_eq!((status.swaps, status.events_in, status.events_out), (1000, sent, sent));
    assert_eq!(status.discards, 0, "{status:?}");
    assert!(by_new.load(Relaxed) > 0 && sent > 1000, "{sent} events");
    println!("{sent} events over 1,000 swaps, {} batches by the new version", by_new.load(Relaxed));
    guest::eventually("old instances are gone", || plugin.plugin().status().instances <= 2).await;
}
