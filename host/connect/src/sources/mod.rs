//! All sources.

mod netcat;

use crate::catalog::SourceType;

/// All sources.
pub static TYPES: &[SourceType] = &[netcat::NETCAT];
