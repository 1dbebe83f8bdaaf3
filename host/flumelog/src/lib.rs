//! Reads the directories of a Flume 1.4 to 1.11 file channel, so that an upgrade loses no event.
//!
//! ```text
//! checkpoint, inflightputs, inflighttakes ──▶ the queue at the last checkpoint     [checkpoint]
//! log-N + log-N.meta of every data directory ──▶ records, merged by write order    [log, record, proto]
//!      ──▶ replay: put, take, commit, rollback ──▶ pointers of pending events      [replay]
//!      ──▶ FlumeChannel: batches in the order of their commits, and a Report       [channel]
//! ```
//!
//! Invariants: nothing is ever written, and Flume is kept out by its own lock files while we read. A record
//! that is damaged costs itself: it is skipped, counted with its cause, and the search goes on behind it,
//! where Flume gives up the channel. Whatever cannot be told to have been delivered is delivered (an event
//! twice rather than never), and [`Report`] says how many those are. Sizes in files are compared with the
//! files before anything is allocated.
//!
//! Used by `flumen channel import-flume`.

mod channel;
mod checkpoint;
mod cipher;
mod directories;
mod error;
mod log;
mod meta;
mod proto;
mod record;
mod replay;
mod report;

pub use channel::FlumeChannel;
pub use directories::FlumeDirectories;
pub use error::FlumeLogError;
pub use report::{Damage, Report};

#[doc(hidden)]
pub mod fuzzing {
    //! The parsers, open for the fuzz target only.

    /// Feeds the bytes to every parser.
    pub fn parse(bytes: &[u8]) {
        let _ = crate::record::Record::parse(bytes);
        let _ = crate::meta::LogMeta::parse(bytes);
        let _ = crate::checkpoint::parse_meta(bytes);
        let _ = crate::checkpoint::parse_inflight(bytes);
    }
}
