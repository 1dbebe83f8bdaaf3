//! Sealing what goes into one write: on several threads where that pays, because one AES is slower than a disk.

use crate::file::cipher::{RecordCipher, RecordNonce};
use crate::file::segment::{Active, Draft};

/// Below so many bytes a thread costs more than it saves.
const SHARE_BYTES_MIN: usize = 512 << 10;
const THREADS_MAX: usize = 4;
/// So much memory is kept for the payloads of later groups.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Memory for sealed payloads, used again and again: fresh memory costs more than the sealing.
#[derive(Default)]
pub(super) struct Buffers(Vec<Vec<u8>>);

impl Buffers {
    fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }
    /// For later groups.
    pub(super) fn give_back(&mut self, buffers: impl IntoIterator<Item = Vec<u8>>) {
        let mut kept: usize = self.0.iter().map(Vec::capacity).sum();
        for mut buffer in buffers {
            kept += buffer.capacity();
            if kept > KEPT_BYTES_MAX {
                return;
            }
            buffer.clear();
            self.0.push(buffer);
        }
    }
}

/// A payload as it is stored.
pub(super) struct Sealed {
    pub(super) bytes: Vec<u8>,
    pub(super) crc: u32,
}

/// Seals the payloads of these records, the next ones of the segment, in their order.
pub(super) fn seal_all(
    active: &Active,
    drafts: &[Draft<'_>],
    cipher: &dyn RecordCipher,
    buffers: &mut Buffers,
) -> Vec<Result<Sealed, String>> {
    let mut next = active.events;
    let mut jobs: Vec<Job<'_>> = drafts
        .iter()
        .map(|draft| {
            // The number of its first event, as `Active::add` will give it.
            let nonce = RecordNonce { segment: active.head.random, record: next };
            next = next.saturating_add(draft.events);
            Job { nonce, pieces: draft.pieces, into: buffers.take() }
        })
        .collect();
    let bytes: usize = jobs.iter().map(Job::bytes).sum();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(THREADS_MAX).min(jobs.len()).min(bytes / SHARE_BYTES_MIN);
    if threads < 2 {
        return jobs.iter_mut().map(|job| job.seal(cipher)).collect();
    }
    let share = jobs.len().div_ceil(threads);
    let (own, others) = jobs.split_at_mut(share);
    std::thread::scope(|scope| {
        let shares = others.chunks_mut(share);
        let helpers: Vec<_> = shares
            .map(|share| {
                scope.spawn(move || share.iter_mut().map(|job| job.seal(cipher)).collect::<Vec<_>>())
            })
            .collect();
        let mut sealed: Vec<_> = own.iter_mut().map(|job| job.seal(cipher)).collect();
        for helper in helpers {
            // A cipher that panics ends the leader, as it would on the leader's own thread.
            sealed.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        sealed
    })
}

struct Job<'a> {
    nonce: RecordNonce,
    pieces: [&'a [u8]; 2],
    into: Vec<u8>,
}

impl Job<'_> {
    fn bytes(&self) -> usize {
        self.pieces[0].len() + self.pieces[1].len()
    }
    fn seal(&mut self, cipher: &dyn RecordCipher) -> Result<Sealed, String> {
        let mut bytes = std::mem::take(&mut self.into);
        // A cipher may add a little.
        bytes.reserve(self.bytes() + 64);
        cipher.seal_pieces(self.nonce, self.pieces, &mut bytes).map_err(|error| error.to_string())?;
        let crc = crc32c::crc32c(&bytes);
        Ok(Sealed { bytes, crc })
    }
}
