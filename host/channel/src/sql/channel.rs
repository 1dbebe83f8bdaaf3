//! The SQL channel under the contract of channels.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_event::Batch;

use super::HELD_BYTES_MAX;
use super::backlog::{Backlog, Piece, pieces};
use super::desk::{Desk, Stored};
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::store::{Database, Read, Row, Store, StoreError};
use crate::channel::{Channel, ChannelLimits, ChannelStatus, Patience, Reservation, Take};
use crate::counters::ChannelCounters;
use crate::error::{PutError, TakeError};
use crate::gate::Gate;
use crate::queue::{Demand, Origin, Queue, QueueTake, Reserved};

/// Events that are read from the database at once, at least.
const LOAD_EVENTS_MIN: usize = 2000;
/// How often rows of agents that are gone are looked for, where a database is shared.
const ADOPT_EVERY: Duration = Duration::from_secs(5);

/// What an SQL channel may hold, and where.
#[derive(Clone, Debug)]
pub struct SqlLimits {
    /// Most events; 0: no limit but the disk's.
    pub capacity: usize,
    /// Most events in one take.
    pub transaction_capacity: usize,
    /// How long a put waits for room.
    pub keep_alive: Duration,
    /// Where they are stored.
    pub database: Database,
    /// Whether the tables may be created where there are none.
    pub create_schema: bool,
}

/// Events as rows of a database; see [`Channel`] for what it promises.
///
/// It is made closed. Until [`open`](Channel::open) has returned well, puts and takes are refused with the reason.
pub struct SqlChannel(Arc<Inner>);

struct Inner {
    limits: SqlLimits,
    queue: Queue,
    backlog: Mutex<Backlog>,
    /// Held by the one that reads from the backlog, so that order is kept.
    reading: Mutex<()>,
    desk: Arc<Desk>,
    gate: Arc<Gate>,
    counters: Arc<ChannelCounters>,
    life: Mutex<Life>,
}

enum Life {
    Closed(String),
    Open,
    Ended,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqlChannel {
    /// A channel of the agent that `gate` belongs to, closed.
    #[must_use]
    pub fn new(mut limits: SqlLimits, gate: Arc<Gate>) -> Self {
        if limits.capacity == 0 {
            // Half of what can be counted, so that sums of it can be counted too.
            limits.capacity = usize::MAX / 2;
        }
        let store: Box<dyn Store> = match &limits.database {
            Database::Sqlite(path) => Box::new(Sqlite::new(path.clone(), limits.create_schema)),
            Database::Postgres(options) => Box::new(Postgres::new((**options).clone(), limits.create_schema)),
        };
        let demand = Demand { events: limits.capacity, slots: usize::MAX };
        Self(Arc::new(Inner {
            limits,
            queue: Queue::new(demand, |_| 0),
            backlog: Mutex::default(),
            reading: Mutex::default(),
            desk: Arc::new(Desk::new(store)),
            gate,
            counters: Arc::default(),
            life: Mutex::new(Life::Closed("the channel has not been opened".into())),
        }))
    }

    /// Opens the channel on this thread, which may block. Nothing if it is open.
    ///
    /// # Errors
    /// If the database cannot be used; the channel stays closed, and opening may be tried again.
    pub fn open_blocking(&self) -> Result<(), StoreError> {
        self.0.open()
    }
}

impl Inner {
    fn check_open(&self) -> Result<(), String> {
        match &*lock(&self.life) {
            Life::Open => Ok(()),
            Life::Closed(why) => Err(why.clone()),
            Life::Ended => Err("the channel is closed".into()),
        }
    }

    fn open(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut life = lock(&self.life);
        if !matches!(*life, Life::Closed(_)) {
            return Ok(());
        }
        self.desk.remember_runtime();
        let mut store = self.desk.store();
        match store.open() {
            Ok(rows) => {
                let is_shared = store.is_shared();
                drop(store);
                self.append(&rows);
                *life = Life::Open;
                drop(life);
                if is_shared && let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(adopt_now_and_then(Arc::downgrade(self)));
                }
                Ok(())
            }
            Err(error) => {
                *life = Life::Closed(format!("the channel is not open: {error}"));
                Err(error)
            }
        }
    }

