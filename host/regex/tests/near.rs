//! Patterns with a literal that is looked for first (`src/near.rs`).

use flumen_regex::{JavaRegex, Replacement};

/// By the rules of `Matcher.find()`.
#[test]
fn a_literal_in_the_middle_tells_what_java_tells() {
    let cases: [(&str, &[(&str, bool)]); 7] = [
        (
            "[05] user",
            &[("0 user", true), ("a5 users", true), ("1 user", false), (" user", false), ("", false)],
        ),
        ("[05] user", &[("1 user 5 user", true), ("x user user user user user 0 user", true)]),
        ("\\d{3} GET /[a-z]", &[("200 GET /1 200 GET /x", true), ("20 GET /x", false), ("200 GET /", false)]),
        ("[ab]xyz[0-9]+$", &[("axyz1", true), ("axyz1x", false), ("axyz1\n", true), ("xyz1", false)]),
        ("aaab", &[("aaaaaaaaab", true), ("aaaaaaaa", false)]),
        ("[a-c]abc\\bx?", &[("aabc", true), ("aabcd", false), ("éaabc", true), ("aabcé", false)]),
        ("x{2}(abc|abd)", &[("xxabd", true), ("xabd", false)]),
    ];
    for (pattern, texts) in cases {
        let regex = JavaRegex::new(pattern).expect(pattern);
        for (text, expected) in texts {
            assert_eq!(regex.find(text.as_bytes()), Ok(*expected), "{pattern} on {text:?}");
        }
    }
}

/// By the rules of `Matcher.find()`: bytes that are no UTF-8 are a character, and NEL ends a line.
#[test]
fn a_line_between_its_ends_tells_what_java_tells() {
    let regex = JavaRegex::new("^[0-9]{2} .*x$").expect("fine");
    let long = [&b"12 "[..], &[b'a'; 200], b"x"].concat();
    let cases: [(&[u8], bool); 14] = [
        (b"12 ax", true),
        (b"12 ax\n", true),
        (b"12 ax\r\n", true),
        (b"12 ax\xC2\x85", true),
        (b"12 a\xFFx", true),
        (b"12 a\tx", true),
        (b"12 a\nx", false),
        (b"12 a\xC2\x85x", false),
        (b"1\xFF ax", false),
        (b"12 ax\n\n", false),
        (b"12 a", false),
        (b"1", false),
        (b"", false),
        (&long, true),
    ];
    for (text, expected) in cases {
        assert_eq!(regex.find(text), Ok(expected), "{:?}", String::from_utf8_lossy(text));
    }
    for at in 3..long.len() {
        let mut text = long.clone();
        for (byte, expected) in [(b'\r', at + 1 == long.len()), (b'\t', at + 1 < long.len()), (b'x', true)] {
            text[at] = byte;
            // `$` holds before a last carriage return, with an `x` in front of it.
            let expected = expected && (byte != b'\r' || text[at - 1] == b'x');
            assert_eq!(regex.find(&text), Ok(expected), "{byte} at {at}");
        }
    }
}

/// By the rules of `Matcher.replaceAll("<>")`.
#[test]
fn a_literal_and_a_run_are_replaced_as_java_does() {
    let cases: [(&str, &[(&str, &str)]); 5] = [
        (
            "user=[a-z]+",
            &[("user=ann user= user=bob1", "<> user= <>1"), ("user=é", "user=é"), ("use", "use")],
        ),
        ("abc[abc]*", &[("xabcabcdabc", "x<>d<>"), ("ab", "ab")]),
        ("id:\\d{2,}", &[("id:1 id:12 id:123x", "id:1 <> <>x")]),
        ("(key)=(\\w+)", &[("key=v; key=", "<>; key=")]),
        ("secret", &[("secretsecret secre", "<><> secre"), ("sécret", "sécret")]),
    ];
    for (pattern, texts) in cases {
        let regex = JavaRegex::new(pattern).expect(pattern);
        let with = Replacement::new("<>", &regex).expect("a text");
        for (text, expected) in texts {
            let mut out = Vec::new();
            let places = regex.replace_all(text.as_bytes(), &with, &mut out).expect("linear");
            let out = if places == 0 { (*text).to_owned() } else { String::from_utf8(out).expect("text") };
            assert_eq!(out, *expected, "{pattern} on {text:?}");
        }
    }
}

/// Where the blocks of a search end makes no difference, nor do bytes that become U+FFFD as in `new String(bytes, UTF_8)`.
#[test]
fn all_around_what_is_replaced_stays_but_bytes_that_are_no_utf8() {
    let regex = JavaRegex::new("user=[a-z]+").expect("a pattern");
    let with = Replacement::new("user=****", &regex).expect("a text");
    for (bytes, decoded) in
        [(&b""[..], ""), ("é".as_bytes(), "é"), (b"\xFF", "\u{FFFD}"), (b"\xE2\x82", "\u{FFFD}")]
    {
        for length in 0..200 {
            let (before, behind) = ("use=".repeat(length / 4), ".".repeat(199 - length));
            let body =
                [before.as_bytes(), b"user=ann user=", bytes, b"1user=b", behind.as_bytes(), bytes].concat();
            let expected = format!("{before}user=**** user={decoded}1user=****{behind}{decoded}");
            let mut out = b"before".to_vec();
            assert_eq!(regex.replace_all(&body, &with, &mut out), Ok(2), "{body:?}");
            assert_eq!(String::from_utf8(out).expect("text"), format!("before{expected}"), "{body:?}");
        }
    }
}

#[test]
fn bytes_that_are_no_utf8_do_not_hide_a_literal() {
    let regex = JavaRegex::new("[05] user").expect("a pattern");
    for (bytes, expected) in [
        (&b"\xC3\x280 user\xFF"[..], true),
        (b"0\xE2\x82 user", false),
        (b"\xF0\x9F5 user", true),
        (b"\xE0\x80", false),
    ] {
        assert_eq!(regex.find(bytes), Ok(expected), "{bytes:?}");
    }
}

#[test]
fn a_text_full_of_the_literal_takes_linear_time() {
    let text = "0abc".repeat(200_000);
    let regex = JavaRegex::new("[0-9]abc[0-9a-c]*x").expect("a pattern");
    assert_eq!(regex.find(text.as_bytes()), Ok(false));
}
