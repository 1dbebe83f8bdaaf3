//! What is refused before it runs, and the cache.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::PluginSpec;
use flumen_plugin::{AnyPlugin as _, Host, HostOptions};

use super::guest::{self, batch, host, spec};

/// Why a file with these bytes is not loaded.
async fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let component = folder.path().join("plugin.wasm");
    std::fs::write(&component, bytes).expect("it is written");
    let plugin = InterceptorPlugin::new(host(), PluginSpec { component, ..spec("pass") });
    plugin.load().await.expect_err("it is to be refused").to_string()
}
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's text is right")
}

#[tokio::test]
async fn what_is_no_component_is_refused_with_what_to_do() {
    says(&refusal(b"#!/bin/sh\n").await, &["it is not WebAssembly", "build a WebAssembly component"]);
    says(&refusal(b"").await, &["it is not WebAssembly"]);
    says(&refusal(&wat("(module)")).await, &["core module, not a component", "wasm32-wasip2"]);
    let whole = std::fs::read(guest::component()).expect("it was built");
    for part in [9, whole.len() / 2, whole.len() - 1] {
        says(&refusal(&whole[..part]).await, &["damaged or cut off at byte"]);
    }
    let plugin =
        InterceptorPlugin::new(host(), PluginSpec { component: "/nowhere/x.wasm".into(), ..spec("pass") });
    says(&plugin.load().await.expect_err("it is not there").to_string(), &["cannot read /nowhere/x.wasm"]);
}

#[tokio::test]
async fn the_wrong_world_names_what_there_is_and_what_is_expected() {
    says(
        &refusal(&wat("(component)")).await,
        &["it exports nothing", "flumen:plugin/intercept@0.1.0 (world interceptor)"],
    );
    let sink = wat(r#"(component (instance $i) (export "flumen:plugin/deliver@0.1.0" (instance $i)))"#);
    says(&refusal(&sink).await, &["flumen:plugin/deliver@0.1.0 (world sink)", "is expected here"]);
    let newer = wat(r#"(component (instance $i) (export "flumen:plugin/intercept@0.9.0" (instance $i)))"#);
    says(&refusal(&newer).await, &["flumen:plugin/intercept@0.9.0", "runs the versions 0.1.0"]);
}

#[tokio::test]
async fn an_import_that_nobody_offers_is_named() {
    let text = wat(r#"(component
        (import "acme:db/query@1.0.0" (instance $db (export "run" (func))))
        (instance $i) (export "flumen:plugin/intercept@0.1.0" (instance $i)))"#);
    says(&refusal(&text).await, &["acme:db/query@1.0.0"]);
}

#[tokio::test]
async fn a_million_exports_are_refused_before_they_are_compiled() {
    let started = std::time::Instant::now();
    let exports: String = (0..300_000).map(|n| format!("(export \"e{n}\" (func 0))")).collect();
    let bomb = wat(&format!("(component (core module (func) {exports}))"));
    let built = started.elapsed();
    says(&refusal(&bomb).await, &["more than 200000 types, imports and exports"]);
    assert!(started.elapsed() < built * 3 + std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}

fn own_host(cache: &Path) -> std::sync::Arc<Host> {
    let options = HostOptions { cache_dir: Some(cache.to_owned()), ..guest::options() };
    Host::new(options).expect("threads can be started")
}
async fn load(host: &std::sync::Arc<Host>) -> Result<(), String> {
    let plugin = InterceptorPlugin::new(host, spec("pass"));
    plugin.load().await.map_err(|error| error.to_string())?;
    plugin
        .intercept(batch(&["x"]), &mut Drops::default())
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}
fn entries(cache: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(cache).expect("it is there").map(|entry| entry.expect("it is read").path()).collect()
}

#[tokio::test]
async fn a_component_is_compiled_once_and_its_code_is_ours_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let host = own_host(&cache);
    load(&host).await.expect("it loads");
    let compiled = entries(&cache);
    let [code] = compiled.as_slice() else { panic!("{compiled:?}") };
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&cache), mode(code)), (0o700, 0o600));
    let made = code.metadata().and_then(|found| found.modified()).expect("it has a time");
    load(&own_host(&cache)).await.expect("it loads");
    assert_eq!(
        code.metadata().and_then(|found| found.modified()).expect("it has a time"),
        made,
        "it was not written"
    );
}

#[tokio::test]
async fn a_cache_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).expect("it is made");
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    let error = load(&own_host(&cache)).await.expect_err("it is not to be trusted");
    says(&error, &["can be written to by others than its owner", "chmod 700"]);
}

#[tokio::test]
async fn compiled_code_that_others_can_write_to_or_that_is_cut_off_is_compiled_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    load(&own_host(&cache)).await.expect("it loads");
    let code = entries(&cache).remove(0);
    std::fs::set_permissions(&code, std::fs::Permissions::from_mode(0o666)).expect("it is ours");
    load(&own_host(&cache)).await.expect("it is compiled again");
    assert_eq!(code.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
    // A new file: the old one is mapped by the process, as a program's own code is.
    std::fs::remove_file(&code).expect("it is ours");
    std::fs::write(&code, b"not ELF").expect("it is written");
    load(&own_host(&cache)).await.expect("it is compiled again");
    assert!(code.metadata().expect("it is there").len() > 1000);
}

#[tokio::test]
async fn a_symbolic_link_is_no_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    std::os::unix::fs::symlink(folder.path(), &cache).expect("it is made");
    says(&load(&own_host(&cache)).await.expect_err("it is refused"), &["is no folder"]);
}

#[tokio::test]
async fn a_tenant_runs_what_it_allows_by_digest() {
    let digest = flumen_plugin::compile::digest(&std::fs::read(guest::component()).expect("it was built"));
    let allowing = |digest: &str| {
        guest::tenants(&format!("[tenant.t]\nagents = [\"a1\"]\nplugins_allowed = [\"{digest}\"]\n"))
    };
    let host =
        |tenants| Host::new(HostOptions { tenants: Some(tenants), ..guest::options() }).expect("it starts");
    load(&host(allowing(&digest.to_string()))).await.expect("it is allowed");
    let error = load(&host(allowing(&"0".repeat(64)))).await.expect_err("it is not allowed");
    says(&error, &["tenant t does not allow", &digest.to_string()]);
}
#[tokio::test]
async fn a_failed_load_is_not_tried_at_every_call() {
    let plugin =
        InterceptorPlugin::new(host(), PluginSpec { component: "/nowhere/x.wasm".into(), ..spec("pass") });
    for _ in 0..1000 {
        plugin.intercept(batch(&["x"]), &mut Drops::default()).await.expect_err("it is not there");
    }
    assert_eq!(plugin.plugin().status().version, 0);
}
