//! An agent as it is written, before any rule is applied.

use std::collections::BTreeMap;

use crate::diagnostic::Origin;
use crate::settings::{Setting, Settings};

/// The five kinds of things an agent lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Sources,
    Channels,
    Sinks,
    SinkGroups,
    ConfigFilters,
}

impl Part {
    pub(crate) const ALL: [Self; 5] =
        [Self::Sources, Self::Channels, Self::Sinks, Self::SinkGroups, Self::ConfigFilters];

    /// The word in the file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Channels => "channels",
            Self::Sinks => "sinks",
            Self::SinkGroups => "sinkgroups",
            Self::ConfigFilters => "configfilters",
        }
    }
}

/// The list of a part, and everything that has keys in it.
#[derive(Debug, Default)]
pub(crate) struct PartDraft {
    pub list: Option<Setting>,
    pub components: BTreeMap<String, ComponentDraft>,
}

/// A component with keys, listed or not.
#[derive(Debug)]
pub(crate) struct ComponentDraft {
    pub settings: Settings,
    /// Its first key.
    pub first: Origin,
}

/// One agent as it is written.
#[derive(Debug)]
pub(crate) struct AgentDraft {
    pub name: String,
    /// The first key of the agent.
    pub first: Origin,
    pub parts: [PartDraft; 5],
    /// The names of the other agents of the file, for "did you mean".
    pub other_agents: Vec<String>,
}

impl AgentDraft {
    pub(crate) fn new(name: &str, first: Origin) -> Self {
        Self { name: name.to_owned(), first, parts: Default::default(), other_agents: Vec::new() }
    }
    pub(crate) fn part(&self, part: Part) -> &PartDraft {
        &self.parts[part as usize]
    }
    pub(crate) fn part_mut(&mut self, part: Part) -> &mut PartDraft {
        &mut self.parts[part as usize]
    }
}
