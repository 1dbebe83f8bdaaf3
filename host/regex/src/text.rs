//! Texts as Java sees them: code points, line terminators, and bytes that are no UTF-8.

use std::borrow::Cow;

use crate::scan;

/// The character that stands for bytes that are no UTF-8.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// The code point at `at` and its length in bytes; the text must be UTF-8.
pub(crate) fn char_at(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let first = u32::from(*text.get(at)?);
    let tail = |index: usize| text.get(at + index).map_or(0, |&byte| u32::from(byte) & 0x3F);
    Some(match first {
        0..0x80 => (first, 1),
        0x80..0xE0 => ((first & 0x1F) << 6 | tail(1), 2),
        0xE0..0xF0 => ((first & 0x0F) << 12 | tail(1) << 6 | tail(2), 3),
        _ => ((first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4),
    })
}

/// The code point that ends at `at` and its length in bytes; the text must be UTF-8.
pub(crate) fn char_before(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let mut start = at.checked_sub(1)?;
    while start > 0 && text[start] & 0xC0 == 0x80 {
        start -= 1;
    }
    char_at(text, start).map(|(c, _)| (c, at - start))
}

/// Whether `c` ends a line for `.`, `^` and `$`.
pub(crate) fn is_terminator(c: u32) -> bool {
    matches!(c, 0x0A | 0x0D | 0x85 | 0x2028 | 0x2029)
}

/// Where the final line terminator begins, if the text ends in one; `\r\n` is one.
pub(crate) fn final_terminator(text: &[u8]) -> Option<usize> {
    // No terminator ends in a byte between 0x0E and 0x7F: nearly every text leaves here.
    if matches!(text.last(), None | Some(0x0E..=0x7F)) {
        return None;
    }
    let (c, length) = char_before(text, text.len()).filter(|&(c, _)| is_terminator(c))?;
    let start = text.len() - length;
    Some(if c == 0x0A && text[..start].last() == Some(&b'\r') { start - 1 } else { start })
}

/// Whether a line terminator is anywhere in the text.
pub(crate) fn has_terminator(text: &[u8]) -> bool {
    // U+0085 is C2 85, U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
    text.iter().any(|&byte| matches!(byte, b'\n' | b'\r'))
        || text.windows(2).any(|pair| pair == [0xC2, 0x85])
        || text.windows(3).any(|three| three == [0xE2, 0x80, 0xA8] || three == [0xE2, 0x80, 0xA9])
}

/// Where the first line terminator begins.
pub(crate) fn first_terminator(text: &[u8]) -> Option<usize> {
    let ascii = memchr::memchr2(b'\n', b'\r', text);
    let before = &text[..ascii.unwrap_or(text.len())];
    if before.is_ascii() {
        return ascii;
    }
    let mut leads = memchr::memchr2_iter(0xC2, 0xE2, before);
    leads.find(|&at| char_at(before, at).is_some_and(|(c, _)| is_terminator(c))).or(ascii)
}

/// The text as `new String(bytes, UTF_8)` has it, in UTF-8 again.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    if scan::is_utf8(bytes) { Cow::Borrowed(bytes) } else { Cow::Owned(replace_malformed(bytes)) }
}

/// Java's replacement: like the web's, but an encoded surrogate is one malformed sequence, and so
/// is a sequence that the end cuts off.
fn replace_malformed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let mut at = 0;
    while at < bytes.len() {
        let (length, valid) = sequence(&bytes[at..]);
        out.extend_from_slice(if valid { &bytes[at..at + length] } else { REPLACEMENT });
        at += length;
    }
    out
}

/// How many bytes the next sequence takes, and whether it is a character.
fn sequence(rest: &[u8]) -> (usize, bool) {
    let continuation = |index: usize| rest.get(index).map(|byte| byte & 0xC0 == 0x80);
    let needed = match rest[0] {
        0..0x80 => return (1, true),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return (1, false),
    };
    let second_in_range = match (rest[0], rest.get(1)) {
        (0xE0, Some(&second)) => second >= 0xA0,
        (0xF0, Some(&second)) => second >= 0x90,
        (0xF4, Some(&second)) => second < 0x90,
        _ => true,
    };
    if !second_in_range {
        return (1, false);
    }
    for index in 1..needed {
        match continuation(index) {
            Some(true) => {}
            Some(false) => return (index, false),
            None => return (rest.len(), false),
        }
    }
    (needed, !(rest[0] == 0xED && rest[1] >= 0xA0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_terminator_is_found_and_crlf_is_one() {
        assert_eq!(final_terminator(b"a\r\n"), Some(1));
        assert_eq!(final_terminator(b"a\n\r"), Some(2));
        assert_eq!(final_terminator("ä\u{85}".as_bytes()), Some(2));
        assert_eq!(final_terminator("a\u{2029}".as_bytes()), Some(1));
        assert_eq!((final_terminator("ä".as_bytes()), final_terminator(b"")), (None, None));
    }

    #[test]
    fn an_encoded_surrogate_is_one_malformed_sequence_as_in_java() {
        assert_eq!(decode(b"\xED\xA0\x80x").as_ref(), "\u{FFFD}x".as_bytes());
        assert_eq!(decode(b"\xE4\xB8").as_ref(), "\u{FFFD}".as_bytes());
        assert_eq!(decode(b"\xFF\xE0\x80").as_ref(), "\u{FFFD}\u{FFFD}\u{FFFD}".as_bytes());
    }
}
