//! What a guest finds when it looks around, by the very functions that its calls of WASI end in.

use std::path::Path;

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::cli::WasiCliView as _;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::bindings::cli::environment::Host as _;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::sockets::network::IpAddressFamily;
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::sockets::WasiSocketsView as _;
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::*;
use crate::spec::{FileGrant, Kind, OnError};
use crate::tenants::Tenants;

struct Instance {
    granted: Granted,
    table: ResourceTable,
    _outside: Outside,
}

impl WasiView for Instance {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.granted.wasi, table: &mut self.table }
    }
}

fn instance(grants: Grants) -> Instance {
    let spec = PluginSpec {
        path: "a1.i1".into(),
        agent: "a1".into(),
        kind: Kind::Interceptor,
        component: "none.wasm".into(),
        options: vec![],
        limits: Limits::default(),
        grants,
        on_error: OnError::Drop,
        instances: None,
    };
    let outside = Outside::new(StateHome::Memory).expect("outside");
    let reach = outside.reach(&spec, &spec.limits, Tenants::default().of_agent("a1")).expect("reach");
    Instance { granted: reach.granted().expect("granted"), table: ResourceTable::new(), _outside: outside }
}

fn folder(path: &Path, writable: bool) -> Grants {
    let grant = FileGrant { folder: path.to_owned(), guest_path: "/data".into(), writable };
    Grants { files: vec![grant], ..Grants::default() }
}

impl Instance {
    fn root(&mut self) -> Resource<Descriptor> {
        let mut found = self.filesystem().get_directories().expect("folders");
        assert_eq!((found.len(), found[0].1.as_str()), (1, "/data"));
        found.remove(0).0
    }
    async fn open(&mut self, path: &str, write: bool) -> Result<Resource<Descriptor>, String> {
        let root = self.root();
        let (create, flags) = if write {
            (OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE)
        } else {
            (OpenFlags::empty(), DescriptorFlags::READ)
        };
        let opened =
            self.filesystem().open_at(root, PathFlags::SYMLINK_FOLLOW, path.to_owned(), create, flags).await;
        opened.map_err(|error| format!("{error:?}"))
    }
}

#[tokio::test]
async fn without_a_grant_there_is_nothing() {
    let mut instance = instance(Grants::default());
    assert!(instance.filesystem().get_directories().expect("folders").is_empty());
    assert!(instance.cli().get_environment().expect("environment").is_empty());
    assert!(instance.cli().get_arguments().expect("arguments").is_empty());
    assert_eq!(instance.cli().initial_cwd().expect("folder"), None);
    assert!(instance.sockets().create_tcp_socket(IpAddressFamily::Ipv4).is_err());
    let mut view = imports::View { imports: &mut instance.granted.imports, table: &mut instance.table };
    let now = view.now().expect("time");
    assert_eq!((now.seconds, now.nanoseconds), (0, 0));
}

#[tokio::test]
async fn a_granted_clock_runs_and_a_granted_variable_is_seen() {
    let env = vec![("REGION".to_owned(), "eu".to_owned())];
    let mut instance = instance(Grants { wall_clock: true, env: env.clone(), ..Grants::default() });
    assert_eq!(instance.cli().get_environment().expect("environment"), env);
    let mut view = imports::View { imports: &mut instance.granted.imports, table: &mut instance.table };
    assert!(view.now().expect("time").seconds > 1_700_000_000);
}

#[tokio::test]
async fn no_path_leads_out_of_a_granted_folder() {
    let outer = tempfile::tempdir().expect("folder");
    let inner = outer.path().join("inner");
    std::fs::create_dir_all(inner.join("sub")).expect("folder");
    std::fs::write(outer.path().join("secret"), "s").expect("file");
    std::fs::write(inner.join("open"), "o").expect("file");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, inner.join(name)).expect("link");
    link("../secret", "up");
    link(outer.path().join("secret").to_str().expect("path"), "absolute");
    link("..", "parent");
    link("sub/../../secret", "winding");
    link("/proc/self/root", "root");
    link("open", "fine");
    let mut instance = instance(folder(&inner, true));
    for path in ["open", "./open", "sub/../open", "fine"] {
        instance.open(path, false).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let secret = outer.path().join("secret");
    for path in [
        "../secret",
        "sub/../../secret",
        "up",
        "absolute",
        "parent/secret",
        "winding",
        "root/etc/passwd",
        "/etc/passwd",
        "../inner/open",
        secret.to_str().expect("path"),
        "..",
        "open/../../secret",
        "\0",
        "",
    ] {
        assert!(instance.open(path, false).await.is_err(), "{path}");
        assert!(instance.open(path, true).await.is_err(), "{path}, to write");
    }
    let (root, out) = (instance.root(), instance.root());
    let linked = instance.filesystem().symlink_at(root, "/etc/passwd".into(), "mine".into()).await;
    assert!(linked.is_err(), "a link that leads out cannot be made");
    let root = instance.root();
    let renamed = instance.filesystem().rename_at(root, "open".into(), out, "../open".into()).await;
    assert!(renamed.is_err() && inner.join("open").exists());
    assert_eq!(std::fs::read(secret).expect("secret"), b"s");
}

#[tokio::test]
async fn a_folder_granted_for_reading_cannot_be_written() {
    let outer = tempfile::tempdir().expect("folder");
    std::fs::write(outer.path().join("a"), "1").expect("file");
    let mut instance = instance(folder(outer.path(), false));
    instance.open("a", false).await.expect("read");
    assert!(instance.open("a", true).await.is_err() && instance.open("new", true).await.is_err());
    let root = instance.root();
    assert!(instance.filesystem().unlink_file_at(root, "a".into()).await.is_err());
    let root = instance.root();
    assert!(instance.filesystem().create_directory_at(root, "d".into()).await.is_err());
    assert_eq!(std::fs::read(outer.path().join("a")).expect("file"), b"1");
}

#[test]
fn a_folder_that_is_not_there_names_the_grant() {
    let spec = folder(Path::new("/no/such/folder"), false);
    let outside = Outside::new(StateHome::Memory).expect("outside");
    let plugin = PluginSpec {
        path: "a1.i1".into(),
        agent: "a1".into(),
        kind: Kind::Interceptor,
        component: "none.wasm".into(),
        options: vec![],
        limits: Limits::default(),
        grants: spec,
        on_error: OnError::Drop,
        instances: None,
    };
    let reach = outside.reach(&plugin, &plugin.limits, Tenants::default().of_agent("a1")).expect("reach");
    let error = reach.granted().err().expect("an error").to_string();
    assert!(error.starts_with("grants.files: cannot open the folder /no/such/folder"), "{error}");
}
