//! What a configuration says of a plugin, read into a [`PluginSpec`]; every mistake is a finding at its key's line.
//!
//! ```text
//! Settings ──▶ PluginOptions (types) ──▶ file, config.*, limits, grants, onError ──▶ PluginSpec
//!                                        below the tenant's ceilings: both places are named where not
//! ```
//!
//! Nothing here touches the world but the environment variables that `grants.env` names, whose values are taken
//! now: what a plugin sees does not change while it runs.

mod ceilings;
mod grants;
mod on_error;

use std::path::{Path, PathBuf};
use std::time::Duration;

use flumen_config::options::{Below, Count, Words};
use flumen_config::{Diagnostic, Diagnostics, OptionSpec, Options, Settings, options};

use crate::spec::{Grants, Kind, Limits, PluginSpec};
use crate::tenants;

pub use on_error::dead_letter;

options! {
    /// Runs a WebAssembly component. The type is the component's file, `type = plugins/mask.wasm`, or `wasm` with
    /// `component = plugins/mask.wasm`. See [PLUGINS.md](PLUGINS.md).
    pub struct PluginOptions {
        /// The component's file, where the type is `wasm`. Relative to the configuration file's folder.
        "component" => component: Option<String>,
        /// Handed to the component's `configure`, prefix removed: `config.pattern = …` is its option `pattern`.
        "config." => config: Below,
        /// The most linear memory that one instance may have, in bytes. More makes the call fail.
        "limits.memoryBytesMax" => memory_bytes_max: Option<Count>,
        /// The most time that one call may take, in milliseconds, waiting for the host's functions included.
        "limits.batchTimeMsMax" => batch_time_ms_max: Option<Count>,
        /// The most of the engine's fuel (about one unit per instruction) for each event of a call, and once more
        /// for the call itself. Not set: not metered, which is faster by a quarter.
        "limits.fuelPerEvent" => fuel_per_event: Option<Count>,
        /// The most bytes of bodies, header names and values that one call may answer.
        "limits.outputBytesMax" => output_bytes_max: Option<Count>,
        /// The most bytes of log lines, standard output and standard error a second. More is cut off and counted.
        "limits.logBytesPerSecondMax" => log_bytes_per_second_max: Option<Count>,
        /// Where its HTTP requests may go: a list of `host:port`, `*.host:port` and `address:port`. Nowhere by
        /// default.
        "grants.http" => grants_http: Option<Words>,
        /// Folders that it sees, each under the same path: `dir:ro` to read, `dir:rw` to write as well. Relative to
        /// the configuration file's folder.
        "grants.files" => grants_files: Option<Words>,
        /// Names of environment variables that it sees. Their values are taken when the agent starts.
        "grants.env" => grants_env: Option<Words>,
        /// `wall`: it sees the time of day. It always has a clock that only measures.
        "grants.clock" => grants_clock: Option<String>,
        /// A header that the host puts into its requests and that it never sees itself:
        /// `grants.secrets.token = api.example.org:443 authorization Bearer abc`. The destination must be in
        /// `grants.http`.
        "grants.secrets." => grants_secrets: Below,
        /// What becomes of input that it cannot process: `retry` (it stays with the sender, or in the channel, and
        /// is tried again), `dead-letter`, `drop` (counted), `stop` (the plugin takes nothing any more until it is
        /// reloaded). `dead-letter` is for interceptors and sinks; deserializers, serializers and sources can only
        /// `retry` or `stop`, selectors also `drop`; HTTP handlers have none of it: the client is told.
        "onError" => on_error: String = "retry".to_owned(),
        /// Where dead letters go: `channel NAME`, a channel of the agent, or `file PATH`, a file of JSON lines,
        /// relative to the configuration file's folder.
        "deadLetter" => dead_letter: Option<String>,
        /// Warm instances at most. Not set: as many as the machine has cores. A plugin with `instances = 1` sees its
        /// batches one after the other.
        "instances" => instances: Option<Count>,
    }
}

options! {
    /// What plugins that are sinks have besides.
    pub struct SinkExtra {
        /// Most events that it gets at once, and in one transaction.
        "batchSize" => batch_size: Count = Count(1000),
    }
}

const COMMON: usize = PluginOptions::OPTIONS.len();

/// The rows of the reference for a kind with one option besides.
pub(crate) const fn with_one_more(more: &'static [OptionSpec]) -> [OptionSpec; COMMON + 1] {
    let mut all = [more[0]; COMMON + 1];
    let mut at = 0;
    while at < COMMON {
        all[at] = PluginOptions::OPTIONS[at];
        at += 1;
    }
    all
}

