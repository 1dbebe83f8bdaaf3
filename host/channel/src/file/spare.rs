//! The spare file of a folder, which becomes its next segment: a drained segment that is kept, or, where nothing has drained
//! in time, a new file, whose blocks are written with zeros step by step while the present segment is filled.
//!
//! ```text
//! segment-7.log, drained ── rename, sync_dir ──┬─▶ spare ── new head and state, sync ── rename, sync_dir ──▶ segment-9.log
//! new file, preallocated ── sync, sync_dir ────┤     ▲
//!                                              └─────┴── zeros, sync: a step (of a new one), again and again
//! ```
//!
//! What was written before is synced quicker than what was only preallocated, where the file system notes the first write
//! to every block; and nothing is to be allocated or freed. It is written on threads that nobody waits for, and in a file of
//! its own: a sync waits for what the file system has noted of its own file only. Steps are small and keep pace with the
//! writer, so that they are never in its way for long. A segment whose blocks were not written before (the first one of a
//! process) is ended early, as soon as there is a spare file that is better.
//!
//! There is one at most. It is used only after it is durable that its old name is gone, and gets its new name when its new
//! head is durable: so no name ever stands for the bytes of another segment. It is never one that a failure has ended, or an
//! earlier process has written; those are deleted.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::file::index::Segment;
use crate::file::lane::{Lane, Writer};
use crate::file::log::Log;
use crate::file::segment::{Active, spare_of, write_zeros};

/// A new one is made only where the disk has room for so many segments more.
const ROOM_SEGMENTS: u64 = 4;
/// The blocks of a new one are written only if groups are smaller: larger ones are limited by how much the disk can write,
/// and would have to share that.
const GROUP_BYTES: u64 = 128 << 10;

const NONE: u8 = 0;
const CLAIMED: u8 = 1;
const NEW: u8 = 2;
const WRITTEN: u8 = 3;
const TAKEN: u8 = 4;
const ENDED: u8 = 5;

/// What a spare file was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing: its blocks are preallocated, and so many bytes have been written.
    New { written: u64 },
    /// A segment: its blocks have been written.
    Segment,
}

/// Whether there is one.
#[derive(Default)]
pub(super) struct Spare {
    state: AtomicU8,
    /// Of a new one.
    written: AtomicU64,
    /// Whether a step is under way, or none can be made any more.
    is_in_step: AtomicBool,
    /// Held while zeros are written, so that nobody makes a segment of it meanwhile.
    step: Mutex<()>,
}

