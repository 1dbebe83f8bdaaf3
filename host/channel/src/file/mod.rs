//! The file channel: events on disk, acknowledged when they are durable.

mod channel;
pub mod checkpoint;
pub mod cipher;
mod index;
mod keep;
mod lane;
mod log;
pub mod metrics;
mod ranges;
mod reader;
pub mod record;
mod recover;
pub mod scan;
mod segment;
pub mod state;
pub mod storage;
pub mod tools;
mod write;

pub use channel::{FileChannel, FileLimits};
pub use log::{LOAD_BYTES, LogOptions, SEGMENT_BYTES, SyncPolicy, WINDOW_BYTES};
pub use recover::OpenError;
