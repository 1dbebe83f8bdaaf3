//! A dead-letter file as a channel that is only put to.
//!
//! ```text
//! reserve  the file is this put's alone           (another put waits, as for room)
//! persist  lines appended, fdatasync
//! commit   counted                                dropped instead: cut back to where it was
//! ```
//!
//! Invariants: the file ends with a whole line whenever no put is under way; what a put that did not commit has
//! written is cut off again, so a batch that is refused and comes again leaves its dead letters once. Only a crash
//! between the sync and the commit can leave lines of a batch that comes again: twice, never lost.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use flumen_channel::{
    Channel, ChannelCounters, ChannelLimits, ChannelStatus, Patience, PutError, Reservation, Take, TakeError,
};
use flumen_event::Batch;
use tokio::sync::OwnedMutexGuard;

use super::line;

/// How long a put waits for another one on the same file.
const PATIENCE: Duration = Duration::from_secs(3);

/// One file; shared by everything in the process that writes to its path.
struct Shared {
    path: PathBuf,
    /// None until the first dead letter, and after an error that may have left the file in an unknown state.
    open: Arc<tokio::sync::Mutex<Option<File>>>,
}

/// A dead-letter file as one agent sees it.
pub struct DeadLetterFile {
    shared: Arc<Shared>,
    stored: Arc<AtomicU64>,
    counters: ChannelCounters,
}

static FILES: OnceLock<Mutex<HashMap<PathBuf, Weak<Shared>>>> = OnceLock::new();

impl DeadLetterFile {
    /// The file of that path. Nothing is created before there is a dead letter.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let mut files = FILES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, file| file.strong_count() > 0);
        let known = files.get(&path).and_then(Weak::upgrade);
        let shared = known.unwrap_or_else(|| {
            let shared = Arc::new(Shared { path: path.clone(), open: Arc::default() });
            files.insert(path, Arc::downgrade(&shared));
            shared
        });
        Self { shared, stored: Arc::default(), counters: ChannelCounters::default() }
    }
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }
    /// Events that this agent has stored in it.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.stored.load(Relaxed)
    }
}

