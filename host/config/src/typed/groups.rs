//! Sink groups: members that are gone, and processors that do not suit their number.

use super::Typed;
use super::nested::Nested;
use crate::catalog::ComponentKind;
use crate::diagnostic::Diagnostic;
use crate::model::{AgentConfig, Resolution, SinkGroupConfig};

impl Typed<'_> {
    pub(super) fn groups(&mut self, agent: &mut AgentConfig) {
        let mut lost_sinks: Vec<String> = Vec::new();
        let (sinks, dropped) = (&agent.sinks, &mut agent.dropped);
        agent.sink_groups.retain_mut(|group| {
            let before = group.sinks.len();
            group.sinks.retain(|name| sinks.iter().any(|sink| sink.name == *name));
            let path = group.settings.path().to_owned();
            if group.sinks.len() < before {
                let message =
                    format!("sink group `{path}` goes on with {} of its {before} sinks", group.sinks.len());
                let finding = Diagnostic::warning("unknown-sink", message)
                    .at(&group.settings.origin("sinks"))
                    .on(&path);
                self.diagnostics.push(finding.help("the others were dropped, see above"));
            }
            let keeps = !group.sinks.is_empty() && self.group(group);
            if !keeps {
                lost_sinks.append(&mut group.sinks);
                dropped.push(path);
            }
            keeps
        });
        // As in Flume the sinks of a broken group do not run alone: each would get what only one of them should.
        agent.dropped.extend(lost_sinks.iter().map(|name| format!("{}.sinks.{name}", agent.name)));
        agent.sinks.retain(|sink| !lost_sinks.contains(&sink.name));
    }

    /// Whether the processor can be built. A group whose processor is not in this build is kept, as components are.
    fn group(&mut self, group: &SinkGroupConfig) -> bool {
        self.unknown_keys(group);
        let Resolution::Ready(name) = group.resolution else {
            self.nested(&Nested::new(
                ComponentKind::SinkProcessor,
                &group.processor_type,
                &group.processor,
                &["type"],
            ));
            return true;
        };
        let good = self.nested(&Nested::new(ComponentKind::SinkProcessor, name, &group.processor, &["type"]));
        let count = group.sinks.len();
        let problem = match name {
            "default" if count > 1 => "the default processor takes one sink only",
            "load_balance" if count < 2 => "load_balance needs two sinks or more",
            _ => return good,
        };
        let path = group.settings.path();
        let finding = Diagnostic::error(
            "processor-sinks",
            format!("sink group `{path}` has {count} sinks that can run: {problem}"),
        );
        let help = format!(
            "set `{path}.processor.type = failover` or `load_balance`, and name its sinks in `{path}.sinks`"
        );
        self.diagnostics.push(finding.at(&group.settings.origin("sinks")).on(path).help(help));
        false
    }

    fn unknown_keys(&mut self, group: &SinkGroupConfig) {
        let path = group.settings.path();
        for (key, _) in group.settings.iter() {
            if key == "sinks" || key == "type" || key.starts_with("processor.") {
                continue;
            }
            let finding = Diagnostic::warning(
                "unknown-key",
                format!("`{key}` is no option of a sink group, so it is ignored"),
            );
            let rest = key.split_once('.').map_or(key, |(_, rest)| rest);
            let help =
                format!("a group has `sinks` and `processor.…`; did you mean `{path}.processor.{rest}`?");
            self.diagnostics
                .push(finding.at(&group.settings.key_origin(key)).on(format!("{path}.{key}")).help(help));
        }
    }
}
