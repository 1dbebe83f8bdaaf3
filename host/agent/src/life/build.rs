//! From a checked configuration to components that are connected but do not run yet.

use std::collections::HashMap;
use std::sync::Arc;

use flumen_channel::{Channel, Gate};
use flumen_config::{AgentConfig, ComponentConfig, Diagnostics, Resolution, Settings};
use flumen_connect::budget::Budget;
use flumen_connect::catalog;
use flumen_connect::ledger::{DropCounts, SinkCounters, SourceCounters};
use flumen_connect::outlet::{NamedChannel, OutletParts};
use flumen_connect::processors::SinkProcessor;
use flumen_connect::{AnyInterceptor, AnySelector, Outlet, Source};
use flumen_connect::{channels, interceptors, processors, selectors};

use super::dead_letters::DeadLetters;
use super::runner::{Group, GroupSink};
use super::supervisor::SourceUnit;
use super::{BuildError, Substitute, budgets};
use crate::status::{AgentStatus, ChannelEntry, SinkStatus, SourceStatus, Unit};

/// An agent's components, connected.
pub(super) struct Parts {
    pub(super) status: Arc<AgentStatus>,
    pub(super) sources: Vec<SourceUnit>,
    pub(super) groups: Vec<Group>,
}

pub(super) fn build(
    config: &AgentConfig,
    substitute: Option<Substitute>,
    diagnostics: &mut Diagnostics,
) -> Result<Parts, BuildError> {
    refuse_unknown_types(config)?;
    let gate = Arc::new(Gate::default());
    let channels = build_channels(config, &gate, diagnostics);
    let dead_letters = DeadLetters::connect(config, &channels);
    let built_sinks = build_sinks(config, &channels, diagnostics);
    let budget = budgets::of_agent(&config.name, &channels);
    let ways =
        Ways { gate: &gate, channels: &channels, dead_letters: &dead_letters, budget: budget.as_ref() };
    let sources = build_sources(config, &ways, substitute, diagnostics);
    if sources.is_empty() && built_sinks.is_empty() {
        return Err(BuildError::Empty(config.name.clone()));
    }
    let unbuilt = unbuilt(config, &sources, &channels, &built_sinks);
    let status = Arc::new(AgentStatus {
        name: config.name.clone(),
        gate,
        sources: sources.iter().map(|s| s.status.clone()).collect(),
        channels,
        sinks: built_sinks.iter().map(|(_, sink)| sink.status.clone()).collect(),
        dead_letters: dead_letters.files,
        budget,
        removed: config.dropped.iter().cloned().chain(unbuilt).collect(),
    });
    let groups = build_groups(config, built_sinks, diagnostics);
    Ok(Parts { status, sources, groups })
}

/// Components that the checks found good and that could not be built all the same.
fn unbuilt(
    config: &AgentConfig,
    sources: &[SourceUnit],
    channels: &[Arc<ChannelEntry>],
    sinks: &[BuiltSink],
) -> Vec<String> {
    let has_source = |name: &str| sources.iter().any(|s| s.status.unit.name == name);
    let has_channel = |name: &str| channels.iter().any(|c| c.unit.name == name);
    let has_sink = |name: &str| sinks.iter().any(|(sink, _)| sink == name);
    let lost = config.sources.iter().filter(|c| !has_source(&c.name));
    let lost = lost.chain(config.channels.iter().filter(|c| !has_channel(&c.name)));
    let lost = lost.chain(config.sinks.iter().filter(|c| !has_sink(&c.name)));
    lost.map(|component| component.settings.path().to_owned()).collect()
}

/// Flume ends when it cannot load a class; so do we, but name all of them at once.
fn refuse_unknown_types(config: &AgentConfig) -> Result<(), BuildError> {
    let components: Vec<String> = config
        .unready()
        .map(|c| format!("{:?} {} has the type `{}`, which cannot be loaded", c.kind, c.name, c.type_text))
        .collect();
    if components.is_empty() {
        return Ok(());
    }
    Err(BuildError::Types { agent: config.name.clone(), components })
}

fn type_name(component: &ComponentConfig) -> &'static str {
    match component.resolution {
        Resolution::Ready(name) => name,
        Resolution::Planned | Resolution::Unknown => "",
    }
}

