//! Sink processors: which sink of a group gets the next batch.

use std::time::Instant;

use crate::catalog::ProcessorType;

/// All sink processors.
pub static TYPES: &[ProcessorType] = &[];

/// Decides, for a group whose sinks share one runner, which sink to try. Pure: it knows times and outcomes,
/// the runner does the work. Sinks are indexes into the group's list.
///
/// The runner asks for [`candidates`](Self::candidates) once events wait, tries them in order until one
/// delivers, and reports each outcome. When all fail it pauses and asks again.
pub trait SinkProcessor: Send {
    /// The sinks to try now, in order. Empty if all are cooling down.
    fn candidates(&mut self, now: Instant) -> Vec<usize>;
    /// A sink delivered.
    fn succeeded(&mut self, sink: usize, now: Instant);
    /// A sink failed; its events are back in the channel.
    fn failed(&mut self, sink: usize, now: Instant);
    /// When to ask again if there was no candidate.
    fn retry_at(&self) -> Option<Instant>;
}
