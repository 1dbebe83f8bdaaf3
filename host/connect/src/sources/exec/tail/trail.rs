//! Where in which file a byte of the output came from, until its line is stored.
//!
//! ```text
//! output  0 ──────────── stored ──────────────── read
//! legs    │ app.log.1 from 700 │ app.log from 0 ...
//! ```
//!
//! Lines are stored later than they are read, and `tail` may have moved on to another file in between.

use std::collections::VecDeque;
use std::sync::Arc;

use super::file::Place;

/// See the module. Bytes of the output are counted from the first start on, over all restarts of `tail`.
#[derive(Default)]
pub(super) struct Trail {
    read: u64,
    legs: VecDeque<Leg>,
    stored: Option<Place>,
}

/// From this byte of the output on, bytes come from this place on; `None`: from nobody knows where.
struct Leg {
    from: u64,
    place: Option<Place>,
}

impl Trail {
    /// `count` bytes were read, and `tail` is at this place now.
    pub fn moved(&mut self, count: usize, place: Option<Place>) {
        let before = self.read;
        self.read += count as u64;
        if self.legs.back().is_some_and(|leg| leg.leads_to(self.read, place.as_ref())) {
            return;
        }
        let leg = match place {
            Some(Place { held, at }) => {
                let of_this = at.min(count as u64);
                Leg { from: self.read - of_this, place: Some(Place { held, at: at - of_this }) }
            }
            None => Leg { from: before, place: None },
        };
        self.legs.push_back(leg);
    }
    /// `count` bytes were read that lie behind those before.
    pub fn moved_on(&mut self, count: usize) {
        self.read += count as u64;
    }
    /// All is stored but the last `unstored` bytes read. Says whether the place is another now. A place that
    /// nobody knows leaves the last known one: lines then come twice, and none is missing.
    pub fn stored(&mut self, unstored: u64) -> bool {
        let upto = self.read.checked_sub(unstored).expect("no more is held than was read");
        let mut stored = None;
        while let Some(leg) = self.legs.front().filter(|leg| leg.from <= upto) {
            let next = self.legs.get(1).map(|next| next.from).filter(|next| *next <= upto);
            if let Some(place) = &leg.place {
                let at = place.at + (next.unwrap_or(upto) - leg.from);
                stored = Some(Place { held: place.held.clone(), at });
            }
            if next.is_none() {
                break;
            }
            self.legs.pop_front();
        }
        if stored.is_none() || stored == self.stored {
            return false;
        }
        self.stored = stored;
        true
    }
    /// The place behind the last stored line; `None` as long as there is no file.
    pub fn place(&self) -> Option<&Place> {
        self.stored.as_ref()
    }
    /// Whether `tail` was started.
    pub fn is_begun(&self) -> bool {
        !self.legs.is_empty()
    }
}

impl Leg {
    fn leads_to(&self, read: u64, place: Option<&Place>) -> bool {
        match (&self.place, place) {
            (Some(here), Some(there)) => {
                Arc::ptr_eq(&here.held, &there.held) && here.at + (read - self.from) == there.at
            }
            (None, None) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Held;
    use super::*;

    fn files() -> (tempfile::TempDir, Arc<Held>, Arc<Held>) {
        let dir = tempfile::tempdir().expect("a directory");
        let make = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").expect("written");
            Arc::new(Held::open(&path).expect("a file"))
        };
        let (old, new) = (make("old"), make("new"));
        (dir, old, new)
    }
    fn at(held: &Arc<Held>, at: u64) -> Option<Place> {
        Some(Place { held: held.clone(), at })
    }

    #[test]
    fn the_place_is_that_of_what_is_stored_and_not_of_what_is_read() {
        let (_dir, old, new) = files();
        let mut trail = Trail::default();
        assert!(!trail.stored(0) && !trail.is_begun());
        trail.moved(0, at(&old, 700));
        assert!(trail.stored(0));
        assert_eq!(trail.place(), at(&old, 700).as_ref());
        trail.moved(50, at(&old, 750));
        trail.moved(30, at(&new, 10));
        for (unstored, place) in
            [(60, at(&old, 720)), (11, at(&old, 769)), (10, at(&new, 0)), (3, at(&new, 7)), (0, at(&new, 10))]
        {
            assert!(trail.stored(unstored));
            assert_eq!(trail.place(), place.as_ref(), "{unstored} bytes not stored");
        }
        assert!(!trail.stored(0), "nothing new");
    }

    #[test]
    fn from_nowhere_the_place_stays_where_it_was() {
        let (_dir, old, new) = files();
        let mut trail = Trail::default();
        trail.moved(0, at(&old, 0));
        trail.moved(10, at(&old, 10));
        trail.moved(20, None);
        trail.moved(20, None);
        assert!(trail.stored(30));
        assert_eq!(trail.place(), at(&old, 10).as_ref());
        assert!(!trail.stored(0));
        trail.moved(0, at(&new, 0));
        assert!(trail.stored(0));
        assert_eq!(trail.place(), at(&new, 0).as_ref());
    }

    #[test]
    fn a_file_cut_to_nothing_starts_a_leg_of_its_own() {
        let (_dir, file, _) = files();
        let mut trail = Trail::default();
        trail.moved(0, at(&file, 0));
        trail.moved(10, at(&file, 10));
        trail.moved(4, at(&file, 4));
        assert!(trail.stored(1));
        assert_eq!(trail.place(), at(&file, 3).as_ref());
    }
}
