//! Appending short texts.

/// Longer ones are worth a call of the host.
const SHORT_BYTES_MAX: usize = 512;

/// Appends bytes to a buffer, as `extend_from_slice` does. In WebAssembly that calls the host's `memory.copy` for each
/// text, however short; this copies short ones in pieces of 64, 16, 8 and 4 bytes.
#[inline]
pub fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    if cfg!(not(target_arch = "wasm32")) || bytes.len() > SHORT_BYTES_MAX {
        return out.extend_from_slice(bytes);
    }
    out.reserve(bytes.len());
    let (blocks, rest) = bytes.as_chunks::<64>();
    for block in blocks {
        out.extend_from_slice(block);
    }
    append_rest(out, bytes, rest);
}

/// `rest` is what is left of `bytes`, less than 64.
#[inline]
fn append_rest(out: &mut Vec<u8>, bytes: &[u8], rest: &[u8]) {
    let (pieces, few) = rest.as_chunks::<16>();
    for at in 0..3 {
        if let Some(piece) = pieces.get(at) {
            out.extend_from_slice(piece);
        }
    }
    // The last piece overlaps with what is there already.
    match (bytes.last_chunk::<16>(), few.len()) {
        (_, 0) => {}
        (Some(last), _) => overlap(out, few.len(), last),
        (None, 8..) => both::<8>(out, few),
        (None, 4..) => both::<4>(out, few),
        (None, _) => few.iter().take(3).for_each(|byte| out.push(*byte)),
    }
}

/// The first and the last `N` of at most `2 * N` bytes.
#[inline]
fn both<const N: usize>(out: &mut Vec<u8>, few: &[u8]) {
    if let (Some(first), Some(last)) = (few.first_chunk::<N>(), few.last_chunk::<N>()) {
        out.extend_from_slice(first);
        overlap(out, few.len() - N, last);
    }
}

/// Appends a piece of which only the last `new` bytes are not there yet.
#[inline]
fn overlap<const N: usize>(out: &mut Vec<u8>, new: usize, last: &[u8; N]) {
    out.truncate(out.len() + new - N);
    out.extend_from_slice(last);
}
