//! Cutting bytes into blocks of fixed sizes: 64 as long as there are, then at most one each of 32, 16, 8, 4, 2, 1.

/// Sixteen counters, one for each lane of a SIMD register.
pub(super) type Lanes = [u8; 16];

/// What is done with a block.
pub(super) trait Kernel {
    /// `N` is a power of two up to 64. `lanes[i % 16]` may rise by one for each byte `i`.
    fn block<const N: usize>(&self, block: &[u8; N], lanes: &mut Lanes);
}
/// What is done to a block.
pub(super) trait KernelMut {
    /// As [`Kernel::block`].
    fn block<const N: usize>(&self, block: &mut [u8; N], lanes: &mut Lanes);
}

/// 64-byte blocks until a lane may be full: each adds four to a lane at most, and the rest once more as much.
const BLOCKS_MAX: usize = 60;

/// Runs the kernel over all bytes; the sum of the lanes.
#[inline]
pub(super) fn sum(bytes: &[u8], kernel: &impl Kernel) -> usize {
    let mut total = 0;
    for piece in bytes.chunks(64 * BLOCKS_MAX) {
        let mut lanes = [0; 16];
        let (blocks, rest) = piece.as_chunks::<64>();
        for block in blocks {
            kernel.block(block, &mut lanes);
        }
        let rest = step::<32, _>(rest, kernel, &mut lanes);
        let rest = step::<16, _>(rest, kernel, &mut lanes);
        let rest = step::<8, _>(rest, kernel, &mut lanes);
        let rest = step::<4, _>(rest, kernel, &mut lanes);
        let rest = step::<2, _>(rest, kernel, &mut lanes);
        step::<1, _>(rest, kernel, &mut lanes);
        total += add_up(lanes);
    }
    total
}

#[inline(always)]
fn step<'a, const N: usize, K: Kernel>(bytes: &'a [u8], kernel: &K, lanes: &mut Lanes) -> &'a [u8] {
    let Some((block, rest)) = bytes.split_first_chunk::<N>() else { return bytes };
    kernel.block(block, lanes);
    rest
}

/// As [`sum`], with bytes that change.
#[inline]
pub(super) fn sum_mut(bytes: &mut [u8], kernel: &impl KernelMut) -> usize {
    let mut total = 0;
    for piece in bytes.chunks_mut(64 * BLOCKS_MAX) {
        let mut lanes = [0; 16];
        let (blocks, rest) = piece.as_chunks_mut::<64>();
        for block in blocks {
            kernel.block(block, &mut lanes);
        }
        let rest = step_mut::<32, _>(rest, kernel, &mut lanes);
        let rest = step_mut::<16, _>(rest, kernel, &mut lanes);
        let rest = step_mut::<8, _>(rest, kernel, &mut lanes);
        let rest = step_mut::<4, _>(rest, kernel, &mut lanes);
        let rest = step_mut::<2, _>(rest, kernel, &mut lanes);
        step_mut::<1, _>(rest, kernel, &mut lanes);
        total += add_up(lanes);
    }
    total
}

#[inline(always)]
fn step_mut<'a, const N: usize, K: KernelMut>(
    bytes: &'a mut [u8],
    kernel: &K,
    lanes: &mut Lanes,
) -> &'a mut [u8] {
    if bytes.len() < N {
        return bytes;
    }
    let (block, rest) = bytes.split_at_mut(N);
    if let Some(block) = block.first_chunk_mut::<N>() {
        kernel.block(block, lanes);
    }
    rest
}

fn add_up(lanes: Lanes) -> usize {
    let [even, odd] = [0, 8].map(|shift| {
        // Bytes to 16-bit numbers, then one multiplication adds four of those.
        const LOW: u128 = 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff;
        (u128::from_le_bytes(lanes) >> shift) & LOW
    });
    let pairs = even + odd;
    let (low, high) = (pairs as u64, (pairs >> 64) as u64);
    const ONES: u64 = 0x0001_0001_0001_0001;
    ((low.wrapping_mul(ONES) >> 48) + (high.wrapping_mul(ONES) >> 48)) as usize
}

/// Finds a place: looks at blocks for a hint, and closer where there is one.
pub(super) trait Search {
    /// Whether something may begin in the `N` places from `at` on.
    fn hint<const N: usize>(&self, at: usize) -> bool;
    /// The first place where something begins, among these.
    fn look(&self, from: usize, to: usize) -> Option<usize>;
}

/// The first of `places` where something begins. The last block overlaps the one before: its places were looked
/// at, and nothing began there.
#[inline]
pub(super) fn search(places: usize, search: &impl Search) -> Option<usize> {
    let mut at = 0;
    while at + 64 <= places {
        if let found @ Some(_) = block::<64>(search, at) {
            return found;
        }
        at += 64;
    }
    match places {
        _ if at == places => None,
        64.. => block::<64>(search, places - 64),
        32.. => block::<32>(search, 0).or_else(|| block::<32>(search, places - 32)),
        16.. => block::<16>(search, 0).or_else(|| block::<16>(search, places - 16)),
        8.. => block::<8>(search, 0).or_else(|| block::<8>(search, places - 8)),
        _ => search.look(0, places),
    }
}

#[inline(always)]
fn block<const N: usize>(search: &impl Search, at: usize) -> Option<usize> {
    if search.hint::<N>(at) { search.look(at, at + N) } else { None }
}

/// Whether `test` holds for an index below `N`; N a multiple of 16, or 8.
#[inline(always)]
pub(super) fn any<const N: usize>(test: impl Fn(usize) -> bool) -> bool {
    let mut lanes = [0_u8; 16];
    for i in 0..N {
        lanes[i % 16] |= u8::from(test(i));
    }
    u128::from_ne_bytes(lanes) != 0
}
