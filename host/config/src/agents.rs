//! Flume's own rules: which agents and components of a file can run, and which it drops.
//!
//! ```text
//! entries ─collect─▶ drafts: per agent, per part, a list and the components with keys
//!         ─validate─▶ config filters ▶ channels ▶ sources, sinks ▶ sink groups ▶ AgentConfig, or removed
//! ```
//! This is `FlumeConfiguration` of Flume 1.9 to 1.11, with every silent decision made a finding. Three things are
//! better on purpose: a sink group without `sinks` is dropped where Flume stops with a NullPointerException; of two
//! groups that share a sink the first of the list keeps it, where Flume asks its hash order; and the selector alias
//! `load_balancing` works, which Flume 1.11 documents and then refuses.

mod collect;
mod draft;
mod filters;
mod groups;
mod listing;
mod lists;
mod text_checks;

use std::collections::BTreeSet;

use crate::catalog::{Catalog, ComponentKind};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::known;
use crate::load::LoadOptions;
use crate::model::{AgentConfig, ComponentConfig};
use crate::suggest;

pub(crate) use collect::collect;
use draft::{AgentDraft, Part};
use listing::Listed;
pub(crate) use lists::words;

/// Applies Flume's rules to one agent. `None` means that the agent is removed.
pub(crate) fn validate(
    mut draft: AgentDraft,
    options: &LoadOptions,
    catalog: &Catalog,
    diagnostics: &mut Diagnostics,
) -> Option<AgentConfig> {
    if draft.part(Part::Channels).list.is_none() {
        return removed(&draft, "it has no list of channels", diagnostics);
    }
    filters::apply(&mut draft, options, diagnostics);
    let mut validation = Validation { agent: draft.name.clone(), catalog, diagnostics, dropped: Vec::new() };
    let listed = validation.take_listed(&mut draft, Part::Channels);
    let channels = validation.channels(listed);
    if channels.is_empty() {
        return removed(&draft, "none of its channels can run", diagnostics);
    }
    let names: BTreeSet<String> = channels.iter().map(|c| c.name.clone()).collect();
    let listed = validation.take_listed(&mut draft, Part::Sources);
    let sources = validation.sources(listed, &names);
    let listed = validation.take_listed(&mut draft, Part::Sinks);
    let sinks = validation.sinks(listed, &names);
    let sink_names: BTreeSet<String> = sinks.iter().map(|s| s.name.clone()).collect();
    let listed = validation.take_listed(&mut draft, Part::SinkGroups);
    let sink_groups = validation.groups(listed, &sink_names);
    if sources.is_empty() && sinks.is_empty() {
        return removed(&draft, "it has no source and no sink that can run", diagnostics);
    }
    let dropped = std::mem::take(&mut validation.dropped);
    let agent =
        AgentConfig { name: draft.name, origin: draft.first, sources, channels, sinks, sink_groups, dropped };
    warn_of_loose_channels(&agent, diagnostics);
    Some(agent)
}

fn removed(draft: &AgentDraft, why: &str, diagnostics: &mut Diagnostics) -> Option<AgentConfig> {
    let name = &draft.name;
    let mut finding = Diagnostic::error("agent-removed", format!("agent `{name}` cannot run: {why}"))
        .at(&draft.first)
        .on(name);
    let has_lists = draft.parts.iter().any(|part| part.list.is_some());
    finding = match suggest::nearest(name, draft.other_agents.iter().map(String::as_str)) {
        // A lone key under a misspelt name does not stop the agent that was meant.
        Some(near) if !has_lists => finding.help(format!("did you mean agent `{near}`?")),
        _ => finding
            .help(format!("an agent needs `{name}.channels = …` and a source or sink bound to one of them")),
    };
    if !has_lists {
        finding.severity = Severity::Warning;
    }
    diagnostics.push(finding);
    None
}

/// The rules of one agent at work.
struct Validation<'a> {
    agent: String,
    catalog: &'a Catalog,
    diagnostics: &'a mut Diagnostics,
    dropped: Vec<String>,
}

