//! Where in which file a `tail` is, told from nothing but the bytes that it prints.
//!
//! ```text
//! old file  │ read and passed on ......................│          (renamed, still open here)
//! output                         .......│chunk         │chunk│
//! new file                                              │chunk ...│
//! ```
//!
//! Every chunk is compared with the file at the position where it must lie. When it is not there, `tail` has
//! moved on to the next file of the same name, or to the start of a truncated one: the chunk's first bytes
//! are then the end of the old file and the others the start of the new one, which is compared as well. So
//! the position is either proven, or known to be unknown.

use std::fs::File;
use std::io;

use super::TailWords;
use super::file::Held;

/// So many of a chunk's last bytes are compared.
const COMPARED_BYTES_MAX: usize = 4096;
/// So many places are tried for the border between the old file and the new one.
const BORDERS_MAX: usize = 64;

/// The position of a `tail` that may be restarted.
pub(in super::super) struct Follow {
    words: TailWords,
    /// `None`: there was no such file yet; the position is then the start of the next one.
    held: Option<Held>,
    at: u64,
    /// The last bytes passed on, which must lie before the position.
    last: Vec<u8>,
    state: State,
    /// No chunk has been seen since the last start.
    fresh: bool,
    /// The last start was repeated because `tail` had found another file. Once is enough.
    repeated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    NotStarted,
    Known,
    Unknown,
    /// Not a regular file: there is no position.
    Untracked,
}

/// How to start `tail`.
pub(in super::super) enum Begin {
    /// With the words of the user.
    AsWritten,
    /// With these words, after reading what the old file still has.
    With {
        /// The end of a file that was renamed, which `tail` would not find any more.
        rest_of_old: Option<File>,
        /// The command.
        argv: Vec<String>,
    },
}

/// What a chunk of output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// It belongs where it comes.
    Good,
    /// `tail` started in another file than the one the position is in: it was renamed between our look and
    /// its start. The chunk must be forgotten and `tail` started again.
    OtherFile,
}

impl Follow {
    /// Nothing read yet.
    pub fn new(words: TailWords) -> Self {
        Self { words, held: None, at: 0, last: Vec::new(), state: State::NotStarted, fresh: true, repeated: false }
    }
    /// Whether the position is held, so that an unfinished line will be finished by the next start.
    pub fn is_tracked(&self) -> bool {
        self.state != State::Untracked
    }

    /// Says how to start or restart. May read much of the file (`tail -n 1000000`): not for async threads.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn begin(&mut self) -> io::Result<Begin> {
        self.fresh = true;
        let mut rest_of_old = None;
        match self.state {
            State::NotStarted => self.first()?,
            State::Known | State::Unknown => rest_of_old = self.resume()?,
            State::Untracked => {}
        }
        if self.state == State::Untracked {
            return Ok(Begin::AsWritten);
        }
        Ok(Begin::With { rest_of_old, argv: self.words.argv_from(self.at) })
    }

    fn first(&mut self) -> io::Result<()> {
        self.held = Held::open(&self.words.file);
        if self.held.is_none() && self.words.file.exists() {
            self.state = State::Untracked;
            return Ok(());
        }
        self.at = self.held.as_ref().map_or(Ok(0), |held| held.start(self.words.start))?;
        self.state = State::Known;
        Ok(())
    }

    fn resume(&mut self) -> io::Result<Option<File>> {
        let now = Held::open(&self.words.file);
        let state = std::mem::replace(&mut self.state, State::Known);
        let Some(held) = self.held.take().filter(|_| state == State::Known) else {
            if state == State::Unknown {
                self.warn("the position was lost");
            }
            self.start_of(now);
            return Ok(None);
        };
        if now.as_ref().is_some_and(|now| now.is_same(&held)) {
            let before = self.at.checked_sub(self.last.len() as u64);
            if before.is_some_and(|before| held.has_at(before, &self.last)) {
                self.held = Some(held);
            } else {
                self.warn("the file was truncated or written over");
                self.start_of(now);
            }
            return Ok(None);
        }
        let rest = if held.size() > self.at { Some(held.reader_from(self.at)?) } else { None };
        self.start_of(now);
        Ok(rest)
    }

    fn start_of(&mut self, file: Option<Held>) {
        self.held = file;
        self.at = 0;
        self.last.clear();
    }
    fn warn(&self, why: &str) {
        tracing::warn!(file = %self.words.file.display(), why, "reading from the start of the file: lines may come twice");
    }

    /// Moves the position over the next bytes of output.
    pub fn advance(&mut self, chunk: &[u8]) -> Verdict {
        let fresh = std::mem::replace(&mut self.fresh, false);
        if self.state != State::Known {
            return Verdict::Good;
        }
        if self.held.as_ref().is_some_and(|held| ends_at(held, self.at, chunk)) {
            self.at += chunk.len() as u64;
            self.remember(chunk);
        } else if let Some((next, at)) = self.next_file(chunk) {
            self.held = Some(next);
            self.at = at as u64;
            self.last.clear();
            self.remember(&chunk[chunk.len() - at..]);
        } else if fresh && self.held.is_some() && !self.repeated {
            self.repeated = true;
            return Verdict::OtherFile;
        } else {
            tracing::debug!(file = %self.words.file.display(), "cannot tell which file the lines come from");
            self.state = State::Unknown;
            self.start_of(None);
        }
        self.repeated = false;
        Verdict::Good
    }

    /// The file that `tail` has moved on to, and how many bytes of the chunk are its first ones.
    fn next_file(&self, chunk: &[u8]) -> Option<(Held, usize)> {
        let next = Held::open(&self.words.file)?;
        let of_old = self.held.as_ref().map_or(0, |old| old.common_prefix(self.at, chunk));
        // Mostly the old file was read to its end. If it grew after that, and as the new one starts, the
        // border is an earlier line end.
        let line_ends = memchr::memrchr_iter(b'\n', &chunk[..of_old]).map(|at| at + 1).chain([0]);
        std::iter::once(of_old)
            .chain(line_ends)
            .take(BORDERS_MAX)
            .find(|&border| border < chunk.len() && next.has_at(0, &chunk[border..]))
            .map(|border| (next, chunk.len() - border))
    }

    fn remember(&mut self, chunk: &[u8]) {
        let chunk = &chunk[chunk.len().saturating_sub(COMPARED_BYTES_MAX)..];
        let surplus = (self.last.len() + chunk.len()).saturating_sub(COMPARED_BYTES_MAX);
        self.last.drain(..surplus);
        self.last.extend_from_slice(chunk);
    }
}

fn ends_at(held: &Held, at: u64, chunk: &[u8]) -> bool {
    let skipped = chunk.len().saturating_sub(COMPARED_BYTES_MAX);
    held.has_at(at + skipped as u64, &chunk[skipped..])
}
