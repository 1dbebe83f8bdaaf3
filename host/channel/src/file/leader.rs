//! Who writes what waits in a folder, and for whom it waits before.
//!
//! ```text
//! put ──┐                    ┌───────────────── leader (one per folder at a time) ─────────────────┐
//! put ──┼─▶ waiting ── all ─▶│ write ─▶ linger ─▶ fdatasync ─▶ register ─▶ answer all of them     │─▶ next group
//! take ─┘      ▲             └────────────────────────────────────────────────────────────────────┘
//!              └── more arrive while the leader syncs: they are the next group
//! ```
//!
//! Whoever finds no leader starts one, a blocking job that leads until nothing waits; or leads itself, for one group, if its
//! thread may be held ([`Thread::Callers`](crate::file::lane::Thread)): a single producer then waits for the disk and for no
//! other thread, whose waking costs a fifth of a sync, there and back. A leader of several stays for them; one that had a
//! single request goes at once.
//!
//! Takes that come while a single producer leads are left to its next put, which takes them along: to write them apart would
//! make that put wait for two syncs. A leader *stands by* meanwhile: it sleeps, looks from time to time whether callers have led
//! since, and leads if none has; so a take waits a millisecond at most. Where puts do not come back in time it is soon
//! called at once.
//!
//! After a group of several producers the leader lingers until all who were answered have come back, but only for a fraction
//! of what a sync takes: without that, eight producers would go through in groups of one and seven, and half of what the
//! disk can do would be lost. It *looks* for them: sleeping for 40 µs takes 120. What is large is written at once, while the
//! others pack theirs. A single producer is never looked for: that would take the CPU which it needs to come back.

use std::sync::atomic::Ordering::Acquire;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::file::lane::{Enough, Failure, Group, Lane, Standby, Waiting};
use crate::file::log::Log;

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
/// Takes that are left to the next put wait so long for it, at least.
const CARRIED_WITHIN: Duration = Duration::from_micros(500);
/// Most groups for which it is not tried again what was of no use.
const SKIP_MAX: u32 = 64;

pub(super) struct Leader {
    lane: Arc<Lane>,
    log: Arc<Log>,
}

/// What a leader has written last.
#[derive(Clone, Copy, Default)]
struct Led {
    requests: usize,
    puts: usize,
    /// Whether the last of the producers may lead itself.
    may_lead: bool,
}

impl Led {
    fn add(&mut self, group: &Group) {
        self.requests += group.len();
        self.puts += group.puts.len();
        self.may_lead = group.puts.back().map_or(self.may_lead, |put| put.may_lead);
    }
    /// Of the puts there was one, whose producer leads when it comes back, if it is let.
    fn is_of_one_caller(self) -> bool {
        self.puts == 1 && self.may_lead
    }
}

impl Leader {
    /// To be the leader of this folder: [`Waiting::leading`] is set, or a leader stands by.
    pub(super) fn new(lane: &Arc<Lane>, log: &Arc<Log>) -> Self {
        Self { lane: lane.clone(), log: log.clone() }
    }

    /// Leads until nothing waits.
    pub(super) fn lead(self) {
        let first = self.returns(Led::default());
        self.lead_from(first);
    }
    /// Leads when it is called, or when no caller does. That it stands by is noted.
    fn lead_when_needed(self) {
        let first = self.stand_by(self.lane.waiting());
        self.lead_from(first);
    }
    fn lead_from(&self, mut next: Option<Returns>) {
        while let Some(returns) = next {
            let mut last = Led::default();
            let mut part = || {
                let group = self.next(&returns, last.requests)?;
                last.add(&group);
                Some(group)
            };
            if let Some(first) = part() {
                self.log.write_group(&self.lane, first, part);
                self.log.delete_drained(&self.lane);
            }
            if !returns.within.is_zero() {
                self.lane.waiting().lingering.note(returns.have_come(last.requests));
            }
            next = self.returns(last);
        }
    }

    /// Writes a group on the thread of whoever began it. Those who came meanwhile get a leader of their own, or wait for
    /// the next caller.
    pub(super) fn lead_once(self) {
        let alone = Returns { all: 1, since: Instant::now(), within: Duration::ZERO };
        let mut last = Led::default();
        if let Some(group) = self.next(&alone, 0) {
            last.add(&group);
            self.log.write_group(&self.lane, group, || None);
            self.log.delete_drained_aside(&self.lane);
        }
        let mut waiting = self.lane.waiting();
        waiting.led_by_callers += 1;
        waiting.leading = false;
        if waiting.group.len() == 0 {
            return self.note_end(&waiting);
        }
        let leaves = last.is_of_one_caller() && waiting.leaves_takes();
        match waiting.standby {
            Standby::Nobody if leaves => waiting.standby = Standby::Asleep,
            Standby::Nobody => waiting.leading = true,
            _ if leaves => return self.note_end(&waiting),
            _ => return self.lane.call_standby(&mut waiting),
        }
        drop(waiting);
        let log = self.log.clone();
        log.spawn_blocking(move || if leaves { self.lead_when_needed() } else { self.lead() });
    }

    /// Wakes whoever waits for the end of all leaders.
    fn note_end(&self, waiting: &Waiting) {
        if waiting.closed {
            self.lane.joined.notify_all();
        }
    }

