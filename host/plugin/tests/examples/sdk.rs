//! The SDK's own tests, compiled to WebAssembly, with epoch checks as the host has them.

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

struct Process {
    wasi: WasiCtx,
    table: ResourceTable,
}
impl WasiView for Process {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Runs a program to its end, with this process's output.
fn run(program: &str, arguments: &[&str]) {
    let mut config = Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).expect("an engine");
    let component = Component::from_file(&engine, flumen_guests::component(program)).expect("a component");
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("no name twice");
    let mut wasi = WasiCtx::builder();
    wasi.arg(program).args(arguments).inherit_stdout().inherit_stderr();
    let mut store = Store::new(&engine, Process { wasi: wasi.build(), table: ResourceTable::new() });
    store.set_epoch_deadline(u64::MAX / 2);
    let command = Command::instantiate(&mut store, &component, &linker).expect("all imports are there");
    let ended = command.wasi_cli_run().call_run(&mut store).expect("it ends by itself");
    assert_eq!(ended, Ok(()), "{program} failed: see above");
}

#[test]
fn byte_helpers_are_right_in_webassembly() {
    run("sdk_bytes", &["--test-threads=1"]);
}

#[test]
#[ignore = "a measurement: tests/guests/bytes_cost"]
fn byte_helpers_cost() {
    run("sdk_bytes_cost", &[]);
}