/// Keeps what could be built; what could not is reported, as in Flume.
fn kept<T>(result: Result<T, Diagnostics>, component: &str, diagnostics: &mut Diagnostics) -> Option<T> {
    match result {
        Ok(built) => Some(built),
        Err(findings) => {
            tracing::error!("{component} has been removed due to an error during configuration");
            diagnostics.extend(findings);
            None
        }
    }
}

fn build_channels(
    config: &AgentConfig,
    gate: &Arc<Gate>,
    diagnostics: &mut Diagnostics,
) -> Vec<Arc<ChannelEntry>> {
    let built = config.channels.iter().filter_map(|component| {
        let kind = type_name(component);
        let found = channels::TYPES.iter().find(|t| t.spec.name == kind)?;
        let built = (found.build)(&component.settings, gate.clone());
        let channel = kept(built, &format!("Channel {}", component.name), diagnostics)?;
        Some(Arc::new(ChannelEntry {
            unit: Unit::new(&component.name, kind),
            channel,
            dropped: DropCounts::default(),
        }))
    });
    built.collect()
}

fn find_channel(channels: &[Arc<ChannelEntry>], name: &str) -> Option<Arc<dyn Channel>> {
    channels.iter().find(|c| c.unit.name == name).map(|c| c.channel.clone())
}

type BuiltSink = (String, GroupSink);

fn build_sinks(
    config: &AgentConfig,
    channels: &[Arc<ChannelEntry>],
    diagnostics: &mut Diagnostics,
) -> Vec<BuiltSink> {
    let built = config.sinks.iter().filter_map(|component| {
        let kind = type_name(component);
        let channel = find_channel(channels, component.channel.as_deref()?)?;
        let build = catalog::sink(kind)?.build;
        let mut sink = kept(build(&component.settings), &format!("Sink {}", component.name), diagnostics)?;
        let counters = Arc::new(SinkCounters::default());
        sink.attach(counters.clone());
        let status = Arc::new(SinkStatus { unit: Unit::new(&component.name, kind), counters });
        let settings = component.settings.clone();
        let rebuild = Box::new(move || build(&settings).ok());
        Some((component.name.clone(), GroupSink::new(sink, rebuild, channel, status)))
    });
    built.collect()
}

/// Makes a fresh source, for after a panic.
type Rebuild = Box<dyn Fn() -> Option<Box<dyn Source>> + Send + Sync>;

fn build_sources(
    config: &AgentConfig,
    ways: &Ways<'_>,
    mut substitute: Option<Substitute>,
    diagnostics: &mut Diagnostics,
) -> Vec<SourceUnit> {
    let built = config.sources.iter().filter_map(|component| {
        let kind = type_name(component);
        let path = format!("Source {}", component.name);
        let (source, rebuild): (_, Rebuild) = match substitute.take_if(|other| other.source == component.name)
        {
            Some(other) => (other.with, Box::new(|| None)),
            None => {
                let build = catalog::source(kind)?.build;
                let settings = component.settings.clone();
                let source = kept(build(&settings), &path, diagnostics)?;
                (source, Box::new(move || build(&settings).ok()))
            }
        };
        let counters = Arc::new(SourceCounters::default());
        let outlet = kept(build_outlet(component, ways, &counters), &path, diagnostics)?;
        let status = Arc::new(SourceStatus { unit: Unit::new(&component.name, kind), counters });
        Some(SourceUnit { source, rebuild, outlet, status })
    });
    built.collect()
}

/// What the outlets of an agent's sources share.
struct Ways<'a> {
    gate: &'a Arc<Gate>,
    channels: &'a [Arc<ChannelEntry>],
    dead_letters: &'a DeadLetters,
    budget: Option<&'a Arc<Budget>>,
}

/// Channels in the agent's order, whatever the source's list says: sources that share channels then reserve
/// room in the same order and cannot wait for each other in a circle.
fn build_outlet(
    component: &ComponentConfig,
    ways: &Ways<'_>,
    counters: &Arc<SourceCounters>,
) -> Result<Outlet, Diagnostics> {
    let bound: Vec<NamedChannel> = ways
        .channels
        .iter()
        .filter(|c| component.channels.contains(&c.unit.name))
        .map(|c| NamedChannel { name: c.unit.name.as_str().into(), channel: c.channel.clone() })
        .collect();
    let names: Vec<String> = bound.iter().map(|c| c.name.to_string()).collect();
    Ok(Outlet::of(OutletParts {
        interceptors: build_interceptors(&component.settings)?,
        selector: build_selector(&component.settings, &names)?,
        channels: bound,
        dead_letters: ways.dead_letters.of(component),
        put_order: ways.channels.iter().map(|entry| entry.channel.clone()).collect(),
        gate: ways.gate.clone(),
        counters: counters.clone(),
        budget: ways.budget.cloned(),
    }))
}

