//! What each command does.

pub mod agent;
pub mod avro_client;
pub mod channel;
pub mod check;
mod environment;
pub mod explain;
pub mod plugin;
mod plugins;
pub mod replay;
mod signals;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use flumen_config::{Input, LoadOptions, Loaded};
use flumen_connect::tls;

use crate::cli::{ConfigArgs, properties};

/// Prints to standard output; a reader that has gone away is no error.
#[must_use]
pub fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Loads a configuration without running anything of it; plugins are compiled and configured.
fn load(files: &[PathBuf], config: &ConfigArgs) -> Loaded {
    load_for(plugins::Use::Check, files, config)
}

/// Loads a configuration whose plugins will run.
fn load_to_run(files: &[PathBuf], config: &ConfigArgs) -> Loaded {
    load_for(plugins::Use::Run, files, config)
}

fn load_for(usage: plugins::Use, files: &[PathBuf], config: &ConfigArgs) -> Loaded {
    let properties = own_properties(config);
    let tenants = plugins::prepare(&properties, files, usage);
    tls::set_globals(tls::Globals::read(
        |name| properties.get(name).cloned(),
        |name| std::env::var(name).ok(),
    ));
    let options =
        LoadOptions { system_properties: properties, strict: config.strict, ..LoadOptions::default() };
    let inputs: Vec<Input> = files.iter().cloned().map(Input::File).collect();
    let mut loaded = flumen_config::load(&inputs, &options, &flumen_connect::catalog::catalog());
    tenants.join(&mut loaded);
    loaded
}

fn own_properties(config: &ConfigArgs) -> BTreeMap<String, String> {
    properties(config.properties.iter().map(String::as_str))
}
