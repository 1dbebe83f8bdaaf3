//! What large reads of all connections of a source may take together.
//!
//! A connection that sends much is read in large pieces. Without a common bound, as many of them as there are
//! connections could wait for room in a channel, or for a client that does not read its answers.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many bytes of large reads are under way in all connections of a source.
#[derive(Default)]
pub(super) struct LargeReads(AtomicUsize);

/// A part of the large reads, until it is dropped.
pub(super) struct Share<'a> {
    all: &'a LargeReads,
    taken: usize,
    read_bytes: usize,
}

impl LargeReads {
    /// Room for a read of this size, or of the smallest size if there is too much under way.
    pub fn share(&self, bytes: usize, bytes_min: usize) -> Share<'_> {
        if bytes <= bytes_min {
            return Share { all: self, taken: 0, read_bytes: bytes_min };
        }
        let before = self.0.fetch_add(bytes, Relaxed);
        if before + bytes > BYTES_MAX {
            self.0.fetch_sub(bytes, Relaxed);
            return Share { all: self, taken: 0, read_bytes: bytes_min };
        }
        Share { all: self, taken: bytes, read_bytes: bytes }
    }
}

impl Share<'_> {
    /// How much may be read.
    pub fn read_bytes(&self) -> usize {
        self.read_bytes
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.taken, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_reads_are_small_until_others_are_done() {
        let all = LargeReads::default();
        let large: Vec<Share<'_>> = (0..32).map(|_| all.share(1 << 20, 4096)).collect();
        assert!(large.iter().all(|share| share.read_bytes() == 1 << 20));
        assert_eq!(all.share(1 << 20, 4096).read_bytes(), 4096);
        drop(large);
        assert_eq!(all.share(1 << 20, 4096).read_bytes(), 1 << 20);
    }
}
