//! Reads a command's output into lines and delivers them in batches.
//!
//! ```text
//! pipe ──read──▶ Lines ──batchSize lines, or batchTimeout, or buffer full──▶ outlet
//!  ▲                                                                          │
//!  └──────── not read while the channel is full: the command waits ◀──────────┘
//! ```
//!
//! After a read that brought much, what else there is at once is read before anything is delivered: whatever a batch costs
//! as a whole (a call of a plugin, a transaction of the channel) then costs fewer times.

use std::pin::pin;
use std::time::Duration;

use flumen_event::Batch;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::select;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::command::Group;
use super::lines::{Lines, ROOM_BYTES_MIN};
use super::tail::{Follow, Keep, Verdict};
use crate::ledger::add;
use crate::source::SourceContext;

/// When asked to stop with a full channel, lines already read have this long to find room. Together with the
/// end of the command it must fit into the agent's limit for sources (`StopLimits`): a source that is cut off
/// could not count what it has left.
const STORE_TIME_MAX: Duration = Duration::from_secs(4);
/// With a position file, lines that find no room come again at the next start: only a put that is under way gets
/// the time to end, so that its lines do not come twice.
const STORE_TIME_MAX_KEPT: Duration = Duration::from_secs(1);
/// After so much silence of a `tail` is looked whether it misses something. It looks itself every second, and
/// without inotify notices a renamed file after five.
const LOOK_AFTER: Duration = Duration::from_secs(5);
const STOPPED: &str = "exec: stopped while the channel was full";

/// How the reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The input is at its end; all finished lines are delivered.
    Eof,
    /// Stop was asked for; every line read is delivered, or counted as dropped, or before it lies the position
    /// that is kept.
    Stopped,
    /// `tail` has left something out: start it again.
    LeftOut,
}

enum Flow {
    Go,
    Stop,
}

/// Reads one input to its end.
pub(super) struct Pump<'a> {
    pub context: &'a SourceContext,
    pub lines: &'a mut Lines,
    pub batch_lines: usize,
    pub batch_timeout: Duration,
    /// Who is to be asked to end when the source is.
    pub group: Option<Group>,
    /// Where the position is kept, if it is.
    pub keep: Option<&'a mut Keep>,
}

