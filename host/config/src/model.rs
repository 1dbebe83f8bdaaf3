//! What the agent is built from: the components that are left after every check.

use crate::catalog::ComponentKind;
use crate::diagnostic::Origin;
use crate::settings::Settings;

/// What the text of a `type` means to this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A type of the catalog, under its canonical name.
    Ready(&'static str),
    /// A type that Flumen will have but this build does not: one of Flume's, or a WebAssembly component.
    Planned,
    /// Neither: a misspelt alias, or a Java class that nobody here knows.
    Unknown,
}

impl Resolution {
    /// Whether a component of this type can be built.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

/// A source, channel or sink that Flume's rules keep.
#[derive(Clone, Debug)]
pub struct ComponentConfig {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name within the agent.
    pub name: String,
    /// The `type` as it is written.
    pub type_text: String,
    /// What the type means.
    pub resolution: Resolution,
    /// All keys, `type` and `channels` included.
    pub settings: Settings,
    /// Sources: the kept channels it writes to, in the order of the file.
    pub channels: Vec<String>,
    /// Sinks: the channel it reads from.
    pub channel: Option<String>,
}

impl ComponentConfig {
    /// Every channel this component is bound to.
    pub fn bound_channels(&self) -> impl Iterator<Item = &str> {
        self.channels.iter().chain(&self.channel).map(String::as_str)
    }
}

/// Where a plugin puts what it cannot process: `deadLetter = channel NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterChannel<'a> {
    /// The key within the component's settings: `interceptors.i1.deadLetter`.
    pub key: &'a str,
    /// The channel's name.
    pub channel: &'a str,
}

impl ComponentConfig {
    /// The channels that the plugins of this component name for dead letters. Known by their key alone, which no
    /// component of Flume has; what is below `config.` is the guest's own.
    pub fn dead_letter_channels(&self) -> impl Iterator<Item = DeadLetterChannel<'_>> {
        self.settings.iter().filter_map(|(key, setting)| {
            let before = key.strip_suffix(DEAD_LETTER)?;
            let is_guests = before.starts_with("config.") || before.contains(".config.");
            let is_key = before.is_empty() || before.ends_with('.');
            let channel = setting.value.strip_prefix("channel")?.strip_prefix([' ', '\t'])?.trim();
            (is_key && !is_guests).then_some(DeadLetterChannel { key, channel })
        })
    }
}

/// The key that names where dead letters go.
pub const DEAD_LETTER: &str = "deadLetter";

/// A sink group that Flume's rules keep.
#[derive(Clone, Debug)]
pub struct SinkGroupConfig {
    /// Its name within the agent.
    pub name: String,
    /// The kept sinks that belong to it, in the order of the file.
    pub sinks: Vec<String>,
    /// The processor's type as it is written; `default` if it is not.
    pub processor_type: String,
    /// What the processor's type means.
    pub resolution: Resolution,
    /// The keys below `processor.`.
    pub processor: Settings,
    /// All keys of the group.
    pub settings: Settings,
}

/// One agent, ready to be built if all its types are.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The name that `-n` takes.
    pub name: String,
    /// Where the agent is mentioned first.
    pub origin: Origin,
    /// The sources, in the order of their list.
    pub sources: Vec<ComponentConfig>,
    /// The channels, in the order of their list.
    pub channels: Vec<ComponentConfig>,
    /// The sinks, in the order of their list.
    pub sinks: Vec<ComponentConfig>,
    /// The sink groups, in the order of their list.
    pub sink_groups: Vec<SinkGroupConfig>,
    /// Paths of components that were listed but cannot run (`a1.sinks.k2`); the findings say why.
    pub dropped: Vec<String>,
}

impl AgentConfig {
    /// All sources, channels and sinks.
    pub fn components(&self) -> impl Iterator<Item = &ComponentConfig> {
        self.sources.iter().chain(&self.channels).chain(&self.sinks)
    }
    /// The components whose type this build cannot run. Real Flume would stop at the first of them.
    pub fn unready(&self) -> impl Iterator<Item = &ComponentConfig> {
        self.components().filter(|c| !c.resolution.is_ready())
    }
    /// All channels that plugins name for dead letters.
    pub fn dead_letter_channels(&self) -> impl Iterator<Item = DeadLetterChannel<'_>> {
        self.sources.iter().chain(&self.sinks).flat_map(ComponentConfig::dead_letter_channels)
    }
    /// The channel of that name.
    pub fn channel(&self, name: &str) -> Option<&ComponentConfig> {
        self.channels.iter().find(|c| c.name == name)
    }
    /// The sinks that belong to no group and so have a runner of their own.
    pub fn ungrouped_sinks(&self) -> impl Iterator<Item = &ComponentConfig> {
        self.sinks.iter().filter(|sink| !self.sink_groups.iter().any(|g| g.sinks.contains(&sink.name)))
    }
}
