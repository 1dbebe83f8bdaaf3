//! The position file: read once, written again and again, and nobody else's meanwhile.
//!
//! ```text
//! app.pos         the position; replaced as a whole, so that a crash leaves the old one or the new one
//! app.pos.tmp     the next one, while it is written
//! app.pos.lock    empty; locked as long as a source uses the position (app.pos itself is replaced, so a
//!                 lock on it would be on a file that is gone)
//! ```

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::file::Place;
use super::position::Position;

/// A position file that cannot be written is complained about this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// No position is longer: a path has at most 4096 bytes.
const FILE_BYTES_MAX: u64 = 8 * 1024;

/// What the position file said at the start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saved {
    /// There is none: the first start.
    Nothing,
    /// It cannot be read, or is no position.
    Unreadable,
    At(Position),
}

/// Another source has the position file.
#[derive(Debug, thiserror::Error)]
#[error(
    "position file {} is in use by another source or agent: two must not share one; give each its own `positionFile`",
    .0.display()
)]
pub(in super::super) struct InUse(PathBuf);

/// The file; see the module. All of it blocks: not for async threads.
pub(super) struct Store {
    path: PathBuf,
    /// The file that is tailed; a part of the text.
    tailed: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Absent while the lock file cannot be made.
    lock: Option<File>,
    complained: Option<Instant>,
}

impl Store {
    /// Takes the file for this source and says what is in it.
    ///
    /// # Errors
    /// If another source has it. (A directory that is missing is no error: it may appear.)
    pub fn open(path: &Path, tailed: &Path) -> Result<(Self, Saved), InUse> {
        let store =
            Self { path: path.to_owned(), tailed: tailed.to_owned(), state: Mutex::new(State::default()) };
        match store.lock() {
            Ok(lock) => store.state().lock = Some(lock),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(InUse(path.to_owned())),
            Err(error) => store.complain(&error),
        }
        let saved = store.load();
        Ok((store, saved))
    }

    /// Writes the position. What goes wrong is logged, and does not stop the events.
    pub fn save(&self, place: Option<&Place>) {
        if let Err(error) = self.try_save(place) {
            self.complain(&error);
        }
    }

    fn try_save(&self, place: Option<&Place>) -> io::Result<()> {
        let mut state = self.state();
        if state.lock.is_none() {
            state.lock = Some(self.lock()?);
        }
        let beside = self.beside(".tmp");
        let mut file = File::create(&beside)?;
        file.write_all(Position::of(place, &self.tailed).to_string().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn lock(&self) -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.beside(".lock"))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file)
    }

    fn load(&self) -> Saved {
        let mut text = String::new();
        let read =
            File::open(&self.path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
        let why = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Saved::Nothing,
            Err(error) => error.to_string(),
            Ok(_) => match Position::parse(&text) {
                Some(position) => return Saved::At(position),
                None => "it is no position, or of another version".to_owned(),
            },
        };
        tracing::warn!(
            position_file = %self.path.display(), file = %self.tailed.display(), why,
            "the position file cannot be read: reading the file from its start, lines may come twice"
        );
        Saved::Unreadable
    }

    fn complain(&self, error: &io::Error) {
        let mut state = self.state();
        if state.complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            state.complained = Some(Instant::now());
            tracing::error!(
                position_file = %self.path.display(), %error,
                "the position cannot be saved: after a restart of Flumen lines will come twice"
            );
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or(OsStr::new("position")).to_owned();
        name.push(suffix);
        self.path.with_file_name(name)
    }
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(lock) = &self.state().lock {
            // Closing alone would not do: a command that another source is just starting has the file open as
            // well, for the moment between `fork` and `exec`.
            let _unlocked = flock(lock, FlockOperation::Unlock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<(Store, Saved), InUse> {
        Store::open(path, Path::new("/var/log/x"))
    }

    #[test]
    fn a_saved_position_is_found_by_the_next_and_no_second_can_use_it_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("p");
        let (store, saved) = open(&path).expect("free");
        assert_eq!(saved, Saved::Nothing);
        store.save(None);
        let refused = open(&path).err().expect("in use").to_string();
        assert!(refused.contains("in use by another source or agent"), "{refused}");
        drop(store);
        let (_store, saved) = open(&path).expect("free again");
        assert_eq!(saved, Saved::At(Position::of(None, Path::new("/var/log/x"))));
        assert!(!dir.path().join("p.tmp").exists());
    }

    #[test]
    fn a_directory_that_appears_later_is_written_to_then() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("later/p");
        let (store, saved) = open(&path).expect("no other has it");
        assert_eq!(saved, Saved::Nothing);
        store.save(None);
        std::fs::create_dir(dir.path().join("later")).expect("created");
        store.save(None);
        assert!(path.exists() && open(&path).is_err());
    }

    #[test]
    fn what_is_no_position_is_told_from_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("p");
        for content in [&b""[..], b"{}", b"\xFF\xFE"] {
            std::fs::write(&path, content).expect("written");
            assert_eq!(open(&path).expect("free").1, Saved::Unreadable);
        }
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("created");
        assert_eq!(open(&path).expect("free").1, Saved::Unreadable);
    }
}
