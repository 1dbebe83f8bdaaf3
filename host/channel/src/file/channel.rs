//! The file channel: the log under the contract of channels.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_event::Batch;

use crate::channel::{Channel, ChannelLimits, ChannelStatus, Patience, Reservation, Take};
use crate::counters::ChannelCounters;
use crate::error::{PutError, TakeError};
use crate::file::cipher::RecordCipher;
use crate::file::keep::Keeper;
use crate::file::lane::Thread;
use crate::file::log::{Log, LogOptions, Parts, Stored};
use crate::file::metrics::LogMetrics;
use crate::file::open_error::OpenError;
use crate::file::reader::Ledger;
use crate::file::recover;
use crate::file::state::Done;
use crate::file::storage::{Disk, Storage};
use crate::gate::Gate;
use crate::queue::{Demand, Queue, QueueTake, Reserved};
use crate::spillable::{Memory, MemoryRoom, SpillLimits};

/// What a file channel may hold, and where.
#[derive(Clone, Debug)]
pub struct FileLimits {
    /// Most events.
    pub capacity: usize,
    /// Most events in one take.
    pub transaction_capacity: usize,
    /// How long a put waits for room.
    pub keep_alive: Duration,
    /// How much of them may be in memory only: a spillable channel. Nothing of a file channel may.
    pub spill: Option<SpillLimits>,
    /// Where and how they are stored.
    pub log: LogOptions,
}

/// Events on disk; see [`Channel`] for what it promises, and the folder's head for how.
///
/// It is made closed. Until [`open`](Channel::open) has returned well, puts and takes are refused with the reason.
pub struct FileChannel(Arc<Inner>);

struct Inner {
    limits: FileLimits,
    storage: Arc<dyn Storage>,
    cipher: Option<Arc<dyn RecordCipher>>,
    queue: Queue,
    gate: Arc<Gate>,
    counters: Arc<ChannelCounters>,
    metrics: Arc<LogMetrics>,
    memory: Option<Arc<Memory>>,
    life: Mutex<Life>,
}

enum Life {
    /// Not open yet, and why.
    Closed(String),
    /// Closed for good.
    Ended,
    Open(Arc<Log>, #[allow(dead_code, reason = "held for its thread")] Keeper),
}

impl FileChannel {
    /// A channel on the machine's file system, closed.
    #[must_use]
    pub fn new(limits: FileLimits, cipher: Option<Arc<dyn RecordCipher>>, gate: Arc<Gate>) -> Self {
        Self::on(Arc::new(Disk), limits, cipher, gate)
    }
    /// A channel on any storage, closed.
    #[must_use]
    pub fn on(
        storage: Arc<dyn Storage>,
        limits: FileLimits,
        cipher: Option<Arc<dyn RecordCipher>>,
        gate: Arc<Gate>,
    ) -> Self {
        let capacity = Demand { events: limits.capacity, slots: usize::MAX };
        Self(Arc::new(Inner {
            queue: Queue::new(capacity, |_| 0),
            memory: limits.spill.map(|spill| Arc::new(Memory::new(spill))),
            limits,
            storage,
            cipher,
            gate,
            counters: Arc::default(),
            metrics: Arc::default(),
            life: Mutex::new(Life::Closed("the channel has not been opened".into())),
        }))
    }
    /// [`Channel::open`] with the reason as a type. Nothing if it is open.
    ///
    /// # Errors
    /// If the folders cannot be used; the channel stays closed, and opening may be tried again.
    pub fn try_open(&self) -> Result<(), OpenError> {
        self.0.open()
    }
    /// What is counted beside the counters of every channel.
    #[must_use]
    pub fn metrics(&self) -> &Arc<LogMetrics> {
        &self.0.metrics
    }
    /// Writes a checkpoint now, on this thread.
    pub fn write_checkpoint(&self) {
        if let Ok(log) = self.0.log() {
            log.write_checkpoint();
        }
    }
}

impl Inner {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn log(&self) -> Result<Arc<Log>, String> {
        match &*self.life() {
            Life::Open(log, _) => Ok(log.clone()),
            Life::Closed(why) => Err(why.clone()),
            Life::Ended => Err("the channel is closed".into()),
        }
    }
    fn open(&self) -> Result<(), OpenError> {
        let mut life = self.life();
        if matches!(*life, Life::Open(..) | Life::Ended) {
            return Ok(());
        }
        let parts = Parts {
            storage: self.storage.clone(),
            options: self.limits.log.clone(),
            cipher: self.cipher.clone(),
            metrics: self.metrics.clone(),
            queue: self.queue.clone(),
        };
        let _movement = self.gate.movement();
        let opened = recover::open(parts).and_then(|(log, pending)| {
            let log = Arc::new(log);
            let keeper = Keeper::start(&log);
            let dir = log.options.checkpoint_dir.clone();
            Ok((log, pending, keeper.map_err(|cause| OpenError::Dir { dir, cause })?))
        });
        match opened {
            Ok((log, pending, keeper)) => {
                self.queue.recover(pending.events, pending.body_bytes, pending.since);
                ChannelCounters::add(&self.counters.recovered, self.queue.len());
                self.metrics.open.store(1, Relaxed);
                self.metrics.unhealthy.store(0, Relaxed);
                *life = Life::Open(log, keeper);
                Ok(())
            }
            Err(error) => {
                self.metrics.unhealthy.store(1, Relaxed);
                *life = Life::Closed(format!("the channel is not open: {error}"));
                Err(error)
            }
        }
    }
    fn close(&self) {
        let Life::Open(log, keeper) = std::mem::replace(&mut *self.life(), Life::Ended) else { return };
        drop(keeper);
        self.save_memory(&log);
        log.close();
        self.metrics.open.store(0, Relaxed);
    }

