//! The file channel.

pub mod cipher;
