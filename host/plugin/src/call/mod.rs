//! How a guest gets CPU time.
//!
//! ```text
//! caller's thread ── first slice, at most 2 ticks (1 to 2 ms) ──┬─ done: no thread hop
//!                                                               └─ not done ─▶ fair pool: slices by tenant, low
//!                                                                              priority, until done or out of time
//! ticker: one epoch tick a ms while any guest runs; asleep otherwise
//! ```
//!
//! A call's time runs while its guest runs or waits in a function of the host, and stands still while the call waits
//! for its turn in the fair pool: a crowded machine does not make a plugin overrun its limit.

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
