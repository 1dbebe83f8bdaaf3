//! `flumen replay`: dead letters once more, through the plugin that failed (or a fixed one) into the same channels
//! and sinks.
//!
//! ```text
//! dead.jsonl ─▶ ReplaySource ─▶ interceptors from the plugin on ─▶ selector ─▶ channels ─▶ sinks
//!      ▲             └─ position: dead.jsonl.PLUGIN.position, moved when the batch is delivered
//!      └─ dead letters that fail again are appended, as in the agent, for the next replay
//! ```
//! Dead letters of a sink go straight into the channel of that sink.
//!
//! Promises: what is behind the position is in durable channels or delivered. A replay that is stopped (signals
//! included) goes on where it was; killed with SIGKILL it gives the one batch that was under way again. The process
//! has the agent's channels and sinks for itself: a durable channel that a running agent holds cannot be opened, and
//! is said so.

mod position;
mod source;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use flumen_config::{
    AgentConfig, ComponentConfig, ComponentKind, Diagnostics, Resolution, Setting, Settings, render,
};
use flumen_connect::dead_letter::{PLUGIN_HEADER, line};

use super::agent::complain;
use super::print;
use crate::cli::ReplayArgs;
use crate::life::{Agent, StopLimits, Substitute};
use crate::status::State;
use position::Position;
use source::{Letters, Replay};

/// How often is looked whether all is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Replays until everything that was in the file is delivered, or a signal comes.
pub fn run(args: &ReplayArgs) -> ExitCode {
    match try_run(args) {
        Ok(code) => code,
        Err(why) => {
            complain(&format!("flumen: {why}\n"));
            ExitCode::FAILURE
        }
    }
}

fn try_run(args: &ReplayArgs) -> Result<ExitCode, String> {
    super::agent::start_plain_logging();
    let loaded = super::load_to_run(&args.conf_file, &args.config);
    complain(&render::text(&loaded.diagnostics, &loaded.sources, render::Colour::Never));
    let agent =
        loaded.agent(&args.name).ok_or_else(|| format!("there is no agent `{}` that can run", args.name))?;
    let plugin = plugin(args)?;
    let route = Route::of(agent, &plugin, args)?;
    let position = Position::open(&args.from, &plugin).map_err(|error| error.to_string())?;
    let letters = Letters { plugin, keeps_headers: args.keep_headers };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start a runtime: {error}"))?;
    let result = runtime.block_on(replay(route, letters, position));
    runtime.shutdown_background();
    result
}

