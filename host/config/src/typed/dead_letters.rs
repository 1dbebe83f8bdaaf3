//! Dead letters of plugins: the channel they go to is one of the agent's, and not the one they come from.

use super::Typed;
use crate::catalog::ComponentKind;
use crate::diagnostic::Diagnostic;
use crate::known;
use crate::model::{AgentConfig, ComponentConfig};
use crate::suggest;

impl Typed<'_> {
    /// Drops sources and sinks whose plugins name a channel that is not there: events that cannot be processed
    /// would have nowhere to go.
    pub(super) fn dead_letters(&mut self, agent: &mut AgentConfig) {
        let names: Vec<String> = agent.channels.iter().map(|channel| channel.name.clone()).collect();
        let dropped = &mut agent.dropped;
        for components in [&mut agent.sources, &mut agent.sinks] {
            components.retain(|component| {
                let keeps = self.dead_letters_of(component, &names);
                if !keeps {
                    dropped.push(component.settings.path().to_owned());
                }
                keeps
            });
        }
    }

    fn dead_letters_of(&mut self, component: &ComponentConfig, names: &[String]) -> bool {
        let path = component.settings.path();
        let what = known::kind_name(component.kind);
        let mut good = true;
        for letters in component.dead_letter_channels() {
            let (name, key) = (letters.channel, letters.key);
            let is_own = component.kind == ComponentKind::Sink && component.channel.as_deref() == Some(name);
            let (message, help) = if is_own {
                let message = format!(
                    "{what} `{path}` would put dead letters into the channel it takes from, for ever, so it cannot run"
                );
                (message, "name another channel, or a file: `deadLetter = file PATH`".to_owned())
            } else if names.iter().any(|known| known == name) {
                continue;
            } else {
                let message = format!(
                    "{what} `{path}` has dead letters for channel `{name}`, which is not there, so it cannot run"
                );
                let help = match suggest::nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `channel {near}`?"),
                    None => format!("the channels that can run: {}", names.join(", ")),
                };
                (message, help)
            };
            good = false;
            let finding = Diagnostic::error("unknown-channel", message).at(&component.settings.origin(key));
            self.diagnostics.push(finding.on(format!("{path}.{key}")).help(help));
        }
        good
    }
}
