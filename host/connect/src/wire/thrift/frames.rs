//! Frames off a connection: never more memory than the limits allow, whatever a frame's length claims.
//!
//! ```text
//! nothing yet      1 KiB, however long the peer is silent
//! up to 16 KiB     of each connection, without asking
//! beyond           a share of the source's budget, until the call is done; without one the peer waits
//! ```
//!
//! Small frames need no share, so that slow senders of large ones cannot keep the others from being served.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Room for the first bytes of a frame.
const FIRST_BYTES: usize = 1024;
/// A frame of this size needs no share of the budget.
const FREE_BYTES: usize = 16 * 1024;
/// What large frames of all connections of a source may take together, as libthrift's servers have it.
const BUDGET_BYTES: usize = 256 << 20;
/// The budget is counted in pieces of this size.
const PIECE_BYTES: usize = 1024;
/// Below this many bytes a frame is copied out of the buffer: few bytes shall not keep a large buffer alive.
const COPY_BELOW_BYTES: usize = 8 * 1024;
/// How long a frame may take from its first byte to its last. Flume's clients give a call up after 20 s.
pub(crate) const FRAME_WITHIN: Duration = Duration::from_secs(120);

/// Why no further frame comes off a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the peer closed within a frame")]
    Cut,
    #[error("a frame claims {claimed} bytes; the limit is {max}{}", hint(*.claimed))]
    Size { claimed: i32, max: usize },
    #[error("a frame was not complete within {} s", FRAME_WITHIN.as_secs())]
    TooSlow,
}

/// What speaks here, if it is not Thrift in frames.
fn hint(claimed: i32) -> &'static str {
    match claimed.to_be_bytes() {
        [0x80, 1, ..] => ": this is Thrift without frames, and the peer must frame its messages",
        [0x82, ..] => ": this is Thrift without frames, and the peer must frame its messages",
        [0x16, 3, ..] => ": this is TLS, and `ssl` is not set here",
        [b'G', b'E', b'T', _] | [b'P', b'O', b'S', b'T'] | [b'H', b'E', b'A', b'D'] => ": this is HTTP",
        _ => "",
    }
}

/// What the frames of a source, or of a client, may take.
#[derive(Clone, Debug)]
pub(crate) struct FrameLimits {
    pub bytes_max: usize,
    budget: Arc<Semaphore>,
}

impl FrameLimits {
    /// Limits that all connections share.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let pieces = BUDGET_BYTES.max(bytes_max).div_ceil(PIECE_BYTES);
        Self { bytes_max, budget: Arc::new(Semaphore::new(pieces.min(Semaphore::MAX_PERMITS))) }
    }
    async fn share(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        if bytes <= FREE_BYTES {
            return None;
        }
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        // It is never closed; without a share there would only be no bound.
        self.budget.clone().acquire_many_owned(pieces).await.ok()
    }
}

/// A frame, without its length, and its share of the budget.
pub(crate) struct Frame {
    pub bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// What is read of a connection and not taken yet.
pub(crate) struct Frames {
    limits: FrameLimits,
    buffer: BytesMut,
    /// Bytes of the frame before: the next is often like it.
    usual_bytes: usize,
}

impl Frames {
    pub(crate) fn new(limits: FrameLimits) -> Self {
        Self { limits, buffer: BytesMut::new(), usual_bytes: FIRST_BYTES }
    }

    /// Returns when the first byte of the next frame is here; false if the peer is done. May be dropped and called
    /// again.
    pub(crate) async fn has_begun<R: AsyncRead + Unpin>(
        &mut self,
        input: &mut R,
    ) -> Result<bool, FrameError> {
        if !self.buffer.is_empty() {
            return Ok(true);
        }
        self.buffer.reserve(self.usual_bytes.clamp(FIRST_BYTES, FREE_BYTES));
        Ok(input.read_buf(&mut self.buffer).await? > 0)
    }

    /// The frame that has begun.
    pub(crate) async fn next<R: AsyncRead + Unpin>(&mut self, input: &mut R) -> Result<Frame, FrameError> {
        let deadline = Instant::now() + FRAME_WITHIN;
        self.fill(input, 4, deadline).await?;
        let claimed = i32::from_be_bytes(*self.buffer.first_chunk().ok_or(FrameError::Cut)?);
        let max = self.limits.bytes_max;
        let size = usize::try_from(claimed).ok().filter(|size| (1..=max).contains(size));
        let size = size.ok_or(FrameError::Size { claimed, max })?;
        self.usual_bytes = size + 4;
        let waited = Instant::now();
        let share = self.limits.share(size).await;
        self.fill(input, size + 4, deadline + waited.elapsed()).await?;
        self.buffer.advance(4);
        if size < COPY_BELOW_BYTES {
            let bytes = Bytes::copy_from_slice(&self.buffer[..size]);
            self.buffer.advance(size);
            return Ok(Frame { bytes, _share: share });
        }
        let bytes = self.buffer.split_to(size).freeze();
        // What is left, often nothing, moves out: its share is given back with the frame, so that the large buffer
        // may not stay with a silent peer.
        self.buffer = BytesMut::from(&self.buffer[..]);
        Ok(Frame { bytes, _share: share })
    }

    async fn fill<R: AsyncRead + Unpin>(
        &mut self,
        input: &mut R,
        bytes: usize,
        deadline: Instant,
    ) -> Result<(), FrameError> {
        while self.buffer.len() < bytes {
            self.buffer.reserve(bytes - self.buffer.len());
            match timeout_at(deadline, input.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return Err(FrameError::Cut),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(FrameError::TooSlow),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
