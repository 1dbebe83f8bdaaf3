//! The server's end of a connection with frames: a call comes, is answered, the next one comes.
//!
//! ```text
//! frame ─▶ head ─▶ Service::call ─▶ answer in its frame
//!          │        the events are in the channels when it returns
//!          └ not Thrift: the connection is closed, as libthrift does
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::frames::{FrameError, FrameLimits, Frames};
use super::message::{Call, Exception};
use super::{Malformed, Protocol, Reader};
use crate::ledger::add;
use crate::source::SourceContext;

/// A client that does not read its answer for so long is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// Broken connections, and refused events, are logged this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What a source answers.
pub(crate) trait Service: Send + Sync {
    /// Answers a call whose arguments begin at a place of the frame.
    fn call(
        &self,
        call: Call<'_>,
        frame: &Bytes,
        arguments_at: usize,
        context: &SourceContext,
    ) -> impl Future<Output = Result<i32, Exception>> + Send;
}

/// What all connections of a source share.
pub(crate) struct Server<S> {
    service: S,
    protocol: Protocol,
    frames: FrameLimits,
    /// So many calls are worked on at the same time.
    at_once: Option<Semaphore>,
    complaints: Complaints,
}

impl<S: Service> Server<S> {
    pub(crate) fn new(service: S, protocol: Protocol, frame_bytes_max: usize, at_once: usize) -> Arc<Self> {
        let at_once = (at_once > 0).then(|| Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
        let frames = FrameLimits::new(frame_bytes_max);
        Arc::new(Self { service, protocol, frames, at_once, complaints: Complaints::default() })
    }

    /// Serves a connection until its client or the agent ends it.
    pub(crate) async fn serve<C>(&self, mut stream: C, peer: SocketAddr, context: &SourceContext)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match self.answer_calls(&mut stream, context).await {
            Ok(()) => {}
            Err(Broken::Frame(FrameError::Io(error)) | Broken::Answer(error)) => {
                tracing::debug!(%peer, %error, "a thrift connection broke");
            }
            Err(broken) => {
                add(&context.counters.event_read_fail, 1);
                if let Some(unsaid) = self.complaints.may_complain() {
                    tracing::warn!(%peer, not_logged_since = unsaid, "thrift connection closed: {broken}");
                }
            }
        }
        // TLS wants its goodbye; a peer that is gone does not.
        let _gone = tokio::time::timeout(Duration::from_secs(1), stream.shutdown()).await;
    }

    async fn answer_calls<C>(&self, stream: &mut C, context: &SourceContext) -> Result<(), Broken>
    where
        C: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut frames = Frames::new(self.frames.clone());
        loop {
            // A call that has not come whole is still its sender's.
            let frame = tokio::select! {
                () = context.stop.requested() => return Ok(()),
                begun = frames.has_begun(stream) => match begun? {
                    false => return Ok(()),
                    true => tokio::select! {
                        () = context.stop.requested() => return Ok(()),
                        frame = frames.next(stream) => frame?,
                    },
                },
            };
            let turn = match &self.at_once {
                // It is never closed.
                Some(at_once) => at_once.acquire().await.ok(),
                None => None,
            };
            let answer = self.answer(&frame.bytes, context).await?;
            drop((frame, turn));
            tokio::select! {
                written = tokio::time::timeout(ANSWER_WITHIN, write(stream, &answer)) => match written {
                    Ok(written) => written.map_err(Broken::Answer)?,
                    Err(_late) => return Err(Broken::NotRead),
                },
                // The answer goes out at once, or its client does not read.
                () = context.stop.requested() => write_now(stream, &answer).await.map_err(Broken::Answer)?,
            }
        }
    }

    async fn answer(&self, frame: &Bytes, context: &SourceContext) -> Result<Vec<u8>, Broken> {
        let mut reader = Reader::new(self.protocol, frame);
        let head = reader.head()?;
        let name = String::from_utf8_lossy(reader.bytes(head.name));
        let call = Call { protocol: self.protocol, name: &name, sequence: head.sequence };
        Ok(match self.service.call(call, frame, reader.position(), context).await {
            Ok(status) => call.reply(status),
            Err(exception) => {
                add(&context.counters.event_read_fail, 1);
                if let Some(unsaid) = self.complaints.may_complain() {
                    tracing::warn!(method = %name, not_logged_since = unsaid, "a call failed: {exception}");
                }
                call.exception(&exception)
            }
        })
    }
}

async fn write<C: AsyncWrite + Unpin>(stream: &mut C, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.flush().await
}

/// What can be written within a moment.
async fn write_now<C: AsyncWrite + Unpin>(stream: &mut C, answer: &[u8]) -> io::Result<()> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    tokio::time::timeout(Duration::from_secs(1), write(stream, answer)).await.map_err(late)?
}

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Head(#[from] Malformed),
    #[error("{0}")]
    Answer(io::Error),
    #[error("the client did not read its answer within {} s", ANSWER_WITHIN.as_secs())]
    NotRead,
}

/// Spaces warnings out that many connections could cause.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<(Option<Instant>, u64)>);

impl Complaints {
    /// How many were held back since the last one, if it is time for another.
    pub(crate) fn may_complain(&self) -> Option<u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.is_some_and(|at| at.elapsed() < COMPLAIN_EVERY) {
            held.1 += 1;
            return None;
        }
        held.0 = Some(Instant::now());
        Some(std::mem::take(&mut held.1))
    }
}
