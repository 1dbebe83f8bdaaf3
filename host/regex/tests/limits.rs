//! What a user meets at the edges: limits, errors with places, bytes that are no UTF-8.
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not see as tests.

use std::time::{Duration, Instant};

use flumen_regex::{Engine, Groups, JavaRegex, MatchError, Replacement};

fn regex(pattern: &str) -> JavaRegex {
    JavaRegex::new(pattern).unwrap()
}

fn replace(pattern: &str, with: &str, body: &[u8]) -> (usize, Vec<u8>) {
    let regex = regex(pattern);
    let with = Replacement::new(with, &regex).unwrap();
    let mut out = Vec::new();
    (regex.replace_all(body, &with, &mut out).unwrap(), out)
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for (open, close) in [("(", ")"), ("(?:", ")"), ("[", "]"), ("(?=", ")"), ("(?>", ")*"), ("(a|", ")?+")] {
        let pattern = format!("{}a{}", open.repeat(100_000), close.repeat(100_000));
        assert!(JavaRegex::new(&pattern).unwrap_err().message.contains("nested"));
        let pattern = format!("{}a{}", open.repeat(249), close.repeat(249));
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let run = small.spawn(move || regex(&pattern).find(b"aaa").is_ok()).unwrap();
        assert!(run.join().unwrap());
    }
}

#[test]
fn large_counts_are_served_or_refused_but_never_hang() {
    let begin = Instant::now();
    for pattern in [
        "(((a{1000}){1000}){1000}){1000}",
        "(?:){1000000000}",
        "((a?){50000}){50000}",
        "[^x]{9000}y",
        "\\w{2000}$",
    ] {
        if let Ok(regex) = JavaRegex::new(pattern) {
            let _ = regex.find(&[b'a'; 3000]);
            let _ = regex.matches(&[b'a'; 3000]);
        }
    }
    assert!(JavaRegex::new(&"a".repeat(2 << 20)).is_err());
    assert!(begin.elapsed() < Duration::from_secs(60), "took {:?}", begin.elapsed());
}

#[test]
fn exponential_patterns_end_linear_or_too_complex() {
    let body = [&[b'a'; 5000][..], b"!"].concat();
    assert_eq!(regex("(a+)+$").find(&body), Ok(false));
    assert_eq!(regex("^(a|aa)+$").find(&[&body[..], b"\r"].concat()), Ok(false));
    let nested = regex("(?=(a+)+$)b|(a+)+\\1$");
    assert!(matches!(nested.find(&body), Err(MatchError::TooComplex { text_bytes: 5001, .. })));
    assert!(matches!(nested.captures(&body, &mut Groups::new()), Err(MatchError::TooComplex { .. })));
    let with = Replacement::new("x", &nested).unwrap();
    let mut out = b"kept".to_vec();
    assert!(nested.replace_all(&body, &with, &mut out).is_err());
    assert_eq!(out, b"kept");
}

#[test]
fn a_megabyte_is_read_by_a_look_ahead() {
    let body = vec![b'x'; 1 << 20];
    assert_eq!(regex("^(?!.*DEBUG).*$").find(&body), Ok(true));
}

#[test]
fn the_engine_says_why_it_backtracks() {
    assert_eq!(regex("^[0-9]{10} .*x$").engine(), Engine::Linear);
    assert_eq!(regex("(?m)^\\w+\\b").engine(), Engine::Linear);
    // The exact engine is linear too when nothing needs counters or runs of their own.
    assert_eq!(regex("\\d++[^\"]*+x").engine(), Engine::Linear);
    for (pattern, word) in
        [("a(?=b)", "looks"), ("(a)\\1", "back-reference"), ("(?:ab)++", "possessive"), ("(?>a)", "atomic")]
    {
        let Engine::Backtracking { why } = regex(pattern).engine() else { panic!("{pattern} is linear") };
        assert!(why.contains(word), "{why}");
    }
}

#[test]
fn an_error_has_javas_words_a_place_and_a_hint() {
    let error = JavaRegex::new("é(a").unwrap_err();
    assert_eq!((error.message.as_str(), error.offset, error.hint), ("Unclosed group", 4, None));
    let error = JavaRegex::new("a**").unwrap_err();
    assert_eq!(error.to_string(), "Dangling meta character '*' near index 2");
    for unsupported in ["\\X", "\\b{g}", "\\N{LATIN SMALL LETTER A}", "(?c)a"] {
        let error = JavaRegex::new(unsupported).unwrap_err();
        assert!(error.message.contains("not supported by Flumen") && error.hint.is_some(), "{error}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_matched_as_java_decodes_them() {
    let body = b"a\xFFb\xED\xA0\x80c";
    assert_eq!(regex("^a.b.c$").find(body), Ok(true));
    let mut groups = Groups::new();
    assert_eq!(regex("(.)(c)").captures(body, &mut groups), Ok(true));
    assert_eq!(groups.get(1, body), Some("\u{FFFD}".as_bytes()));
    assert_eq!(groups.get(2, body), Some(&b"c"[..]));
    assert_eq!(groups.text(body), "a\u{FFFD}b\u{FFFD}c".as_bytes());
    assert_eq!(replace("z", "-", body), (0, Vec::new()));
    assert_eq!(replace("b", "-", body), (1, "a\u{FFFD}-\u{FFFD}c".into()));
    assert_eq!(regex("(.)(c)").captures(b"ac", &mut groups), Ok(true));
    assert_eq!(groups.get(1, b"ac"), Some(&b"a"[..]));
}

#[test]
fn replacements_are_appended_and_checked_when_they_are_made() {
    assert_eq!(replace("user=([a-z]+)", "user=<$1>", b"x user=bob y"), (1, b"x user=<bob> y".to_vec()));
    assert_eq!(replace("a*", "-", b"baac"), (4, b"-b--c-".to_vec()));
    let error = Replacement::new("$2", &regex("(a)")).unwrap_err();
    assert_eq!((error.message.as_str(), error.offset), ("No group 2", 2));
}

#[test]
fn clones_serve_many_threads() {
    let regex = regex("(\\w+)@(\\w+)");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let regex = regex.clone();
            scope.spawn(move || {
                let mut groups = Groups::new();
                for turn in 0..2000 {
                    let body = format!("{}mail{thread}@host{turn}", "-".repeat(turn % 7));
                    assert!(regex.captures(body.as_bytes(), &mut groups).unwrap());
                    assert_eq!(groups.get(1, body.as_bytes()), Some(format!("mail{thread}").as_bytes()));
                }
            });
        }
    });
}

#[test]
fn a_text_full_of_the_first_literal_takes_linear_time() {
    // Quadratic time would be minutes here.
    let body = b"foo".repeat(300_000);
    assert_eq!(replace("foo[^x]*x", "-", &body), (0, Vec::new()));
    let ended = [&body[..], b"x foo x"].concat();
    assert_eq!(replace("foo[^x]*x", "-", &ended), (2, b"- -".to_vec()));
}
