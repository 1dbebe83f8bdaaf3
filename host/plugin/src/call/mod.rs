//! How a guest gets CPU time.
//!
//! ```text
//! caller's thread ── first slice, at most 2 ticks ──┬─ done: no thread hop
//!                                                   └─ not done ─▶ fair pool: slices by tenant, low priority, until
//!                                                                  done or out of time
//! ticker: an epoch tick every ms while some calls are long, every 4 ms while all are quick; asleep while no guest runs
//! ```
//!
//! What counts as a call's time: see [`control`].

mod blocking;
mod control;
mod drive;
mod fair;
mod ticker;

pub use blocking::block_on;
pub(crate) use control::{Control, LONG, SLICE_TICKS};
pub(crate) use drive::{Driver, Ended};
pub(crate) use fair::Fair;
pub(crate) use ticker::Ticker;
