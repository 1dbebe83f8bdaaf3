//! One folder of the log: what waits to be written, and the leader who writes it.
//!
//! ```text
//! put ──┐                    ┌───────────────── leader (one per folder at a time) ─────────────────┐
//! put ──┼─▶ waiting ── all ─▶│ write ─▶ linger ─▶ fdatasync ─▶ register ─▶ answer all of them     │─▶ next group
//! take ─┘      ▲             └────────────────────────────────────────────────────────────────────┘
//!              └── more arrive while the leader syncs: they are the next group
//! ```
//!
//! Whoever finds no leader starts one, a blocking job that leads until nothing waits; or leads itself, for one group, if its
//! thread may be held ([`Thread::Callers`]): a single producer then waits for the disk and for no other thread, whose waking
//! costs a fifth of a sync, there and back. A leader of several stays for them; one that had a single request goes at once.
//!
//! After a group of several it lingers until all who
//! were answered have come back, but only for a fraction of what a sync takes: without that, eight producers would go
//! through in groups of one and seven, and half of what the disk can do would be lost. It *looks* for them: sleeping for
//! 40 µs takes 120. What is large is written at once, while the others pack theirs. A single producer is never looked
//! for: that would take the CPU which it needs to come back.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flumen_event::Packed;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::file::log::{Log, Stored};
use crate::file::seal::Buffers;
use crate::file::segment::Active;
use crate::file::spare::Spare;
use crate::file::state::Done;

/// A group is closed when it has this many bytes: larger ones make the disk no quicker and puts wait longer.
pub(super) const GROUP_BYTES_MAX: usize = 16 << 20;
/// Longest wait for others to join a group.
const LINGER_MAX: Duration = Duration::from_millis(2);
/// The share of a sync that is spent on waiting for others.
const LINGER_SHARE: u32 = 4;
/// So many bytes are written while others of the group are still on their way.
const EAGER_BYTES: usize = 24 << 10;
/// Longest time for which the leader looks for others before it sleeps until they are there.
const SPIN_MAX: Duration = Duration::from_micros(100);
/// A leader without work stays so long: to wake it is quicker than to start another.
const IDLE: Duration = Duration::from_millis(1);
/// Most groups that are written without lingering after it was of no use.
const SKIP_MAX: u32 = 64;

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
struct Waiting {
    group: Group,
    /// Withdrawals: written with the next group, and no reason for one.
    lazy: Vec<Done>,
    leading: bool,
    lingering: Lingering,
    /// The leader sleeps until this much waits.
    sleeping_for: Enough,
    closed: bool,
}

/// What ends a leader's sleep: so many requests, or so many bytes.
#[derive(Clone, Copy)]
struct Enough {
    requests: usize,
    bytes: usize,
}

