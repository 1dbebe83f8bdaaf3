//! The log: all folders together. What is put becomes durable here, and what is taken is recorded.
//!
//! Promises to the channel above it:
//! * [`Log::put`] returns after the batch is durable, or says that it may not be; a [`Stored`] that is dropped
//!   without [`Stored::commit`] never reaches a taker;
//! * [`Log::take_done`] returns after it is durable that events are done;
//! * a failure of the storage ends the segment at which it happened. Nothing is ever written to it again, what was
//!   not answered is refused, and the next write opens a new one: so it heals without anybody's help.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flumen_event::{Batch, Packed};
use tokio::sync::oneshot;

use crate::file::cipher::RecordCipher;
use crate::file::index::{Index, Place};
use crate::file::lane::{Failure, Group, Lane, PutRequest, TakeRequest, Thread};
use crate::file::metrics::LogMetrics;
use crate::file::reader::Reader;
use crate::file::state::Done;
use crate::file::storage::Storage;
use crate::queue::{Origin, Queue, Reserved};

/// When a put is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before it returns (`fsyncPerTransaction = true`).
    EachTransaction,
    /// Within this time after it returned: what was put since the last sync is lost with the power.
    Every(Duration),
}

/// Where and how a log stores.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The folders of segments; puts are spread over them.
    pub data_dirs: Vec<PathBuf>,
    /// The folder of the checkpoint.
    pub checkpoint_dir: PathBuf,
    /// The folder of its copy, if one is kept.
    pub backup_checkpoint_dir: Option<PathBuf>,
    /// Time between checkpoints.
    pub checkpoint_interval: Duration,
    /// Whether a last one is written when the channel is closed.
    pub checkpoint_on_close: bool,
    /// Size of a segment's file. A batch that is larger has a larger one to itself.
    pub segment_bytes: u64,
    /// Below so many free bytes on a folder's disk nothing is put into it. Takes are recorded all the same.
    pub minimum_free_bytes: u64,
    /// When puts are durable.
    pub sync: SyncPolicy,
    /// Most memory for events that wait in memory. What is beyond is read from disk when its turn has come.
    pub window_bytes: usize,
    /// How much is read from disk ahead of the takers.
    pub load_bytes: usize,
    /// After a failure a folder is left alone for so long.
    pub retry_pause: Duration,
    /// Whether the file of the next segment is made, and written with zeros, before it is needed, on threads that nobody
    /// waits for.
    pub prepares_segments: bool,
}

impl LogOptions {
    /// One folder for everything below `dir`, and defaults.
    #[must_use]
    pub fn below(dir: &std::path::Path) -> Self {
        Self {
            data_dirs: vec![dir.join("data")],
            checkpoint_dir: dir.join("checkpoint"),
            backup_checkpoint_dir: None,
            checkpoint_interval: Duration::from_secs(30),
            checkpoint_on_close: true,
            segment_bytes: SEGMENT_BYTES,
            minimum_free_bytes: 0,
            sync: SyncPolicy::EachTransaction,
            window_bytes: WINDOW_BYTES,
            load_bytes: LOAD_BYTES,
            retry_pause: Duration::from_millis(250),
            prepares_segments: true,
        }
    }
}

/// Segments are no larger than this, whatever `maxFileSize` allows: recovery reads the last one of each folder, and
/// room comes free by whole segments.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Default of [`LogOptions::window_bytes`].
pub const WINDOW_BYTES: usize = 32 << 20;
/// Default of [`LogOptions::load_bytes`].
pub const LOAD_BYTES: usize = 4 << 20;
/// Largest payload of a record.
const PAYLOAD_BYTES_MAX: usize = 2 << 30;

type PutAnswer = oneshot::Receiver<Result<Stored, Failure>>;

pub(super) struct Log {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) options: LogOptions,
    pub(super) cipher: Option<Arc<dyn RecordCipher>>,
    pub(super) metrics: Arc<LogMetrics>,
    pub(super) queue: Queue,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) reader: Mutex<Reader>,
    index: Mutex<Index>,
    next_lane: AtomicUsize,
    runtime: Option<tokio::runtime::Handle>,
    /// The folders are this process's as long as these live.
    pub(super) _locks: Vec<Box<dyn Send + Sync>>,
}

/// What a log is made of.
pub(super) struct Parts {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) options: LogOptions,
    pub(super) cipher: Option<Arc<dyn RecordCipher>>,
    pub(super) metrics: Arc<LogMetrics>,
    pub(super) queue: Queue,
}

