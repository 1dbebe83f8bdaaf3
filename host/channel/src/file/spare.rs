//! The spare file of a folder: a drained segment that is kept to become the next one.
//!
//! ```text
//! segment-7.log, drained ── rename, sync_dir ──▶ spare ── new head and state, sync ── rename, sync_dir ──▶ segment-9.log
//! ```
//!
//! What was written before is synced quicker than what was only preallocated, where the file system notes the first write
//! to every block; and nothing is to be allocated or freed. There is one at most. It is used only after it is durable that
//! its old name is gone, and gets its new name when its new head is durable: so no name ever stands for the bytes of
//! another segment. It is never one that a failure has ended, or an earlier process has written; those are deleted.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::file::index::Segment;
use crate::file::lane::Lane;
use crate::file::log::Log;
use crate::file::segment::spare_of;

const NONE: u8 = 0;
const CLAIMED: u8 = 1;
const READY: u8 = 2;
const ENDED: u8 = 3;

/// Whether there is one.
#[derive(Default)]
pub(super) struct Spare(AtomicU8);

impl Spare {
    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
    pub(super) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == READY
    }
    /// Takes it, for good. Says whether there is one.
    pub(super) fn take(&self) -> bool {
        self.change(READY, NONE)
    }
    /// Says whether the caller may make one; it then says how that went, and learns whether it came too late.
    fn claim(&self) -> bool {
        self.change(NONE, CLAIMED)
    }
    fn made(&self, is_made: bool) -> bool {
        self.change(CLAIMED, if is_made { READY } else { NONE })
    }
    fn end(&self) {
        self.0.store(ENDED, Ordering::Release);
    }
}

impl Log {
    /// Which of these drained segments becomes the spare file, if any; [`spare_made`](Self::spare_made) follows then.
    pub(super) fn choose_spare(&self, lane: &Lane, drained: &[u64]) -> Option<u64> {
        if !lane.spare.claim() {
            return None;
        }
        let size = self.options.segment_bytes;
        let is_good = |s: &Segment| s.is_sound && s.file_bytes > size / 2 && s.file_bytes <= size * 2;
        let index = self.index();
        let chosen = drained.iter().rfind(|id| index.segments.get(id).is_some_and(is_good)).copied();
        if chosen.is_none() {
            let _in_time = lane.spare.made(false);
        }
        chosen
    }
    /// Whether it is durable that the chosen one has its new name.
    pub(super) fn spare_made(&self, lane: &Lane, is_made: bool) {
        if !lane.spare.made(is_made) {
            self.remove_spare(lane);
        }
    }
    /// There will be none any more.
    pub(super) fn end_spare(&self, lane: &Lane) {
        lane.spare.end();
        self.remove_spare(lane);
    }
    /// Removes what an earlier process has left, or what this one leaves. Best effort: it holds nothing.
    pub(super) fn remove_spare(&self, lane: &Lane) {
        let is_there = self.storage.open(&spare_of(&lane.dir)).is_ok();
        if is_there && let Err(error) = self.storage.remove(&spare_of(&lane.dir)) {
            tracing::debug!(dir = %lane.dir.display(), %error, "the spare file could not be removed");
        }
    }
}
