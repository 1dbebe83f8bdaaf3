//! What all connections of a source may hold in memory together.
//!
//! ```text
//! reads       a small one always, a large one while large ones together stay below a bound
//! requests    16 KiB each are free; what is more comes out of `pendingBytesMax`, until it is answered
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// First read of a connection; grows while the client fills it, shrinks when it does not.
pub(super) const READ_BYTES_MIN: usize = 16 * 1024;
/// Largest read.
pub(super) const READ_BYTES_MAX: usize = 256 * 1024;
/// What large reads may bring in together before they are answered.
const LARGE_READS_BYTES_MAX: usize = 32 << 20;
/// So much of a request is not counted: ten thousand idle-looking clients hold at most ten thousand times this.
const FREE_BYTES: usize = 16 * 1024;
/// Requests are counted in pieces of this size.
const PIECE_BYTES: usize = 1024;

pub(super) struct Memory {
    large_reads: AtomicUsize,
    pieces: Arc<Semaphore>,
    pieces_max: usize,
}

/// The part of one connection; given back when it is dropped.
#[derive(Default)]
pub(super) struct Held {
    permit: Option<OwnedSemaphorePermit>,
}

/// A part of the large reads, until what was read is answered.
pub(super) struct Share<'a>(&'a Memory, usize);

impl Memory {
    pub(super) fn new(pending_bytes_max: usize) -> Self {
        let pieces_max = (pending_bytes_max / PIECE_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { large_reads: AtomicUsize::new(0), pieces: Arc::new(Semaphore::new(pieces_max)), pieces_max }
    }

    /// Room for a read of this size, or of the smallest size if there is too much under way.
    pub(super) fn share(&self, bytes: usize) -> Share<'_> {
        if bytes <= READ_BYTES_MIN {
            return Share(self, 0);
        }
        let before = self.large_reads.fetch_add(bytes, Relaxed);
        let share = Share(self, bytes);
        if before + bytes > LARGE_READS_BYTES_MAX { Share(self, 0) } else { share }
    }

    /// Takes or gives back until so many bytes are held. Waits for others if it must.
    pub(super) async fn hold(&self, held: &mut Held, bytes: usize) {
        let wanted = bytes.saturating_sub(FREE_BYTES).div_ceil(PIECE_BYTES).min(self.pieces_max);
        let has = held.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted < has {
            let surplus = held.permit.as_mut().and_then(|permit| permit.split(has - wanted));
            drop(surplus);
        } else if wanted > has {
            let more = u32::try_from(wanted - has).unwrap_or(u32::MAX);
            // It is never closed.
            let Ok(more) = self.pieces.clone().acquire_many_owned(more).await else { return };
            match &mut held.permit {
                None => held.permit = Some(more),
                Some(permit) => permit.merge(more),
            }
        }
    }
}

impl Share<'_> {
    pub(super) fn read_bytes(&self) -> usize {
        self.1.max(READ_BYTES_MIN)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.0.large_reads.fetch_sub(self.1, Relaxed);
    }
}

/// The next read's size: four times as much while reads come back full, down again while they are small.
pub(super) fn next_read(read_bytes: usize, count: usize) -> usize {
    if count >= read_bytes {
        (read_bytes * 4).min(READ_BYTES_MAX)
    } else if count < read_bytes / 8 {
        (read_bytes / 2).max(READ_BYTES_MIN)
    } else {
        read_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_bounded_and_given_back() {
        let memory = Memory::new(64 * 1024);
        let (mut one, mut two) = (Held::default(), Held::default());
        memory.hold(&mut one, FREE_BYTES + 60 * 1024).await;
        memory.hold(&mut two, FREE_BYTES + 4 * 1024).await;
        assert_eq!(memory.pieces.available_permits(), 0);
        memory.hold(&mut two, FREE_BYTES).await;
        assert_eq!(memory.pieces.available_permits(), 4);
        {
            let mut more = std::pin::pin!(memory.hold(&mut two, FREE_BYTES + 10 * 1024));
            assert!(futures_util::poll!(&mut more).is_pending());
            memory.hold(&mut one, 0).await;
            more.await;
        }
        drop((one, two));
        assert_eq!(memory.pieces.available_permits(), 64);
    }

    #[tokio::test]
    async fn a_request_larger_than_everything_goes_alone() {
        let memory = Memory::new(4 * 1024);
        let mut held = Held::default();
        memory.hold(&mut held, 1 << 30).await;
        assert_eq!(memory.pieces.available_permits(), 0);
    }
}