impl Pump<'_> {
    /// Reads until the input ends or stop is asked for. The unfinished last line stays in `lines`.
    pub async fn run(
        &mut self,
        input: &mut (impl AsyncRead + Unpin),
        mut follow: Option<&mut Follow>,
    ) -> Ended {
        let mut flush_at: Option<Instant> = None;
        let mut more_at_once = false;
        loop {
            let save_at = self.keep.as_ref().and_then(|keep| keep.due());
            let read = if more_at_once {
                input.read_buf(self.lines.input()).now_or_never()
            } else {
                select! {
                    biased;
                    () = self.context.stop.requested() => { self.wind_up().await; return Ended::Stopped }
                    read = input.read_buf(self.lines.input()) => Some(read),
                    () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => None,
                    () = sleep_until(save_at.unwrap_or_else(Instant::now)), if save_at.is_some() => None,
                    () = sleep(LOOK_AFTER), if follow.is_some() => {
                        if follow.as_mut().is_some_and(|f| f.is_overdue()) {
                            return Ended::LeftOut;
                        }
                        None
                    }
                }
            };
            more_at_once = matches!(read, Some(Ok(count)) if count >= ROOM_BYTES_MIN);
            let ended = match read {
                Some(Ok(0)) => true,
                Some(Ok(count)) => {
                    if let Some(Verdict::LeftOut) =
                        follow.as_mut().map(|f| f.advance(self.lines.fresh(count)))
                    {
                        self.lines.forget(count);
                        return Ended::LeftOut;
                    }
                    self.moved(count, follow.as_deref());
                    self.lines.split();
                    self.count_cuts();
                    false
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "the command's output cannot be read any more");
                    add(&self.context.counters.event_read_fail, 1);
                    true
                }
                None => false,
            };
            more_at_once &= !self.lines.is_full();
            if more_at_once {
                continue;
            }
            let due = ended || self.lines.len() >= self.batch_lines || self.lines.is_full();
            if due || flush_at.is_some_and(|at| at <= Instant::now()) {
                flush_at = None;
                if let Flow::Stop = self.deliver().await {
                    return Ended::Stopped;
                }
            } else if self.lines.len() > 0 && flush_at.is_none() {
                flush_at = Some(Instant::now() + self.batch_timeout);
            }
            if let Some(keep) = &mut self.keep {
                keep.save_if_due();
            }
            if ended {
                return Ended::Eof;
            }
        }
    }

    fn moved(&mut self, count: usize, follow: Option<&Follow>) {
        match (&mut self.keep, follow) {
            (Some(keep), Some(follow)) => keep.moved(count, follow.place()),
            (Some(keep), None) => keep.moved_on(count),
            (None, _) => {}
        }
    }

    /// Moves the kept position behind the lines of the batch that are stored.
    fn stored(&mut self, batch: &Batch, stored: usize) {
        let Some(keep) = self.keep.as_mut().filter(|_| stored > 0) else { return };
        // Bytes that the source has added (the line feed of a last line) are in no batch of several lines, so
        // a part of a batch ends where its next line starts in the output.
        let of_batch = batch.spans().get(stored).map_or(0, |next| batch.arena().len() - next.start as usize);
        keep.stored(self.lines.input().len() + of_batch);
    }

    /// Delivers what is left of an ended input, its unfinished line included.
    pub async fn finish(&mut self) -> Ended {
        self.lines.finish();
        match self.deliver().await {
            Flow::Go => Ended::Eof,
            Flow::Stop => Ended::Stopped,
        }
    }

    fn count_cuts(&mut self) {
        let cuts = self.lines.take_cuts();
        if cuts > 0 {
            add(&self.context.counters.event_read_fail, cuts);
            tracing::warn!(cuts, "a line longer than maxLineLength was cut into several events");
        }
    }

    /// Waits for room as long as it takes, but after a stop only for a bounded time.
    async fn deliver(&mut self) -> Flow {
        let batch = self.lines.take();
        if batch.is_empty() {
            return Flow::Go;
        }
        let mut stored = 0;
        let deadline = {
            let mut delivery = pin!(self.context.outlet.deliver_patiently(&batch, &mut stored));
            select! {
                biased;
                () = &mut delivery => None,
                () = self.context.stop.requested() => {
                    self.end_command();
                    let deadline = self.store_deadline();
                    // The same future goes on: a put that is under way must not be begun twice.
                    let _late = timeout_at(deadline, delivery).await;
                    Some(deadline)
                }
            }
        };
        self.stored(&batch, stored);
        let Some(deadline) = deadline else { return Flow::Go };
        if self.keep.is_some() {
            // The rest comes again. A later line must not be stored before it: there is one position.
            return Flow::Stop;
        }
        self.context.outlet.give_up(STOPPED, batch.len() - stored);
        self.lines.finish();
        let rest = self.lines.take();
        self.store_until(deadline, &rest).await;
        Flow::Stop
    }

    async fn wind_up(&mut self) {
        self.end_command();
        if self.keep.is_none() {
            self.lines.finish();
        }
        let batch = self.lines.take();
        self.store_until(self.store_deadline(), &batch).await;
    }

    async fn store_until(&mut self, deadline: Instant, batch: &Batch) {
        let mut stored = 0;
        let _late = timeout_at(deadline, self.context.outlet.deliver_patiently(batch, &mut stored)).await;
        self.stored(batch, stored);
        if self.keep.is_none() {
            self.context.outlet.give_up(STOPPED, batch.len() - stored);
        }
    }
    fn store_deadline(&self) -> Instant {
        Instant::now() + if self.keep.is_some() { STORE_TIME_MAX_KEPT } else { STORE_TIME_MAX }
    }

    fn end_command(&self) {
        if let Some(group) = self.group {
            group.terminate();
        }
    }
}
