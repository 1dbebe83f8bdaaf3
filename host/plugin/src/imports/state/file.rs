//! The append-only file of a store, and the rewriting of it.
//!
//! Appends are written at a known offset, so a write that failed half way is overwritten by the next. After a sync
//! that failed nothing on disk is trusted: memory has the truth, and the file is rewritten from it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::{self, FILE_HEAD, Op, Replayed};
use super::{FILE_BYTES_MAX, OpenError};

/// Steps of following that a rewrite takes without the lock before it takes the lock for the last.
const FOLLOW_STEPS_MAX: usize = 8;

type Entries = BTreeMap<Arc<str>, Arc<[u8]>>;

/// The file, open for appending.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// none until the first `set`.
    open: Option<Open>,
    /// The last sync failed.
    distrusted: bool,
    /// Records appended since a rewrite began.
    followers: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    end: u64,
    dirty: bool,
    /// The folder has to be synced as well: the file's name is new.
    new: bool,
    /// Held as long as the store lives.
    _lock: File,
}

/// What a sync has to do, without the store's lock.
pub struct Unsynced {
    file: Arc<File>,
    folder: Option<PathBuf>,
}

impl Unsynced {
    /// Syncs the file, and the folder of a new one.
    pub fn sync(self) -> io::Result<()> {
        self.file.sync_data()?;
        self.folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

impl Log {
    /// Reads the file, if there is one, and cuts off a torn tail.
    pub fn open(path: &Path) -> Result<(Self, Entries, Replayed), OpenError> {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        let mut log = Self { path: path.to_owned(), open: None, distrusted: false, followers: None };
        let mut entries = Entries::new();
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => {
                // A longer file is none of ours: nothing that long is ever written.
                file.take(FILE_BYTES_MAX * 2).read_to_end(&mut bytes).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((log, entries, Replayed::default()));
            }
            Err(error) => return Err(failed(error)),
        }
        let head = bytes.get(..FILE_HEAD.len()).unwrap_or(&bytes);
        if !FILE_HEAD.starts_with(head) {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        let lock = lock(path)?;
        let replayed = record::replay(&bytes, |op| match op {
            Op::Set(key, value) => drop(entries.insert(key.into(), value.into())),
            Op::Delete(key) => drop(entries.remove(key)),
        });
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        file.set_len(replayed.end as u64).map_err(failed)?;
        if replayed.end < FILE_HEAD.len() {
            file.write_all_at(&FILE_HEAD, 0).map_err(failed)?;
        }
        let end = replayed.end.max(FILE_HEAD.len()) as u64;
        log.open = Some(Open { file: Arc::new(file), end, dirty: true, new: false, _lock: lock });
        Ok((log, entries, replayed))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one record; after an error the file is as before.
    pub fn append(&mut self, op: Op<'_>) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(record::encoded_len(op));
        record::encode(op, &mut bytes);
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(create(&self.path)?),
        };
        if open.end + bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other(format!(
                "the file has {FILE_BYTES_MAX} bytes and could not be rewritten"
            )));
        }
        open.file.write_all_at(&bytes, open.end)?;
        open.end += bytes.len() as u64;
        open.dirty = true;
        if let Some(followers) = &mut self.followers {
            followers.extend_from_slice(&bytes);
        }
        Ok(())
    }

    /// Whether something is not synced yet.
    pub fn is_dirty(&self) -> bool {
        self.distrusted || self.open.as_ref().is_some_and(|open| open.dirty)
    }

    /// What has to be synced, counted as synced from here on.
    pub fn take_unsynced(&mut self) -> Option<Unsynced> {
        let open = self.open.as_mut().filter(|open| open.dirty)?;
        open.dirty = false;
        let folder = std::mem::take(&mut open.new).then(|| folder_of(&self.path).to_owned());
        Some(Unsynced { file: open.file.clone(), folder })
    }

    /// A sync or rewrite failed.
    pub fn distrust(&mut self) {
        self.distrusted = true;
        self.followers = None;
    }

    /// Whether a rewrite is due: after a failed sync, or when more is old than alive.
    pub fn is_wasteful(&self, alive_bytes: u64, waste_bytes: u64) -> bool {
        let end = self.open.as_ref().map_or(0, |open| open.end);
        self.distrusted || end > FILE_HEAD.len() as u64 + 2 * alive_bytes + waste_bytes
    }

    /// Starts a rewrite: what is appended from now on is collected for it.
    pub fn begin_rewrite(&mut self, entries: Entries) -> io::Result<Rewrite> {
        let path = with_suffix(&self.path, ".tmp");
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        self.followers = Some(Vec::new());
        Ok(Rewrite { path, file, entries, end: 0, steps: 0 })
    }

    /// What was appended since the last call; none: nothing.
    pub fn take_followers(&mut self) -> Option<Vec<u8>> {
        let followers = self.followers.as_mut()?;
        (!followers.is_empty()).then(|| std::mem::take(followers))
    }

    /// Puts the rewritten file in the old one's place. The folder that is returned has to be synced.
    pub fn adopt(&mut self, rewrite: Rewrite) -> io::Result<File> {
        let folder = File::open(folder_of(&self.path))?;
        fs::rename(&rewrite.path, &self.path)?;
        let open =
            self.open.as_mut().ok_or_else(|| io::Error::other("a rewrite of a file that is not open"))?;
        open.file = Arc::new(rewrite.file);
        open.end = rewrite.end;
        open.dirty = false;
        self.distrusted = false;
        self.followers = None;
        Ok(folder)
    }
}

/// A new file under way. It is synced before it takes the old one's place.
pub struct Rewrite {
    path: PathBuf,
    file: File,
    entries: Entries,
    end: u64,
    steps: usize,
}

impl Rewrite {
    /// Writes what was alive when it began.
    pub fn write_entries(&mut self) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(256 << 10, &self.file);
        out.write_all(&FILE_HEAD)?;
        self.end = FILE_HEAD.len() as u64;
        let mut bytes = Vec::new();
        for (key, value) in &std::mem::take(&mut self.entries) {
            bytes.clear();
            record::encode(Op::Set(key, value), &mut bytes);
            out.write_all(&bytes)?;
            self.end += bytes.len() as u64;
        }
        out.flush()?;
        drop(out);
        self.file.sync_data()
    }

    /// Appends what was set meanwhile.
    pub fn follow(&mut self, records: &[u8]) -> io::Result<()> {
        self.steps += 1;
        self.file.write_all_at(records, self.end)?;
        self.end += records.len() as u64;
        self.file.sync_data()
    }

    /// Whether another step may be tried without the lock.
    pub fn may_go_on(&self) -> bool {
        self.steps < FOLLOW_STEPS_MAX
    }
}

fn create(path: &Path) -> io::Result<Open> {
    fs::create_dir_all(folder_of(path))?;
    let lock = lock(path).map_err(|error| match error {
        OpenError::Io { source, .. } => source,
        other => io::Error::other(other.to_string()),
    })?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all_at(&FILE_HEAD, 0)?;
    Ok(Open { file: Arc::new(file), end: FILE_HEAD.len() as u64, dirty: true, new: true, _lock: lock })
}

/// The lock is a file of its own: the store's file is replaced by each rewrite.
fn lock(path: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let lock_path = with_suffix(path, ".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Held { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
