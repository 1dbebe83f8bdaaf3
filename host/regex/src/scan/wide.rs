//! The same for WebAssembly: see [`super`]. Compiled into tests as well, with vectors in plain code.

use std::array::from_fn;

use super::vector::{Vector, above, any, bits_of, both_of, either, equal, join, load, splat};

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
        self.find_where(text, |_| true)
    }
    /// The first of its places that `holds` takes, in one pass.
    #[inline(always)]
    pub(crate) fn find_where(&self, text: &[u8], holds: impl Fn(usize) -> bool) -> Option<usize> {
        let places = (text.len() + 1).checked_sub(self.text.len())?;
        let [first, second] = self.rare;
        let (firsts, seconds) = (&text[first..][..places], &text[second..][..places]);
        let is = |place: usize| stands(&text[place..], &self.text) && holds(place);
        if places < 16 {
            return (0..places).find(|&place| is(place));
        }
        let wanted = [splat(self.text[first]), splat(self.text[second])];
        if places < 64 {
            return one_by_one::<16>(places, |at| {
                let (a, b) = (firsts[at..].first_chunk()?, seconds[at..].first_chunk()?);
                let hit = both_of(equal(load(a), wanted[0]), equal(load(b), wanted[1]));
                if any(hit) { among(bits_of(hit).into(), at, is) } else { None }
            });
        }
        one_by_one::<64>(places, |at| {
            let a = firsts[at..].first_chunk()?;
            let hits = [0, 1, 2, 3].map(|i| equal(load(part(a, i)), wanted[0]));
            // Most blocks have not even the rarer of both bytes.
            if !any(any_of(hits)) {
                return None;
            }
            let b = seconds[at..].first_chunk()?;
            let hits = [0, 1, 2, 3].map(|i| both_of(hits[i], equal(load(part(b, i)), wanted[1])));
            if any(any_of(hits)) { among(bits(hits), at, is) } else { None }
        })
    }
}

impl Literal {
    /// The first place where it stands with the rarer of its two bytes in the block that begins there.
    #[inline(never)]
    fn find_around<const N: usize, const P: usize>(&self, text: &[u8], at: usize) -> Option<usize> {
        let [first, second] = self.rare;
        let hits_of = |place: usize, from: usize| {
            let block = text.get(from..)?.first_chunk::<N>()?;
            Some(parts::<N, P>(block).map(|part| equal(part, splat(self.text[place]))))
        };
        let mut hits = hits_of(first, at)?;
        // Where the other byte would stand, unless that is beyond either end.
        if let Some(others) = (at + second).checked_sub(first).and_then(|at| hits_of(second, at)) {
            hits = from_fn(|i| both_of(hits[i], others[i]));
        }
        let bits = hits.iter().rev().fold(0, |bits, hit| bits << 16 | u64::from(bits_of(*hit)));
        let begin = |place: usize| place.checked_sub(first);
        let is = |place| begin(place).is_some_and(|begin| stands(&text[begin..], &self.text));
        among(bits, at, is).and_then(begin)
    }
}

/// Blocks of `N` places, of at least as many, until one has an answer. The last one overlaps with what was looked
/// at before, where there was none.
#[inline(always)]
fn one_by_one<const N: usize>(places: usize, block: impl Fn(usize) -> Option<usize>) -> Option<usize> {
    let mut at = 0;
    while at < places {
        if let found @ Some(_) = block(at.min(places - N)) {
            return found;
        }
        at += N;
    }
    None
}

/// Whether the text begins with the literal; short ones without a loop.
#[inline(always)]
fn stands(text: &[u8], literal: &[u8]) -> bool {
    let Some(text) = text.get(..literal.len()) else { return false };
    match (text.first_chunk::<4>(), literal.first_chunk::<4>()) {
        (Some(first), Some(wanted)) => {
            first == wanted
                && text.last_chunk::<4>() == literal.last_chunk::<4>()
                && (text.len() <= 8 || text == literal)
        }
        _ => text.iter().zip(literal).take(3).all(|(a, b)| a == b),
    }
}

/// Copies pieces of a text behind a buffer, and notes whether they are ASCII.
#[derive(Debug)]
pub(crate) struct Copier<'a> {
    out: &'a mut Vec<u8>,
    /// All bits that were set in what was copied.
    seen: Vector,
}

