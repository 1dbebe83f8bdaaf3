//! Dead letters: events that a plugin could not process, with what there is to say about it, and where they go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use flumen_channel::Channel;
use flumen_event::{Batch, ColumnBuilder, HeaderName};

use crate::spec::DeadLetter;

/// The plugin's place in the configuration.
pub const PLUGIN: &str = "flumen.plugin";
/// SHA-256 of its component, in hexadecimal.
pub const DIGEST: &str = "flumen.digest";
/// What went wrong.
pub const ERROR: &str = "flumen.error";
/// When, in milliseconds since 1970-01-01T00:00:00Z.
pub const TIME: &str = "flumen.time";
/// The longest error in a header; backtraces are for the log.
const ERROR_BYTES_MAX: usize = 1024;

/// What is said of some events.
#[derive(Clone, Copy, Debug)]
pub enum Letter<'a> {
    /// The same of all.
    Same(&'a str),
    /// A reason for each, in step with the events.
    Each(&'a [String]),
}

impl Letter<'_> {
    /// The events as dead letters; headers of these names are replaced.
    #[must_use]
    pub fn of(&self, events: &Batch, plugin: &str, digest: &str) -> Batch {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let events = match self {
            Self::Same(error) => events.clone().with_constant(&HeaderName::from(ERROR), cut(error)),
            Self::Each(reasons) => {
                let mut column = ColumnBuilder::default();
                (0..events.len())
                    .for_each(|row| column.push(Some(reasons.get(row).map_or("", |reason| cut(reason)))));
                events.with_column(&HeaderName::from(ERROR), column)
            }
        };
        events
            .with_constant(&HeaderName::from(PLUGIN), plugin)
            .with_constant(&HeaderName::from(DIGEST), digest)
            .with_constant(&HeaderName::from(TIME), now_ms.to_string())
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(ERROR_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Where the dead letters of each agent's plugins go. Filled when an agent is built, before its sources run.
#[derive(Default)]
pub struct DeadLetters(Mutex<Vec<Target>>);

struct Target {
    agent: String,
    letters: DeadLetter,
    channel: Arc<dyn Channel>,
}

impl DeadLetters {
    fn targets(&self) -> std::sync::MutexGuard<'_, Vec<Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// From now on an agent's dead letters for this target go into this channel.
    pub fn set(&self, agent: &str, target: DeadLetter, channel: Arc<dyn Channel>) {
        let mut targets = self.targets();
        targets.retain(|known| known.agent != agent || known.letters != target);
        targets.push(Target { agent: agent.to_owned(), letters: target, channel });
    }
    /// The agent is gone.
    pub fn forget(&self, agent: &str) {
        self.targets().retain(|known| known.agent != agent);
    }
    /// Where they go.
    #[must_use]
    pub fn find(&self, agent: &str, target: &DeadLetter) -> Option<Arc<dyn Channel>> {
        let targets = self.targets();
        let found = targets.iter().find(|known| known.agent == agent && known.letters == *target);
        found.map(|known| known.channel.clone())
    }
}
