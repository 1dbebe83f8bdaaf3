//! The key-value store of one plugin: `flumen:plugin/state`.
//!
//! ```text
//! set ─▶ memory (the map that is read from)
//!    └─▶ write(2) at the end of STATE_DIR/PATH.kv     the operating system has it when `set` returns
//!                 └─▶ within a second: fdatasync      by the keeper's thread (`maintain`)
//!                 └─▶ when the file is mostly old:    rewritten beside it, synced, renamed, folder synced
//! ```
//!
//! Invariants: what was set survives the death of the process at once, and of the machine after a second. The file
//! is never longer than [`FILE_BYTES_MAX`]. A damaged file gives all that is whole ([`record`]). One process at a
//! time holds a store (a lock beside the file). Memory holds at most [`STORE_BYTES_MAX`], an entry counted with
//! [`ENTRY_BYTES`] of overhead, so that a flood of tiny keys is bounded too.

mod file;
pub mod record;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use self::file::Log;
use self::record::Op;
use super::log::PluginLog;
use super::rate::Bucket;

/// Bytes of a key.
pub const KEY_BYTES_MAX: usize = 1 << 10;
/// Bytes of a value.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// Bytes of all keys and values with [`ENTRY_BYTES`] for each entry.
pub const STORE_BYTES_MAX: usize = 16 << 20;
/// What an entry counts beside its key and value.
pub const ENTRY_BYTES: usize = 64;
/// Bytes of the file, old records included; writes fail there, which happens only if it cannot be rewritten.
pub const FILE_BYTES_MAX: u64 = 96 << 20;
/// Bytes that a plugin may write in a second, after a burst of [`STORE_BYTES_MAX`]: the disk is shared with the
/// channels. A faster writer waits.
pub const WRITE_BYTES_PER_SECOND_MAX: u64 = 4 << 20;
/// Old records that a file may hold before it is rewritten, beside as much as is alive.
const WASTE_BYTES: u64 = 1 << 20;
/// How often one plugin's disk trouble is logged.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Why a call failed. The guest sees the same three cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Over [`KEY_BYTES_MAX`] or [`VALUE_BYTES_MAX`].
    #[error("key or value too large")]
    TooLarge,
    /// Over [`STORE_BYTES_MAX`].
    #[error("store full")]
    Full,
    /// The disk failed; the log says how.
    #[error("disk failed")]
    Io,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Reading, creating or locking failed.
    #[error("state {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process holds it.
    #[error("state {}: held by another process; give each agent process a state folder of its own", path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// Something else lies there.
    #[error("state {}: not a state file of Flumen's, or of a newer version; it is left as it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// The store of one plugin.
#[derive(Debug)]
pub struct StateStore {
    log: Arc<PluginLog>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: BTreeMap<Arc<str>, Arc<[u8]>>,
    bytes: usize,
    writes: Bucket,
    /// none: in memory only.
    file: Option<Log>,
    complained_at: Option<Instant>,
}

impl StateStore {
    /// A store that forgets: for tests of plugins on the command line.
    #[must_use]
    pub fn in_memory(log: Arc<PluginLog>) -> Self {
        Self::with(log, BTreeMap::new(), None)
    }

    /// Opens the store in this file, or prepares to make the file with the first `set`. Reads the whole file:
    /// called when a plugin is built, never from a guest's call.
    ///
    /// # Errors
    /// If it cannot be read, is held by another process, or is no state file.
    pub fn open(log: Arc<PluginLog>, path: &Path) -> Result<Self, OpenError> {
        let (file, entries, replayed) = Log::open(path)?;
        if replayed.damaged > 0 {
            let text = format!(
                "state {}: {} damaged places ({} bytes) skipped; every other entry was read",
                path.display(),
                replayed.damaged,
                replayed.damaged_bytes
            );
            log.host_line(Level::ERROR, &text);
        }
        if replayed.torn_bytes > 0 {
            let text = format!(
                "state {}: {} bytes of an unfinished write cut off its end",
                path.display(),
                replayed.torn_bytes
            );
            log.host_line(Level::WARN, &text);
        }
        Ok(Self::with(log, entries, Some(file)))
    }

    fn with(log: Arc<PluginLog>, entries: BTreeMap<Arc<str>, Arc<[u8]>>, file: Option<Log>) -> Self {
        let bytes = entries.iter().map(|(key, value)| cost(key, value)).sum();
        let writes = Bucket::new(WRITE_BYTES_PER_SECOND_MAX, STORE_BYTES_MAX as u64, Instant::now());
        Self { log, inner: Mutex::new(Inner { entries, bytes, writes, file, complained_at: None }) }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<[u8]>> {
        self.lock().entries.get(key).cloned()
    }

    /// How long a writer has to wait before it writes so many bytes. Asked before each `set` and `delete`.
    #[must_use]
    pub fn pace(&self, bytes: usize) -> Duration {
        self.lock().writes.owe(bytes as u64, Instant::now())
    }

    /// Whether a key and a value are within their sizes.
    ///
    /// # Errors
    /// If one is not.
    pub fn check_sizes(key: &str, value: &[u8]) -> Result<(), StateError> {
        let fits = key.len() <= KEY_BYTES_MAX && value.len() <= VALUE_BYTES_MAX;
        if fits { Ok(()) } else { Err(StateError::TooLarge) }
    }

    /// Sets a key.
    ///
    /// # Errors
    /// If a size is over, or the disk fails; then nothing has changed.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), StateError> {
        Self::check_sizes(key, value)?;
        let mut inner = self.lock();
        let before = inner.entries.get(key).map_or(0, |old| cost(key, old));
        let after = inner.bytes - before + cost(key, value);
        if after > STORE_BYTES_MAX {
            return Err(StateError::Full);
        }
        self.append(&mut inner, Op::Set(key, value))?;
        inner.entries.insert(key.into(), value.into());
        inner.bytes = after;
        Ok(())
    }