impl Validation<'_> {
    fn channels(&mut self, listed: Vec<Listed>) -> Vec<ComponentConfig> {
        listed.into_iter().filter_map(|one| self.component(one, ComponentKind::Channel)).collect()
    }

    fn sources(&mut self, listed: Vec<Listed>, channels: &BTreeSet<String>) -> Vec<ComponentConfig> {
        let mut kept = Vec::new();
        for one in listed {
            let Some(mut source) = self.component(one, ComponentKind::Source) else { continue };
            let asked = words(source.settings.text("channels").unwrap_or_default());
            let mut bound: Vec<String> = Vec::new();
            let mut unknown = Vec::new();
            for name in asked {
                match channels.contains(&name) {
                    true if bound.contains(&name) => {}
                    true => bound.push(name),
                    false => unknown.push(name),
                }
            }
            self.report_channels(&source, "channels", &unknown, bound.is_empty(), channels);
            if bound.is_empty() {
                self.dropped.push(source.settings.path().to_owned());
            } else {
                source.channels = bound;
                kept.push(source);
            }
        }
        kept
    }

    fn sinks(&mut self, listed: Vec<Listed>, channels: &BTreeSet<String>) -> Vec<ComponentConfig> {
        let mut kept = Vec::new();
        for one in listed {
            let Some(mut sink) = self.component(one, ComponentKind::Sink) else { continue };
            let asked = sink.settings.text("channel").map(str::to_owned);
            if let Some(channel) = asked.clone().filter(|c| channels.contains(c)) {
                sink.channel = Some(channel);
                kept.push(sink);
            } else {
                self.report_channels(
                    &sink,
                    "channel",
                    &asked.into_iter().collect::<Vec<_>>(),
                    true,
                    channels,
                );
                self.dropped.push(sink.settings.path().to_owned());
            }
        }
        kept
    }

    /// The component with its type, if it has one.
    fn component(&mut self, one: Listed, kind: ComponentKind) -> Option<ComponentConfig> {
        let Some(type_text) = one.settings.text("type").map(str::to_owned) else {
            let (path, what) = (one.settings.path(), known::kind_name(kind));
            let finding =
                Diagnostic::error("missing-type", format!("{what} `{path}` has no type, so it cannot run"));
            let near = suggest::nearest("type", one.settings.iter().map(|(key, _)| key));
            let help = match near {
                Some(near) => format!("did you mean `{path}.type` where `{path}.{near}` is written?"),
                None => format!("add `{path}.type = …`"),
            };
            self.diagnostics.push(finding.at(&one.first).on(path).help(help));
            self.dropped.push(path.to_owned());
            return None;
        };
        let resolution = known::resolve(kind, &type_text, self.catalog);
        let (name, settings) = (one.name, one.settings);
        Some(ComponentConfig {
            kind,
            name,
            type_text,
            resolution,
            settings,
            channels: Vec::new(),
            channel: None,
        })
    }

    /// Says which channels of a source or sink do not exist, and whether it is dropped for it.
    fn report_channels(
        &mut self,
        component: &ComponentConfig,
        key: &str,
        unknown: &[String],
        is_dropped: bool,
        channels: &BTreeSet<String>,
    ) {
        let (path, what) = (component.settings.path(), known::kind_name(component.kind));
        if component.settings.text(key).is_none() {
            let finding = Diagnostic::error(
                "missing-channel",
                format!("{what} `{path}` has no {key}, so it cannot run"),
            );
            let other = if key == "channel" { "channels" } else { "channel" };
            let help = match component.settings.text(other) {
                Some(value) => {
                    format!("a {what} takes `{key}`, not `{other}`: write `{path}.{key} = {value}`")
                }
                None => {
                    format!("add `{path}.{key} = {}`", channels.iter().next().map_or("…", String::as_str))
                }
            };
            self.diagnostics.push(finding.at(&component.settings.origin("type")).on(path).help(help));
            return;
        }
        for name in unknown {
            let outcome = if is_dropped { "so it cannot run" } else { "so it is left out" };
            let message = format!(
                "{what} `{path}` names channel `{name}`, which `{}` does not have, {outcome}",
                self.agent
            );
            let finding = if is_dropped {
                Diagnostic::error("unknown-channel", message)
            } else {
                Diagnostic::warning("unknown-channel", message)
            };
            let help = self.channel_help(name, key, channels);
            self.diagnostics.push(finding.at(&component.settings.origin(key)).on(path).help(help));
        }
    }

    fn channel_help(&self, name: &str, key: &str, channels: &BTreeSet<String>) -> String {
        let dropped = format!("{}.channels.{name}", self.agent);
        if name.contains(',') {
            return "separate channels with blanks; a comma is part of the name".to_owned();
        }
        if key == "channel" && name.contains(char::is_whitespace) {
            return "a sink reads from one channel only; use one sink for each channel".to_owned();
        }
        if self.dropped.contains(&dropped) {
            return format!("channel `{name}` was dropped, see above");
        }
        match suggest::nearest(name, channels.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let names: Vec<&str> = channels.iter().map(String::as_str).collect();
                format!("the channels that can run: {}", names.join(", "))
            }
        }
    }
}

/// Channels that lose their purpose: nobody fills them, or nobody empties them.
fn warn_of_loose_channels(agent: &AgentConfig, diagnostics: &mut Diagnostics) {
    for channel in &agent.channels {
        let filled = agent.sources.iter().any(|s| s.channels.contains(&channel.name))
            || agent.dead_letter_channels().any(|letters| letters.channel == channel.name);
        let emptied = agent.sinks.iter().any(|s| s.channel.as_ref() == Some(&channel.name));
        let outlives_us = channel.type_text == "org.apache.flume.channel.kafka.KafkaChannel";
        let message = match (filled, emptied) {
            (false, false) => "is used by no source and no sink, so it is not started",
            (true, false) if !outlives_us => "is read by no sink: its source stops when it is full",
            (false, true) if !outlives_us => "is filled by no source: its sinks have nothing to do",
            _ => continue,
        };
        let path = channel.settings.path();
        diagnostics.push(
            Diagnostic::warning("channel-unused", format!("channel `{path}` {message}"))
                .at(&channel.settings.origin("type"))
                .on(path)
                .help(format!("bind it, or take it out of `{}.channels`", agent.name)),
        );
    }
}