impl<'a> Copier<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, seen: splat(0) }
    }
    /// Whether all that was copied is ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        bits_of(self.seen) == 0
    }
    /// Appends what is not looked at.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        append(self.out, bytes);
    }
    /// Copies a piece.
    #[inline]
    pub(crate) fn copy(&mut self, piece: &[u8]) {
        self.seen = either(self.seen, all_bits(piece));
        append(self.out, piece);
    }
    /// Copies up to where the literal stands, and answers that place; all if it stands nowhere. In one pass.
    pub(crate) fn copy_until(&mut self, literal: &Literal, text: &[u8]) -> Option<usize> {
        match text.len() {
            64.. => self.in_blocks::<64, 4>(literal, text),
            16..64 => self.in_blocks::<16, 1>(literal, text),
            _ => {
                let place = literal.find(text);
                self.copy(&text[..place.unwrap_or(text.len())]);
                place
            }
        }
    }
    /// In blocks of `N` bytes, of at least as many: `P` vectors. The last one overlaps with what is there already.
    #[inline(always)]
    fn in_blocks<const N: usize, const P: usize>(&mut self, literal: &Literal, text: &[u8]) -> Option<usize> {
        let start = self.out.len();
        self.out.reserve(text.len());
        let wanted = splat(literal.text[literal.rare[0]]);
        let mut seen = self.seen;
        let mut block_at = |out: &mut Vec<u8>, block: &[u8; N], at: usize| {
            out.extend_from_slice(block);
            let parts = parts::<N, P>(block);
            seen = either(seen, any_of(parts));
            let is_near = any(any_of(parts.map(|part| equal(part, wanted))));
            if is_near { literal.find_around::<N, P>(text, at) } else { None }
        };
        let (blocks, rest) = text.as_chunks::<N>();
        let mut found = None;
        for (block, at) in blocks.iter().zip((0..).step_by(N)) {
            found = block_at(self.out, block, at);
            if found.is_some() {
                break;
            }
        }
        if let (None, false, Some(last)) = (found, rest.is_empty(), text.last_chunk()) {
            let at = text.len() - N;
            self.out.truncate(start + at);
            found = block_at(self.out, last, at);
        }
        self.seen = seen;
        if let Some(place) = found {
            self.out.truncate(start + place);
        }
        found
    }
}

#[inline(always)]
fn parts<const N: usize, const P: usize>(block: &[u8; N]) -> [Vector; P] {
    from_fn(|i| load(&block.as_chunks::<16>().0[i]))
}

pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    is_ascii(bytes) || simdutf8::basic::from_utf8(bytes).is_ok()
}

/// Whether all of it is ASCII, without a line feed or a carriage return.
pub(crate) fn is_plain_line(bytes: &[u8]) -> bool {
    is_above_controls(bytes) || bytes.iter().all(|byte| byte.is_ascii() && !matches!(byte, b'\n' | b'\r'))
}

/// Whether all of it is ASCII above the carriage return: one comparison, as signed bytes.
#[inline(always)]
fn is_above_controls(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<64>() else { return false };
    let below = splat(b'\r');
    let of_block = |block: &[u8; 64]| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| above(load(part(block, i)), below));
        both_of(both_of(a, b), both_of(c, d))
    };
    let mut all = of_block(last);
    for block in bytes.as_chunks::<64>().0 {
        all = both_of(all, of_block(block));
    }
    bits_of(all) == u16::MAX
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    bits_of(all_bits(bytes)) == 0
}
/// The bits that are set in any of the bytes, anywhere in the vector.
#[inline(always)]
fn all_bits(bytes: &[u8]) -> Vector {
    match bytes.len() {
        64.. => bits_of_blocks::<64, 4>(bytes),
        16..64 => bits_of_blocks::<16, 1>(bytes),
        _ => match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => join(first, last),
            _ => splat(bytes.iter().take(7).fold(0, |bits, byte| bits | byte)),
        },
    }
}
#[inline(always)]
fn bits_of_blocks<const N: usize, const P: usize>(bytes: &[u8]) -> Vector {
    let of_block = |block: &[u8; N]| any_of(parts::<N, P>(block));
    let last = bytes.last_chunk().map_or(splat(0), of_block);
    bytes.as_chunks().0.iter().fold(last, |bits, block| either(bits, of_block(block)))
}
#[inline(always)]
fn any_of<const P: usize>(parts: [Vector; P]) -> Vector {
    let mut all = splat(0);
    for part in parts {
        all = either(all, part);
    }
    all
}

