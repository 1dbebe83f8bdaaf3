//! All sinks.

use crate::catalog::SinkType;

/// All sinks.
pub static TYPES: &[SinkType] = &[];

/// Types that only occur inside a sink's settings (path managers); built by their sinks.
pub static NESTED: &[flumen_config::ComponentSpec] = &[];
