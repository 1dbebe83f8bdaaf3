//! How an answer broke the contract.

use std::fmt;

/// The longest piece of a header's name in a message, in characters.
const NAME_CHARS_MAX: usize = 40;

/// Which list of an answer: `set-headers[2] "status"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field, as the WIT names it.
    pub list: &'static str,
    /// Its item, and the header's name there (cut off when long).
    pub entry: Option<(usize, String)>,
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            None => out.write_str(self.list),
            Some((index, name)) => write!(out, "{}[{index}] {name:?}", self.list),
        }
    }
}

/// Where a check looks; becomes a [`Part`] when something is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    list: &'static str,
    entry: Option<(usize, &'a str)>,
}

impl<'a> At<'a> {
    pub(super) fn list(list: &'static str) -> Self {
        Self { list, entry: None }
    }
    pub(super) fn entry(list: &'static str, index: usize, name: &'a str) -> Self {
        Self { list, entry: Some((index, name)) }
    }
    pub(super) fn part(self) -> Part {
        let cut = |name: &str| name.chars().take(NAME_CHARS_MAX).collect();
        Part { list: self.list, entry: self.entry.map(|(index, name)| (index, cut(name))) }
    }
}

/// An answer that breaks the contract of its world. Nothing of it is used, the instance is discarded, and the input
/// follows `onError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Spans are pairs.
    #[error("{part}: {numbers} numbers are no pairs of start and end")]
    Unpaired {
        /// Where.
        part: Part,
        /// How many numbers there are.
        numbers: usize,
    },
    /// A span outside its data, or one that ends before it starts.
    #[error("{part}: item {index} lies at {start}..{end} of {bytes} bytes")]
    Span {
        /// Where.
        part: Part,
        /// Which item.
        index: usize,
        /// The span's start.
        start: u32,
        /// Its end.
        end: u32,
        /// Bytes of the data.
        bytes: usize,
    },
    /// A text that begins or ends inside a character.
    #[error("{part}: item {index} at {start}..{end} cuts a character")]
    Character {
        /// Where.
        part: Part,
        /// Which item.
        index: usize,
        /// The span's start.
        start: u32,
        /// Its end.
        end: u32,
    },
    /// Not as many items as rows.
    #[error("{part}: {items} items for {rows} rows")]
    Items {
        /// Where.
        part: Part,
        /// Items there are.
        items: usize,
        /// Items there should be.
        rows: usize,
    },
    /// A row that the batch does not have.
    #[error("{part}: row {row} of {rows} (item {index})")]
    Row {
        /// Where.
        part: Part,
        /// Which item.
        index: usize,
        /// The row.
        row: u32,
        /// Rows there are.
        rows: usize,
    },
    /// Rows that do not ascend, or one that is named twice.
    #[error("{part}: row {row} stands behind row {before} (item {index}), rows must ascend")]
    Order {
        /// Where.
        part: Part,
        /// Which item.
        index: usize,
        /// The row.
        row: u32,
        /// The one before it.
        before: u32,
    },
    /// A row that is rejected twice.
    #[error("{part}: row {row} twice")]
    Twice {
        /// Where.
        part: Part,
        /// The row.
        row: u32,
    },
    /// A bitmap of another length than the batch.
    #[error("{part}: {words} words for {rows} events, {expected} were expected")]
    Words {
        /// Where.
        part: Part,
        /// Words of 64 bits there are.
        words: usize,
        /// Words there should be.
        expected: usize,
        /// Events of the batch.
        rows: usize,
    },
    /// More than `limits.outputBytesMax`.
    #[error("{bytes} bytes or more were answered, limits.outputBytesMax is {bytes_max}")]
    Bytes {
        /// Bytes up to where counting stopped.
        bytes: u64,
        /// The most.
        bytes_max: usize,
    },
    /// More events than were asked for.
    #[error("{events} events, at most {events_max} may be answered")]
    Events {
        /// How many.
        events: usize,
        /// The most.
        events_max: usize,
    },
    /// More different headers than a batch may have.
    #[error("{names} different headers or more, a batch has at most {names_max}")]
    Names {
        /// How many.
        names: usize,
        /// The most.
        names_max: usize,
    },
    /// More entries in a list than it can mean anything with.
    #[error("{part}: {entries} entries, at most {entries_max}")]
    Entries {
        /// Where.
        part: Part,
        /// How many.
        entries: usize,
        /// The most.
        entries_max: usize,
    },
    /// A channel that the source does not have.
    #[error("{part}: event {row} goes to channel {channel} of {channels}")]
    Channel {
        /// Where.
        part: Part,
        /// The event.
        row: usize,
        /// The highest channel it names, from 0.
        channel: u32,
        /// Channels there are.
        channels: usize,
    },
    /// A position that goes back, or beyond what was given.
    #[error("position {position} outside {least}..={most}")]
    Position {
        /// What was answered.
        position: u64,
        /// The one answered before.
        least: u64,
        /// Behind the last byte given.
        most: u64,
    },
    /// A checkpoint over its size.
    #[error("a checkpoint of {bytes} bytes, at most {bytes_max}")]
    Checkpoint {
        /// Its size.
        bytes: usize,
        /// The most.
        bytes_max: usize,
    },
    /// Events and their sender's refusal do not go together.
    #[error("status {status} for a refusal, 400 to 599 are")]
    Status {
        /// What was answered.
        status: u16,
    },
    /// An event that is both to be given again and rejected.
    #[error("{part}: event {row} is rejected and pending")]
    PendingRejected {
        /// Where.
        part: Part,
        /// The event.
        row: u32,
    },
}
