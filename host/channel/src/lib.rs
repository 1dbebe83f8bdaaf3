//! Channels hold events between sources and sinks, under one transaction contract.
//!
//! ```text
//! put   reserve(batch) ──▶ persist(batch) ──▶ commit(batch)        drop before commit = nothing happened
//!        waits for room     as durable as      visible to takers,
//!        (keep-alive)       promised           cannot fail
//!
//! take  take(max) ──▶ batches ──▶ commit      drop before commit = back to the head, in order
//! ```
//!
//! [`put_all`] does the steps of a put over several channels together: room in every one before anything is
//! written to one, so a full second channel cannot leave a copy in the first.
//! Every movement of events happens under the agent's [`Gate`], so a scrape sees a moment in which
//! received = delivered + dropped + in channels.

mod channel;
#[cfg(feature = "contract")]
pub mod contract;
mod counters;
mod error;
pub mod file;
mod gate;
mod memory;
mod put_all;
mod queue;
mod spillable;
pub mod sql;

pub use channel::{Channel, ChannelLimits, ChannelStatus, Patience, Reservation, Take};
pub use counters::ChannelCounters;
pub use error::{PutError, TakeError};
pub use gate::{Gate, Movement, Stillness};
pub use memory::{MemoryChannel, MemoryLimits};
pub use put_all::{PutAllError, put_all, put_all_here};
pub use spillable::SpillLimits;

#[doc(hidden)]
pub mod model {
    //! The concurrent core, open for the model checker only.
    pub use crate::queue::{Demand, Origin, Queue, QueueTake, Reserved};
}

/// The locks of the concurrent core: the standard library's, or the model checker's.
mod sync {
    #[cfg(feature = "shuttle")]
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    #[cfg(not(feature = "shuttle"))]
    pub(crate) use std::sync::{Mutex, MutexGuard};
}
