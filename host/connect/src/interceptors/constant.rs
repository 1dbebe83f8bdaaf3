//! A header that is the same for all events of a batch, in O(1).

use std::sync::Arc;

use flumen_event::{Batch, HeaderName};

/// What becomes of a header that an event already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays.
    Keep,
    /// It gets the new value.
    Replace,
}

impl Existing {
    /// From the option `preserveExisting`.
    pub(super) fn preserved(preserve: bool) -> Self {
        if preserve { Self::Keep } else { Self::Replace }
    }
}

/// The name of a header and the rule for events that have it.
#[derive(Debug)]
pub(super) struct ConstantHeader {
    name: HeaderName,
    existing: Existing,
}

impl ConstantHeader {
    pub(super) fn new(name: &str, existing: Existing) -> Self {
        Self { name: name.into(), existing }
    }
    pub(super) fn put(&self, batch: Batch, value: impl Into<Arc<str>>) -> Batch {
        match self.existing {
            Existing::Keep => batch.with_constant_where_absent(&self.name, value),
            Existing::Replace => batch.with_constant(&self.name, value),
        }
    }
}