/// Reads a plugin's settings. Says all that is wrong with them; none if anything is.
pub fn read(kind: Kind, settings: &Settings, diagnostics: &mut Diagnostics) -> Option<PluginSpec> {
    let before = diagnostics.error_count();
    let options = PluginOptions::read(settings, diagnostics)?;
    let mut findings = Findings { settings, diagnostics };
    let agent = settings.path().split('.').next().unwrap_or_default().to_owned();
    let tenant = tenants::of_agent(&agent);
    ceilings::check(&tenant, &options, &mut findings);
    let component = component(&options, &mut findings);
    let grants = grants::read(&options, &mut findings);
    ceilings::check_egress(&tenant, &grants, &mut findings);
    let on_error = on_error::read(kind, settings, &mut findings);
    if diagnostics.error_count() > before {
        return None;
    }
    Some(PluginSpec {
        path: settings.path().to_owned(),
        agent,
        kind,
        component: component?,
        options: guest_options(settings),
        limits: limits(&options, tenant.ceilings.plugin.lower(Limits::default())),
        grants,
        on_error: on_error?,
        instances: options.instances.map(|count| count.0).or_else(|| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            tenant.ceilings.plugin.instances_max.as_ref().map(|max| max.value.min(cores))
        }),
    })
}

/// Whether a plugin has an option of that name.
#[must_use]
pub fn is_option(key: &str) -> bool {
    let all = PluginOptions::OPTIONS.iter().chain(SinkExtra::OPTIONS).map(|option| option.key);
    key == "type"
        || all.into_iter().any(|known| known == key || (known.ends_with('.') && key.starts_with(known)))
}

/// Findings about one plugin's settings.
pub(crate) struct Findings<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl Findings<'_> {
    /// Something is wrong with the value of a key.
    pub(crate) fn bad(&mut self, key: &str, why: impl Into<String>, help: impl Into<String>) {
        let finding = Diagnostic::error("bad-value", why).at(&self.settings.origin(key));
        self.diagnostics.push(finding.on(format!("{}.{key}", self.settings.path())).help(help));
    }
}

/// The settings of the plugin as its `configure` gets them.
fn guest_options(settings: &Settings) -> Vec<(String, String)> {
    let own = settings.below("config.");
    own.iter().map(|(key, setting)| (key.to_owned(), setting.value.clone())).collect()
}

fn limits(options: &PluginOptions, defaults: Limits) -> Limits {
    let or = |own: Option<Count>, default: usize| own.map_or(default, |count| count.0);
    Limits {
        memory_bytes_max: or(options.memory_bytes_max, defaults.memory_bytes_max),
        batch_time_max: options
            .batch_time_ms_max
            .map_or(defaults.batch_time_max, |ms| Duration::from_millis(ms.0 as u64)),
        fuel_per_event: options.fuel_per_event.map(|fuel| fuel.0 as u64).or(defaults.fuel_per_event),
        output_bytes_max: or(options.output_bytes_max, defaults.output_bytes_max),
        log_bytes_per_second_max: or(options.log_bytes_per_second_max, defaults.log_bytes_per_second_max),
    }
}

/// The component's file: the type itself, or `component` where the type is the word `wasm`.
fn component(options: &PluginOptions, findings: &mut Findings<'_>) -> Option<PathBuf> {
    let settings = findings.settings;
    let type_text = settings.text("type").unwrap_or(flumen_config::PLUGIN);
    let is_word = type_text.eq_ignore_ascii_case(flumen_config::PLUGIN);
    let file = match (is_word, options.component.as_deref().filter(|file| !file.is_empty())) {
        (false, None) => type_text,
        (true, Some(file)) => file,
        (false, Some(file)) => {
            let why = format!(
                "the type `{type_text}` is a component's file already, and `component = {file}` names one"
            );
            findings.bad("component", why, "write `type = wasm`, or take `component` out");
            return None;
        }
        (true, None) => {
            let path = settings.path();
            let why = format!("plugin `{path}` names no component");
            findings.bad(
                "type",
                why,
                format!("add `{path}.component = FILE.wasm`, or write the file as the type"),
            );
            return None;
        }
    };
    Some(resolved(&settings.base_dir(), file))
}

/// A path of the configuration, relative to its file's folder.
pub(crate) fn resolved(base_dir: &Path, text: &str) -> PathBuf {
    let path = Path::new(text);
    if path.is_absolute() { path.to_path_buf() } else { base_dir.join(path) }
}

/// The key that a guest's `config-error` is about, where the finding is shown: the key, or the type.
#[must_use]
pub fn guest_key(settings: &Settings, key: Option<&str>) -> String {
    let written = key.map(|key| format!("config.{key}")).filter(|key| settings.get(key).is_some());
    written
        .unwrap_or_else(|| if settings.get("component").is_some() { "component" } else { "type" }.to_owned())
}

/// What a grant list may be when it is not set.
pub(crate) fn words(list: &Option<Words>) -> &[String] {
    list.as_ref().map_or(&[], |words| &words.0)
}

/// Nothing is granted by default.
#[must_use]
pub fn is_without_grants(grants: &Grants) -> bool {
    *grants == Grants::default()
}

#[cfg(test)]
mod tests;
