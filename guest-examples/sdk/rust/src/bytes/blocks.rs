//! Going through bytes in blocks of 64, which is one turn of a loop, and then what is left without a loop: one block of
//! 32, one of 16, and a last one of 16 that overlaps what was done already.

use super::vector::Vector;

/// A block, in vectors.
#[inline(always)]
fn vectors(block: &[u8; 64]) -> [Vector; 4] {
    let (parts, _) = block.as_chunks::<16>();
    [0, 1, 2, 3].map(|i| Vector::load(&parts[i]))
}

/// The mask bits of four vectors, the first lowest.
#[inline(always)]
fn bits(hits: [Vector; 4]) -> u64 {
    let [a, b, c, d] = hits.map(|hit| u64::from(hit.bits()));
    a | b << 16 | c << 32 | d << 48
}

/// Two texts of the same length, in step: `hits` gives a mask of the places that may be right, and `is` looks closer.
/// The first place that is.
#[inline(always)]
pub(super) fn search(
    first: &[u8],
    second: &[u8],
    hits: impl Fn(Vector, Vector) -> Vector,
    is: impl Fn(usize) -> bool,
) -> Option<usize> {
    let places = first.len().min(second.len());
    let (first, second) = (&first[..places], &second[..places]);
    let ((blocks, rest), (others, other_rest)) = (first.as_chunks::<64>(), second.as_chunks::<64>());
    let mut at = 0;
    for (block, other) in blocks.iter().zip(others) {
        let (block, other) = (vectors(block), vectors(other));
        let hit = [0, 1, 2, 3].map(|i| hits(block[i], other[i]));
        if hit[0].or(hit[1]).or(hit[2].or(hit[3])).any()
            && let found @ Some(_) = among(bits(hit), at, &is)
        {
            return found;
        }
        at += 64;
    }
    if places < 16 {
        return (0..places).find(|place| is(*place));
    }
    let one = |from: usize| {
        let pair = (first[from..].first_chunk::<16>(), second[from..].first_chunk::<16>());
        let (Some(first), Some(second)) = pair else { return None };
        let hit = hits(Vector::load(first), Vector::load(second));
        if hit.any() { among(hit.bits().into(), from, &is) } else { None }
    };
    debug_assert_eq!(rest.len(), other_rest.len());
    if rest.len() >= 32 {
        if let found @ Some(_) = one(at).or_else(|| one(at + 16)) {
            return found;
        }
        at += 32;
    }
    if places - at >= 16 {
        if let found @ Some(_) = one(at) {
            return found;
        }
        at += 16;
    }
    // Its places before `at` were looked at, and none was right.
    if at < places { one(places - 16) } else { None }
}

#[inline]
fn among(mut bits: u64, from: usize, is: impl Fn(usize) -> bool) -> Option<usize> {
    while bits != 0 {
        let place = from + bits.trailing_zeros() as usize;
        if is(place) {
            return Some(place);
        }
        bits &= bits - 1;
    }
    None
}

/// How many bytes belong, by a vector's mask and by a single byte.
#[inline(always)]
pub(super) fn count(bytes: &[u8], hits: impl Fn(Vector) -> Vector, is: impl Fn(u8) -> bool) -> usize {
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut total = 0;
    for block in blocks {
        total += bits(vectors(block).map(&hits)).count_ones() as usize;
    }
    if bytes.len() < 16 {
        return rest.iter().filter(|byte| is(**byte)).count();
    }
    let one = |block: &[u8; 16]| hits(Vector::load(block)).bits();
    let mut rest = rest;
    while let Some((block, behind)) = rest.split_first_chunk::<16>() {
        total += one(block).count_ones() as usize;
        rest = behind;
    }
    // Only the last bytes of the overlapping block are new.
    let last = bytes.last_chunk::<16>().filter(|_| !rest.is_empty());
    total + last.map_or(0, |block| (one(block) >> (16 - rest.len())).count_ones() as usize)
}

/// Replaces the bytes that belong; how many there were.
#[inline(always)]
pub(super) fn replace(
    bytes: &mut [u8],
    with: u8,
    hits: impl Fn(Vector) -> Vector,
    is: impl Fn(u8) -> bool,
) -> usize {
    let replacement = Vector::all(with);
    let one = |block: &mut [u8; 16]| {
        let old = Vector::load(block);
        let hit = hits(old);
        replacement.or_else(old, hit).store(block);
        hit.bits()
    };
    if bytes.len() < 16 {
        return bytes.iter_mut().filter(|byte| is(**byte)).map(|byte| *byte = with).count();
    }
    let mut total = 0;
    let (blocks, rest) = bytes.as_chunks_mut::<64>();
    for block in blocks {
        let (parts, _) = block.as_chunks_mut::<16>();
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| u64::from(one(&mut parts[i])));
        total += (a | b << 16 | c << 32 | d << 48).count_ones() as usize;
    }
    let (parts, _) = rest.as_chunks_mut::<16>();
    for block in parts {
        total += one(block).count_ones() as usize;
    }
    // The overlapping block replaces again what was replaced, by the same byte; only its last bytes are counted.
    let new = bytes.len() % 16;
    let last = bytes.last_chunk_mut::<16>().filter(|_| new > 0);
    total + last.map_or(0, |block| (one(block) >> (16 - new)).count_ones() as usize)
}
