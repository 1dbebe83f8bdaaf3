//! The file channel: events on disk, acknowledged when they are durable.
//!
//! ```text
//!            channel.rs  the contract            spillable.rs  what may stay in memory
//!                 │ put: a packed batch                    ▲ take
//!                 ▼                                        │
//! write.rs  lane.rs, leader.rs (one for each folder)    queue ◀── reader.rs ◀── what did not fit into memory
//!   write ▶ fdatasync ▶ register ▶ answer ─▶ index.rs ───┘ follows the writer while there is room
//!                 │
//!  folder   segment-1.log │ segment-2.log │ segment-3.log (preallocated) │ spare   record.rs  what the bytes mean
//!           head ×2 │ state │ put │ take │ put │ put │ …                        state.rs   what a state says
//!  checkpoint/checkpoint.flumen                                                 checkpoint.rs
//! ```
//!
//! * A put is one record: the batch's spans, headers and bodies as they lie. A take names ranges of events by segment
//!   and number. Both return after `fdatasync`; all that wait share one (leader.rs).
//! * Every segment begins with a *state*: what was known of all others. So takes need no file of their own, a drained
//!   segment can be deleted although it holds takes of others, and recovery reads only what is newer than the last
//!   state (recover.rs). The checkpoint saves even that; nothing depends on it.
//! * What is pending and not in memory costs no memory: a number for each segment, and ranges of what is done.
//! * A failed write or sync ends its segment for ever; what was not answered is refused, the segment is read again,
//!   and a new one is begun (write.rs). Segments of an earlier process are never written to again.
//! * A sync of blocks that were written before takes half the time. So a drained segment's file is used again (spare.rs);
//!   where none has drained, threads that nobody waits for make the next segment's file and write it with zeros. Until there
//!   is one, small groups write zeros ahead of themselves (segment.rs).
//! * Damage is found by checksums, set aside in `damaged/`, counted, and passed (scan.rs, reader.rs).
//!
//! Two folders ("dataDirs") are two lanes that write and sync side by side; a sequence number puts their events in order.
//! The storage is a trait (storage/), and most of the tests run on one that loses what a power cut may lose.

mod channel;
pub mod checkpoint;
pub mod cipher;
mod index;
mod keep;
mod lane;
mod leader;
mod log;
pub mod metrics;
mod open_error;
mod ranges;
mod reader;
pub mod record;
mod recover;
pub mod scan;
mod scanned;
mod seal;
mod segment;
mod spare;
pub mod state;
pub mod storage;
pub mod tools;
mod write;

pub use channel::{FileChannel, FileLimits};
pub use log::{LOAD_BYTES, LogOptions, SEGMENT_BYTES, SyncPolicy, WINDOW_BYTES};
pub use open_error::OpenError;
