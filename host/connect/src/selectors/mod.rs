//! All selectors.

use crate::catalog::SelectorType;

/// All selectors.
pub static TYPES: &[SelectorType] = &[];