    /// What is in memory only goes to the log at an orderly end. It comes behind what is on disk then, which is the
    /// one case in which a spillable channel changes the order; the alternative is to lose it, as Flume does.
    fn save_memory(&self, log: &Arc<Log>) {
        let Some(memory) = self.memory.as_ref().filter(|memory| memory.events() > 0) else { return };
        let Some(take) = self.queue.try_take(usize::MAX) else { return };
        let in_memory = take.origins().zip(take.batches()).filter(|((origin, _), _)| origin.segment == 0);
        let (mut saved, mut lost) = (0, 0);
        for (_, batch) in in_memory {
            match log.put_blocking(batch) {
                Ok(stored) => {
                    stored.leave_for_next_start();
                    memory.release(batch);
                    saved += batch.len();
                }
                Err(failure) => {
                    lost += batch.len();
                    tracing::error!(events = batch.len(), %failure, "events in memory could not be written to disk and are LOST");
                }
            }
        }
        tracing::info!(events = saved, lost, "events in memory are written to disk");
    }

    async fn wait_for_room(&self, demand: Demand) -> Result<Reserved, PutError> {
        if let Some(reserved) = self.queue.try_reserve(demand) {
            return Ok(reserved);
        }
        let since = Instant::now();
        let waited = tokio::time::timeout(self.limits.keep_alive, self.queue.reserve(demand)).await;
        let waited_ms = usize::try_from(since.elapsed().as_millis()).unwrap_or(usize::MAX);
        ChannelCounters::add(&self.counters.put_wait_ms, waited_ms);
        waited.map_err(|_| PutError::Full)
    }

    /// Reads events from disk until enough for a take are in memory.
    async fn load(self: &Arc<Self>, log: Arc<Log>, wanted: usize) -> Result<(), TakeError> {
        let inner = self.clone();
        let loading = tokio::task::spawn_blocking(move || {
            let ledger = Ledger { gate: &inner.gate, counters: &inner.counters };
            log.load(wanted, ledger)
        });
        let loaded = loading.await.map_err(|error| TakeError::Storage(error.to_string()))?;
        loaded.map_err(|error| {
            LogMetrics::add(&self.metrics.take_errors, 1);
            TakeError::Storage(error.to_string())
        })
    }
}

#[async_trait]
impl Channel for FileChannel {
    fn limits(&self) -> ChannelLimits {
        let limits = &self.0.limits;
        ChannelLimits { capacity: limits.capacity, transaction_capacity: limits.transaction_capacity }
    }
    fn status(&self) -> ChannelStatus {
        let queue = &self.0.queue;
        let (bytes, oldest) = queue.contents();
        ChannelStatus { events: queue.len(), bytes, oldest_age: oldest.map(|at| at.elapsed()) }
    }
    fn counters(&self) -> &ChannelCounters {
        &self.0.counters
    }
    fn log_metrics(&self) -> Option<&LogMetrics> {
        Some(&self.0.metrics)
    }

    fn open(&self) -> Result<(), String> {
        self.0.open().map_err(|error| error.to_string())
    }
    fn close(&self) {
        self.0.close();
    }

    async fn reserve(&self, batch: &Batch, patience: Patience) -> Result<Box<dyn Reservation>, PutError> {
        let inner = &self.0;
        let demand = inner.queue.demand(batch);
        ChannelCounters::add(&inner.counters.put_attempt, demand.events);
        let log = inner.log().map_err(PutError::Storage)?;
        if !inner.queue.could_fit(demand) {
            return Err(PutError::TooLarge {
                events: demand.events,
                bytes: batch.body_bytes(),
                capacity: format!("{} events", inner.limits.capacity),
            });
        }
        let reserved = match patience {
            Patience::None => inner.queue.try_reserve(demand).ok_or(PutError::Full)?,
            Patience::KeepAlive => inner.wait_for_room(demand).await?,
        };
        Ok(Box::new(FileReservation { held: Held::Nothing, reserved, log, inner: inner.clone() }))
    }

