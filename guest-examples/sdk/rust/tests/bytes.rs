//! The byte helpers equal the plain loops, for every length around the sizes of their blocks. Runs natively and, by
//! `tests/guests`, in WebAssembly.

use std::ops::RangeInclusive;

use flumen_plugin_sdk::interceptor::bytes::{self, Class, Finder};

struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// Few different bytes, so that there are many near misses.
    fn text(&mut self, len: usize, alphabet: &[u8]) -> Vec<u8> {
        (0..len).map(|_| alphabet[self.next() as usize % alphabet.len()]).collect()
    }
}

fn lengths() -> impl Iterator<Item = usize> {
    (0..300).chain([1000, 3839, 3840, 3841, 4096, 10_000])
}

#[test]
fn find_gives_the_first_place() {
    let mut random = Random(42);
    for len in lengths() {
        for text_len in [0, 1, 2, 3, 5, 8, 17, 64, 65] {
            let bytes = random.text(len, b"ab1\xff");
            let text = if text_len <= 3 || text_len > len {
                random.text(text_len, b"ab1\xff")
            } else {
                let at = random.next() as usize % (len - text_len + 1);
                bytes[at..at + text_len].to_vec()
            };
            let plain =
                if text.is_empty() { Some(0) } else { bytes.windows(text.len()).position(|w| w == text) };
            assert_eq!(bytes::find(&bytes, &text), plain, "len {len}, text {text:?}");
            assert_eq!(Finder::new(text.clone()).find(&bytes), plain);
            assert_eq!(bytes::contains(&bytes, &text), plain.is_some());
        }
    }
}

#[test]
fn find_sees_every_place_and_nothing_else() {
    for len in 0..200 {
        for at in 0..len {
            let mut bytes = vec![b'.'; len];
            bytes[at] = b'#';
            assert_eq!(bytes::find_byte(&bytes, b'#'), Some(at), "len {len}");
            assert_eq!(Class::bytes(b"#").find(&bytes), Some(at), "len {len}");
            assert_eq!(bytes::find_byte(&bytes, b'"'), None);
            if at + 3 <= len {
                bytes[at..at + 3].copy_from_slice(b"#x!");
                assert_eq!(bytes::find(&bytes, b"#x!"), Some(at), "len {len}");
                assert_eq!(bytes::find(&bytes, b"#x?"), None);
            }
        }
    }
}

#[test]
fn classes_find_count_and_replace_as_a_plain_loop_does() {
    let many: Vec<u8> = (0..=255).step_by(3).collect();
    type Plain<'a> = &'a dyn Fn(u8) -> bool;
    let backwards = RangeInclusive::new(b'b', b'a');
    let classes: [(&str, Class, Plain<'_>); 9] = [
        ("digits", Class::DIGITS, &|b| b.is_ascii_digit()),
        ("letters", Class::LETTERS, &|b| b.is_ascii_alphabetic()),
        ("space", Class::SPACE, &|b| b" \t\n\r\x0b\x0c".contains(&b)),
        ("not ascii", Class::NOT_ASCII, &|b| b >= 0x80),
        ("nothing", Class::of(&[]), &|_| false),
        ("everything", Class::of(&[0..=255]), &|_| true),
        ("neighbours", Class::bytes(b"cabz\0\xff"), &|b| b"abcz\0\xff".contains(&b)),
        ("a table", Class::bytes(&many), &|b| b % 3 == 0),
        ("an empty range", Class::of(&[backwards, b'x'..=b'x']), &|b| b == b'x'),
    ];
    let all: Vec<u8> = (0..=255).collect();
    let mut random = Random(7);
    for (name, class, plain) in &classes {
        assert!(all.iter().all(|b| class.has(*b) == plain(*b)), "{name}");
        for len in lengths() {
            for alphabet in [all.as_slice(), b"a1", b"0", b"x9 \xc3"] {
                let bytes = random.text(len, alphabet);
                let count = bytes.iter().filter(|b| plain(**b)).count();
                assert_eq!(class.count(&bytes), count, "{name}, len {len}");
                assert_eq!(class.find(&bytes), bytes.iter().position(|b| plain(*b)), "{name}, len {len}");
                assert_eq!(class.is_in(&bytes), count > 0, "{name}, len {len}");
                // A replacement that belongs to the class itself must not be counted twice.
                for with in [b'#', b'0'] {
                    let mut got = bytes.clone();
                    let wanted: Vec<u8> = bytes.iter().map(|b| if plain(*b) { with } else { *b }).collect();
                    assert_eq!(class.replace(&mut got, with), count, "{name}, len {len}");
                    assert_eq!(got, wanted, "{name}, len {len}");
                }
            }
        }
    }
}

#[test]
fn lines_are_those_between_line_feeds() {
    let mut random = Random(3);
    for len in lengths() {
        let bytes = random.text(len, b"ab\n\r");
        let mut plain: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        if plain.last().is_some_and(|last| last.is_empty()) {
            plain.pop();
        }
        assert_eq!(bytes::lines(&bytes).collect::<Vec<_>>(), plain, "len {len}");
        let mut lines = bytes::lines(&bytes);
        let whole = std::iter::from_fn(|| lines.next_whole()).count();
        assert_eq!(whole, bytes.iter().filter(|b| **b == b'\n').count());
        assert!(!lines.rest().contains(&b'\n'));
    }
}

#[test]
fn ascii_is_told_from_the_rest() {
    for len in 0..200 {
        let mut bytes = vec![0x7f_u8; len];
        assert!(bytes::is_ascii(&bytes));
        for at in 0..len {
            bytes[at] = 0x80;
            assert!(!bytes::is_ascii(&bytes), "len {len}, at {at}");
            bytes[at] = 0x7f;
        }
    }
}
