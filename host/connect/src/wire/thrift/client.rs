//! The client's end: `append` and `appendBatch` with their answers, one call at a time.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use flumen_event::{Batch, EventRef};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::events::{self, fit};
use super::frames::{FrameError, FrameLimits, Frames};
use super::message::{Answer, CALL, EXCEPTION, Exception, read_answer};
use super::{FRAME_BYTES_MAX, Malformed, Protocol, Reader};

/// Answers are some dozen bytes; more than this is none.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// A write buffer above this is given back after its call.
const KEEP_BYTES: usize = 1 << 20;

/// Anything that carries bytes both ways: TCP, or TLS over it.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// Why a call failed. After any of these the connection is of no use: nobody knows what the peer has read.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no connection.
    #[error("cannot connect to {host}:{port}: {cause}")]
    Connect {
        /// The peer.
        host: String,
        /// Its port.
        port: u16,
        /// What the system said.
        cause: String,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The peer's answer is none.
    #[error("no valid answer: {0}")]
    Frame(FrameProblem),
    /// The peer's answer cannot be read.
    #[error("the answer cannot be read: {0}; do both ends have the same `protocol`?")]
    Malformed(#[from] Malformed),
    /// The peer closed instead of answering.
    #[error(
        "the peer closed the connection without an answer; is it a Thrift source with the same `protocol` and `ssl`, \
         and does it take frames of this size?"
    )]
    Closed,
    /// No answer in time.
    #[error("no answer within {0} ms (`request-timeout`)")]
    TimedOut(u128),
    /// The answer to another call.
    #[error("the answer belongs to call {found}, and not to call {expected}")]
    Sequence {
        /// Ours.
        expected: i32,
        /// Theirs.
        found: i32,
    },
    /// The peer could not work on the call.
    #[error("the peer answered: {0}")]
    Exception(Exception),
    /// An answer without a status.
    #[error("the answer has no status")]
    NoStatus,
    /// The peer did not store the events.
    #[error("Failed to deliver events. Server returned status : {}", status_name(*.0))]
    Refused(i32),
}

/// A frame that is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FrameProblem(String);

impl From<FrameError> for ClientError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => Self::Io(error),
            FrameError::Cut => Self::Closed,
            other => Self::Frame(FrameProblem(other.to_string())),
        }
    }
}

fn status_name(status: i32) -> &'static str {
    match status {
        0 => "OK",
        1 => "FAILED",
        2 => "ERROR",
        _ => "UNKNOWN",
    }
}

/// Opens a TCP connection without delay of small writes.
///
/// # Errors
/// If it cannot be had in time.
pub async fn dial(host: &str, port: u16, within: Duration) -> Result<TcpStream, ClientError> {
    let failed = |cause: String| ClientError::Connect { host: host.to_owned(), port, cause };
    let connected = timeout(within, TcpStream::connect((host, port))).await;
    let late = |_| failed(format!("no connection within {} ms (`connect-timeout`)", within.as_millis()));
    let stream = connected.map_err(late)?.map_err(|error| failed(error.to_string()))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection to a Thrift source.
pub struct ThriftClient {
    stream: Box<dyn Stream>,
    frames: Frames,
    protocol: Protocol,
    request_timeout: Duration,
    frame_bytes_max: usize,
    sequence: i32,
    out: Vec<u8>,
}

/// How calls are made.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// As the peer expects it.
    pub protocol: Protocol,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// The largest frame that the peer takes.
    pub frame_bytes_max: usize,
}

impl Default for Calls {
    /// Flume's defaults.
    fn default() -> Self {
        Self {
            protocol: Protocol::Compact,
            request_timeout: Duration::from_secs(20),
            frame_bytes_max: FRAME_BYTES_MAX,
        }
    }
}

/// What became of events that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Events that no frame can hold; all others are stored by the peer.
    pub too_large: usize,
}

