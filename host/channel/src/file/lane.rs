//! One folder of the log: what waits to be written, and who is to write it (leader.rs says how).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Release;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flumen_event::Packed;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::file::leader::{Leader, Paying};
use crate::file::log::{Log, Stored};
use crate::file::seal::Buffers;
use crate::file::segment::Active;
use crate::file::spare::Spare;
use crate::file::state::Done;

/// A group is closed when it has this many bytes: larger ones make the disk no quicker and puts wait longer.
pub(super) const GROUP_BYTES_MAX: usize = 16 << 20;

/// The storage did not do what was asked. The text goes to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(pub(super) String);

pub(super) type Answer<T> = oneshot::Sender<Result<T, Failure>>;

/// A batch to be stored.
pub(super) struct PutRequest {
    pub(super) events: u32,
    pub(super) body_bytes: u32,
    pub(super) put_at_ms: u64,
    pub(super) packed: Packed,
    /// Of the packed batch; not used if it will be sealed.
    pub(super) crc: u32,
    /// Its producer leads if nobody else does.
    pub(super) may_lead: bool,
    pub(super) answer: Answer<Stored>,
}

/// Events that are done.
pub(super) struct TakeRequest {
    pub(super) done: Vec<Done>,
    /// Nobody waits for the withdrawal of a put.
    pub(super) answer: Option<Answer<()>>,
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Group {
    pub(super) puts: VecDeque<PutRequest>,
    pub(super) takes: VecDeque<TakeRequest>,
    /// Of the puts' payloads.
    pub(super) bytes: usize,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.puts.len() + self.takes.len()
    }
    /// Answers everybody in it.
    pub(super) fn refuse(self, failure: &Failure) {
        self.puts.into_iter().for_each(|put| drop(put.answer.send(Err(failure.clone()))));
        self.takes.into_iter().filter_map(|t| t.answer).for_each(|a| drop(a.send(Err(failure.clone()))));
    }
}

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) group: Group,
    /// Withdrawals: written with the next group, and no reason for one.
    pub(super) lazy: Vec<Done>,
    /// Somebody leads.
    pub(super) leading: bool,
    /// A leader's thread sees to it that what waits is written, if no caller does.
    pub(super) standby: Standby,
    /// Groups that callers have led.
    pub(super) led_by_callers: u64,
    /// Of waiting for those who were answered.
    pub(super) lingering: Paying,
    /// Of leaving takes to the next put.
    pub(super) carrying: Paying,
    /// The leader sleeps until this much waits.
    pub(super) sleeping_for: Enough,
    pub(super) closed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standby {
    #[default]
    Nobody,
    Asleep,
    /// It is to lead as soon as it is awake, if no caller does before.
    Called,
}

/// What ends a leader's sleep: so many requests, or so many bytes.
#[derive(Clone, Copy)]
pub(super) struct Enough {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

impl Enough {
    /// It is awake.
    pub(super) const NEVER: Self = Self { requests: usize::MAX, bytes: usize::MAX };
    pub(super) fn is_met(&self, requests: usize, bytes: usize) -> bool {
        requests >= self.requests || bytes >= self.bytes
    }
}

impl Default for Enough {
    fn default() -> Self {
        Self::NEVER
    }
}

/// Whose thread writes and syncs, if there is no leader yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    /// A leader's own: the caller goes on.
    Leaders,
    /// The caller's, if it is one of a runtime that can do without it; it returns when its request is answered.
    Callers,
}

impl Thread {
    /// Whether this thread may be held.
    fn is_here(self) -> bool {
        let has_more =
            || Handle::try_current().is_ok_and(|r| r.runtime_flavor() == RuntimeFlavor::MultiThread);
        self == Self::Callers && has_more()
    }
}

/// One folder.
pub(super) struct Lane {
    pub(super) number: usize,
    pub(super) dir: PathBuf,
    waiting: Mutex<Waiting>,
    /// How many requests wait, and their bytes; for the leader that looks for them.
    pub(super) arrived: AtomicUsize,
    pub(super) arrived_bytes: AtomicUsize,
    pub(super) joined: Condvar,
    /// The file that the next segment will be made of.
    pub(super) spare: Spare,
    /// What the leader writes to. Locked by it alone, but for closing.
    pub(super) writer: Mutex<Writer>,
}

