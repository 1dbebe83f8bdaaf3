//! Which channels get which events.

use flumen_event::Batch;

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