    /// Rows that somebody else has put are in the channel from now on.
    fn append(&self, rows: &[Row]) {
        let _movement = self.gate.movement();
        let mut backlog = lock(&self.backlog);
        let (mut events, mut body_bytes, mut since) = (0, 0, None::<Instant>);
        for piece in pieces(rows) {
            events += piece.events.len();
            body_bytes += piece.body_bytes;
            since = since.into_iter().chain([piece.put_at]).min();
            backlog.pieces.push_back(piece);
        }
        drop(backlog);
        if events > 0 {
            self.queue.recover(events, body_bytes, since);
            ChannelCounters::add(&self.counters.recovered, events);
        }
    }

    fn adopt(&self) {
        let adopted = self.desk.store().adopt();
        match adopted {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => {
                tracing::info!(batches = rows.len(), "took over the events of an agent that is gone");
                self.append(&rows);
            }
            Err(error) => tracing::debug!(%error, "events of agents that are gone could not be looked for"),
        }
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

    /// Makes a stored batch visible: in memory, or behind what is not in memory already.
    fn commit(&self, stored: Stored, reserved: Reserved, batch: Batch) {
        let mut backlog = lock(&self.backlog);
        let id = stored.id;
        stored.commit();
        if backlog.is_empty() && self.queue.window().held_bytes < HELD_BYTES_MAX {
            return reserved.commit_stored(batch, Origin { segment: id.cast_unsigned(), event: 0 });
        }
        let (events, body_bytes) = (0..batch.len() as u32, batch.body_bytes());
        backlog.pieces.push_back(Piece { id, events, body_bytes, put_at: Instant::now() });
        reserved.commit_behind(body_bytes);
    }

    /// Reads events from the database, so that at least `wanted` are in memory if there are that many. Runs to
    /// its end on a blocking thread, whether or not anybody waits for it.
    fn load(&self, wanted: usize) -> Result<(), StoreError> {
        let _reading = lock(&self.reading);
        if self.queue.window().queued >= wanted {
            return Ok(());
        }
        let taken = {
            let mut backlog = lock(&self.backlog);
            backlog.loading = true;
            backlog.take(wanted.max(LOAD_EVENTS_MIN))
        };
        let mut ids: Vec<i64> = taken.iter().map(|piece| piece.id).collect();
        ids.dedup();
        let read = self.desk.store().read(&ids);
        let mut backlog = lock(&self.backlog);
        backlog.loading = false;
        let rows = match read {
            Ok(rows) => rows,
            Err(error) => {
                backlog.give_back(taken);
                return Err(error);
            }
        };
        // Before anything else can be committed: what was read belongs in front of it.
        let lost = taken.into_iter().filter(|piece| !self.append_read(piece, &rows)).collect::<Vec<_>>();
        drop(backlog);
        lost.into_iter().for_each(|piece| self.lose(&piece));
        Ok(())
    }

    fn append_read(&self, piece: &Piece, rows: &[Read]) -> bool {
        let range = piece.events.start as usize..piece.events.end as usize;
        let batch = rows.iter().find(|(id, _)| *id == piece.id).and_then(|(_, batch)| batch.as_ref().ok());
        let Some(batch) = batch.filter(|batch| range.end <= batch.len()) else { return false };
        let origin = Origin { segment: piece.id.cast_unsigned(), event: piece.events.start };
        self.queue.load(batch.slice(range), origin, piece.put_at);
        true
    }

    fn lose(&self, piece: &Piece) {
        tracing::error!(
            row = piece.id,
            events = piece.events.len(),
            "a row of the channel is damaged or missing: its events are lost; what there is of it is in the table of damaged rows"
        );
        if let Err(error) = self.desk.store().set_aside(piece.id) {
            tracing::warn!(%error, row = piece.id, "a damaged row could not be set aside");
        }
        let _movement = self.gate.movement();
        ChannelCounters::add(&self.counters.damaged, piece.events.len());
        self.queue.lose(piece.events.len(), piece.body_bytes);
    }

    async fn fill(self: &Arc<Self>, wanted: usize) -> Result<(), TakeError> {
        let window = self.queue.window();
        if window.behind == 0 || window.queued >= wanted {
            return Ok(());
        }
        let inner = self.clone();
        let loading = tokio::task::spawn_blocking(move || inner.load(wanted));
        let loaded = loading.await.map_err(|error| TakeError::Storage(error.to_string()))?;
        // What is in memory can be taken although the database is away.
        match loaded {
            Err(error) if self.queue.window().queued == 0 => Err(TakeError::Storage(error.to_string())),
            _ => Ok(()),
        }
    }
}

async fn adopt_now_and_then(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(ADOPT_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if matches!(*lock(&inner.life), Life::Ended) {
            return;
        }
        drop(tokio::task::spawn_blocking(move || inner.adopt()).await);
    }
}

#[async_trait]
impl Channel for SqlChannel {
    fn limits(&self) -> ChannelLimits {
        let limits = &self.0.limits;
        ChannelLimits { capacity: limits.capacity, transaction_capacity: limits.transaction_capacity }
    }
    fn status(&self) -> ChannelStatus {
        let (bytes, oldest) = self.0.queue.contents();
        let events = self.0.queue.len();
        ChannelStatus { events, bytes, oldest_age: oldest.map(|at| at.elapsed()) }
    }
    fn counters(&self) -> &ChannelCounters {
        &self.0.counters
    }

