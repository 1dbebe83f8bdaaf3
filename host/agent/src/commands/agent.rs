//! `flumen agent`: reads the configuration, runs the agents, stops them on a signal.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use flumen_config::{AgentConfig, Diagnostics, Input, LoadOptions, Loaded, Severity, explain, render};
use flumen_connect::tls;

use super::environment::LauncherEnvironment;
use super::plugin::control::Control;
use super::signals::Signals;
use super::{own_properties, plugins, print};
use crate::cli::AgentArgs;
use crate::life::{Agent, StopLimits};
use crate::logging::{self, LogSettings};
use crate::monitor::{self, Agents, Monitoring};
use crate::status::AgentStatus;

/// A monitoring port that is taken is tried again this often.
const MONITOR_RETRY: Duration = Duration::from_secs(3);

/// A stop that takes so much longer than its limits hangs.
const STOP_MARGIN: Duration = Duration::from_millis(250);
/// How long sources that are cut off may take to be gone, and with them the commands of exec sources.
const CUT_OFF_WITHIN: Duration = Duration::from_millis(250);

/// Why the process cannot do its work.
#[derive(Debug, thiserror::Error)]
enum Fatal {
    #[error("{0}")]
    Text(String),
    #[error("the configuration has {0} errors; --strict was given, so nothing is started")]
    Strict(usize),
    #[error("No configuration found for this host:{name}: {known}")]
    NoSuchAgent { name: String, known: String },
    #[error("no agent could be started")]
    NothingRuns,
    #[error("{what}: {error}")]
    System { what: &'static str, error: std::io::Error },
}

/// Runs agents until a signal stops them.
pub fn run(args: &AgentArgs) -> ExitCode {
    match try_run(args) {
        Ok(code) => code,
        Err(fatal) => {
            tracing::error!("A fatal error occurred while running: {fatal}");
            // Logging may not have been started, or may go to a file.
            complain(&format!("flumen: {fatal}\n"));
            ExitCode::FAILURE
        }
    }
}

/// For commands that run an agent on the side: warnings and errors, on standard error.
pub(super) fn start_plain_logging() {
    let properties = [("flume.root.logger".to_owned(), "WARN,console".to_owned())];
    if let Err(fatal) = start_logging(&properties.into()) {
        complain(&format!("flumen: {fatal}\n"));
    }
}

/// Prints to standard error.
pub fn complain(text: &str) {
    // There is nowhere else to say it.
    let _unheard = std::io::stderr().lock().write_all(text.as_bytes());
}

fn try_run(args: &AgentArgs) -> Result<ExitCode, Fatal> {
    let environment = LauncherEnvironment::read(args.conf.as_deref()).map_err(Fatal::Text)?;
    let mut properties = environment.jvm_properties();
    properties.extend(own_properties(&args.config));
    start_logging(&properties)?;
    args.without_effect().iter().for_each(|text| tracing::warn!("{text}"));
    let monitoring = Monitoring::from_properties(&properties).unwrap_or_else(|error| {
        tracing::error!("{error}");
        None
    });
    let tenants = plugins::prepare(&properties, &args.conf_file, plugins::Use::Run);
    log_findings(tenants.findings());
    if !tenants.is_good() {
        return Err(Fatal::Text(
            "the tenants file, or a property about plugins, cannot be used: without these bounds nothing is started"
                .to_owned(),
        ));
    }
    let state_dir = plugins::state_dir(&properties);
    tls::set_globals(tls::Globals::read(|name| properties.get(name).cloned(), |name| environment.get(name)));
    let options = LoadOptions {
        system_properties: properties,
        environment: Arc::new(move |name| environment.get(name)),
        strict: args.config.strict,
        run_external: true,
        ..LoadOptions::default()
    };
    let loaded = flumen_config::load(&inputs(args)?, &options, &flumen_connect::catalog::catalog());
    log_findings(&loaded.diagnostics);
    if args.config.strict && loaded.diagnostics.error_count() > 0 {
        return Err(Fatal::Strict(loaded.diagnostics.error_count()));
    }
    let chosen = choose(args, &loaded)?;
    let removed = if args.all { loaded.removed_agents.as_slice() } else { &[] };
    if args.dryrun {
        let texts = chosen.iter().map(|agent| explain::text(agent, &flumen_connect::catalog::catalog()));
        return Ok(print(&texts.collect::<String>()));
    }
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("flumen").build();
    let runtime = runtime.map_err(|error| Fatal::System { what: "cannot start threads", error })?;
    let result = runtime.block_on(serve(&chosen, removed, monitoring, (stop_limits(args), state_dir)));
    // A hung sink must not keep the process alive.
    runtime.shutdown_background();
    result
}

fn start_logging(properties: &std::collections::BTreeMap<String, String>) -> Result<(), Fatal> {
    let (settings, problem) =
        match LogSettings::from_properties(|name| properties.get(name).map(String::as_str)) {
            Ok(settings) => (settings, None),
            Err(problem) => (LogSettings::default(), Some(problem)),
        };
    logging::start(&settings).map_err(|error| Fatal::System { what: "cannot start logging", error })?;
    if let Some(problem) = problem {
        tracing::warn!("{problem}; INFO,console is used");
    }
    Ok(())
}

fn inputs(args: &AgentArgs) -> Result<Vec<Input>, Fatal> {
    let mut inputs: Vec<Input> = args.conf_file.iter().cloned().map(Input::File).collect();
    for uri in &args.conf_uri {
        let path = uri.strip_prefix("file:").or_else(|| (!uri.contains("://")).then_some(uri.as_str()));
        let path = path.ok_or_else(|| {
            Fatal::Text(format!(
                "--conf-uri {uri}: only file: URIs are read; fetch it first, and give the file"
            ))
        })?;
        let path = if path.starts_with("//") { path.trim_start_matches('/') } else { path };
        let absolute = if uri.starts_with("file://") { format!("/{path}") } else { path.to_owned() };
        inputs.push(Input::File(absolute.into()));
    }
    if inputs.is_empty() {
        return Err(Fatal::Text("no configuration: give a file with --conf-file".to_owned()));
    }
    Ok(inputs)
}

/// All findings at once, before anything starts.
fn log_findings(diagnostics: &Diagnostics) {
    for finding in diagnostics.iter() {
        let line = render::line(finding);
        match finding.severity {
            Severity::Error => tracing::error!("{line}"),
            Severity::Warning => tracing::warn!("{line}"),
            Severity::Note => tracing::info!("{line}"),
        }
    }
}

fn choose<'a>(args: &AgentArgs, loaded: &'a Loaded) -> Result<Vec<&'a AgentConfig>, Fatal> {
    let names: Vec<&str> = loaded.agents.iter().map(|a| a.name.as_str()).collect();
    tracing::info!(
        "Post-validation flume configuration contains configuration for agents: [{}]",
        names.join(", ")
    );
    if args.all {
        return if loaded.agents.is_empty() {
            Err(Fatal::NothingRuns)
        } else {
            Ok(loaded.agents.iter().collect())
        };
    }
    let find = |name: &String| {
        loaded.agent(name).ok_or_else(|| {
            let known = match (loaded.removed_agents.contains(name), names.is_empty()) {
                (true, _) => "it is in the file, but was removed for the errors above".to_owned(),
                (_, true) => "the configuration has no agent that can run".to_owned(),
                _ => format!("the configuration has {}; give one of them with --name", names.join(", ")),
            };
            Fatal::NoSuchAgent { name: name.clone(), known }
        })
    };
    args.name.iter().map(find).collect()
}

