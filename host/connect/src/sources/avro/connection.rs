//! One client: read, store, answer, in this order. A client that does not take its answers is not read from either,
//! and OK is never sent before the events are stored.
//!
//! ```text
//! wire ─▶ scratch, one for each thread ─▶ framer: arenas of the frames' own size ─▶ session ─▶ outlet ─▶ answer
//! ```
//!
//! An idle connection has no buffer at all: what is read lands in a buffer of the thread, and only frames that are
//! not complete, or not answered yet, are held.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;

use flumen_event::Batch;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::memory::{Held, Memory, READ_BYTES_MAX, READ_BYTES_MIN, next_read};
use crate::ledger::add;
use crate::outlet::{Outlet, RejectReason};
use crate::source::SourceContext;
use crate::wire::AnyWire;
use crate::wire::avro::frame::{Frame, FrameError, FrameLimits, Framer};
use crate::wire::avro::protocol::{Method, Status};
use crate::wire::avro::responder::{Outcome, Request, Session, put_answer};

/// How long the end of a connection may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// Answers are sent together up to this size.
const ANSWERS_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Where reads land before they are cut into frames. It stays in the processor's cache.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What all connections of a source share.
pub(super) struct Shared {
    pub limits: FrameLimits,
    /// For a request that has begun, for memory, and for an answer to be taken.
    pub patience: Duration,
    pub memory: Memory,
    /// Requests that may be stored at once.
    pub threads: Option<Semaphore>,
}

/// Why a connection was closed by us.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    #[error("{0}")]
    Broken(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("it ended inside a request")]
    EndedInside,
    #[error("a request was not complete within {0:?} (timeoutSeconds)")]
    SlowRequest(Duration),
    #[error("an answer was not taken within {0:?} (timeoutSeconds)")]
    SlowReader(Duration),
    #[error("{bytes} bytes of requests found no memory within {patience:?} (pendingBytesMax)")]
    NoMemory { bytes: usize, patience: Duration },
}

impl Closed {
    /// Whether it is of no interest to operators: clients come and go.
    pub(super) fn is_usual(&self) -> bool {
        matches!(self, Closed::Broken(error) if error.kind() != io::ErrorKind::InvalidData)
    }
}

/// Serves the connection until the client or the agent ends it. `first` has been read of it already.
pub(super) async fn serve(
    wire: AnyWire,
    first: Vec<u8>,
    shared: &Shared,
    context: &SourceContext,
) -> Result<(), Closed> {
    let mut connection = Connection {
        wire,
        framer: Framer::new(shared.limits),
        session: Session::default(),
        frames: Vec::new(),
        answers: Vec::new(),
        read_bytes: READ_BYTES_MIN,
        held: Held::default(),
        begun: None,
        shared,
        context,
    };
    take(&first, &mut connection.framer, &mut connection.frames)?;
    drop(first);
    loop {
        connection.settle().await?;
        connection.answer_all().await?;
        // What has been answered is stored; what has not is still the client's.
        if context.stop.is_requested() || !connection.read().await? {
            // TLS says goodbye; whether the client hears it makes no difference.
            let _unheard = tokio::time::timeout(GOODBYE_WITHIN, connection.wire.shutdown()).await;
            return Ok(());
        }
    }
}

struct Connection<'a> {
    wire: AnyWire,
    framer: Framer,
    session: Session,
    /// Complete, and not answered yet.
    frames: Vec<Frame>,
    answers: Vec<u8>,
    read_bytes: usize,
    held: Held,
    /// When the request began that is not complete.
    begun: Option<Instant>,
    shared: &'a Shared,
    context: &'a SourceContext,
}