impl ThriftClient {
    /// A client over an open connection.
    pub fn over(stream: impl Stream + 'static, calls: Calls) -> Self {
        Self {
            stream: Box::new(stream),
            frames: Frames::new(FrameLimits::new(ANSWER_BYTES_MAX)),
            protocol: calls.protocol,
            request_timeout: calls.request_timeout,
            frame_bytes_max: calls.frame_bytes_max,
            sequence: 0,
            out: Vec::new(),
        }
    }

    /// Whether the peer has closed the connection, or sent what nobody asked for. Does not wait.
    pub async fn is_broken(&mut self) -> bool {
        let mut begun = pin!(self.frames.has_begun(&mut self.stream));
        poll_fn(|context| Poll::Ready(begun.as_mut().poll(context).is_ready())).await
    }

    /// Has the peer store these events: one call of `appendBatch`, or as many as their size needs.
    ///
    /// # Errors
    /// If any of them may not have been stored; some may have been.
    pub async fn append_batch(&mut self, events: &[Batch]) -> Result<Sent, ClientError> {
        let whole = events::room(self.frame_bytes_max);
        let mut sent = Sent::default();
        let mut parts: Vec<Batch> = Vec::with_capacity(events.len());
        let mut room = whole;
        for batch in events {
            let mut rest = batch.clone();
            while !rest.is_empty() {
                let (count, bytes) = fit(self.protocol, &rest, room);
                if count > 0 {
                    parts.push(rest.split_to(count));
                    room -= bytes;
                } else if fit(self.protocol, &rest.slice(0..1), whole).0 == 0 {
                    drop(rest.split_to(1));
                    sent.too_large += 1;
                } else {
                    self.call(|protocol, sequence, out| events::write_batch(protocol, sequence, &parts, out))
                        .await?;
                    parts.clear();
                    room = whole;
                }
            }
        }
        if !parts.is_empty() {
            self.call(|protocol, sequence, out| events::write_batch(protocol, sequence, &parts, out)).await?;
        }
        Ok(sent)
    }

    /// Has the peer store one event, with a call of `append`.
    ///
    /// # Errors
    /// If it may not have been stored.
    pub async fn append(&mut self, event: EventRef<'_>) -> Result<(), ClientError> {
        self.call(|protocol, sequence, out| events::write_one(protocol, sequence, event, out)).await
    }

    /// Ends the connection.
    pub async fn close(&mut self) {
        // A peer that is gone needs no goodbye.
        let _gone = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }

    async fn call(&mut self, write: impl FnOnce(Protocol, i32, &mut Vec<u8>)) -> Result<(), ClientError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        write(self.protocol, self.sequence, &mut out);
        let answered = timeout(self.request_timeout, self.exchange(&out)).await;
        if out.capacity() <= KEEP_BYTES {
            self.out = out;
        }
        match answered {
            Ok(answer) => self.understand(&answer?),
            Err(_late) => Err(ClientError::TimedOut(self.request_timeout.as_millis())),
        }
    }

    async fn exchange(&mut self, call: &[u8]) -> Result<bytes::Bytes, ClientError> {
        self.stream.write_all(call).await?;
        self.stream.flush().await?;
        if !self.frames.has_begun(&mut self.stream).await? {
            return Err(ClientError::Closed);
        }
        Ok(self.frames.next(&mut self.stream).await?.bytes)
    }

    fn understand(&self, frame: &[u8]) -> Result<(), ClientError> {
        let mut reader = Reader::new(self.protocol, frame);
        let head = reader.head()?;
        if head.kind == CALL {
            return Err(ClientError::NoStatus);
        }
        // In libthrift an exception counts whatever call it belongs to.
        if head.kind != EXCEPTION && head.sequence != self.sequence {
            return Err(ClientError::Sequence { expected: self.sequence, found: head.sequence });
        }
        match read_answer(&mut reader, head.kind)? {
            Answer::Status(0) => Ok(()),
            Answer::Status(other) => Err(ClientError::Refused(other)),
            Answer::Nothing => Err(ClientError::NoStatus),
            Answer::Exception(exception) => Err(ClientError::Exception(exception)),
        }
    }
}
