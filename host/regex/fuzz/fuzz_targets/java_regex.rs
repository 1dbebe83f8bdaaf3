//! `cargo +nightly fuzz run java_regex`: no pattern and no body makes a panic or a hang, and both
//! engines agree. The input is the pattern, a NUL, and the body.
#![no_main]

use flumen_regex::{Groups, JavaRegex, Replacement, date::DatePattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|&byte| byte == 0).unwrap_or(data.len());
    let Ok(pattern) = std::str::from_utf8(&data[..cut]) else { return };
    let body = data.get(cut + 1..).unwrap_or_default();
    if let Ok(date) = DatePattern::in_zone(pattern, "UTC") {
        let _ = date.parse_ms(&String::from_utf8_lossy(body));
        let _ = date.display(body.len() as i64).to_string();
    }
    let Ok(regex) = JavaRegex::new(pattern) else { return };
    let mut groups = Groups::new();
    let found = regex.captures(body, &mut groups);
    // An empty look-ahead changes nothing, but leaves only the exact engine.
    if let (Ok(found), Ok(exact)) = (found, JavaRegex::new(&format!("(?=){pattern}"))) {
        let mut others = Groups::new();
        // In alternatives only the first would have the look-ahead.
        if let Ok(other) = exact.captures(body, &mut others)
            && !pattern.contains('|')
        {
            assert_eq!(found, other);
            assert!(!found || groups.span(0) == others.span(0));
        }
    }
    let _ = regex.matches(body);
    if let Ok(with) = Replacement::new("<$0>", &regex) {
        let _ = regex.replace_all(body, &with, &mut Vec::new());
    }
});
