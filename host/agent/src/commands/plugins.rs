//! How plugins are run by this process: folders, tenants, and what a mere check must not touch.
//!
//! ```text
//! -Dflumen.state=DIR      state of plugins, checkpoints, the control socket    else $STATE_DIRECTORY (systemd),
//!                                                                              $XDG_STATE_HOME/flumen, ~/.local/state/flumen
//! -Dflumen.plugins.cache=DIR   compiled plugins                                else a private folder below the temporary one
//! -Dflumen.plugins.instances=N, -Dflumen.plugins.io.instances=N   slots of the pools   else 1000 and 200
//! -Dflumen.tenants=FILE   tenants                                              else tenants.toml beside the configuration
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flumen_config::{Diagnostic, Diagnostics, Loaded, SourceText};
use flumen_plugin::HostOptions;
use flumen_plugin::tenants::{self, Tenants};

/// What plugins are loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To run: their state is on the disk, and their files are watched.
    Run,
    /// To look at them.
    Check,
}

/// What was found in the tenants file, and in the properties about plugins, to be shown with the findings about the configuration.
pub(super) struct TenantsFile {
    source: Option<SourceText>,
    findings: Diagnostics,
}

impl TenantsFile {
    /// Adds text and findings to those of the configuration.
    pub(super) fn join(self, loaded: &mut Loaded) {
        if let Some(source) = self.source {
            loaded.sources.push(source);
        }
        loaded.diagnostics.extend(self.findings);
    }
    /// Whether it can be relied on.
    pub(super) fn is_good(&self) -> bool {
        self.findings.error_count() == 0
    }
    /// What was found.
    pub(super) fn findings(&self) -> &Diagnostics {
        &self.findings
    }
}

/// Called before a configuration is loaded: its plugins are checked below the tenants' ceilings.
pub(super) fn prepare(properties: &BTreeMap<String, String>, files: &[PathBuf], usage: Use) -> TenantsFile {
    let mut findings = Diagnostics::default();
    let defaults = HostOptions::default();
    flumen_plugin::host::prepare(HostOptions {
        compute_instances_max: slots(properties, SLOTS, defaults.compute_instances_max, &mut findings),
        io_instances_max: slots(properties, IO_SLOTS, defaults.io_instances_max, &mut findings),
        cache_dir: properties.get("flumen.plugins.cache").map(PathBuf::from),
        state_dir: state_dir(properties),
        state_in_memory: usage == Use::Check,
        compile_helper: std::env::current_exe().ok(),
        watch_files: usage == Use::Run,
        ..defaults
    });
    install_tenants(properties, files, findings)
}

/// Slots of the pool of plugins that compute: `-Dflumen.plugins.instances=N`.
const SLOTS: &str = "flumen.plugins.instances";
/// Slots of the pool of plugins that wait for the world: `-Dflumen.plugins.io.instances=N`.
const IO_SLOTS: &str = "flumen.plugins.io.instances";
/// Each slot takes 6 GiB of address space, of which a process has 128 TiB.
const SLOTS_MAX: u32 = 10_000;

/// The size of a pool. A mistake keeps anything from being started, as one in the tenants file does: an operator who
/// limits it means it.
fn slots(properties: &BTreeMap<String, String>, name: &str, default: u32, findings: &mut Diagnostics) -> u32 {
    let Some(text) = properties.get(name) else { return default };
    match text.parse() {
        Ok(slots @ 1..=SLOTS_MAX) => slots,
        _ => {
            let message = format!("`-D{name}={text}` is not a whole number from 1 to {SLOTS_MAX}");
            let help = format!("it is how many instances there may be at a time; {default} without it");
            findings.push(Diagnostic::error("bad-value", message).help(help));
            default
        }
    }
}

fn install_tenants(
    properties: &BTreeMap<String, String>,
    files: &[PathBuf],
    mut findings: Diagnostics,
) -> TenantsFile {
    let named = properties.get("flumen.tenants").map(PathBuf::from);
    let beside = || {
        let folder = files.first()?.parent().unwrap_or(Path::new(""));
        Some(folder.join("tenants.toml")).filter(|path| path.exists())
    };
    let Some(path) = named.or_else(beside) else { return TenantsFile { source: None, findings } };
    let source = Tenants::text(&path, &mut findings);
    match source.as_ref().and_then(|source| Tenants::read(source, &mut findings)) {
        Some(read) => tenants::install(read),
        None => {
            let message = format!(
                "the tenants file {} cannot be used, so nothing is run below its ceilings",
                path.display()
            );
            findings.push(
                Diagnostic::error("tenants", message)
                    .help("mend it, or start with another `-Dflumen.tenants=FILE`"),
            );
        }
    }
    TenantsFile { source, findings }
}

/// Where plugins keep what must survive.
pub(super) fn state_dir(properties: &BTreeMap<String, String>) -> PathBuf {
    if let Some(folder) = properties.get("flumen.state") {
        return PathBuf::from(folder);
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd may name several, separated by colons: the first is ours.
    let from_systemd =
        std::env::var("STATE_DIRECTORY").ok().and_then(|all| Some(PathBuf::from(all.split(':').next()?)));
    from_systemd
        .filter(|path| path.is_absolute())
        .or_else(|| variable("XDG_STATE_HOME").map(|home| home.join("flumen")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/flumen")))
        .unwrap_or_else(|| PathBuf::from("plugin-state"))
}