/// Opens the file to append. What a crash left behind the last line feed is cut off.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let len = file.metadata()?.len();
    let whole = whole_lines(&mut file, len)?;
    if whole < len {
        tracing::warn!(file = %path.display(), bytes = len - whole, "the last dead letter was torn by a crash: cut off");
        file.set_len(whole)?;
    }
    // The name itself must survive a crash as well.
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Bytes up to the last line feed.
fn whole_lines(file: &mut File, len: u64) -> io::Result<u64> {
    let mut block = vec![0; 64 << 10];
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        // At most the block's size.
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Lines that are in the file and can still be taken back.
struct Written {
    open: OwnedMutexGuard<Option<File>>,
    path: PathBuf,
    before: u64,
    is_committed: bool,
}

impl Written {
    /// Blocks. An error leaves the file as it was.
    fn write(mut open_file: OwnedMutexGuard<Option<File>>, path: PathBuf, lines: &[u8]) -> io::Result<Self> {
        // A file that was moved away (a `replay` that is done with it) is made anew.
        let is_current = match (open_file.as_ref(), std::fs::metadata(&path)) {
            (Some(file), Ok(there)) => is_same(&file.metadata()?, &there),
            _ => false,
        };
        if !is_current {
            *open_file = Some(open(&path)?);
        }
        let before = open_file.as_ref().expect("opened above").metadata()?.len();
        let mut written = Self { open: open_file, path, before, is_committed: false };
        let file = written.open.as_mut().expect("opened above");
        // On an error `written` is dropped, which cuts the file back.
        file.write_all(lines)?;
        file.sync_data()?;
        Ok(written)
    }
}

fn is_same(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

impl Drop for Written {
    fn drop(&mut self) {
        if self.is_committed {
            return;
        }
        let cut = self.open.as_ref().map_or(Ok(()), |file| file.set_len(self.before));
        if let Err(error) = cut {
            // Opened again, it is at least cut back to whole lines.
            *self.open = None;
            let file = self.path.display();
            tracing::error!(%file, %error, "a dead-letter file cannot be cut back: its last lines may come twice");
        }
    }
}

struct FileReservation {
    lock: Option<OwnedMutexGuard<Option<File>>>,
    path: PathBuf,
    stored: Arc<AtomicU64>,
    written: Option<Written>,
}

#[async_trait]
impl Reservation for FileReservation {
    async fn persist(&mut self, batch: &Batch) -> Result<(), PutError> {
        let storage = |error: &dyn std::fmt::Display| {
            PutError::Storage(format!("dead-letter file {}: {error}", self.path.display()))
        };
        let Some(lock) = self.lock.take() else { return Err(storage(&"it was written already")) };
        let mut lines = Vec::with_capacity(batch.body_bytes() + 64 * batch.len());
        batch.iter().for_each(|event| line::write(event, &mut lines));
        let path = self.path.clone();
        // If this future is dropped meanwhile, what the task gives back is dropped as well, and cut off.
        let task = tokio::task::spawn_blocking(move || Written::write(lock, path, &lines));
        let written = task.await.map_err(|error| storage(&error))?;
        self.written = Some(written.map_err(|error| storage(&error))?);
        Ok(())
    }
    fn commit(mut self: Box<Self>, batch: Batch) {
        if let Some(written) = &mut self.written {
            written.is_committed = true;
            self.stored.fetch_add(batch.len() as u64, Relaxed);
        }
    }
}

#[async_trait]
impl Channel for DeadLetterFile {
    fn limits(&self) -> ChannelLimits {
        ChannelLimits { capacity: usize::MAX, transaction_capacity: usize::MAX }
    }
    fn status(&self) -> ChannelStatus {
        ChannelStatus::default()
    }
    fn counters(&self) -> &ChannelCounters {
        &self.counters
    }
    async fn reserve(&self, _: &Batch, patience: Patience) -> Result<Box<dyn Reservation>, PutError> {
        let open = self.shared.open.clone();
        let lock = match patience {
            Patience::None => open.try_lock_owned().map_err(|_| PutError::Full)?,
            Patience::KeepAlive => {
                tokio::time::timeout(PATIENCE, open.lock_owned()).await.map_err(|_| PutError::Full)?
            }
        };
        let (path, stored) = (self.shared.path.clone(), self.stored.clone());
        Ok(Box::new(FileReservation { lock: Some(lock), path, stored, written: None }))
    }
    /// Nothing is ever taken out.
    async fn wait_for_events(&self) {
        std::future::pending().await
    }
    async fn try_take(&self, _: usize) -> Result<Option<Box<dyn Take>>, TakeError> {
        Ok(None)
    }
    fn is_durable(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use flumen_channel::{Gate, put_all};
    use flumen_event::BatchBuilder;

    use super::*;

    fn events(bodies: &[&str]) -> Batch {
        let mut builder = BatchBuilder::default();
        bodies.iter().for_each(|body| builder.push(body.as_bytes(), [("h", "v")]).expect("small"));
        builder.finish()
    }
    fn bodies(path: &Path) -> Vec<String> {
        let text = std::fs::read(path).unwrap_or_default();
        let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        lines.map(|one| String::from_utf8(line::read(one).expect("an event").body).expect("text")).collect()
    }
    async fn put(file: &Arc<DeadLetterFile>, bodies: &[&str]) {
        let parts: Vec<(Arc<dyn Channel>, Batch)> = vec![(file.clone(), events(bodies))];
        put_all(&parts, Patience::KeepAlive, &Gate::default(), || ()).await.expect("stored");
    }

    #[tokio::test]
    async fn what_is_committed_is_in_the_file_and_counted() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("dead.jsonl");
        let file = Arc::new(DeadLetterFile::new(&path));
        assert!(!path.exists(), "nothing is made before there is a dead letter");
        put(&file, &["a", "b"]).await;
        put(&file, &["c"]).await;
        assert_eq!((bodies(&path), file.stored()), (vec!["a".into(), "b".into(), "c".into()], 3));
    }

    #[tokio::test]
    async fn what_is_not_committed_leaves_no_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("dead.jsonl");
        let file = Arc::new(DeadLetterFile::new(&path));
        put(&file, &["a"]).await;
        let batch = events(&["refused"]);
        let mut reservation = file.reserve(&batch, Patience::KeepAlive).await.expect("free");
        reservation.persist(&batch).await.expect("written");
        drop(reservation);
        put(&file, &["b"]).await;
        assert_eq!((bodies(&path), file.stored()), (vec!["a".into(), "b".into()], 2));
    }

    #[tokio::test]
    async fn a_put_that_is_dropped_while_it_writes_leaves_no_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("dead.jsonl");
        let file = Arc::new(DeadLetterFile::new(&path));
        let batch = events(&["dropped"]);
        for polls in 0..3 {
            let mut reservation = file.reserve(&batch, Patience::KeepAlive).await.expect("free");
            let mut persist = Box::pin(reservation.persist(&batch));
            for _ in 0..polls {
                let _pending = futures_util::poll!(persist.as_mut());
            }
        }
        // The lock is free again only after the last of them was cut off.
        put(&file, &["b"]).await;
        assert_eq!((bodies(&path), file.stored()), (vec!["b".to_owned()], 1));
    }

    #[tokio::test]
    async fn a_torn_last_line_is_cut_off_and_a_moved_file_is_made_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("dead.jsonl");
        std::fs::write(&path, "{\"body\":\"whole\"}\n{\"body\":\"to").expect("written");
        let file = Arc::new(DeadLetterFile::new(&path));
        put(&file, &["a"]).await;
        assert_eq!(bodies(&path), ["whole", "a"]);
        std::fs::rename(&path, dir.path().join("taken")).expect("moved");
        put(&file, &["b"]).await;
        assert_eq!(bodies(&path), ["b"]);
    }

    #[tokio::test]
    async fn two_agents_may_share_a_file_and_each_counts_its_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("dead.jsonl");
        let (one, two) = (Arc::new(DeadLetterFile::new(&path)), Arc::new(DeadLetterFile::new(&path)));
        tokio::join!(put(&one, &["a", "b"]), put(&two, &["c"]));
        assert_eq!((one.stored(), two.stored(), bodies(&path).len()), (2, 1, 3));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_refuses_the_batch() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = Arc::new(DeadLetterFile::new(&dir.path().join("none/dead.jsonl")));
        let parts: Vec<(Arc<dyn Channel>, Batch)> = vec![(file, events(&["a"]))];
        let error = put_all(&parts, Patience::None, &Gate::default(), || ()).await.expect_err("no folder");
        assert!(error.to_string().contains("dead-letter file"), "{error}");
    }
}
