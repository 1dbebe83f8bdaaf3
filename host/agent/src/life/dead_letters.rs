//! Where the dead letters of an agent's plugins go: its channels by name, and files.

use std::sync::Arc;

use flumen_channel::Channel;
use flumen_config::{AgentConfig, ComponentConfig, DEAD_LETTER, Settings};
use flumen_connect::dead_letter::DeadLetterFile;
use flumen_plugin::options::dead_letter;
use flumen_plugin::spec::DeadLetter;

use crate::status::ChannelEntry;

/// The targets of one agent.
#[derive(Default)]
pub(super) struct DeadLetters {
    targets: Vec<(DeadLetter, Arc<dyn Channel>)>,
    /// Those that are files: what is in them is no longer in the agent.
    pub(super) files: Vec<Arc<DeadLetterFile>>,
}

impl DeadLetters {
    /// Finds the targets of all plugins and tells the plugins' host of them. Called before anything runs.
    pub(super) fn connect(config: &AgentConfig, channels: &[Arc<ChannelEntry>]) -> Self {
        let mut letters = Self::default();
        for component in config.sources.iter().chain(&config.sinks) {
            targets(&component.settings).into_iter().for_each(|target| letters.add(target, channels));
        }
        if !letters.targets.is_empty() {
            let known = flumen_plugin::host().dead_letters();
            known.forget(&config.name);
            for (target, channel) in &letters.targets {
                known.set(&config.name, target.clone(), channel.clone());
            }
        }
        letters
    }

    fn add(&mut self, target: DeadLetter, channels: &[Arc<ChannelEntry>]) {
        if self.targets.iter().any(|(known, _)| *known == target) {
            return;
        }
        let channel: Arc<dyn Channel> = match &target {
            DeadLetter::File(path) => {
                let file = Arc::new(DeadLetterFile::new(path));
                self.files.push(file.clone());
                file
            }
            DeadLetter::Channel(name) => match channels.iter().find(|entry| entry.unit.name == *name) {
                Some(entry) => entry.channel.clone(),
                // The checks drop a component whose dead-letter channel is not there, so its plugin is not built.
                None => return,
            },
        };
        self.targets.push((target, channel));
    }

    /// The targets of one component's plugins, channels first.
    pub(super) fn of(&self, component: &ComponentConfig) -> Vec<Arc<dyn Channel>> {
        let own = targets(&component.settings);
        let (channels, files): (Vec<_>, Vec<_>) = self
            .targets
            .iter()
            .filter(|(target, _)| own.contains(target))
            .partition(|(target, _)| matches!(target, DeadLetter::Channel(_)));
        channels.into_iter().chain(files).map(|(_, channel)| channel.clone()).collect()
    }
}

/// What the plugins of a component name, wherever they stand in it.
fn targets(settings: &Settings) -> Vec<DeadLetter> {
    let keys = settings.iter().filter_map(|(key, _)| key.strip_suffix(DEAD_LETTER));
    let own = keys.filter(|prefix| !prefix.starts_with("config.") && !prefix.contains(".config."));
    let read = own.filter_map(|prefix| match prefix {
        "" => dead_letter(settings),
        prefix => prefix.ends_with('.').then(|| dead_letter(&settings.below(prefix))).flatten(),
    });
    read.collect()
}