impl Spare {
    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }
    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
    fn hold(&self) -> MutexGuard<'_, ()> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state(), NEW | WRITTEN)
    }
    /// Whether all blocks of a segment of this size are written.
    fn is_written(&self, size: u64) -> bool {
        let state = self.state();
        state == WRITTEN || state == NEW && self.written.load(Ordering::Acquire) >= size
    }
    /// Takes it, if there is one, as soon as no step is under way. Nobody makes another, under the same name, before it is
    /// [`gone`](Self::gone).
    pub(super) fn take(&self) -> Option<Past> {
        let _no_step = self.hold();
        if self.change(WRITTEN, TAKEN) {
            return Some(Past::Segment);
        }
        self.change(NEW, TAKEN).then(|| Past::New { written: self.written.load(Ordering::Acquire) })
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
            Some(Past::New { written }) => {
                self.written.store(written, Ordering::Release);
                self.is_in_step.store(false, Ordering::Release);
                NEW
            }
            Some(Past::Segment) => WRITTEN,
        };
        self.change(CLAIMED, state)
    }
    /// Says whether the caller is to make a step, because less than this is written.
    fn begin_step(&self, wanted: u64) -> bool {
        self.state() == NEW
            && self.written.load(Ordering::Acquire) < wanted
            && !self.is_in_step.swap(true, Ordering::AcqRel)
    }
    fn end(&self) {
        self.state.store(ENDED, Ordering::Release);
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
    /// Has a spare file made, and written, as far as the present segment has been filled.
    pub(super) fn prepare_spare(self: &Arc<Self>, lane: &Arc<Lane>, active: &mut Active) {
        let wanted = wanted_bytes(active, self.options.segment_bytes);
        if wanted == 0 || !self.options.prepares_segments {
            return;
        }
        if !active.has_prepared_next {
            active.has_prepared_next = true;
            if lane.spare.claim() {
                self.aside(lane, Self::make_spare);
            }
        } else if is_written_ahead(active) && lane.spare.begin_step(wanted) {
            self.aside(lane, Self::write_spare);
        }
    }
    fn aside(self: &Arc<Self>, lane: &Arc<Lane>, work: fn(&Self, &Lane)) {
        let (log, lane) = (self.clone(), lane.clone());
        self.spawn_blocking(move || work(&log, &lane));
    }
    fn make_spare(&self, lane: &Lane) {
        let made = self.try_make_spare(lane);
        if let Err(error) = &made {
            tracing::debug!(dir = %lane.dir.display(), %error, "no file was made for the next segment beforehand");
            self.remove_spare(lane);
        }
        self.spare_made(lane, made.ok());
        self.gauge(&self.index());
    }
    fn try_make_spare(&self, lane: &Lane) -> std::io::Result<Past> {
        let size = self.options.segment_bytes;
        let wanted = self.options.minimum_free_bytes.saturating_add(ROOM_SEGMENTS * size);
        if self.storage.free_bytes(&lane.dir)? < wanted {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Active::prepare(&*self.storage, &lane.dir, size).map(|written| Past::New { written })
    }
    /// One step.
    fn write_spare(&self, lane: &Lane) {
        let spare = &lane.spare;
        let _held = spare.hold();
        if spare.state() != NEW {
            return;
        }
        let from = spare.written.load(Ordering::Acquire);
        let file = self.storage.open_to_write(&spare_of(&lane.dir));
        match file.and_then(|file| write_zeros(&*file, from, self.options.segment_bytes)) {
            Ok(to) => {
                spare.written.store(to, Ordering::Release);
                spare.is_in_step.store(false, Ordering::Release);
            }
            // It is good as far as it is.
            Err(error) => {
                tracing::debug!(dir = %lane.dir.display(), %error, "the next segment's file is not written further");
            }
        }
    }
    /// Ends the present segment if the blocks of the spare file have been written and its own have not. Where that fails it
    /// stays.
    pub(super) fn leave_for_spare(&self, lane: &Lane, writer: &mut Writer) {
        let size = self.options.segment_bytes;
        let is_due = |active: &Active| !active.was_written && is_written_ahead(active);
        if !writer.active.as_ref().is_some_and(is_due) || !lane.spare.is_written(size) {
            return;
        }
        if let Err(failure) = self.try_roll(lane, writer, 0) {
            tracing::debug!(dir = %lane.dir.display(), %failure, "the next segment is not begun early");
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

/// Whether it pays to write blocks ahead of the groups.
fn is_written_ahead(active: &Active) -> bool {
    active.fills_ahead && active.offset < active.syncs.saturating_mul(GROUP_BYTES)
}

/// How many bytes of the next segment should be written by now, by how far the present one is filled: none in the beginning,
/// in which a drained segment may still become the spare file, and all well before its end. Where the blocks of the present
/// one were not written before, the next one is wanted soon, though not by a channel that hardly writes.
fn wanted_bytes(active: &Active, size: u64) -> u64 {
    let eighths = |n: u64| active.capacity / 8 * n;
    let (from, to) =
        if active.was_written { (eighths(2), eighths(7)) } else { (active.capacity / 64, eighths(4)) };
    let share = |part: u64, whole: u64| u128::from(size) * u128::from(part) / u128::from(whole.max(1));
    share(active.offset.saturating_sub(from), to - from).min(u128::from(size)) as u64
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
        assert!(spare.claim() && !spare.claim() && spare.made(Some(Past::New { written: 7 })));
        assert_eq!(spare.take(), Some(Past::New { written: 7 }));
        spare.end();
        spare.gone();
        assert!(!spare.claim(), "the end is the end");
    }
}
