//! Compilation in a process of its own, within bounds. Without libtest's harness, because this program is also the
//! helper: it runs itself as `PROGRAM plugin-compile …`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flumen_plugin::compile::Bounds;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::{Grants, Kind, Limits, OnError, PluginSpec};
use flumen_plugin::{Host, HostOptions};

type Claim = (&'static str, fn(&Path));

const CLAIMS: [Claim; 5] = [
    ("what_the_helper_compiled_fits_the_engine", what_the_helper_compiled_fits_the_engine),
    ("memory_of_the_compiler_is_bounded", memory_of_the_compiler_is_bounded),
    ("cpu_time_of_the_compiler_is_bounded", cpu_time_of_the_compiler_is_bounded),
    ("time_of_the_compiler_is_bounded", time_of_the_compiler_is_bounded),
    ("what_the_compiler_says_is_told", what_the_compiler_says_is_told),
];

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("plugin-compile".as_ref()) {
        std::process::exit(flumen_plugin::compile::serve(arguments));
    }
    let wanted = first.and_then(|name| name.into_string().ok()).filter(|name| !name.starts_with('-'));
    for (name, claim) in
        CLAIMS.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|part| name.contains(part)))
    {
        let folder = tempfile::tempdir().expect("a folder");
        claim(folder.path());
        eprintln!("test {name} ... ok");
    }
}

/// A component that exports an interceptor of no use, with this core module inside.
fn component(module: &str) -> Vec<u8> {
    let text = format!(
        "(component (core module {module})
            (instance $i) (export \"flumen:plugin/intercept@0.1.0\" (instance $i)))"
    );
    wat::parse_str(text).expect("the test's text is right")
}
/// One function that takes a compiler long: a value used far from where it was made, again and again.
fn giant(operations: usize) -> String {
    let mut body = String::from("(func (param i32) (result i32) (local i32) local.get 0 local.set 1 ");
    for operation in 0..operations {
        body.push_str("local.get 0 local.get 1 i32.mul ");
        body.push_str(&format!(
            "i32.const {operation} i32.xor local.set 1 block local.get 1 br_if 0 local.get 0 local.set 1 end "
        ));
    }
    body + "local.get 1)"
}
fn load(folder: &Path, bytes: &[u8], bounds: Bounds) -> Result<(), String> {
    let file = folder.join("plugin.wasm");
    std::fs::write(&file, bytes).expect("it is written");
    let options = HostOptions {
        cache_dir: Some(folder.join("cache")),
        compile_helper: Some(std::env::current_exe().expect("this program")),
        compile_bounds: bounds,
        compute_instances_max: 10,
        ..HostOptions::default()
    };
    let host: Arc<Host> = Host::new(options).expect("it starts");
    let spec = PluginSpec {
        path: "a1.sources.r1.interceptors.i1".to_owned(),
        agent: "a1".to_owned(),
        kind: Kind::Interceptor,
        component: file,
        options: Vec::new(),
        limits: Limits::default(),
        grants: Grants::default(),
        on_error: OnError::Retry,
        instances: None,
    };
    let plugin = InterceptorPlugin::new(&host, spec);
    let loaded = flumen_plugin::call::block_on(plugin.load()).map_err(|error| error.to_string());
    let left: Vec<_> = std::fs::read_dir(folder.join("cache")).expect("it was made").collect();
    assert!(left.len() <= 1, "nothing half done stays: {left:?}");
    loaded
}
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// It is compiled, mapped and linked; that its interface has no functions is found after that.
fn what_the_helper_compiled_fits_the_engine(folder: &Path) {
    let error = load(folder, &component("(func)"), Bounds::default()).expect_err("it has no functions");
    says(&error, &["does not have export `configure`"]);
}

fn memory_of_the_compiler_is_bounded(folder: &Path) {
    let bounds = Bounds { memory_bytes_max: 200 << 20, ..Bounds::default() };
    let error = load(folder, &component(&giant(150_000)), bounds).expect_err("it needs more");
    says(&error, &["needed more than 200 MiB of memory"]);
}

fn cpu_time_of_the_compiler_is_bounded(folder: &Path) {
    let bounds = Bounds { cpu_max: Duration::from_secs(1), ..Bounds::default() };
    let error = load(folder, &component(&giant(150_000)), bounds).expect_err("it needs longer");
    says(&error, &["used up 1 s of CPU time"]);
}

fn time_of_the_compiler_is_bounded(folder: &Path) {
    let bounds = Bounds { wall_max: Duration::from_millis(300), ..Bounds::default() };
    let bytes = component(&giant(150_000));
    let started = Instant::now();
    let error = load(folder, &bytes, bounds).expect_err("it needs longer");
    says(&error, &["ended after 0.3 s"]);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

fn what_the_compiler_says_is_told(folder: &Path) {
    let bytes = component("(func (result i32) i64.const 1)");
    let error = load(folder, &bytes, Bounds::default()).expect_err("its types are wrong");
    says(&error, &["type mismatch"]);
}
