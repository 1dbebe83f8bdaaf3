//! Which channels get which events.

use async_trait::async_trait;
use flumen_event::Batch;

use crate::interceptor::InterceptError;

/// Which events of a batch a leg takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All of them.
    All,
    /// Those at these indexes, ascending.
    Some(Vec<u32>),
}

/// Events on their way into one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Index into the source's list of channels.
    pub channel: usize,
    /// Whether the batch fails if this channel refuses; optional channels are best effort.
    pub required: bool,
    /// Which events.
    pub rows: Rows,
}

/// The channel selector of one source. Called from many tasks at once.
pub trait Selector: Send + Sync {
    /// The way of every event of the batch: at most one leg per channel and requiredness, in channel order.
    /// An event in no leg is dropped and counted as `selector: no channel`.
    fn route(&self, batch: &Batch) -> Vec<Leg>;
    /// Whether any event can have a required leg into a channel. Optional channels do not limit how many events
    /// are stored at once.
    fn requires(&self, _channel: usize) -> bool {
        true
    }
}

/// A selector that may have to wait, and may fail: a plugin.
#[async_trait]
pub trait AsyncSelector: Send + Sync {
    /// As [`Selector::route`].
    ///
    /// # Errors
    /// If nothing can be said about the batch: it is then refused as a whole.
    async fn route(&self, batch: &Batch) -> Result<Vec<Leg>, InterceptError>;
}

/// Either kind.
pub enum AnySelector {
    /// Answers at once.
    Native(Box<dyn Selector>),
    /// May wait. Any of its events may have a required leg into any channel.
    Waiting(Box<dyn AsyncSelector>),
}

impl From<Box<dyn Selector>> for AnySelector {
    fn from(native: Box<dyn Selector>) -> Self {
        Self::Native(native)
    }
}
