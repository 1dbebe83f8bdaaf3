//! How a guest gets CPU time.
//!
//! ```text
//! caller's thread ── first slice, at most 2 ticks (1 to 2 ms) ──┬─ done: no thread hop
//!                                                               └─ not done ─▶ fair pool: slices by tenant, low
//!                                                                              priority, until done or out of time
//! ticker: one epoch tick a ms while any guest runs; asleep otherwise
//! ```
//!
//! What counts as a call's time: see [`control`].

mod blocking;
mod control;
mod drive;
mod fair;
mod ticker;

pub use blocking::block_on;
pub(crate) use control::{Control, SLICE_TICKS};
pub(crate) use drive::{Driver, Ended};
pub(crate) use fair::Fair;
pub(crate) use ticker::Ticker;