    /// Removes a key; one that is not there is no error.
    ///
    /// # Errors
    /// If the disk fails; then nothing has changed.
    pub fn delete(&self, key: &str) -> Result<(), StateError> {
        let mut inner = self.lock();
        let Some(old) = inner.entries.get(key).map(|old| cost(key, old)) else { return Ok(()) };
        self.append(&mut inner, Op::Delete(key))?;
        inner.entries.remove(key);
        inner.bytes -= old;
        Ok(())
    }

    /// The keys that begin with `prefix`, ascending, behind `after`, at most `max`.
    #[must_use]
    pub fn keys(&self, prefix: &str, after: Option<&str>, max: usize) -> Vec<String> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        let inner = self.lock();
        let keys = inner.entries.range::<str, _>((from, Unbounded)).map(|(key, _)| key);
        keys.take_while(|key| key.starts_with(prefix)).take(max).map(|key| key.to_string()).collect()
    }

    fn append(&self, inner: &mut Inner, op: Op<'_>) -> Result<(), StateError> {
        let Some(file) = &mut inner.file else { return Ok(()) };
        file.append(op).map_err(|error| {
            self.complain(inner, &error);
            StateError::Io
        })
    }

    fn complain(&self, inner: &mut Inner, error: &io::Error) {
        let now = Instant::now();
        if inner.complained_at.is_none_or(|at| now.saturating_duration_since(at) >= COMPLAIN_EVERY) {
            inner.complained_at = Some(now);
            let path = inner.file.as_ref().map(|file| file.path().display().to_string()).unwrap_or_default();
            self.log.host_line(Level::ERROR, &format!("state {path}: {error}"));
        }
    }

    /// Syncs what was written, and rewrites a file that is mostly old. Called every second by the keeper; blocks
    /// on the disk. A guest's `set` waits for none of it but the last, short step of a rewrite.
    pub fn maintain(&self) {
        if let Err(error) = self.sync().and_then(|()| self.rewrite_if_due()) {
            let mut inner = self.lock();
            if let Some(file) = &mut inner.file {
                file.distrust();
            }
            self.complain(&mut inner, &error);
        }
    }

    /// Whether `maintain` has something to do.
    #[must_use]
    pub fn needs_care(&self) -> bool {
        self.lock().file.as_ref().is_some_and(Log::is_dirty)
    }

    fn sync(&self) -> io::Result<()> {
        // The lock is not held while the disk works.
        let unsynced = self.lock().file.as_mut().and_then(Log::take_unsynced);
        unsynced.map_or(Ok(()), |unsynced| unsynced.sync())
    }

    fn rewrite_if_due(&self) -> io::Result<()> {
        let mut rewrite = {
            let mut inner = self.lock();
            let Inner { entries, file: Some(file), .. } = &mut *inner else { return Ok(()) };
            let alive: u64 = entries.iter().map(|(k, v)| record::encoded_len(Op::Set(k, v)) as u64).sum();
            if !file.is_wasteful(alive, WASTE_BYTES) {
                return Ok(());
            }
            file.begin_rewrite(entries.clone())?
        };
        rewrite.write_entries()?;
        loop {
            let mut inner = self.lock();
            let Some(file) = &mut inner.file else { return Ok(()) };
            // What was set meanwhile follows, a step at a time without the lock, until nothing is left to follow.
            match file.take_followers() {
                Some(followers) if rewrite.may_go_on() => {
                    drop(inner);
                    rewrite.follow(&followers)?;
                }
                followers => {
                    if let Some(followers) = followers {
                        rewrite.follow(&followers)?;
                    }
                    let folder = file.adopt(rewrite)?;
                    drop(inner);
                    return folder.sync_all();
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StateStore {
    /// The plugin is gone: what it wrote is synced now rather than within a second.
    fn drop(&mut self) {
        if self.needs_care() {
            self.maintain();
        }
    }
}

fn cost(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_BYTES
}

/// The file of a plugin: its path with everything but letters, digits, `.`, `-` and `_` as `%XX`, so that no name
/// in a configuration can lead elsewhere or meet another's file.
#[must_use]
pub fn file_name(path: &str) -> String {
    let mut name = String::with_capacity(path.len() + 3);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && !name.is_empty()) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.len() > 200 {
        // File names end at 255 bytes; what is cut off is told apart by a checksum of the whole.
        let crc = crc32fast::hash(path.as_bytes());
        name.truncate(180);
        name.push_str(&format!("~{crc:08x}"));
    }
    name + ".kv"
}

#[cfg(test)]
mod tests;