/// Appends what is mostly short without a call of the host, which `memory.copy` of a length that is not known when
/// it is compiled would be.
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        0..4 => bytes.iter().take(3).for_each(|byte| out.push(*byte)),
        4..8 => pieces::<4>(out, bytes),
        8..16 => pieces::<8>(out, bytes),
        16..64 => pieces::<16>(out, bytes),
        64..=512 => pieces::<64>(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}
/// In pieces of `N` bytes, of at least as many; the last one overlaps with what is there already.
#[inline(always)]
fn pieces<const N: usize>(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    let (blocks, rest) = bytes.as_chunks::<N>();
    for block in blocks {
        out.extend_from_slice(block);
    }
    if let Some(last) = bytes.last_chunk::<N>().filter(|_| !rest.is_empty()) {
        out.truncate(out.len() + rest.len() - N);
        out.extend_from_slice(last);
    }
}

#[inline(always)]
fn part(block: &[u8; 64], i: usize) -> &[u8; 16] {
    &block.as_chunks::<16>().0[i]
}
#[inline(always)]
fn bits(hits: [Vector; 4]) -> u64 {
    let [a, b, c, d] = hits.map(|hit| u64::from(bits_of(hit)));
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

#[cfg(test)]
mod tests {
    use super::*;

    // Texts of few letters, so that literals nearly stand in many places; lengths around those of the blocks.
    #[test]
    fn it_finds_copies_and_checks_as_plain_code_does() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut below = move |end: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % end.max(1) as u64) as usize
        };
        for _ in 0..20_000 {
            let letters = [&b"user= 05xyz"[..], b"us", b"ab", b"user=", b"aaaaaaab"][below(5)];
            let length = [below(20), below(80), below(150), below(600)][below(4)];
            let mut text: Vec<u8> = (0..length).map(|_| letters[below(letters.len())]).collect();
            let size = 2 + below(22);
            let literal: Vec<u8> = match text.len().checked_sub(size) {
                Some(room) if below(2) == 0 => text[below(room + 1)..][..size].to_vec(),
                _ => (0..size).map(|_| letters[below(letters.len())]).collect(),
            };
            let place = text.windows(size).position(|window| window == literal);
            let finder = Literal::new(&literal);
            assert_eq!((finder.find(&text), finder.len()), (place, size), "{literal:?} in {text:?}");
            let last = text.windows(size).rposition(|window| window == literal);
            let found = finder.find_where(&text, |place| Some(place) == last);
            assert_eq!(found, last, "{literal:?} in {text:?}");
            let mut copied = b"before".to_vec();
            let mut copier = Copier::new(&mut copied);
            assert_eq!(copier.copy_until(&finder, &text), place, "{literal:?} in {text:?}");
            assert!(copier.is_ascii());
            assert_eq!(
                copied,
                [b"before", &text[..place.unwrap_or(length)]].concat(),
                "{literal:?} in {text:?}"
            );
            let mut out = b"before".to_vec();
            append(&mut out, &text);
            assert_eq!(out, [b"before", text.as_slice()].concat());
            if length > 0 && below(2) == 0 {
                text[below(length)] |= 0x80;
            }
            assert_eq!(is_utf8(&text), str::from_utf8(&text).is_ok(), "{text:?}");
            let mut copied = Vec::new();
            let mut copier = Copier::new(&mut copied);
            let place = copier.copy_until(&finder, &text).unwrap_or(length);
            // Bytes behind the place may have been looked at too.
            assert!(
                copier.is_ascii() <= text[..place].is_ascii() && copier.is_ascii() >= text.is_ascii(),
                "{text:?}"
            );
            assert_eq!(copied, text[..place]);
            let mut copier = Copier::new(&mut copied);
            copier.copy(&text);
            copier.put(b"put");
            assert_eq!(copier.is_ascii(), text.is_ascii(), "{text:?}");
            assert_eq!(copied, [&text[..place], &text, b"put"].concat());
            if length > 0 && below(2) == 0 {
                text[below(length)] = [b'\n', b'\r', 0, 0x7f, 0x85][below(5)];
            }
            let is_plain = text.iter().all(|byte| byte.is_ascii() && !b"\n\r".contains(byte));
            assert_eq!(is_plain_line(&text), is_plain, "{text:?}");
        }
    }
}