    /// Who may be waited for now, after this group; nothing at the end of this leader.
    fn returns(&self, last: Led) -> Option<Returns> {
        let within = (self.log.sync_time(&self.lane) / LINGER_SHARE).min(LINGER_MAX);
        let mut waiting = self.lane.waiting();
        // Those who were answered, and those who came meanwhile.
        let all = waiting.group.len() + last.requests;
        if last.is_of_one_caller() && waiting.group.puts.is_empty() && all > 1 {
            waiting.leading = false;
            let leaves = waiting.group.len() == 0 || waiting.leaves_takes();
            waiting.standby = if leaves { Standby::Asleep } else { Standby::Called };
            return self.stand_by(waiting);
        }
        // A single one is not looked for, on the CPU that it may need to come back: it wakes this thread.
        let is_due = last.requests > 0 && all > 1 && waiting.group.len() < all && waiting.lingering.is_due();
        if is_due {
            return Some(Returns { all, since: Instant::now(), within });
        }
        // A single one may lead itself when it comes back.
        if waiting.group.len() == 0 && last.requests != 1 {
            let until = Instant::now() + IDLE;
            waiting = self.sleep(waiting, Enough { requests: 1, bytes: usize::MAX }, until);
        }
        self.lead_what_waits(waiting, last.requests)
    }
    /// With nobody waited for; who comes while it is written goes along, of as many as were answered last.
    fn lead_what_waits(&self, mut waiting: MutexGuard<'_, Waiting>, answered: usize) -> Option<Returns> {
        waiting.leading = waiting.group.len() > 0;
        if !waiting.leading {
            self.note_end(&waiting);
            return None;
        }
        let all = waiting.group.len() + answered;
        Some(Returns { all, since: Instant::now(), within: Duration::ZERO })
    }

    /// Leaves the lead to callers, and takes it back when they have not led for a while, or when it is called.
    fn stand_by(&self, mut waiting: MutexGuard<'_, Waiting>) -> Option<Returns> {
        let (mut led, mut since) = (waiting.led_by_callers, Instant::now());
        loop {
            let is_called = waiting.standby == Standby::Called;
            let patience = if waiting.group.len() > 0 { CARRIED_WITHIN } else { IDLE };
            let is_needed = is_called || (waiting.led_by_callers == led && since.elapsed() >= patience);
            if is_needed && !waiting.leading {
                if !is_called && waiting.group.len() > 0 {
                    waiting.carrying.note(false);
                }
                waiting.standby = Standby::Nobody;
                return self.lead_what_waits(waiting, 0);
            }
            if waiting.leading || waiting.led_by_callers != led {
                (led, since) = (waiting.led_by_callers, Instant::now());
            }
            let waited = self.lane.joined.wait_timeout(waiting, CARRIED_WITHIN);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
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

impl Waiting {
    /// Somebody leads from now on, and takes along what was left to him.
    pub(super) fn take_lead(&mut self) {
        self.leading = true;
        if self.standby != Standby::Nobody {
            self.standby = Standby::Asleep;
            if !self.group.takes.is_empty() {
                self.carrying.note(true);
            }
        }
    }
    /// Whether what waits is left to the next put: takes, if that was of use before.
    fn leaves_takes(&mut self) -> bool {
        self.group.puts.is_empty() && self.carrying.is_due()
    }
}

/// Those who are expected to come back after they were answered.
struct Returns {
    all: usize,
    since: Instant,
    within: Duration,
}

impl Returns {
    /// As good as all of them is enough: whoever has gone for good is not counted in the next group. Where puts come at
    /// their own pace, and not as answers to answers, it is rare.
    fn have_come(&self, came: usize) -> bool {
        came + self.all / 8 >= self.all
    }
}

/// Whether something is tried that may be of no use: less and less, the more often it was not.
#[derive(Default)]
pub(super) struct Paying {
    /// So many times in a row it was not.
    failures: u32,
    /// So many groups are still to be written without trying.
    groups_to_skip: u32,
}

impl Paying {
    fn is_due(&mut self) -> bool {
        let due = self.groups_to_skip == 0;
        self.groups_to_skip = self.groups_to_skip.saturating_sub(1);
        due
    }
    fn note(&mut self, success: bool) {
        self.failures = if success { 0 } else { (self.failures + 1).min(SKIP_MAX.ilog2()) };
        self.groups_to_skip = if success { 0 } else { 1 << self.failures };
    }
}

impl Drop for Leader {
    /// A leader that panicked must not keep the next one from leading, nor anybody waiting. What it has counted and not
    /// written is in no record: the segment ends, as after a failed write.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let failure = Failure("the log's writer failed".into());
            self.log.end_segment(&self.lane, &mut self.lane.writer(), &failure);
            let mut waiting = self.lane.waiting();
            waiting.leading = false;
            std::mem::take(&mut waiting.group).refuse(&failure);
            self.lane.joined.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many of the next groups go by before it is tried again.
    fn skipped(paying: &mut Paying) -> u32 {
        (0..).find(|_| paying.is_due()).expect("some day")
    }

    #[test]
    fn what_is_of_no_use_is_tried_less_and_less_and_what_was_each_time() {
        let mut paying = Paying::default();
        assert_eq!(skipped(&mut paying), 0);
        for expected in [2, 4, 8, 16, 32, 64, 64] {
            paying.note(false);
            assert_eq!(skipped(&mut paying), expected);
        }
        paying.note(true);
        assert_eq!((skipped(&mut paying), skipped(&mut paying)), (0, 0));
    }
}
