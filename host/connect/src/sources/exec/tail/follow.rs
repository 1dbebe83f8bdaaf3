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
//!
//! `tail -F` moves on to a new file without a last look at the old one, and so may leave lines behind. They
//! are seen here, because the old file is still open: the chunk is then forgotten and `tail` started again,
//! with the end of the old file before it. The same is done when a `tail` stays silent although there is
//! something to read ([`Follow::is_overdue`]).

use std::io;
use std::sync::Arc;

use super::TailWords;
use super::file::{Held, Place};
use super::position::{COMPARED_BYTES_MAX, Fit, Position};
use super::siblings;
use super::store::Saved;

/// So many places are tried for the border between the old file and the new one.
const BORDERS_MAX: usize = 64;

/// The position of a `tail` that may be restarted.
pub(in super::super) struct Follow {
    words: TailWords,
    /// `None`: there was no such file yet; the position is then the start of the next one.
    held: Option<Arc<Held>>,
    at: u64,
    /// The last bytes passed on, which must lie before the position.
    last: Vec<u8>,
    state: State,
    /// What was known before Flumen itself was started; of use for the first start.
    saved: Saved,
    /// No chunk has been seen since the last start.
    fresh: bool,
    /// The last start was repeated because `tail` had found another file. Once is enough.
    repeated: bool,
    /// There was something to read at the last look, and nothing has come since.
    unread: bool,
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
    /// With these words, after reading what the old files still have.
    With {
        /// The end of a file that was renamed, which `tail` would not find any more, and the files that came
        /// and went after it while Flumen did not run.
        rests: Vec<Place>,
        /// The command.
        argv: Vec<String>,
    },
}

/// What a chunk of output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// It belongs where it comes.
    Good,
    /// `tail` has left bytes out: it moved on before the end of the old file, or started in another file
    /// than the position is in. The chunk must be forgotten and `tail` started again.
    LeftOut,
}

impl Follow {
    /// Nothing read yet.
    pub fn new(words: TailWords) -> Self {
        Self::after(words, Saved::Nothing)
    }
    /// Goes on where the last run of Flumen was.
    pub(super) fn after(words: TailWords, saved: Saved) -> Self {
        Self {
            saved,
            words,
            held: None,
            at: 0,
            last: Vec::new(),
            state: State::NotStarted,
            fresh: true,
            repeated: false,
            unread: false,
        }
    }
    /// Whether the position is held, so that an unfinished line will be finished by the next start.
    pub fn is_tracked(&self) -> bool {
        self.state != State::Untracked
    }

    /// Where `tail` is after the last chunk, if that is known.
    pub fn place(&self) -> Option<Place> {
        let held = self.held.as_ref().filter(|_| self.state == State::Known)?;
        Some(Place { held: held.clone(), at: self.at })
    }