fn stop_limits(args: &AgentArgs) -> StopLimits {
    StopLimits { drain: Duration::from_secs(args.drain_seconds), ..StopLimits::default() }
}

/// As a JVM does: one connection is one file, and the default limit of 1,024 is for interactive programs.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

async fn serve(
    chosen: &[&AgentConfig],
    removed: &[String],
    monitoring: Option<Monitoring>,
    (limits, state_dir): (StopLimits, PathBuf),
) -> Result<ExitCode, Fatal> {
    let no_signals = |error| Fatal::System { what: "cannot watch for signals", error };
    let mut signals = Signals::watch(limits.in_all() + STOP_MARGIN).map_err(no_signals)?;
    let mut running = Vec::new();
    let mut not_started: Vec<AgentStatus> = removed
        .iter()
        .map(|name| AgentStatus::not_started(name, "removed for errors in its configuration"))
        .collect();
    for config in chosen {
        let mut findings = Diagnostics::default();
        let started = Agent::start(config, &mut findings);
        log_findings(&findings);
        match started {
            Ok(agent) => {
                report(config, &agent);
                running.push(agent);
            }
            Err(error) => {
                tracing::error!("{error}");
                not_started.push(AgentStatus::not_started(&config.name, &error.to_string()));
            }
        }
    }
    if running.is_empty() {
        return Err(Fatal::NothingRuns);
    }
    for agent in &not_started {
        tracing::error!("agent {} does NOT run: see the errors above", agent.name);
    }
    // Taken away again when this function ends.
    let _control = Control::open(&state_dir);
    let is_complete = not_started.is_empty();
    if let Some(monitoring) = monitoring {
        let started = running.iter().map(|a| a.status().clone());
        let agents: Agents = Arc::new(started.chain(not_started.into_iter().map(Arc::new)).collect());
        tokio::spawn(monitor(monitoring, agents));
    }
    let name = signals.next().await;
    tracing::info!("{name}: stopping");
    let stopping = futures_util::future::join_all(running.into_iter().map(|agent| agent.stop(limits)));
    let mut is_cut_off = false;
    tokio::select! {
        _ = stopping => {}
        name = signals.next() => {
            tracing::warn!("{name} again: ending at once");
            is_cut_off = true;
        }
    }
    if is_cut_off {
        tokio::time::sleep(CUT_OFF_WITHIN).await;
    }
    Ok(if is_complete && !is_cut_off { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line that says what runs and what does not.
fn report(config: &AgentConfig, agent: &Agent) {
    let status = agent.status();
    let names = |units: Vec<&str>| if units.is_empty() { "none".to_owned() } else { units.join(" ") };
    tracing::info!(
        "agent {}: sources: {}; channels: {}; sinks: {}",
        config.name,
        names(status.sources.iter().map(|s| s.unit.name.as_str()).collect()),
        names(status.channels.iter().map(|c| c.unit.name.as_str()).collect()),
        names(status.sinks.iter().map(|s| s.unit.name.as_str()).collect()),
    );
    if !config.dropped.is_empty() {
        tracing::error!(
            "agent {} runs WITHOUT {}: see the errors above; --strict would have refused to start",
            config.name,
            config.dropped.join(", ")
        );
    }
}

async fn monitor(monitoring: Monitoring, agents: Agents) {
    loop {
        match monitoring.listen().await {
            Ok(listener) => {
                if let Ok(address) = listener.local_addr() {
                    tracing::info!("monitoring on http://{address}/metrics");
                }
                return monitor::serve(listener, agents).await;
            }
            Err(error) => tracing::error!("{error}; trying again in {} s", MONITOR_RETRY.as_secs()),
        }
        tokio::time::sleep(MONITOR_RETRY).await;
    }
}
