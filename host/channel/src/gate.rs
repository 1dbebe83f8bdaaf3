//! The moment of a scrape: no event moves while counters are read.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Passed by everything that moves events and counts them. Many movements go on at once; a reader of the
/// whole ledger waits for them and holds new ones off, for the microseconds that reading takes.
/// Never held over an await.
#[derive(Debug, Default)]
pub struct Gate(RwLock<()>);

/// Events may be moved and counted while this lives.
#[must_use]
pub struct Movement<'a>(#[allow(dead_code, reason = "held for its lock")] RwLockReadGuard<'a, ()>);

/// Nothing moves while this lives.
#[must_use]
pub struct Stillness<'a>(#[allow(dead_code, reason = "held for its lock")] RwLockWriteGuard<'a, ()>);

impl Gate {
    /// Enters to move events and to count them, as one.
    pub fn movement(&self) -> Movement<'_> {
        Movement(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
    /// Waits until no movement is under way and keeps new ones out.
    pub fn stillness(&self) -> Stillness<'_> {
        Stillness(self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}
