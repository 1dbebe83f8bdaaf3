//! The fair pool: a few threads at low priority that share CPU among tenants by weight, a slice at a time.
//!
//! ```text
//! lane (tenant A, weight 1, virtual time 40) ─ [call][call]        the non-empty lane with the least virtual time
//! lane (tenant B, weight 3, virtual time 37) ─ [call]        ──▶   gives its first call to the next free thread
//! lane (tenant C, above its ceiling) ─ [call]                      skipped until its budget is refilled
//! ```
//!
//! Invariants: a call is in at most one lane, or runs on one thread, or waits for its waker. A lane that was empty
//! begins at the present virtual time, so that idleness saves up no credit. Locks are never held while a guest
//! runs or a future is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::account::Account;
use crate::call::{Control, Ended, Ticker};

/// The pool.
pub(crate) struct Fair {
    state: Mutex<State>,
    /// Told when a lane or a timer may have become due.
    due: Condvar,
    ticker: Arc<Ticker>,
    runtime: Handle,
    ids: AtomicU64,
}

struct State {
    lanes: BTreeMap<usize, Lane>,
    /// Calls by the time at which their time limit has to be looked at.
    timers: BTreeMap<(Instant, u64), Arc<Task>>,
    /// The virtual time of the lane that was served last.
    now_virtual_ns: u64,
    stop: bool,
}

struct Lane {
    tenant: Arc<Account>,
    virtual_ns: u64,
    ready: VecDeque<Arc<Task>>,
    /// Since when its calls wait only because of the tenant's ceiling.
    delayed_since: Option<Instant>,
}

/// A call that did not end within its first slice.
struct Task {
    id: u64,
    tenant: Arc<Account>,
    control: Arc<Control>,
    slot: Mutex<Slot>,
    cancelled: AtomicBool,
    fair: Weak<Fair>,
}

struct Slot {
    phase: Phase,
    future: Option<BoxFuture<'static, ()>>,
    /// Its place among the timers.
    timer: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In a function of the host.
    Waiting,
    /// In its lane.
    Ready,
    Running,
    /// Woken while it ran.
    RunningAndWoken,
    Done,
}

/// Cancels the call when its caller does not want it any more.
struct CancelOnDrop(Arc<Task>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fair {
    /// Starts the pool's threads, at this niceness.
    pub(crate) fn start(
        ticker: Arc<Ticker>,
        runtime: Handle,
        (threads, nice): (usize, i32),
    ) -> std::io::Result<Arc<Self>> {
        let state = State { lanes: BTreeMap::new(), timers: BTreeMap::new(), now_virtual_ns: 0, stop: false };
        let fair = Arc::new(Self {
            state: Mutex::new(state),
            due: Condvar::new(),
            ticker,
            runtime,
            ids: AtomicU64::new(0),
        });
        for number in 0..threads.max(1) {
            let its = fair.clone();
            let thread = std::thread::Builder::new().name(format!("flumen-fair-{number}"));
            thread.spawn(move || its.work(nice))?;
        }
        Ok(fair)
    }
    /// Ends the threads; calls that are left end unanswered.
    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.due.notify_all();
    }

    /// Runs the future to its end in the pool.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        tenant: &Arc<Account>,
        control: &Arc<Control>,
        future: BoxFuture<'static, T>,
    ) -> Result<T, Ended> {
        let (answer, answered) = oneshot::channel();
        let whole = Box::pin(async move {
            // The caller may be gone; then nobody wants the answer.
            let _wanted = answer.send(future.await);
        });
        let slot = Slot { phase: Phase::Waiting, future: Some(whole), timer: None };
        let task = Arc::new(Task {
            id: self.ids.fetch_add(1, Relaxed),
            tenant: tenant.clone(),
            control: control.clone(),
            slot: Mutex::new(slot),
            cancelled: AtomicBool::new(false),
            fair: Arc::downgrade(self),
        });
        let _cancel = CancelOnDrop(task.clone());
        self.arm(&task);
        task.clone().wake();
        let gone = || control.overrun().map_or(Ended::Panicked, Ended::Overrun);
        answered.await.map_err(|_| gone())
    }

    fn arm(&self, task: &Arc<Task>) {
        let at = task.control.deadline();
        lock(&task.slot).timer = Some(at);
        lock(&self.state).timers.insert((at, task.id), task.clone());
        self.due.notify_one();
    }
    fn disarm(&self, task: &Task) {
        let timer = lock(&task.slot).timer.take();
        if let Some(at) = timer {
            lock(&self.state).timers.remove(&(at, task.id));
        }
    }
    fn push(&self, task: Arc<Task>) {
        let mut state = lock(&self.state);
        let now_virtual_ns = state.now_virtual_ns;
        let lane = state.lane(&task.tenant);
        if lane.ready.is_empty() {
            lane.virtual_ns = lane.virtual_ns.max(now_virtual_ns);
        }
        lane.ready.push_back(task);
        drop(state);
        self.due.notify_one();
    }

    fn work(&self, nice: i32) {
        lower_priority(nice);
        let _runtime = self.runtime.enter();
        while let Some(work) = self.next() {
            match work {
                Work::Slice(task) => self.slice(&task),
                Work::Timer(task) => self.look_at_the_clock(&task),
            }
        }
    }
    /// Waits for something to do; none: the pool is stopped.
    fn next(&self) -> Option<Work> {
        let mut state = lock(&self.state);
        loop {
            if state.stop {
                return None;
            }
            let now = Instant::now();
            if let Some(timer) = state.timers.first_entry().filter(|timer| timer.key().0 <= now) {
                return Some(Work::Timer(timer.remove()));
            }
            let mut next_look = state.timers.first_key_value().map(|((at, _), _)| *at);
            if let Some(task) = state.choose(now, &mut next_look) {
                return Some(Work::Slice(task));
            }
            let wait = next_look.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(now));
            state = self.due.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn slice(&self, task: &Arc<Task>) {
        let Some(mut future) = task.begin_slice() else { return };
        let waker = Waker::from(task.clone());
        let polled = {
            let _ticking = self.ticker.enter();
            self.ticker.hurry();
            catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))))
        };
        let used = task.control.wait();
        task.tenant.charge(used);
        self.charge_lane(&task.tenant, used);
        match polled {
            Ok(Poll::Pending) if !task.cancelled.load(Relaxed) => self.after_slice(task, future),
            _ => {
                lock(&task.slot).phase = Phase::Done;
                self.disarm(task);
                drop(future);
            }
        }
    }
    fn after_slice(&self, task: &Arc<Task>, future: BoxFuture<'static, ()>) {
        let mut slot = lock(&task.slot);
        slot.future = Some(future);
        let woken = slot.phase == Phase::RunningAndWoken;
        slot.phase = if woken { Phase::Ready } else { Phase::Waiting };
        drop(slot);
        if woken {
            task.control.queue();
            self.push(task.clone());
        } else if task.cancelled.load(Relaxed) {
            // Cancelled between the look above and this moment, in which it was neither running nor to be found.
            task.cancel();
        }
    }
    fn charge_lane(&self, tenant: &Arc<Account>, used: Duration) {
        let weight = u128::from(tenant.cpu_weight());
        let more = u64::try_from(used.as_nanos() * 1000 / weight).unwrap_or(u64::MAX);
        let mut state = lock(&self.state);
        let lane = state.lane(tenant);
        lane.virtual_ns = lane.virtual_ns.saturating_add(more);
    }

    /// A call's time may be over.
    fn look_at_the_clock(&self, task: &Arc<Task>) {
        let mut slot = lock(&task.slot);
        slot.timer = None;
        let over = match slot.phase {
            Phase::Done => return,
            // Its time stands still.
            Phase::Ready => false,
            // Its own epoch callback ends it; a look a slice later is for a host function that it enters now.
            Phase::Running | Phase::RunningAndWoken => false,
            Phase::Waiting => task.control.check().is_err(),
        };
        if over {
            slot.phase = Phase::Done;
            let future = slot.future.take();
            drop(slot);
            drop(future);
            return;
        }
        let again = task.control.deadline().max(Instant::now() + Duration::from_millis(2));
        slot.timer = Some(again);
        drop(slot);
        lock(&self.state).timers.insert((again, task.id), task.clone());
    }
}

