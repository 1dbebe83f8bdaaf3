//! Where puts and takes wait for the database: what waits together becomes one transaction.
//!
//! ```text
//! submit ──▶ waiting ──▶ [ group ] ──▶ Store::apply, one fsync ──▶ answers
//!                           ▲ next group gathers meanwhile
//! ```
//! Nobody lingers: the first to come starts a worker on a blocking thread, and the worker goes on as long as
//! somebody waits. So one producer is not slowed down, and many share one fsync.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use flumen_event::Batch;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::store::{NewRow, Store, StoreError, Write};

/// Bytes of new rows after which a group is closed.
const GROUP_BYTES_MAX: usize = 16 << 20;
const GROUP_JOBS_MAX: usize = 4096;

/// The desk of one channel.
pub struct Desk {
    jobs: Mutex<Jobs>,
    /// Told when the worker goes.
    idle: Condvar,
    store: Mutex<Box<dyn Store>>,
    /// Async, because whoever draws new ones waits for the database, and the others behind it: numbers ascend.
    ids: tokio::sync::Mutex<Range<i64>>,
    runtime: Mutex<Option<Handle>>,
}

#[derive(Default)]
struct Jobs {
    waiting: Vec<Job>,
    running: bool,
}

enum Job {
    Put(NewRow, oneshot::Sender<Result<Stored, StoreError>>),
    Done(Vec<(i64, Range<u32>)>, oneshot::Sender<Result<(), StoreError>>),
    Forget(i64),
}

/// A row that was written and not committed: dropping it deletes the row.
pub struct Stored {
    desk: Arc<Desk>,
    pub id: i64,
    committed: bool,
}

impl Stored {
    /// The row stays.
    pub fn commit(mut self) {
        self.committed = true;
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if !self.committed {
            self.desk.submit(Job::Forget(self.id));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done by a panic: jobs are moved whole, the store rolls back.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub fn new(store: Box<dyn Store>) -> Self {
        Self {
            jobs: Mutex::default(),
            idle: Condvar::new(),
            store: Mutex::new(store),
            ids: tokio::sync::Mutex::new(0..0),
            runtime: Mutex::default(),
        }
    }

    /// The database, when no group is under way.
    pub fn store(&self) -> MutexGuard<'_, Box<dyn Store>> {
        lock(&self.store)
    }
    /// Where blocking work goes when somebody without a runtime asks for it.
    pub fn remember_runtime(&self) {
        if let Ok(handle) = Handle::try_current() {
            *lock(&self.runtime) = Some(handle);
        }
    }

    /// Does what waits, then closes the database. Blocks.
    pub fn close(&self) {
        let idle = self.idle.wait_while(lock(&self.jobs), |jobs| jobs.running);
        drop(idle.unwrap_or_else(PoisonError::into_inner));
        self.store().close();
    }

    /// Writes a batch as a row; it is on disk when this returns.
    pub async fn put(self: &Arc<Self>, batch: &Batch) -> Result<Stored, StoreError> {
        let Some(row) = NewRow::of(self.new_id().await?, batch) else {
            return Err(StoreError::Refused {
                database: "the channel".into(),
                cause: "a batch above 4 GiB".into(),
            });
        };
        let (answer, answered) = oneshot::channel();
        self.submit(Job::Put(row, answer));
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Notes events as delivered, for good when this returns.
    pub async fn done(self: &Arc<Self>, done: Vec<(i64, Range<u32>)>) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.submit(Job::Done(done, answer));
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn new_id(self: &Arc<Self>) -> Result<i64, StoreError> {
        let mut ids = self.ids.lock().await;
        if let Some(id) = ids.next() {
            return Ok(id);
        }
        // Once in a thousand rows at most. A database that hangs must not hold up a thread of the runtime.
        let desk = self.clone();
        let draw = tokio::task::spawn_blocking(move || desk.store().new_ids());
        *ids = draw.await.map_err(|_| ended())??;
        ids.next().ok_or_else(ended)
    }

    fn submit(self: &Arc<Self>, job: Job) {
        let mut jobs = lock(&self.jobs);
        jobs.waiting.push(job);
        if std::mem::replace(&mut jobs.running, true) {
            return;
        }
        drop(jobs);
        let desk = self.clone();
        let runtime = Handle::try_current().ok().or_else(|| lock(&self.runtime).clone());
        match runtime {
            Some(runtime) => drop(runtime.spawn_blocking(move || desk.work())),
            None => desk.work(),
        }
    }

    fn work(self: Arc<Self>) {
        // If a store panics, the next to come starts over instead of waiting for a worker that is gone.
        struct Running<'a>(&'a Desk);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    lock(&self.0.jobs).running = false;
                }
                self.0.idle.notify_all();
            }
        }
        let _running = Running(&self);
        loop {
            let group = {
                let mut jobs = lock(&self.jobs);
                if jobs.waiting.is_empty() {
                    jobs.running = false;
                    return;
                }
                let end = group_end(&jobs.waiting);
                jobs.waiting.drain(..end).collect::<Vec<_>>()
            };
            self.execute(group);
        }
    }

    fn execute(self: &Arc<Self>, group: Vec<Job>) {
        let done = {
            let writes: Vec<Write<'_>> = group.iter().flat_map(writes).collect();
            self.store().apply(&writes)
        };
        match done {
            Ok(()) => group.into_iter().for_each(|job| self.answer(job, Ok(()))),
            // One bad row must not cost the others. If the database is away, all share that.
            Err(StoreError::Refused { .. }) if group.len() > 1 => {
                group.into_iter().for_each(|job| self.execute(vec![job]));
            }
            Err(error) => group.into_iter().for_each(|job| self.answer(job, Err(error.clone()))),
        }
    }

    fn answer(self: &Arc<Self>, job: Job, done: Result<(), StoreError>) {
        match job {
            Job::Put(row, answer) => {
                // When the answer comes too late, or it is not known whether the row was written, it is deleted.
                let stored = Stored { desk: self.clone(), id: row.id, committed: false };
                drop(answer.send(done.map(|()| stored)));
            }
            Job::Done(_, answer) => drop(answer.send(done)),
            Job::Forget(id) => {
                if let Err(error) = done {
                    tracing::warn!(%error, row = id, "a put that was given up could not be deleted, and may be delivered after a restart");
                }
            }
        }
    }
}

fn writes(job: &Job) -> Vec<Write<'_>> {
    match job {
        Job::Put(row, _) => vec![Write::Insert(row)],
        Job::Done(done, _) => {
            done.iter().map(|(id, events)| Write::Done { id: *id, events: events.clone() }).collect()
        }
        Job::Forget(id) => vec![Write::Forget { id: *id }],
    }
}

fn group_end(waiting: &[Job]) -> usize {
    let mut bytes = 0;
    for (at, job) in waiting.iter().enumerate().take(GROUP_JOBS_MAX) {
        if let Job::Put(row, _) = job {
            bytes += row.content.head.len() + row.content.bodies.len();
        }
        if bytes > GROUP_BYTES_MAX {
            return at + 1;
        }
    }
    waiting.len().min(GROUP_JOBS_MAX)
}

fn ended() -> StoreError {
    StoreError::Away { database: "the channel's database".into(), cause: "the process is ending".into() }
}