    /// Says how to start or restart. May read much of the file (`tail -n 1000000`): not for async threads.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn begin(&mut self) -> io::Result<Begin> {
        self.fresh = true;
        self.unread = false;
        let rests = match self.state {
            State::NotStarted => self.first()?,
            State::Known | State::Unknown => self.resume(),
            State::Untracked => Vec::new(),
        };
        if self.state == State::Untracked {
            return Ok(Begin::AsWritten);
        }
        Ok(Begin::With { rests, argv: self.words.argv_from(self.at) })
    }

    fn first(&mut self) -> io::Result<Vec<Place>> {
        let now = self.open_now();
        if now.is_none() && self.words.file.exists() {
            self.state = State::Untracked;
            return Ok(Vec::new());
        }
        let mut rests = Vec::new();
        match std::mem::replace(&mut self.saved, Saved::Nothing) {
            Saved::Nothing => {
                self.at = now.as_ref().map_or(Ok(0), |now| now.start(self.words.start))?;
                self.held = now;
            }
            Saved::Unreadable => self.start_of(now),
            Saved::At(position) => rests = self.restore(&position, now),
        }
        self.state = State::Known;
        Ok(rests)
    }

    /// Goes on at a saved position.
    fn restore(&mut self, position: &Position, now: Option<Arc<Held>>) -> Vec<Place> {
        let Some(identity) = position.identity else {
            self.start_of(now);
            return Vec::new();
        };
        if let Some(held) = now.as_ref().filter(|now| now.identity() == identity) {
            match position.fit(held) {
                Fit::Same => {
                    self.at = behind_line_end(held, position.offset);
                    self.last = held.before(self.at, COMPARED_BYTES_MAX);
                    self.held = now;
                    return Vec::new();
                }
                Fit::Truncated => self.warn("the file was truncated while Flumen did not run"),
                Fit::WrittenOver => self.warn("the file was written over while Flumen did not run"),
            }
            self.start_of(now);
            return Vec::new();
        }
        if position.file != self.words.file {
            self.warn(&format!("the saved position is that of {}", position.file.display()));
            self.start_of(now);
            return Vec::new();
        }
        let mut rests = siblings::left_behind(position, now.as_deref());
        if let Some(old) = rests.first_mut() {
            old.at = behind_line_end(&old.held, old.at);
        } else {
            tracing::warn!(
                file = %self.words.file.display(), inode = identity.inode, offset = position.offset,
                "the file was rotated while Flumen did not run and the old one is not found beside it: \
                 its end may be missing; reading the new file from its start"
            );
        }
        self.start_of(now);
        rests
    }

    fn resume(&mut self) -> Vec<Place> {
        let now = self.open_now();
        let state = std::mem::replace(&mut self.state, State::Known);
        let Some(held) = self.held.take().filter(|_| state == State::Known) else {
            if state == State::Unknown {
                self.warn("the position was lost");
            }
            self.start_of(now);
            return Vec::new();
        };
        if now.as_ref().is_some_and(|now| now.is_same(&held)) {
            let before = self.at.checked_sub(self.last.len() as u64);
            if before.is_some_and(|before| held.has_at(before, &self.last)) {
                self.held = Some(held);
            } else {
                self.warn("the file was truncated or written over");
                self.start_of(now);
            }
            return Vec::new();
        }
        let rest = Place { at: self.at, held };
        self.start_of(now);
        if rest.held.size() > rest.at { vec![rest] } else { Vec::new() }
    }

    fn open_now(&self) -> Option<Arc<Held>> {
        Held::open(&self.words.file).map(Arc::new)
    }
    fn start_of(&mut self, file: Option<Arc<Held>>) {
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
        self.unread = false;
        if self.state != State::Known {
            return Verdict::Good;
        }
        if self.held.as_ref().is_some_and(|held| ends_at(held, self.at, chunk)) {
            self.at += chunk.len() as u64;
            self.remember(chunk);
        } else if let Some((next, border)) = self.next_file(chunk) {
            let read_old_to = self.at + border as u64;
            if self.held.as_ref().is_some_and(|old| !old.is_same(&next) && old.size() > read_old_to) {
                return Verdict::LeftOut;
            }
            self.start_of(Some(Arc::new(next)));
            self.at = (chunk.len() - border) as u64;
            self.remember(&chunk[border..]);
        } else if fresh && self.held.is_some() && !self.repeated {
            self.repeated = true;
            return Verdict::LeftOut;
        } else {
            tracing::debug!(file = %self.words.file.display(), "cannot tell which file the lines come from");
            self.state = State::Unknown;
            self.start_of(None);
        }
        self.repeated = false;
        Verdict::Good
    }

    /// Whether `tail` has missed something. Asked when it has been silent for a while; the answer is yes when
    /// there was something to read at the last look already, and nothing has come since.
    ///
    /// `tail` stays silent for ever if the file is renamed just before it opens it: it then waits for the new
    /// file to grow beyond the place it was told.
    pub fn is_overdue(&mut self) -> bool {
        let unread = self.state == State::Known && self.has_unread();
        std::mem::replace(&mut self.unread, unread) && unread
    }
    fn has_unread(&self) -> bool {
        if self.held.as_ref().is_some_and(|held| held.size() > self.at) {
            return true;
        }
        let named = self.words.follow.iter().any(|word| word == "-F" || word == "--follow=name");
        let next = if named || self.held.is_none() { Held::open(&self.words.file) } else { None };
        next.is_some_and(|next| next.size() > 0 && self.held.as_ref().is_none_or(|held| !held.is_same(&next)))
    }

    /// The file that `tail` has moved on to, and how many bytes of the chunk are still of the old one.
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
            .map(|border| (next, border))
    }

    fn remember(&mut self, chunk: &[u8]) {
        let chunk = &chunk[chunk.len().saturating_sub(COMPARED_BYTES_MAX)..];
        let surplus = (self.last.len() + chunk.len()).saturating_sub(COMPARED_BYTES_MAX);
        self.last.drain(..surplus);
        self.last.extend_from_slice(chunk);
    }
}

/// A CR ends a line at once, and the LF of a CRLF may have come after it was stored: that is no empty line.
/// (In UTF-16 and UTF-32 the LF makes an empty line here; the bytes alone do not tell.)
fn behind_line_end(held: &Held, at: u64) -> u64 {
    let between = at > 0 && held.has_at(at - 1, b"\r\n");
    at + u64::from(between)
}

fn ends_at(held: &Held, at: u64, chunk: &[u8]) -> bool {
    let skipped = chunk.len().saturating_sub(COMPARED_BYTES_MAX);
    held.has_at(at + skipped as u64, &chunk[skipped..])
}

#[cfg(test)]
mod tests;
