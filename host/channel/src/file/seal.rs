//! Sealing what goes into one write: on several threads where that pays, because one AES is slower than a disk.

use crate::file::cipher::{RecordCipher, RecordNonce};
use crate::file::segment::{Active, Draft};

/// Below so many bytes a thread costs more than it saves.
const SHARE_BYTES_MIN: usize = 128 << 10;
const THREADS_MAX: usize = 4;

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
) -> Vec<Result<Sealed, String>> {
    let mut next = active.events;
    let jobs: Vec<(RecordNonce, [&[u8]; 2])> = drafts
        .iter()
        .map(|draft| {
            // The number of its first event, as `Active::add` will give it.
            let nonce = RecordNonce { segment: active.head.random, record: next };
            next = next.saturating_add(draft.events);
            (nonce, draft.pieces)
        })
        .collect();
    let bytes: usize = jobs.iter().map(|(_, pieces)| pieces[0].len() + pieces[1].len()).sum();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(THREADS_MAX).min(jobs.len()).min(bytes / SHARE_BYTES_MIN);
    if threads < 2 {
        return jobs.iter().map(|job| seal(cipher, job)).collect();
    }
    let (own, others) = jobs.split_at(jobs.len().div_ceil(threads));
    std::thread::scope(|scope| {
        let shares = others.chunks(own.len());
        let helpers: Vec<_> = shares
            .map(|share| scope.spawn(move || share.iter().map(|job| seal(cipher, job)).collect::<Vec<_>>()))
            .collect();
        let mut sealed: Vec<_> = own.iter().map(|job| seal(cipher, job)).collect();
        for helper in helpers {
            // A cipher that panics ends the leader, as it would on the leader's own thread.
            sealed.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        sealed
    })
}

fn seal(cipher: &dyn RecordCipher, job: &(RecordNonce, [&[u8]; 2])) -> Result<Sealed, String> {
    let (nonce, pieces) = job;
    let mut bytes = Vec::with_capacity(pieces[0].len() + pieces[1].len() + 64);
    cipher.seal_pieces(*nonce, *pieces, &mut bytes).map_err(|error| error.to_string())?;
    let crc = crc32c::crc32c(&bytes);
    Ok(Sealed { bytes, crc })
}
