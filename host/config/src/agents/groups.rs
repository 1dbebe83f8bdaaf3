//! Sink groups: whose sinks exist, and who has them already.

use std::collections::{BTreeMap, BTreeSet};

use super::{Listed, Validation, words};
use crate::catalog::ComponentKind;
use crate::diagnostic::Diagnostic;
use crate::known;
use crate::model::SinkGroupConfig;
use crate::suggest;

impl Validation<'_> {
    /// The groups with at least one sink left. The first group of the list that names a sink has it.
    pub(super) fn groups(&mut self, listed: Vec<Listed>, sinks: &BTreeSet<String>) -> Vec<SinkGroupConfig> {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        let mut kept = Vec::new();
        for one in listed {
            let members = self.members(&one, sinks, &owners);
            let path = one.settings.path().to_owned();
            if members.is_empty() {
                let finding = Diagnostic::error(
                    "empty-group",
                    format!("sink group `{path}` has no sink left, so it is dropped"),
                );
                let help =
                    format!("`{path}.sinks = …` must name sinks that can run and are in no other group");
                self.diagnostics.push(finding.at(&one.first).on(&path).help(help));
                self.dropped.push(path);
                continue;
            }
            owners.extend(members.iter().map(|sink| (sink.clone(), one.name.clone())));
            let processor = one.settings.below("processor.");
            let processor_type = processor.text("type").unwrap_or("default").to_owned();
            let resolution = known::resolve(ComponentKind::SinkProcessor, &processor_type, self.catalog);
            kept.push(SinkGroupConfig {
                name: one.name,
                sinks: members,
                processor_type,
                resolution,
                processor,
                settings: one.settings,
            });
        }
        kept
    }

    fn members(
        &mut self,
        group: &Listed,
        sinks: &BTreeSet<String>,
        owners: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let path = group.settings.path();
        let mut members: Vec<String> = Vec::new();
        for sink in words(group.settings.text("sinks").unwrap_or_default()) {
            if members.contains(&sink) {
                continue;
            }
            let finding = if let Some(owner) = owners.get(&sink) {
                Diagnostic::error(
                    "sink-in-two-groups",
                    format!("sink `{sink}` of group `{path}` belongs to group `{owner}` already"),
                )
                .help("a sink can be in one group only; define a second sink for the second group")
            } else if !sinks.contains(&sink) {
                let message = format!("group `{path}` names sink `{sink}`, which is not there or cannot run");
                Diagnostic::error("unknown-sink", message).help(self.sink_help(&sink, sinks))
            } else {
                members.push(sink);
                continue;
            };
            self.diagnostics.push(finding.at(&group.settings.origin("sinks")).on(path));
        }
        members
    }

    fn sink_help(&self, sink: &str, sinks: &BTreeSet<String>) -> String {
        if sink.contains(',') {
            return "separate sinks with blanks; a comma is part of the name".to_owned();
        }
        if self.dropped.contains(&format!("{}.sinks.{sink}", self.agent)) {
            return format!("sink `{sink}` was dropped, see above");
        }
        match suggest::nearest(sink, sinks.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add `{sink}` to `{}.sinks` and give it a type and a channel", self.agent),
        }
    }
}