/// The leader's own.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) active: Option<Active>,
    /// After a failure: why, and since when.
    pub(super) broken: Option<(Failure, Instant)>,
    /// A segment that a failed write or sync has ended, to be read again before the folder is used.
    pub(super) suspect: Option<u64>,
    /// How long the last sync took.
    pub(super) last_sync: Duration,
    pub(super) buffers: Buffers,
}

impl Lane {
    pub(super) fn new(number: usize, dir: PathBuf) -> Self {
        let (waiting, arrived, arrived_bytes, joined, writer, spare) = Default::default();
        Self { number, dir, waiting, arrived, arrived_bytes, joined, spare, writer }
    }
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn note_arrived(&self, waiting: &Waiting) {
        self.arrived.store(waiting.group.len(), Release);
        self.arrived_bytes.store(waiting.group.bytes, Release);
    }
    /// How many requests wait.
    pub(super) fn load(&self) -> usize {
        self.waiting().group.len()
    }

    /// Adds a request, and sees to it that somebody leads: this thread, if it may be held.
    fn submit(
        self: &Arc<Self>,
        log: &Arc<Log>,
        may_lead: bool,
        add: impl FnOnce(&mut Group),
    ) -> Result<(), Failure> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(Failure("the channel is closed".into()));
        }
        add(&mut waiting.group);
        self.note_arrived(&waiting);
        if waiting.leading {
            if waiting.sleeping_for.is_met(waiting.group.len(), waiting.group.bytes) {
                // Woken once.
                waiting.sleeping_for = Enough::NEVER;
                drop(waiting);
                self.joined.notify_one();
            }
        } else if may_lead || waiting.standby == Standby::Nobody {
            waiting.take_lead();
            drop(waiting);
            let leader = Leader::new(self, log);
            match may_lead {
                true => tokio::task::block_in_place(|| leader.lead_once()),
                false => log.spawn_blocking(move || leader.lead()),
            }
        } else {
            self.call_standby(&mut waiting);
        }
        Ok(())
    }
    /// Has the leader that stands by lead, if no caller is quicker.
    pub(super) fn call_standby(&self, waiting: &mut Waiting) {
        if waiting.standby == Standby::Asleep {
            waiting.standby = Standby::Called;
            self.joined.notify_one();
        }
    }
    pub(super) fn put(
        self: &Arc<Self>,
        log: &Arc<Log>,
        thread: Thread,
        put: PutRequest,
    ) -> Result<(), Failure> {
        let may_lead = thread.is_here();
        let bytes = put.packed.head.len() + put.packed.bodies.len();
        self.submit(log, may_lead, |group| {
            group.bytes += bytes;
            group.puts.push_back(PutRequest { may_lead, ..put });
        })
    }
    pub(super) fn take(self: &Arc<Self>, log: &Arc<Log>, take: TakeRequest) -> Result<(), Failure> {
        self.submit(log, false, |group| group.takes.push_back(take))
    }
    /// Writes it with whatever is written next.
    pub(super) fn withdraw(&self, done: Done) {
        self.waiting().lazy.push(done);
    }

    /// Refuses everything from now on. What waits is still written.
    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.joined.notify_all();
    }
    /// Waits until no leader is at work.
    pub(super) fn wait_for_leader(&self) {
        let mut waiting = self.waiting();
        while waiting.leading || waiting.standby != Standby::Nobody {
            waiting = self.joined.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
    /// The withdrawals that nothing has taken along.
    pub(super) fn rest(&self) -> Group {
        let mut group = Group::default();
        group.add_lazy(std::mem::take(&mut self.waiting().lazy));
        group
    }
}

impl Group {
    pub(super) fn add_lazy(&mut self, lazy: Vec<Done>) {
        if !lazy.is_empty() {
            self.takes.push_back(TakeRequest { done: lazy, answer: None });
        }
    }
    /// The oldest requests, up to a number of bytes.
    pub(super) fn split(&mut self) -> Group {
        if self.bytes <= GROUP_BYTES_MAX {
            return std::mem::take(self);
        }
        let mut first = Group { takes: std::mem::take(&mut self.takes), ..Group::default() };
        while first.bytes < GROUP_BYTES_MAX {
            let Some(put) = self.puts.pop_front() else { break };
            first.bytes += put.packed.head.len() + put.packed.bodies.len();
            first.puts.push_back(put);
        }
        self.bytes -= first.bytes;
        first
    }
}