    fn open(&self) -> Result<(), String> {
        self.0.open().map_err(|error| error.to_string())
    }
    fn close(&self) {
        let was = std::mem::replace(&mut *lock(&self.0.life), Life::Ended);
        if matches!(was, Life::Open) {
            self.0.desk.close();
        }
    }

    async fn reserve(&self, batch: &Batch, patience: Patience) -> Result<Box<dyn Reservation>, PutError> {
        let inner = &self.0;
        let demand = inner.queue.demand(batch);
        ChannelCounters::add(&inner.counters.put_attempt, demand.events);
        inner.check_open().map_err(PutError::Storage)?;
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
        Ok(Box::new(SqlReservation { stored: None, reserved, inner: inner.clone() }))
    }

    async fn wait_for_events(&self) {
        self.0.queue.wait_for_events().await;
    }
    async fn wait_for_many(&self, count: usize) {
        self.0.queue.wait_for_many(count).await;
    }
    fn is_durable(&self) -> bool {
        true
    }

    async fn try_take(&self, max: usize) -> Result<Option<Box<dyn Take>>, TakeError> {
        let inner = &self.0;
        let max = max.min(inner.limits.transaction_capacity);
        inner.check_open().map_err(TakeError::Storage)?;
        inner.fill(max).await?;
        let Some(take) = inner.queue.try_take(max) else {
            ChannelCounters::add(&inner.counters.take_attempt, 1);
            return Ok(None);
        };
        let take: Box<dyn Take> = Box::new(SqlTake { take, inner: inner.clone() });
        let count = take.len();
        ChannelCounters::add(&inner.counters.take_attempt, count + usize::from(count < max));
        Ok(Some(take))
    }
}

struct SqlReservation {
    // Dropped before the room is given back: a put that is withdrawn must not count when its room is free.
    stored: Option<Stored>,
    reserved: Reserved,
    inner: Arc<Inner>,
}

#[async_trait]
impl Reservation for SqlReservation {
    async fn persist(&mut self, batch: &Batch) -> Result<(), PutError> {
        if !batch.is_empty() {
            let stored = self.inner.desk.put(batch).await;
            self.stored = Some(stored.map_err(|error| PutError::Storage(error.to_string()))?);
        }
        Ok(())
    }
    fn commit(self: Box<Self>, batch: Batch) {
        let Self { stored, reserved, inner } = *self;
        ChannelCounters::add(&inner.counters.put_success, batch.len());
        match stored {
            Some(stored) => inner.commit(stored, reserved, batch),
            None => assert!(batch.is_empty(), "a batch is committed that was not persisted"),
        }
    }
}

struct SqlTake {
    take: QueueTake,
    inner: Arc<Inner>,
}

#[async_trait]
impl Take for SqlTake {
    fn batches(&self) -> &[Batch] {
        self.take.batches()
    }
    async fn commit(self: Box<Self>, settled: &mut (dyn FnMut() + Send)) -> Result<(), TakeError> {
        let mut done: Vec<(i64, Range<u32>)> = Vec::new();
        for (origin, count) in self.take.origins() {
            let (id, past) = (origin.segment.cast_signed(), origin.event + count as u32);
            match done.last_mut() {
                Some((last, events)) if *last == id && events.end == origin.event => events.end = past,
                _ => done.push((id, origin.event..past)),
            }
        }
        let recorded = self.inner.desk.done(done).await;
        recorded.map_err(|error| TakeError::Storage(error.to_string()))?;
        let count = self.take.batches().iter().map(Batch::len).sum();
        let _movement = self.inner.gate.movement();
        settled();
        ChannelCounters::add(&self.inner.counters.take_success, count);
        self.take.commit();
        Ok(())
    }
}
