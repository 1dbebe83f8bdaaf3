//! The file channel.

pub mod cipher;
pub mod ranges;
pub mod record;
pub mod scan;
pub mod state;
pub mod storage;
