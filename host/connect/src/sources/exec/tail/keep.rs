//! Keeps the position of a `tail` in a file while it runs.
//!
//! ```text
//! pump ──moved, stored──▶ Trail ──at most once a second──▶ Store      on a thread for blocking work
//! ```
//!
//! The position is saved before the first byte is read, after lines were stored, and at every end of the
//! command. It is never ahead of what is stored: whatever happens, no line is missing, and after a crash only
//! those of the last second come twice.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use super::file::Place;
use super::store::{InUse, Store};
use super::trail::Trail;
use super::{Follow, TailWords};

const SAVE_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(in super::super) struct Keep {
    store: Arc<Store>,
    trail: Trail,
    saving: Option<JoinHandle<()>>,
    saved_at: Instant,
    /// When the next save is due; `None` if there is nothing new.
    due: Option<Instant>,
}

impl Keep {
    /// Takes the position file, and says where to go on. Blocks: not for async threads.
    ///
    /// # Errors
    /// If another source has the position file.
    pub fn open(path: &Path, words: TailWords) -> Result<(Self, Follow), InUse> {
        let (store, saved) = Store::open(path, &words.file)?;
        let keep = Self {
            store: Arc::new(store),
            trail: Trail::default(),
            saving: None,
            saved_at: Instant::now(),
            due: None,
        };
        Ok((keep, Follow::after(words, saved)))
    }

    /// `count` bytes were read, and `tail` is at this place now; `None` if that is not known.
    pub fn moved(&mut self, count: usize, place: Option<Place>) {
        self.trail.moved(count, place);
    }
    /// `count` bytes were read that lie behind those before.
    pub fn moved_on(&mut self, count: usize) {
        self.trail.moved_on(count);
    }
    /// Everything read is stored, except the last `unstored_bytes`.
    pub fn stored(&mut self, unstored_bytes: usize) {
        if self.trail.stored(unstored_bytes as u64) && self.due.is_none() {
            self.due = Some(self.saved_at + SAVE_EVERY);
        }
    }

    /// When [`save_if_due`](Self::save_if_due) has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }
    /// Starts to save, and does not wait for the disk.
    pub fn save_if_due(&mut self) {
        let now = Instant::now();
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.saved_at = now;
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            self.due = Some(now + SAVE_EVERY);
            return;
        }
        self.due = None;
        self.saving = Some(self.save());
    }
    /// Saves, and returns when that is done.
    pub async fn save_now(&mut self) {
        if let Some(saving) = self.saving.take() {
            // An older position must not overwrite this one.
            let _saved = saving.await;
        }
        if self.trail.is_begun() {
            self.due = None;
            self.saved_at = Instant::now();
            let _saved = self.save().await;
        }
    }
    fn save(&self) -> JoinHandle<()> {
        let (store, place) = (self.store.clone(), self.trail.place().cloned());
        spawn_blocking(move || store.save(place.as_ref()))
    }
}