impl Enough {
    /// It is awake.
    const NEVER: Self = Self { requests: usize::MAX, bytes: usize::MAX };
    fn is_met(&self, requests: usize, bytes: usize) -> bool {
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
    arrived: AtomicUsize,
    arrived_bytes: AtomicUsize,
    joined: Condvar,
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
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn note_arrived(&self, waiting: &Waiting) {
        self.arrived.store(waiting.group.len(), Release);
        self.arrived_bytes.store(waiting.group.bytes, Release);
    }
    /// How many requests wait.
    pub(super) fn load(&self) -> usize {
        self.waiting().group.len()
    }

    /// Adds a request, and starts a leader if there is none.
    fn submit(
        self: &Arc<Self>,
        log: &Arc<Log>,
        thread: Thread,
        add: impl FnOnce(&mut Group),
    ) -> Result<(), Failure> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(Failure("the channel is closed".into()));
        }
        add(&mut waiting.group);
        self.note_arrived(&waiting);
        let starts_leader = !std::mem::replace(&mut waiting.leading, true);
        let is_enough = waiting.sleeping_for.is_met(waiting.group.len(), waiting.group.bytes);
        if is_enough {
            // Woken once.
            waiting.sleeping_for = Enough::NEVER;
        }
        drop(waiting);
        if starts_leader {
            let leader = Leader { lane: self.clone(), log: log.clone() };
            match thread.is_here() {
                true => tokio::task::block_in_place(|| leader.lead_once()),
                false => log.spawn_blocking(move || leader.lead()),
            }
        } else if is_enough {
            self.joined.notify_one();
        }
        Ok(())
    }
    pub(super) fn put(
        self: &Arc<Self>,
        log: &Arc<Log>,
        thread: Thread,
        put: PutRequest,
    ) -> Result<(), Failure> {
        let bytes = put.packed.head.len() + put.packed.bodies.len();
        self.submit(log, thread, |group| {
            group.bytes += bytes;
            group.puts.push_back(put);
        })
    }
    pub(super) fn take(self: &Arc<Self>, log: &Arc<Log>, take: TakeRequest) -> Result<(), Failure> {
        self.submit(log, Thread::Leaders, |group| group.takes.push_back(take))
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
        while waiting.leading {
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
    fn add_lazy(&mut self, lazy: Vec<Done>) {
        if !lazy.is_empty() {
            self.takes.push_back(TakeRequest { done: lazy, answer: None });
        }
    }
    /// The oldest requests, up to a number of bytes.
    fn split(&mut self) -> Group {
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

struct Leader {
    lane: Arc<Lane>,
    log: Arc<Log>,
}

impl Leader {
    fn lead(self) {
        let mut last = 0;
        while let Some(returns) = self.returns(last) {
            last = 0;
            let mut next = || {
                let group = self.next(&returns, last)?;
                last += group.len();
                Some(group)
            };
            if let Some(first) = next() {
                self.log.write_group(&self.lane, first, next);
                self.log.delete_drained(&self.lane);
            }
            self.lane.waiting().lingering.note(&returns, last);
        }
    }

    /// Writes a group on the thread of whoever began it. Those who came meanwhile get a leader of their own.
    fn lead_once(self) {
        let alone = Returns { all: 1, since: Instant::now(), within: Duration::ZERO };
        if let Some(group) = self.next(&alone, 0) {
            self.log.write_group(&self.lane, group, || None);
            self.log.delete_drained_aside(&self.lane);
        }
        let mut waiting = self.lane.waiting();
        if waiting.group.len() == 0 {
            return self.end(&mut waiting);
        }
        drop(waiting);
        let log = self.log.clone();
        log.spawn_blocking(move || self.lead());
    }

    fn end(&self, waiting: &mut Waiting) {
        waiting.leading = false;
        self.lane.joined.notify_all();
    }

    /// Who may be waited for now, after a group of so many; nothing at the end of this leader.
    fn returns(&self, last: usize) -> Option<Returns> {
        let within = (self.log.sync_time(&self.lane) / LINGER_SHARE).min(LINGER_MAX);
        let mut waiting = self.lane.waiting();
        // Those who were answered, and those who came meanwhile.
        let all = waiting.group.len() + last;
        // A single one is not looked for, on the CPU that it may need to come back: it wakes this thread.
        let is_due = last > 0 && all > 1 && waiting.group.len() < all && waiting.lingering.is_due();
        if waiting.group.len() == 0 && !is_due {
            // A single one may lead itself when it comes back.
            if last != 1 {
                let until = Instant::now() + IDLE;
                waiting = self.sleep(waiting, Enough { requests: 1, bytes: usize::MAX }, until);
            }
            if waiting.group.len() == 0 {
                self.end(&mut waiting);
                return None;
            }
        }
        Some(Returns { all, since: Instant::now(), within: if is_due { within } else { Duration::ZERO } })
    }

    /// What is to be written next, in a group that has so many requests already; nothing when the group is complete.
    /// Nothing from the beginning: nobody has come back.
    fn next(&self, returns: &Returns, already: usize) -> Option<Group> {
        let wanted = returns.all.saturating_sub(already);
        if already > 0 && wanted == 0 {
            return None;
        }
        // Who has come while the last part was sealed and written goes with it, even if nobody is waited for any more.
        let mut waiting = self.linger(returns, wanted);
        if waiting.group.len() == 0 {
            return None;
        }
        let lazy = std::mem::take(&mut waiting.lazy);
        let mut group = waiting.group.split();
        self.lane.note_arrived(&waiting);
        group.add_lazy(lazy);
        Some(group)
    }

    /// Waits a little for so many, or for what is worth writing while the others are on their way.
    fn linger(&self, returns: &Returns, wanted: usize) -> MutexGuard<'_, Waiting> {
        let enough = Enough { requests: wanted, bytes: EAGER_BYTES };
        // A thread that sleeps so briefly sleeps several times as long, and is woken by those it waits for, at their
        // cost: looking is quicker.
        let look_within = returns.within.min(SPIN_MAX);
        while !enough.is_met(self.lane.arrived.load(Acquire), self.lane.arrived_bytes.load(Acquire))
            && returns.since.elapsed() < look_within
        {
            std::thread::yield_now();
        }
        self.sleep(self.lane.waiting(), enough, returns.since + returns.within)
    }

    /// Sleeps until enough waits, or the channel is closed.
    fn sleep<'a>(
        &'a self,
        mut waiting: MutexGuard<'a, Waiting>,
        enough: Enough,
        until: Instant,
    ) -> MutexGuard<'a, Waiting> {
        while !enough.is_met(waiting.group.len(), waiting.group.bytes) && !waiting.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting.sleeping_for = enough;
            let waited = self.lane.joined.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
            waiting.sleeping_for = Enough::NEVER;
        }
        waiting
    }
}

/// Those who are expected to come back after they were answered.
struct Returns {
    all: usize,
    since: Instant,
    within: Duration,
}

/// Whether it pays to wait for them.
#[derive(Default)]
struct Lingering {
    /// So many times in a row it did not.
    failures: u32,
    /// So many groups are still written without trying.
    groups_to_skip: u32,
}

impl Lingering {
    fn is_due(&mut self) -> bool {
        let due = self.groups_to_skip == 0;
        self.groups_to_skip = self.groups_to_skip.saturating_sub(1);
        due
    }
    fn note(&mut self, returns: &Returns, came: usize) {
        if returns.within.is_zero() {
            return;
        }
        // As good as all of them is a success: whoever has gone for good is not counted in the next group. Where puts come
        // at their own pace, and not as answers to answers, it is rare.
        let success = came + returns.all / 8 >= returns.all;
        self.failures = if success { 0 } else { (self.failures + 1).min(SKIP_MAX.ilog2()) };
        self.groups_to_skip = if success { 0 } else { 1 << self.failures };
    }
}

impl Drop for Leader {
    /// A leader that panicked must not keep the next one from leading, nor anybody waiting.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut waiting = self.lane.waiting();
            waiting.leading = false;
            std::mem::take(&mut waiting.group).refuse(&Failure("the log's writer failed".into()));
            self.lane.joined.notify_all();
        }
    }
}