enum Work {
    Slice(Arc<Task>),
    Timer(Arc<Task>),
}

impl State {
    fn lane(&mut self, tenant: &Arc<Account>) -> &mut Lane {
        let new =
            || Lane { tenant: tenant.clone(), virtual_ns: 0, ready: VecDeque::new(), delayed_since: None };
        self.lanes.entry(tenant.index).or_insert_with(new)
    }
    /// The first call of the lane that is behind the others; `next_look` is lowered to when a delayed lane may go on.
    fn choose(&mut self, now: Instant, next_look: &mut Option<Instant>) -> Option<Arc<Task>> {
        let mut best: Option<(usize, u64)> = None;
        for (&index, lane) in self.lanes.iter_mut().filter(|(_, lane)| !lane.ready.is_empty()) {
            if let Some(until) = lane.tenant.delayed_until() {
                lane.delayed_since.get_or_insert(now);
                *next_look = Some(next_look.map_or(until, |look| look.min(until)));
            } else if best.is_none_or(|(_, least)| lane.virtual_ns < least) {
                best = Some((index, lane.virtual_ns));
            }
        }
        let lane = self.lanes.get_mut(&best?.0)?;
        if let Some(since) = lane.delayed_since.take() {
            lane.tenant.add_delay(now.saturating_duration_since(since));
        }
        self.now_virtual_ns = self.now_virtual_ns.max(lane.virtual_ns);
        lane.ready.pop_front()
    }
}

impl Task {
    /// Takes the future out to be run.
    fn begin_slice(&self) -> Option<BoxFuture<'static, ()>> {
        let mut slot = lock(&self.slot);
        let future = slot.future.take()?;
        slot.phase = Phase::Running;
        self.control.run();
        Some(future)
    }
    fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        let mut slot = lock(&self.slot);
        if matches!(slot.phase, Phase::Running | Phase::RunningAndWoken | Phase::Done) {
            return;
        }
        slot.phase = Phase::Done;
        let future = slot.future.take();
        drop(slot);
        if let Some(fair) = self.fair.upgrade() {
            fair.disarm(self);
        }
        drop(future);
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let mut slot = lock(&self.slot);
        match slot.phase {
            Phase::Running => slot.phase = Phase::RunningAndWoken,
            Phase::Waiting => {
                slot.phase = Phase::Ready;
                self.control.queue();
                drop(slot);
                if let Some(fair) = self.fair.upgrade() {
                    fair.push(self);
                }
            }
            Phase::Ready | Phase::RunningAndWoken | Phase::Done => {}
        }
    }
}

/// On Linux a thread has a niceness of its own. Where it may not be set the pool is as fair, but not as polite.
fn lower_priority(nice: i32) {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), nice) {
        tracing::debug!(%error, "the pool for slow plugins runs at normal priority");
    }
}
