//! Between batches and the lists of `wit/0.1.0/columns.wit`.
//!
//! ```text
//! Batch ── encode (what `needs` asks for, borrowed where it lies) ──▶ guest
//! Batch ◀── apply (checked, then the cheapest change of columns) ─── edits
//! Batch ◀── events_from (checked, buffers taken as they are) ─────── events
//! ```
//!
//! Invariants:
//! * What a guest answers is hostile until checked. Every span, row, count, character boundary and size is looked
//!   at before a [`Batch`](flumen_event::Batch) is made of it; what is wrong is a [`Breach`], which names the list,
//!   the place and the bound, and nothing of the answer is used.
//! * The work and the memory that an answer costs are bounded by [`Bounds`], not by what its numbers claim.
//!   An event's **size** is its body, the names and values of its headers, and 8 bytes for the body and for each
//!   header: spans may overlap and values may stand for many rows, so buffers say nothing about what was answered.
//! * No allocation for each event, in either direction.

mod added;
mod breach;
mod check;
mod edits;
mod encode;
mod events;
mod headers;
mod lists;

pub use breach::{Breach, Part};
pub use edits::{Applied, Rejected, apply};
pub use encode::{Encoded, Reads, Scratch};
pub use events::events_from;
pub use lists::{ListScratch, Lists, events_from_list};

pub(crate) use check::{Budget, rejections, rows_of_bits};

/// What one answer may grow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes of all that was answered, counted as the sizes of events are (`limits.outputBytesMax`).
    pub bytes_max: usize,
    /// Most events.
    pub events_max: usize,
    /// Most different header names in one batch.
    pub columns_max: usize,
}

impl Bounds {
    /// Bounds for a plugin with this `limits.outputBytesMax`. Never more than a batch may hold.
    #[must_use]
    pub fn new(output_bytes_max: usize) -> Self {
        let limits = flumen_event::Limits::default();
        Self {
            bytes_max: output_bytes_max.min(limits.bytes_max),
            events_max: limits.bytes_max / PLACE_BYTES,
            columns_max: limits.columns_max,
        }
    }
    /// The same for an answer of at most so many events.
    #[must_use]
    pub fn with_events_max(self, events_max: usize) -> Self {
        Self { events_max, ..self }
    }
}

/// What every body and every header value costs beside its bytes: its place in the batch.
const PLACE_BYTES: usize = 8;