async fn replay(route: Route, letters: Letters, position: Position) -> Result<ExitCode, String> {
    let mut signals = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| format!("cannot watch for signals: {error}"))?;
    let (source, progress) = Replay::new(letters, position);
    let mut findings = Diagnostics::default();
    let substitute = Substitute { source: route.source.clone(), with: Box::new(source) };
    let started = Agent::start_with(&route.agent, Some(substitute), &mut findings);
    complain(&findings.iter().map(|finding| render::line(finding) + "\n").collect::<String>());
    let agent = started.map_err(|error| error.to_string())?;
    let status = agent.status().clone();
    let is_done = async {
        loop {
            let found = status.sources.iter().find(|source| source.unit.name == route.source);
            match found.map(|source| source.unit.state()) {
                Some(State::Finished) => return Ok(()),
                Some(State::Failing(why)) => return Err(why),
                None => return Err("the source could not be built".to_owned()),
                Some(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    };
    let ended = tokio::select! {
        done = is_done => done.map(|()| true),
        _ = signals.recv() => Ok(false),
        _ = tokio::signal::ctrl_c() => Ok(false),
    };
    agent.stop(StopLimits::default()).await;
    let ledger = status.ledger();
    let text = format!(
        "replayed {} dead letters: delivered {}, dropped {}, dead letters again {}{}\n",
        progress.events(),
        ledger.delivered,
        ledger.dropped_total(),
        status
            .sources
            .iter()
            .map(|source| flumen_connect::ledger::get(&source.counters.dead_letters))
            .sum::<u64>(),
        if matches!(ended, Ok(true)) { "" } else { "; stopped before the end: run it again to go on" },
    );
    let printed = print(&text);
    ended.map(|is_whole| if is_whole { printed } else { ExitCode::FAILURE })
}

/// The plugin whose dead letters are meant: the one that was named, or the only one of the file.
fn plugin(args: &ReplayArgs) -> Result<String, String> {
    if let Some(plugin) = &args.plugin {
        return Ok(plugin.clone());
    }
    let found = plugins_of(&args.from)?;
    match found.iter().collect::<Vec<_>>().as_slice() {
        [] => Err(format!("{} has no dead letters", args.from.display())),
        [only] => Ok((*only).clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            Err(format!(
                "{} has dead letters of several plugins; choose with --plugin: {}",
                args.from.display(),
                names.join(", ")
            ))
        }
    }
}

fn plugins_of(path: &Path) -> Result<BTreeSet<String>, String> {
    use std::io::BufRead;
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut found = BTreeSet::new();
    let reader = std::io::BufReader::new(std::fs::File::open(path).map_err(failed)?);
    for one in reader.split(b'\n') {
        let Ok(event) = line::read(&one.map_err(failed)?) else { continue };
        found.extend(
            event.headers.into_iter().find(|(name, _)| name == PLUGIN_HEADER).map(|(_, value)| value),
        );
    }
    Ok(found)
}

/// The agent as it is run for a replay, and the source that stands in.
struct Route {
    agent: AgentConfig,
    source: String,
}

impl Route {
    fn of(agent: &AgentConfig, plugin: &str, args: &ReplayArgs) -> Result<Self, String> {
        let parts: Vec<&str> = plugin.split('.').collect();
        let (kind, name) = match parts.as_slice() {
            [of, kind @ ("sources" | "sinks"), name, ..] if *of == agent.name => (*kind, *name),
            _ => {
                return Err(format!(
                    "`{plugin}` is no plugin of agent `{}`; name one with --plugin",
                    agent.name
                ));
            }
        };
        let mut agent = agent.clone();
        let source = match (kind, &args.source) {
            ("sinks", None) => into_sink(&agent, name)?,
            (_, source) => {
                let name = source.as_deref().unwrap_or(name);
                let found = agent.sources.iter().find(|source| source.name == name);
                let mut source = found
                    .cloned()
                    .ok_or_else(|| format!("agent `{}` has no source `{name}` that can run", agent.name))?;
                if let (false, [_, "sources", _, "interceptors", from]) = (args.from_first, parts.as_slice())
                {
                    begin_with(&mut source.settings, from)?;
                }
                source
            }
        };
        let name = source.name.clone();
        agent.sources = vec![source];
        Ok(Self { agent, source: name })
    }
}

/// The interceptors before this one have had the events already.
fn begin_with(settings: &mut Settings, interceptor: &str) -> Result<(), String> {
    let names: Vec<String> = settings.words("interceptors").into_iter().map(str::to_owned).collect();
    let at = names.iter().position(|name| name == interceptor).ok_or_else(|| {
        format!(
            "`{}` has no interceptor `{interceptor}` any more; --from-first runs those it has",
            settings.path()
        )
    })?;
    let origin = settings.origin("interceptors");
    settings.insert("interceptors", Setting { value: names[at..].join(" "), origin });
    Ok(())
}

/// A source without interceptors, into the channel of that sink.
fn into_sink(agent: &AgentConfig, sink: &str) -> Result<ComponentConfig, String> {
    let found = agent.sinks.iter().find(|one| one.name == sink);
    let channel = found.and_then(|sink| sink.channel.clone());
    let channel =
        channel.ok_or_else(|| format!("agent `{}` has no sink `{sink}` that can run", agent.name))?;
    Ok(ComponentConfig {
        kind: ComponentKind::Source,
        name: "replay".to_owned(),
        type_text: "replay".to_owned(),
        // Built by nobody: the substitute takes its place.
        resolution: Resolution::Ready("replay"),
        settings: Settings::new(format!("{}.sources.replay", agent.name)),
        channels: vec![channel],
        channel: None,
    })
}

/// How many dead letters have gone on.
#[derive(Clone, Default)]
struct Progress(Arc<std::sync::atomic::AtomicU64>);

impl Progress {
    fn add(&self, events: usize) {
        self.0.fetch_add(events as u64, std::sync::atomic::Ordering::Relaxed);
    }
    fn events(&self) -> u64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}
