//! What connections read into: large buffers, shared by all connections of a source.
//!
//! A buffer belongs to a connection only from a read to the end of its parsing, between which nothing waits. So there
//! are about as many as threads, however many connections are open, and those whose messages are in channels: these
//! come back when the batches are gone, because the kernel would have to zero every page of a fresh one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;

/// Largest read.
pub(super) const READ_BYTES_MAX: usize = 256 * 1024;
/// An unfinished message up to this size is copied in front of the next read.
pub(super) const TAIL_BYTES_MAX: usize = 64 * 1024;
const BUFFER_BYTES: usize = TAIL_BYTES_MAX + READ_BYTES_MAX;
/// Most buffers that wait to be used, and most that wait for their batches to be gone.
const KEPT_MAX: usize = 16;

/// The buffers of a source.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    free: Vec<BytesMut>,
    /// What is left of buffers whose front is in batches; the oldest is free first.
    spent: VecDeque<BytesMut>,
}

impl Buffers {
    /// An empty buffer with room for a tail and a read.
    pub fn take(&self) -> BytesMut {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = kept.free.pop() {
            return free;
        }
        if let Some(mut oldest) = kept.spent.pop_front() {
            if oldest.try_reclaim(BUFFER_BYTES) {
                return oldest;
            }
            kept.spent.push_front(oldest);
        }
        drop(kept);
        BytesMut::with_capacity(BUFFER_BYTES)
    }
    /// Gives a buffer back, whatever is in it.
    pub fn give(&self, mut buffer: BytesMut) {
        buffer.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.capacity() >= BUFFER_BYTES {
            if kept.free.len() < KEPT_MAX {
                kept.free.push(buffer);
            }
            return;
        }
        if kept.spent.len() == KEPT_MAX {
            kept.spent.pop_front();
        }
        kept.spent.push_back(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_its_batches_are_gone() {
        let buffers = Buffers::default();
        let mut first = buffers.take();
        first.resize(100_000, b'x');
        let batch = first.split_to(90_000).freeze();
        let place = batch.as_ptr();
        buffers.give(first);
        let second = buffers.take();
        assert_ne!(second.as_ptr(), place, "the batch holds the first");
        drop(batch);
        let third = buffers.take();
        assert_eq!((third.as_ptr(), third.len()), (place, 0));
        let untouched = second.as_ptr();
        buffers.give(second);
        assert_eq!(buffers.take().as_ptr(), untouched);
    }
}
