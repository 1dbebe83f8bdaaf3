//! The command's output through a deserializer (a plugin) instead of into lines.
//!
//! ```text
//! pipe ──read──▶ decode(bytes) ──events──▶ outlet, patiently ──▶ decode() … until less than asked for ──▶ read
//!  ▲                                                                                                     │
//!  └───────── not read while the channel is full or the deserializer works: the command waits ◀──────────┘
//! ```
//!
//! Invariants: at most one read is in memory besides what the deserializer keeps; every event that it has answered
//! is stored, or counted as dropped when the source is stopped with a full channel. What a deserializer that fails
//! had kept back is lost with it; the command ends then, and this is counted as a read that failed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use flumen_event::Batch;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::select;
use tokio::time::{Instant, timeout_at};

use super::command::Group;
use super::pump::Ended;
use crate::ComponentError;
use crate::deserializer::{Decoded, Deserializer, DeserializerFactory};
use crate::ledger::add;
use crate::source::SourceContext;

/// One read, and the most that a plugin gets at once.
const READ_BYTES: usize = 256 << 10;
/// The most events it is asked for at once.
const EVENTS_MAX: usize = 1000;
/// As for lines: events that were read before a stop have this long to find room.
const STORE_TIME_MAX: Duration = Duration::from_secs(4);
const STOPPED: &str = "exec: stopped while the channel was full";

/// Reads one run of the command to its end.
pub(super) struct Decoding<'a> {
    pub context: &'a SourceContext,
    pub factory: &'a Arc<dyn DeserializerFactory>,
    pub group: Group,
}

/// What is to be decoded next.
enum Step<'b> {
    Bytes(&'b [u8]),
    End,
}

impl Decoding<'_> {
    /// Until the output ends, stop is asked for, or the deserializer cannot go on.
    pub async fn run(&self, input: &mut (impl AsyncRead + Unpin)) -> Result<Ended, ComponentError> {
        let mut deserializer = self.factory.open("", 0).await?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = select! {
                biased;
                () = self.context.stop.requested() => None,
                read = input.read(&mut buffer) => Some(read),
            };
            let count = match read {
                None => {
                    self.group.terminate();
                    self.decode(&mut *deserializer, Step::End).await?;
                    return Ok(Ended::Stopped);
                }
                Some(Ok(count)) => count,
                Some(Err(error)) => {
                    tracing::warn!(%error, "the command's output cannot be read any more");
                    add(&self.context.counters.event_read_fail, 1);
                    0
                }
            };
            let step = if count == 0 { Step::End } else { Step::Bytes(&buffer[..count]) };
            let ended = self.decode(&mut *deserializer, step).await?;
            if ended == Ended::Stopped || count == 0 {
                return Ok(ended);
            }
        }
    }

    /// Decodes until the deserializer wants more bytes.
    async fn decode(
        &self,
        deserializer: &mut dyn Deserializer,
        step: Step<'_>,
    ) -> Result<Ended, ComponentError> {
        let mut bytes = match step {
            Step::Bytes(bytes) => Some(bytes),
            Step::End => None,
        };
        loop {
            let answer: Result<Decoded, ComponentError> = match bytes {
                Some(bytes) => deserializer.decode(bytes, EVENTS_MAX).await,
                None => deserializer.finish(EVENTS_MAX).await,
            };
            let batch = answer.inspect_err(|_| add(&self.context.counters.event_read_fail, 1))?.batch;
            let wants_more = batch.len() < EVENTS_MAX;
            if self.deliver(batch).await == Ended::Stopped {
                return Ok(Ended::Stopped);
            }
            if wants_more {
                return Ok(Ended::Eof);
            }
            bytes = bytes.map(|_| &[][..]);
        }
    }

    /// Waits for room as long as it takes, but after a stop only for a bounded time.
    async fn deliver(&self, batch: Batch) -> Ended {
        if batch.is_empty() {
            return Ended::Eof;
        }
        let mut stored = 0;
        let is_stopped = {
            let mut delivery = pin!(self.context.outlet.deliver_patiently(&batch, &mut stored));
            select! {
                biased;
                () = &mut delivery => false,
                () = self.context.stop.requested() => {
                    self.group.terminate();
                    // The same future goes on: a put that is under way must not be begun twice.
                    let _late = timeout_at(Instant::now() + STORE_TIME_MAX, delivery).await;
                    true
                }
            }
        };
        if !is_stopped {
            return Ended::Eof;
        }
        self.context.outlet.give_up(STOPPED, batch.len() - stored);
        Ended::Stopped
    }
}