impl Log {
    pub(super) fn new(parts: Parts, index: Index, locks: Vec<Box<dyn Send + Sync>>) -> Self {
        let Parts { storage, options, cipher, metrics, queue } = parts;
        let lanes: Vec<_> = (0..)
            .zip(&options.data_dirs)
            .map(|(number, dir)| Arc::new(Lane::new(number, dir.clone())))
            .collect();
        Self {
            reader: Mutex::new(Reader::new(lanes.len())),
            storage,
            options,
            cipher,
            metrics,
            queue,
            lanes,
            index: Mutex::new(index),
            next_lane: AtomicUsize::new(0),
            runtime: tokio::runtime::Handle::try_current().ok(),
            _locks: locks,
        }
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        // What panics under the lock are assertions made before anything is changed.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Runs a job that may block: on the runtime that opened the channel, so that a sink's own runtime can end.
    pub(super) fn spawn_blocking(&self, job: impl FnOnce() + Send + 'static) {
        match self.runtime.clone().or_else(|| tokio::runtime::Handle::try_current().ok()) {
            Some(runtime) => drop(runtime.spawn_blocking(job)),
            None => job(),
        }
    }

    /// Stores a batch.
    pub(super) async fn put(self: &Arc<Self>, batch: &Batch, thread: Thread) -> Result<Stored, Failure> {
        let (request, answered) = self.request(batch)?;
        self.lane_for_put().put(self, thread, request)?;
        answered.await.unwrap_or_else(|_| Err(Failure("the log's writer failed".into())))
    }
    /// Stores a batch on this thread, as its own leader.
    pub(super) fn put_blocking(self: &Arc<Self>, batch: &Batch) -> Result<Stored, Failure> {
        let (request, mut answered) = self.request(batch)?;
        let mut group = Group::default();
        group.puts.push_back(request);
        let lane = self.lane_for_put();
        self.write_group(lane, group, || None);
        self.delete_drained(lane);
        answered.try_recv().unwrap_or_else(|_| Err(Failure("the log's writer failed".into())))
    }
    fn request(&self, batch: &Batch) -> Result<(PutRequest, PutAnswer), Failure> {
        let packed = batch.pack().filter(|p| p.head.len() + p.bodies.len() <= PAYLOAD_BYTES_MAX);
        let packed = packed.ok_or_else(|| Failure("the batch is larger than 2 GiB".into()))?;
        let (answer, answered) = oneshot::channel();
        let request = PutRequest {
            events: batch.len() as u32,
            body_bytes: batch.body_bytes() as u32,
            put_at_ms: now_ms(),
            crc: if self.cipher.is_some() { 0 } else { crc_of(&packed) },
            packed,
            may_lead: false,
            answer,
        };
        Ok((request, answered))
    }
    /// Records that events are done.
    pub(super) async fn take_done(self: &Arc<Self>, done: Vec<Done>) -> Result<(), Failure> {
        let mut outcome = Err(Failure("there is nothing to record".into()));
        // A folder that cannot be written to must not hold up takes: any other will do.
        for lane in self.lanes_by_load() {
            let (answer, answered) = oneshot::channel();
            lane.take(self, TakeRequest { done: done.clone(), answer: Some(answer) })?;
            outcome = answered.await.unwrap_or_else(|_| Err(Failure("the log's writer failed".into())));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
    fn lane_for_put(&self) -> &Arc<Lane> {
        let healthy: Vec<&Arc<Lane>> = self.lanes.iter().filter(|lane| !self.is_broken(lane)).collect();
        let from = if healthy.is_empty() { self.lanes.iter().collect() } else { healthy };
        from[self.next_lane.fetch_add(1, Relaxed) % from.len()]
    }
    fn is_broken(&self, lane: &Lane) -> bool {
        // Locked while its leader writes: then it is at work, and not broken as far as is known.
        lane.writer.try_lock().is_ok_and(|writer| {
            writer.broken.as_ref().is_some_and(|(_, since)| since.elapsed() < self.options.retry_pause)
        })
    }
    fn lanes_by_load(&self) -> Vec<Arc<Lane>> {
        let mut lanes = self.lanes.clone();
        lanes.sort_by_key(|lane| (self.is_broken(lane), lane.load()));
        lanes
    }

    /// How long a put waits for its sync, as far as is known.
    pub(super) fn sync_time(&self, lane: &Lane) -> Duration {
        match self.options.sync {
            SyncPolicy::EachTransaction => lane.writer().last_sync,
            SyncPolicy::Every(_) => Duration::ZERO,
        }
    }
}

/// A batch that is durable. Dropped without a commit, it is withdrawn.
pub(super) struct Stored {
    log: Arc<Log>,
    lane: usize,
    origin: Origin,
    events: u32,
    committed: bool,
}

impl Stored {
    pub(super) fn new(log: &Arc<Log>, lane: usize, origin: Origin, events: u32) -> Self {
        Self { log: log.clone(), lane, origin, events, committed: false }
    }
    /// The batch stays on disk and is not shown to takers of this process, which are gone.
    pub(super) fn leave_for_next_start(mut self) {
        self.committed = true;
    }
    /// Shows the batch to takers.
    pub(super) fn commit(mut self, reserved: Reserved, batch: Batch) {
        self.committed = true;
        // Under the lock of the index, so that a reader cannot come between the question and what follows from it.
        let mut index = self.log.index();
        match index.open.remove(&(self.origin.segment, self.origin.event)).map(|open| open.place) {
            Some(Place::Window) => reserved.commit_stored(batch, self.origin),
            Some(Place::Disk) => reserved.commit_behind(batch.body_bytes()),
            None => unreachable!("a durable put is open until it is committed or withdrawn"),
        }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        let (segment, from) = (self.origin.segment, self.origin.event);
        let to = from + self.events;
        let mut index = self.log.index();
        index.open.remove(&(segment, from));
        index.write_off(segment, from..to);
        drop(index);
        self.log.lanes[self.lane].withdraw(Done { segment, from, to });
    }
}

fn crc_of(packed: &Packed) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&packed.head), &packed.bodies)
}

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
