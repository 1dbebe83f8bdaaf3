//! Batches that are larger than the transactions of a bound channel.
//!
//! Flume 1.9 and later removes such a component (FLUME-3106), which breaks many old tutorials; so the finding names
//! both keys and both values.

use super::Typed;
use crate::diagnostic::{Diagnostic, Severity};
use crate::known;
use crate::model::{AgentConfig, ComponentConfig};

/// How many events, and by which key.
struct Limit {
    key: &'static str,
    events: u64,
}

impl Typed<'_> {
    pub(super) fn batches(&mut self, agent: &mut AgentConfig) {
        let channels = &agent.channels;
        let dropped = &mut agent.dropped;
        for components in [&mut agent.sources, &mut agent.sinks] {
            components.retain(|component| {
                let bound =
                    component.bound_channels().filter_map(|name| channels.iter().find(|c| c.name == name));
                let too_small: Vec<&ComponentConfig> =
                    bound.filter(|channel| !self.fits(component, channel)).collect();
                let keeps = too_small.is_empty() || !component.resolution.is_ready();
                if !keeps {
                    dropped.push(component.settings.path().to_owned());
                }
                keeps
            });
        }
    }

    /// Whether the batch of a component fits into a channel's transaction; if not, it is reported.
    fn fits(&mut self, component: &ComponentConfig, channel: &ComponentConfig) -> bool {
        let (Some(batch), Some(capacity)) = (self.batch(component), self.capacity(channel)) else {
            return true;
        };
        if batch.events <= capacity.events {
            return true;
        }
        let (path, channel_path) = (component.settings.path(), channel.settings.path());
        let message = format!(
            "{} `{path}` handles `{}` = {} events at once, more than `{}` = {} of channel `{}`, so it cannot run",
            known::kind_name(component.kind),
            batch.key,
            batch.events,
            capacity.key,
            capacity.events,
            channel.name,
        );
        let origin = match component.settings.get(batch.key) {
            Some(setting) => setting.origin.clone(),
            None if channel.settings.get(capacity.key).is_some() => channel.settings.origin(capacity.key),
            None => component.settings.origin("type"),
        };
        let mut finding = Diagnostic::error("batch-too-large", message).at(&origin).on(path).help(format!(
            "set `{channel_path}.{} = {}` (and `capacity` to at least that), or `{path}.{} = {}`",
            capacity.key, batch.events, batch.key, capacity.events
        ));
        if !component.resolution.is_ready() || !channel.resolution.is_ready() {
            // The type itself is an error already; this is what comes after it.
            finding.severity = Severity::Warning;
        }
        self.diagnostics.push(finding);
        !(component.resolution.is_ready() && channel.resolution.is_ready())
    }

    fn batch(&self, component: &ComponentConfig) -> Option<Limit> {
        let known = known::find(component.kind, &component.type_text).and_then(|k| k.batch);
        match self.spec(component) {
            Some(spec) => {
                let events = spec.batch_size?(&component.settings) as u64;
                Some(Limit { key: known.map_or("batchSize", |k| k.key), events })
            }
            None => known.and_then(|limit| from_text(component, limit)),
        }
    }

    fn capacity(&self, channel: &ComponentConfig) -> Option<Limit> {
        match self.spec(channel) {
            Some(spec) => {
                let events = spec.transaction_capacity?(&channel.settings)? as u64;
                Some(Limit { key: "transactionCapacity", events })
            }
            None => from_text(channel, known::find(channel.kind, &channel.type_text)?.batch?),
        }
    }
}

fn from_text(component: &ComponentConfig, limit: known::BatchLimit) -> Option<Limit> {
    let events = match component.settings.text(limit.key) {
        Some(text) => text.parse().ok()?,
        None => limit.default,
    };
    Some(Limit { key: limit.key, events })
}
