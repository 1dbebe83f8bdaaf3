//! The second stage: every option of every kept component against its declared type.
//!
//! This is what Flume does when it configures the objects: a component whose options are wrong is removed, and what
//! hung on it follows. Only components of this build (`Ready`) are removed here; of the others only what can be
//! seen from the text is reported, and the agent binary decides what to do about them.
//!
//! ```text
//! types known? ▶ channels ▶ sources (interceptors, selector) ▶ sinks (serializer) ▶ batches ▶ groups ▶ loose ends
//! ```

mod batches;
mod dead_letters;
mod groups;
mod keys;
mod nested;
mod timestamps;

use crate::catalog::{Catalog, ComponentSpec};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::known;
use crate::model::{AgentConfig, ComponentConfig, Resolution};
use crate::settings::Settings;

/// Checks the options of one agent's components. What cannot run is left out of the answer.
pub(crate) fn check(mut agent: AgentConfig, catalog: &Catalog, diagnostics: &mut Diagnostics) -> AgentConfig {
    let mut typed = Typed { catalog, diagnostics };
    for component in agent.channels.iter().chain(&agent.sources).chain(&agent.sinks) {
        typed.report_unready(component);
    }
    typed.retain(&mut agent.channels, &mut agent.dropped, Typed::channel);
    typed.dead_letters(&mut agent);
    typed.retain(&mut agent.sources, &mut agent.dropped, Typed::source);
    typed.retain(&mut agent.sinks, &mut agent.dropped, Typed::sink);
    typed.rebind(&mut agent);
    typed.batches(&mut agent);
    typed.groups(&mut agent);
    typed.loose_ends(&mut agent);
    timestamps::check(&agent, diagnostics);
    agent
}

struct Typed<'a> {
    catalog: &'a Catalog,
    diagnostics: &'a mut Diagnostics,
}

impl Typed<'_> {
    fn report_unready(&mut self, component: &ComponentConfig) {
        if !component.resolution.is_ready() {
            let finding = known::explain_unready(component.kind, &component.type_text, self.catalog);
            let settings = &component.settings;
            self.diagnostics.push(finding.at(&settings.origin("type")).on(settings.path()));
        }
    }

    /// Keeps what `check` accepts and all that this build cannot run anyway.
    fn retain(
        &mut self,
        components: &mut Vec<ComponentConfig>,
        dropped: &mut Vec<String>,
        check: fn(&mut Self, &ComponentConfig) -> bool,
    ) {
        components.retain(|component| {
            let keeps = check(self, component) || !component.resolution.is_ready();
            if !keeps {
                dropped.push(component.settings.path().to_owned());
            }
            keeps
        });
    }

    fn channel(&mut self, channel: &ComponentConfig) -> bool {
        self.options(channel, &["type"])
    }

    fn source(&mut self, source: &ComponentConfig) -> bool {
        let own = self.options(source, &["type", "channels", "interceptors", "interceptors.", "selector."]);
        let interceptors = self.interceptors(&source.settings);
        let selector = self.selector(source);
        let decoders = self.decoders(source);
        own && interceptors && selector && decoders
    }

    fn sink(&mut self, sink: &ComponentConfig) -> bool {
        let own = self.options(sink, &["type", "channel"]);
        let serializer = self.serializers(sink);
        own && serializer
    }

    /// Runs a ready component's own check and looks for keys it does not have.
    fn options(&mut self, component: &ComponentConfig, common: &[&str]) -> bool {
        match self.spec(component) {
            Some(spec) => self.run_check(&spec, &component.settings, common),
            None => true,
        }
    }

    fn spec(&self, component: &ComponentConfig) -> Option<ComponentSpec> {
        match component.resolution {
            Resolution::Ready(name) => self.catalog.find(component.kind, name).copied(),
            Resolution::Planned | Resolution::Unknown => None,
        }
    }

    /// Runs the check of a type over settings. Complaints about values that are not known now do not count.
    fn run_check(&mut self, spec: &ComponentSpec, settings: &Settings, common: &[&str]) -> bool {
        keys::report_unknown(spec, settings, common, self.diagnostics);
        if !settings.iter().any(|(key, _)| settings.is_unknown(key)) {
            return (spec.check)(settings, self.diagnostics);
        }
        let mut findings = Diagnostics::default();
        let passed = (spec.check)(settings, &mut findings);
        let about_unknown = |finding: &Diagnostic| {
            settings.iter().any(|(key, setting)| {
                settings.is_unknown(key) && finding.origin.as_ref() == Some(&setting.origin)
            })
        };
        let (_, real): (Vec<_>, Vec<_>) = findings.into_iter().partition(about_unknown);
        let real_errors = real.iter().any(|finding| finding.severity == Severity::Error);
        self.diagnostics.extend(real);
        passed || !real_errors
    }

    /// Takes dropped channels away from sources and sinks, and drops those that have none left.
    fn rebind(&mut self, agent: &mut AgentConfig) {
        let kept: Vec<String> = agent.channels.iter().map(|c| c.name.clone()).collect();
        let dropped = &mut agent.dropped;
        for components in [&mut agent.sources, &mut agent.sinks] {
            components.retain_mut(|component| {
                component.channels.retain(|name| kept.contains(name));
                component.channel = component.channel.take().filter(|name| kept.contains(name));
                let keeps = component.bound_channels().next().is_some();
                if !keeps {
                    let path = component.settings.path();
                    let message = format!(
                        "{} `{path}` has no channel left, so it cannot run",
                        known::kind_name(component.kind)
                    );
                    let finding =
                        Diagnostic::error("missing-channel", message).at(&component.settings.origin("type"));
                    self.diagnostics.push(finding.on(path).help("its channels were dropped, see above"));
                    dropped.push(path.to_owned());
                }
                keeps
            });
        }
    }

    /// Channels without a source and a sink are not started; an agent without any of these does nothing.
    fn loose_ends(&mut self, agent: &mut AgentConfig) {
        let (sources, sinks, dropped) = (&agent.sources, &agent.sinks, &mut agent.dropped);
        agent.channels.retain(|channel| {
            let is_bound = sources.iter().chain(sinks).any(|c| {
                c.bound_channels().any(|name| name == channel.name)
                    || c.dead_letter_channels().any(|letters| letters.channel == channel.name)
            });
            if !is_bound && channel.resolution.is_ready() {
                dropped.push(channel.settings.path().to_owned());
                return false;
            }
            true
        });
        if agent.sources.is_empty() && agent.sinks.is_empty() {
            let finding = Diagnostic::error(
                "agent-empty",
                format!("agent `{}` has nothing left that can run", agent.name),
            );
            let help = "Flume would stay up and do nothing; mend the components reported above";
            self.diagnostics.push(finding.at(&agent.origin).on(&agent.name).help(help));
        }
    }
}
