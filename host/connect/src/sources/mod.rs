//! All sources.

use crate::catalog::SourceType;

/// All sources.
pub static TYPES: &[SourceType] = &[];