    async fn wait_for_events(&self) {
        self.0.queue.wait_for_events().await;
    }
    async fn wait_for_many(&self, count: usize) {
        self.0.queue.wait_for_many(count).await;
    }
    /// A spillable channel is, when nothing is in memory only.
    fn is_durable(&self) -> bool {
        self.0.memory.as_ref().is_none_or(|memory| memory.events() == 0)
    }

    async fn try_take(&self, max: usize) -> Result<Option<Box<dyn Take>>, TakeError> {
        let inner = &self.0;
        let max = max.min(inner.limits.transaction_capacity);
        let log = inner.log().map_err(TakeError::Storage)?;
        let window = inner.queue.window();
        if window.behind > 0 && window.queued < max {
            let loaded = inner.load(log.clone(), max).await;
            // What is in memory can be taken although the disk cannot be read.
            if inner.queue.window().queued == 0 {
                loaded?;
            }
        }
        let Some(take) = inner.queue.try_take(max) else {
            ChannelCounters::add(&inner.counters.take_attempt, 1);
            return Ok(None);
        };
        let take: Box<dyn Take> = Box::new(FileTake { take, log, inner: inner.clone() });
        let count = take.len();
        ChannelCounters::add(&inner.counters.take_attempt, count + usize::from(count < max));
        Ok(Some(take))
    }
}

/// Where a batch is before its commit.
enum Held {
    Nothing,
    OnDisk(Stored),
    InMemory(MemoryRoom),
}

struct FileReservation {
    // Dropped before the room is given back: a put that is withdrawn must not count when its room is free.
    held: Held,
    reserved: Reserved,
    log: Arc<Log>,
    inner: Arc<Inner>,
}

#[async_trait]
impl Reservation for FileReservation {
    async fn persist(&mut self, batch: &Batch) -> Result<(), PutError> {
        self.store(batch, Thread::Leaders).await
    }
    async fn persist_here(&mut self, batch: &Batch) -> Result<(), PutError> {
        self.store(batch, Thread::Callers).await
    }
    fn commit(self: Box<Self>, batch: Batch) {
        ChannelCounters::add(&self.inner.counters.put_success, batch.len());
        match self.held {
            Held::OnDisk(stored) => stored.commit(self.reserved, batch),
            Held::InMemory(room) => {
                room.keep();
                self.reserved.commit(batch);
            }
            Held::Nothing => assert!(batch.is_empty(), "a batch is committed that was not persisted"),
        }
    }
}

impl FileReservation {
    async fn store(&mut self, batch: &Batch, thread: Thread) -> Result<(), PutError> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Some(memory) = &self.inner.memory
            && let Some(room) = memory.room_or_spill(batch, &self.inner.queue).await
        {
            self.held = Held::InMemory(room);
            return Ok(());
        }
        let stored = self.log.put(batch, thread).await;
        self.held = Held::OnDisk(stored.map_err(|failure| PutError::Storage(failure.0))?);
        Ok(())
    }
}

struct FileTake {
    take: QueueTake,
    log: Arc<Log>,
    inner: Arc<Inner>,
}

#[async_trait]
impl Take for FileTake {
    fn batches(&self) -> &[Batch] {
        self.take.batches()
    }
    async fn commit(self: Box<Self>, settled: &mut (dyn FnMut() + Send)) -> Result<(), TakeError> {
        let mut done = Vec::new();
        for (origin, count) in self.take.origins().filter(|(origin, _)| origin.segment > 0) {
            Done::push(&mut done, origin.segment, origin.event..origin.event + count as u32);
        }
        let count: usize = self.take.batches().iter().map(Batch::len).sum();
        if !done.is_empty() {
            let recorded = self.log.take_done(done.clone()).await;
            recorded.map_err(|failure| TakeError::Storage(failure.0))?;
        }
        let mut drained = false;
        {
            let _movement = self.inner.gate.movement();
            settled();
            ChannelCounters::add(&self.inner.counters.take_success, count);
            let mut index = self.log.index();
            for Done { segment, from, to } in done {
                drained |= index.settle_done(segment, u64::from(to - from));
            }
            drop(index);
            self.release_memory();
            self.take.commit();
        }
        if drained {
            let log = self.log.clone();
            self.log.spawn_blocking(move || log.lanes.iter().for_each(|lane| log.delete_drained(lane)));
        }
        Ok(())
    }
}

impl FileTake {
    fn release_memory(&self) {
        let Some(memory) = &self.inner.memory else { return };
        let in_memory =
            self.take.origins().zip(self.take.batches()).filter(|((origin, _), _)| origin.segment == 0);
        in_memory.for_each(|(_, batch)| memory.release(batch));
    }
}