impl Connection<'_> {
    /// Reads once and cuts what came. False: there is nothing more to serve.
    async fn read(&mut self) -> Result<bool, Closed> {
        let patience = self.shared.patience;
        // Held until the read is cut; what is left of it then is accounted for by `settle`.
        let share = self.shared.memory.share(self.read_bytes);
        let read_bytes = share.read_bytes();
        let read = read_frames(&mut self.wire, read_bytes, &mut self.framer, &mut self.frames);
        let deadline = self.begun.map(|begun| begun + patience);
        let count = tokio::select! {
            () = self.context.stop.requested() => return Ok(false),
            read = within(deadline, read) => read.ok_or(Closed::SlowRequest(patience))??,
        };
        if count == 0 {
            return if self.framer.is_inside() { Err(Closed::EndedInside) } else { Ok(false) };
        }
        self.read_bytes = next_read(read_bytes, count);
        Ok(true)
    }

    /// Brings what is accounted for in line with what is held, and notes when a request has begun.
    async fn settle(&mut self) -> Result<(), Closed> {
        let complete: usize = self.frames.iter().map(|frame| frame.payload.len()).sum();
        let bytes = complete + self.framer.held_bytes();
        let patience = self.shared.patience;
        let held = self.shared.memory.hold(&mut self.held, bytes);
        if within(Some(Instant::now() + patience), held).await.is_none() {
            return Err(Closed::NoMemory { bytes, patience });
        }
        self.begun = match self.begun {
            _ if !self.framer.is_inside() => None,
            Some(begun) if self.frames.is_empty() => Some(begun),
            _ => Some(Instant::now()),
        };
        Ok(())
    }

    async fn answer_all(&mut self) -> Result<(), Closed> {
        if self.frames.is_empty() {
            return Ok(());
        }
        for frame in std::mem::take(&mut self.frames) {
            self.answer(frame).await?;
            if self.answers.len() >= ANSWERS_BYTES_MAX {
                self.send().await?;
            }
        }
        self.send().await?;
        self.answers = Vec::new();
        self.shared.memory.hold(&mut self.held, self.framer.held_bytes()).await;
        Ok(())
    }

    async fn answer(&mut self, frame: Frame) -> Result<(), Closed> {
        let request = self.session.request(&frame.payload);
        drop(frame.payload);
        let (handshake, outcome) = match request {
            Request::Done { handshake, outcome } => {
                if let Outcome::Exception(why) = &outcome {
                    add(&self.context.counters.event_read_fail, 1);
                    tracing::debug!(why, "a request was answered with an exception");
                }
                (handshake, outcome)
            }
            Request::Events { method, batches, handshake } => {
                let mut storing = pin!(store(method, batches, self.shared, self.context));
                let stored = poll_fn(|task| Poll::Ready(storing.as_mut().poll(task))).await;
                let outcome = match stored {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => {
                        // Earlier requests must not wait for the room that this one waits for.
                        send(&mut self.wire, &mut self.answers, self.shared.patience).await?;
                        storing.await
                    }
                };
                (handshake, outcome)
            }
        };
        put_answer(frame.serial, &handshake, &outcome, &mut self.answers);
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Closed> {
        send(&mut self.wire, &mut self.answers, self.shared.patience).await
    }
}

async fn send(wire: &mut AnyWire, answers: &mut Vec<u8>, patience: Duration) -> Result<(), Closed> {
    if answers.is_empty() {
        return Ok(());
    }
    let sending = async {
        wire.write_all(answers).await?;
        wire.flush().await
    };
    let deadline = Some(Instant::now() + patience);
    within(deadline, sending).await.ok_or(Closed::SlowReader(patience))??;
    answers.clear();
    Ok(())
}

/// Stores what a call brought; the answer that Flume would give.
async fn store(method: Method, batches: Vec<Batch>, shared: &Shared, context: &SourceContext) -> Outcome {
    let counters = &context.counters;
    let (received, accepted) = match method {
        Method::Append => (&counters.append_received, &counters.append_accepted),
        Method::AppendBatch => (&counters.append_batch_received, &counters.append_batch_accepted),
    };
    add(received, 1);
    let _one_of_the_threads = match &shared.threads {
        // It is never closed.
        Some(threads) => threads.acquire().await.ok(),
        None => None,
    };
    match deliver(&context.outlet, batches).await {
        Ok(()) => {
            add(accepted, 1);
            Outcome::Status(Status::Ok)
        }
        Err(RejectReason::Interceptor(reason)) if method == Method::Append => {
            tracing::debug!(%reason, "an event was answered with an exception");
            Outcome::Exception(format!("org.apache.flume.FlumeException: {reason}"))
        }
        Err(reason) => {
            tracing::debug!(%reason, "a request was answered with FAILED");
            Outcome::Status(Status::Failed)
        }
    }
}

/// Mostly one batch. Where there are several (thousands of different headers), and one is refused, those before it
/// stay: the client, who is told FAILED, sends them again.
async fn deliver(outlet: &Outlet, batches: Vec<Batch>) -> Result<(), RejectReason> {
    let mut batches = batches.into_iter();
    while let Some(batch) = batches.next() {
        if let Err(rejected) = outlet.here().deliver(batch).await {
            outlet.refuse(batches.map(|batch| batch.len()).sum());
            return Err(rejected.reason);
        }
    }
    Ok(())
}

/// Reads once, at most so many bytes, and cuts them into frames. Says how many bytes came; 0 at the end.
async fn read_frames(
    wire: &mut AnyWire,
    read_bytes: usize,
    framer: &mut Framer,
    frames: &mut Vec<Frame>,
) -> Result<usize, Closed> {
    poll_fn(|task| {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(READ_BYTES_MAX, 0);
            let mut buffer = ReadBuf::new(&mut scratch[..read_bytes.min(READ_BYTES_MAX)]);
            ready!(Pin::new(&mut *wire).poll_read(task, &mut buffer))?;
            take(buffer.filled(), framer, frames)?;
            Poll::Ready(Ok(buffer.filled().len()))
        })
    })
    .await
}

fn take(mut input: &[u8], framer: &mut Framer, frames: &mut Vec<Frame>) -> Result<(), FrameError> {
    while let Some(frame) = framer.feed(&mut input)? {
        frames.push(frame);
    }
    Ok(())
}

/// The result, unless the time is over before. Without a deadline as long as it takes.
async fn within<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