fn build_interceptors(settings: &Settings) -> Result<Vec<AnyInterceptor>, Diagnostics> {
    let mut built = Vec::new();
    for name in settings.words("interceptors") {
        let own = settings.below(&format!("interceptors.{name}."));
        built.push(build_interceptor(&own)?);
    }
    Ok(built)
}

fn build_interceptor(own: &Settings) -> Result<AnyInterceptor, Diagnostics> {
    let text = own.text("type").unwrap_or_default();
    if let Some(plugins) = catalog::plugins().filter(|_| flumen_config::known::is_plugin(text)) {
        return (plugins.interceptor.build)(own).map(AnyInterceptor::Waiting);
    }
    let found = interceptors::TYPES.iter().find(|t| names_match(&t.spec, text));
    (found.ok_or_else(|| unknown_nested("interceptor", own))?.build)(own).map(AnyInterceptor::Native)
}

fn build_selector(settings: &Settings, channels: &[String]) -> Result<AnySelector, Diagnostics> {
    let own = settings.below("selector.");
    let text = own.text("type").unwrap_or("replicating");
    if let Some(plugins) = catalog::plugins().filter(|_| flumen_config::known::is_plugin(text)) {
        return (plugins.selector.build)(&own, channels).map(AnySelector::Waiting);
    }
    let found = selectors::TYPES.iter().find(|t| names_match(&t.spec, text));
    (found.ok_or_else(|| unknown_nested("selector", &own))?.build)(&own, channels).map(AnySelector::Native)
}

fn names_match(spec: &flumen_config::ComponentSpec, text: &str) -> bool {
    flumen_config::Catalog::new([*spec]).find(spec.kind, text).is_some()
}

fn unknown_nested(what: &str, settings: &Settings) -> Diagnostics {
    let mut findings = Diagnostics::default();
    let text = settings.text("type").unwrap_or_default();
    findings.push(
        flumen_config::Diagnostic::error(
            "unknown-type",
            format!("the {what} type `{text}` cannot be loaded"),
        )
        .on(settings.path())
        .at(&settings.origin("type")),
    );
    findings
}

/// One group per sink group, and one per sink that is in none.
fn build_groups(config: &AgentConfig, sinks: Vec<BuiltSink>, diagnostics: &mut Diagnostics) -> Vec<Group> {
    let mut by_name: HashMap<String, GroupSink> = HashMap::new();
    let mut order = Vec::new();
    for (name, sink) in sinks {
        order.push(name.clone());
        by_name.insert(name, sink);
    }
    let mut groups = Vec::new();
    for group in &config.sink_groups {
        let names: Vec<String> = group.sinks.iter().filter(|s| by_name.contains_key(*s)).cloned().collect();
        let Some(processor) = kept(
            build_processor(&group.processor, &group.processor_type, &names),
            &format!("Sink group {}", group.name),
            diagnostics,
        ) else {
            continue;
        };
        let members = names.iter().filter_map(|name| by_name.remove(name)).collect();
        groups.push(Group { name: group.name.clone(), sinks: members, processor });
    }
    let single = Settings::new(&config.name);
    for name in order {
        let Some(sink) = by_name.remove(&name) else { continue };
        let processor = build_processor(&single, "default", std::slice::from_ref(&name));
        if let Some(processor) = kept(processor, &format!("Sink {name}"), diagnostics) {
            groups.push(Group { name, sinks: vec![sink], processor });
        }
    }
    groups
}

fn build_processor(
    settings: &Settings,
    text: &str,
    sinks: &[String],
) -> Result<Box<dyn SinkProcessor>, Diagnostics> {
    let found = processors::TYPES.iter().find(|t| names_match(&t.spec, text));
    (found.ok_or_else(|| unknown_nested("sink processor", settings))?.build)(settings, sinks)
}
