//! Looking for a literal, and the check for ASCII: what nearly every text goes through.
//!
//! Native code leaves both to memchr and simdutf8. In WebAssembly a host may be able to interrupt a loop at each of its
//! turns, and that check costs about as much as a turn of a SIMD loop: there, 64 bytes are one turn, and what is left is
//! done without a loop. A literal is looked for by two of its bytes, those that are probably the rarest; only where both
//! stand at their distance it is compared.

pub(crate) use imp::{Literal, append, is_utf8};

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    use memchr::memmem;

    /// A text that is looked for many times.
    #[derive(Debug)]
    pub(crate) struct Literal(memmem::Finder<'static>);

    impl Literal {
        pub(crate) fn new(text: &[u8]) -> Self {
            Self(memmem::Finder::new(text).into_owned())
        }
        pub(crate) fn len(&self) -> usize {
            self.0.needle().len()
        }
        /// The first place where it stands.
        #[inline]
        pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
            self.0.find(text)
        }
    }

    #[inline]
    pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
        simdutf8::basic::from_utf8(bytes).is_ok()
    }
    #[inline]
    pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(bytes);
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{
        i8x16_bitmask, u8x16_eq, u8x16_splat, u64x2, v128, v128_and, v128_any_true, v128_or,
    };

    /// A text of at least two bytes that is looked for many times.
    #[derive(Debug)]
    pub(crate) struct Literal {
        text: Box<[u8]>,
        /// Places of the two bytes that are looked for.
        rare: [usize; 2],
    }

    impl Literal {
        pub(crate) fn new(text: &[u8]) -> Self {
            let mut places: Vec<usize> = (0..text.len()).collect();
            places.sort_by_key(|&place| commonness(text[place]));
            let rare = [places.first(), places.get(1)].map(|place| place.copied().unwrap_or_default());
            Self { text: text.into(), rare }
        }
        pub(crate) fn len(&self) -> usize {
            self.text.len()
        }
        /// The first place where it stands.
        pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
            let places = (text.len() + 1).checked_sub(self.text.len())?;
            let [first, second] = self.rare;
            let (firsts, seconds) = (&text[first..][..places], &text[second..][..places]);
            let wanted = [u8x16_splat(self.text[first]), u8x16_splat(self.text[second])];
            let hit = |a: &[u8; 16], b: &[u8; 16]| {
                v128_and(u8x16_eq(load(a), wanted[0]), u8x16_eq(load(b), wanted[1]))
            };
            let is = |place: usize| text[place..].starts_with(&self.text);
            let (blocks, rest) = firsts.as_chunks::<64>();
            let (others, _) = seconds.as_chunks::<64>();
            let mut at = 0;
            for (block, other) in blocks.iter().zip(others) {
                let hits = [0, 1, 2, 3].map(|i| hit(part(block, i), part(other, i)));
                if v128_any_true(v128_or(v128_or(hits[0], hits[1]), v128_or(hits[2], hits[3])))
                    && let found @ Some(_) = among(bits(hits), at, is)
                {
                    return found;
                }
                at += 64;
            }
            if places < 16 {
                return (0..places).find(|&place| is(place));
            }
            let one = |from: usize| {
                let (a, b) = (firsts[from..].first_chunk()?, seconds[from..].first_chunk()?);
                let hit = hit(a, b);
                if v128_any_true(hit) { among(i8x16_bitmask(hit).into(), from, is) } else { None }
            };
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
            // Of its places those before `at` were looked at, and none was right.
            if at < places { one(places - 16) } else { None }
        }
    }

    pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
        is_ascii(bytes) || simdutf8::basic::from_utf8(bytes).is_ok()
    }

    fn is_ascii(bytes: &[u8]) -> bool {
        let Some(last) = bytes.last_chunk::<16>() else { return bytes.is_ascii() };
        let (blocks, rest) = bytes.as_chunks::<64>();
        let mut all = load(last);
        for block in blocks {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| load(part(block, i)));
            all = v128_or(all, v128_or(v128_or(a, b), v128_or(c, d)));
        }
        let (rest, _) = rest.as_chunks::<16>();
        for i in 0..3 {
            all = rest.get(i).map_or(all, |part| v128_or(all, load(part)));
        }
        i8x16_bitmask(all) == 0
    }

    /// Appends what is mostly short without a call of the host, which `memory.copy` of a length that is not known when
    /// it is compiled would be.
    pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
        out.reserve(bytes.len());
        if bytes.len() > SHORT_BYTES_MAX {
            return out.extend_from_slice(bytes);
        }
        let Some(last) = bytes.last_chunk::<16>() else { return append_few(out, bytes) };
        let end = out.len() + bytes.len();
        let (blocks, rest) = bytes.as_chunks::<64>();
        for block in blocks {
            out.extend_from_slice(block);
        }
        let (rest, _) = rest.as_chunks::<16>();
        for i in 0..3 {
            if let Some(part) = rest.get(i) {
                out.extend_from_slice(part);
            }
        }
        out.truncate(end - 16);
        out.extend_from_slice(last);
    }
    const SHORT_BYTES_MAX: usize = 512;

    #[inline]
    fn append_few(out: &mut Vec<u8>, bytes: &[u8]) {
        let end = out.len() + bytes.len();
        if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            out.extend_from_slice(first);
            out.truncate(end - 8);
            out.extend_from_slice(last);
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            out.extend_from_slice(first);
            out.truncate(end - 4);
            out.extend_from_slice(last);
        } else {
            for i in 0..3 {
                if let Some(&byte) = bytes.get(i) {
                    out.push(byte);
                }
            }
        }
    }

    #[inline(always)]
    fn part(block: &[u8; 64], i: usize) -> &[u8; 16] {
        &block.as_chunks::<16>().0[i]
    }
    /// Becomes one load.
    #[inline(always)]
    fn load(bytes: &[u8; 16]) -> v128 {
        let [low, high] = [0, 1].map(|i| u64::from_le_bytes(bytes.as_chunks::<8>().0[i]));
        u64x2(low, high)
    }
    #[inline(always)]
    fn bits(hits: [v128; 4]) -> u64 {
        let [a, b, c, d] = hits.map(|hit| u64::from(i8x16_bitmask(hit)));
        a | b << 16 | c << 32 | d << 48
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

    /// How often a byte comes, roughly, in logs: rare ones make the search quick.
    fn commonness(byte: u8) -> u8 {
        match byte {
            b' ' | b'e' | 0 => 9,
            b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 8,
            b'0' | b'1' => 7,
            b'a'..=b'z' => 6,
            b'2'..=b'9' | b'.' | b'-' | b':' | b'/' | b'"' => 5,
            b'A'..=b'Z' | b'=' | b',' | b'_' => 3,
            _ => 1,
        }
    }
}
