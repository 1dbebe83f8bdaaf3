//! The read buffer of a source: big, handed on without copying, and recycled.
//!
//! ```text
//! buffer   │ taken (shared with batches) │ held: unfinished input │ room for the next read │
//! ```
//!
//! Bytes are read behind what is held; [`Arena::take`] hands the front on as the arena of a batch. When the
//! room gets small, what is held moves to another buffer: an old one whose batches are all gone if there is
//! one, because the kernel must zero every fresh page and that costs more than the copy.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Less than this is copied out: few bytes of a slow input must not keep a whole buffer alive in a channel.
const COPY_BELOW_BYTES: usize = 8 * 1024;
/// Most buffers that wait for their batches to be gone. With more in flight, fresh memory is the lesser cost.
const SPENT_MAX: usize = 16;

/// A buffer that grows when something in it is long, and shrinks back.
pub(super) struct Arena {
    buffer: BytesMut,
    usual_bytes: usize,
    /// What the present buffer was made with.
    made_bytes: usize,
    spent: VecDeque<BytesMut>,
}

impl Arena {
    /// An arena of buffers of this size; the first is made by the first [`reserve`](Self::reserve).
    pub fn new(usual_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), usual_bytes, made_bytes: 0, spent: VecDeque::new() }
    }
    /// What is held.
    pub fn held(&self) -> &[u8] {
        &self.buffer
    }
    /// Room for the next read, without moving anything.
    pub fn room(&self) -> usize {
        self.buffer.capacity() - self.buffer.len()
    }
    /// Where the next read goes.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }
    /// Forgets what is held behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.buffer.truncate(len);
    }

    /// Makes room for at least `room` bytes behind what is held, which keeps its place from the start.
    pub fn reserve(&mut self, room: usize) {
        if self.room() >= room || self.buffer.try_reclaim(room) {
            return;
        }
        let wanted = self.usual_bytes.max(self.buffer.len() * 2 + room);
        let next = self.recycled(wanted).unwrap_or_else(|| BytesMut::with_capacity(wanted));
        self.switch_to(next, wanted);
    }

    /// The first `count` bytes as an arena for a batch.
    pub fn take(&mut self, count: usize) -> Bytes {
        if count < COPY_BELOW_BYTES {
            let copy = Bytes::copy_from_slice(&self.buffer[..count]);
            self.buffer.advance(count);
            return copy;
        }
        let taken = self.buffer.split_to(count).freeze();
        if self.made_bytes > self.usual_bytes && self.buffer.len() < self.usual_bytes / 2 {
            // The long thing is gone; its buffer shall go with the batch.
            self.switch_to(BytesMut::with_capacity(self.usual_bytes), self.usual_bytes);
        }
        taken
    }

    fn recycled(&mut self, wanted: usize) -> Option<BytesMut> {
        // Batches mostly go in order, so the oldest buffer is free first.
        let mut oldest = self.spent.pop_front()?;
        if wanted == self.usual_bytes && oldest.try_reclaim(wanted) {
            return Some(oldest);
        }
        self.spent.push_front(oldest);
        None
    }

    fn switch_to(&mut self, mut next: BytesMut, made_bytes: usize) {
        next.extend_from_slice(&self.buffer);
        let mut old = std::mem::replace(&mut self.buffer, next);
        old.clear();
        if std::mem::replace(&mut self.made_bytes, made_bytes) != self.usual_bytes {
            return;
        }
        if self.spent.len() == SPENT_MAX {
            self.spent.pop_front();
        }
        self.spent.push_back(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 64 * 1024;

    fn fill(arena: &mut Arena, count: usize) {
        arena.reserve(count);
        arena.input().extend_from_slice(&vec![b'x'; count]);
    }

    #[test]
    fn a_buffer_is_used_again_once_its_batches_are_gone() {
        let mut arena = Arena::new(BYTES);
        fill(&mut arena, BYTES);
        let first = arena.take(BYTES);
        let place = first.as_ptr();
        fill(&mut arena, BYTES);
        let second = arena.take(BYTES);
        assert_ne!(second.as_ptr(), place, "the first is still held");
        drop(first);
        fill(&mut arena, BYTES);
        assert_eq!(arena.take(BYTES).as_ptr(), place);
        drop(second);
    }

    #[test]
    fn few_bytes_do_not_hold_the_buffer() {
        let mut arena = Arena::new(BYTES);
        fill(&mut arena, BYTES);
        let before = arena.held().as_ptr();
        let few = arena.take(10);
        assert_ne!(few.as_ptr(), before);
        assert_eq!((few.len(), arena.held().len()), (10, BYTES - 10));
    }

    #[test]
    fn a_long_input_grows_the_buffer_and_the_next_one_is_of_usual_size() {
        let mut arena = Arena::new(BYTES);
        for _ in 0..10 {
            fill(&mut arena, BYTES);
        }
        assert_eq!(arena.held().len(), 10 * BYTES);
        let taken = arena.take(10 * BYTES);
        assert_eq!(taken.len(), 10 * BYTES);
        assert_eq!(arena.room(), BYTES);
    }
}
