//! The spare file of a folder, which becomes its next segment: a drained segment that is kept, or, where nothing has drained
//! by the time that a segment is half full, a new file.
//!
//! ```text
//! segment-7.log, drained ── rename, sync_dir ──┬─▶ spare ── new head and state, sync ── rename, sync_dir ──▶ segment-9.log
//! new file, preallocated ── sync, sync_dir ────┘
//! ```
//!
//! What was written before is synced quicker than what was only preallocated, where the file system notes the first write
//! to every block; and nothing is to be allocated or freed. A new one at least costs nobody the time that it takes to make.
//! There is one at most. It is used only after it is durable that its old name is gone, and gets its new name when its new
//! head is durable: so no name ever stands for the bytes of another segment. It is never one that a failure has ended, or an
//! earlier process has written; those are deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::file::index::Segment;
use crate::file::lane::Lane;
use crate::file::log::Log;
use crate::file::segment::{Active, spare_of};

/// A new one is made only where the disk has room for so many segments more.
const ROOM_SEGMENTS: u64 = 4;

const NONE: u8 = 0;
const CLAIMED: u8 = 1;
const NEW: u8 = 2;
const WRITTEN: u8 = 3;
const TAKEN: u8 = 4;
const ENDED: u8 = 5;

/// What a spare file was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing: its blocks are preallocated, the first ones written.
    New,
    /// A segment: its blocks have been written.
    Segment,
}

/// Whether there is one.
#[derive(Default)]
pub(super) struct Spare(AtomicU8);

impl Spare {
    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.0.load(Ordering::Acquire), NEW | WRITTEN)
    }
    /// Takes it, if there is one. Nobody makes another, under the same name, before it is [`gone`](Self::gone).
    pub(super) fn take(&self) -> Option<Past> {
        let of = |state, past| self.change(state, TAKEN).then_some(past);
        of(WRITTEN, Past::Segment).or_else(|| of(NEW, Past::New))
    }
    /// What was taken has another name now, or is removed.
    pub(super) fn gone(&self) {
        let _unless_ended = self.change(TAKEN, NONE);
    }
    /// Says whether the caller may make one; it then says how that went, and learns whether it came too late.
    fn claim(&self) -> bool {
        self.change(NONE, CLAIMED)
    }
    fn made(&self, made: Option<Past>) -> bool {
        let state = match made {
            None => NONE,
            Some(Past::New) => NEW,
            Some(Past::Segment) => WRITTEN,
        };
        self.change(CLAIMED, state)
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
            let _in_time = lane.spare.made(None);
        }
        chosen
    }
    /// What it was, once it is durable that it has its name; nothing if that failed.
    pub(super) fn spare_made(&self, lane: &Lane, made: Option<Past>) {
        if !lane.spare.made(made) {
            self.remove_spare(lane);
        }
    }
    /// Has a spare file made while the present segment is filled, once for each segment.
    pub(super) fn prepare_spare(self: &Arc<Self>, lane: &Arc<Lane>, active: &mut Active) {
        let is_due = self.options.prepares_segments && active.offset > active.capacity / 2;
        if !is_due || std::mem::replace(&mut active.has_prepared_next, true) || !lane.spare.claim() {
            return;
        }
        let (log, lane) = (self.clone(), lane.clone());
        self.spawn_blocking(move || {
            let made = log.make_spare(&lane);
            if let Err(error) = &made {
                tracing::debug!(dir = %lane.dir.display(), %error, "no file was made for the next segment beforehand");
                log.remove_spare(&lane);
            }
            log.spare_made(&lane, made.is_ok().then_some(Past::New));
            log.gauge(&log.index());
        });
    }
    fn make_spare(&self, lane: &Lane) -> std::io::Result<()> {
        let size = self.options.segment_bytes;
        let wanted = self.options.minimum_free_bytes.saturating_add(ROOM_SEGMENTS * size);
        if self.storage.free_bytes(&lane.dir)? < wanted {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Active::prepare(&*self.storage, &lane.dir, size)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Else another file might get the name between its opening and its renaming, and the one that is written to would
    /// have none.
    #[test]
    fn while_one_is_made_into_a_segment_nobody_makes_another() {
        let spare = Spare::default();
        assert!(spare.claim() && spare.made(Some(Past::Segment)) && spare.is_ready());
        assert_eq!(spare.take(), Some(Past::Segment));
        assert!(!spare.claim() && spare.take().is_none() && !spare.is_ready());
        spare.gone();
        assert!(spare.claim() && !spare.claim() && spare.made(Some(Past::New)));
        assert_eq!(spare.take(), Some(Past::New));
        spare.end();
        spare.gone();
        assert!(!spare.claim(), "the end is the end");
    }
}
