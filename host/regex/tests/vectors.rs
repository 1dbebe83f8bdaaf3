//! Every answer that java.util.regex gave is given here too.
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not see as tests.

mod support;

use support::{answer, ask_java, decode, java_wanted};

const ANSWERS: &str = include_str!("vectors/regex.answers");

/// A question (pattern, text, replacement) and Java's answer to it.
fn split(line: &str) -> ([String; 3], &str) {
    let mut fields = line.splitn(4, '\t');
    let question = [0; 3].map(|_| decode(fields.next().unwrap()));
    (question, fields.next().unwrap())
}

/// What Flumen refuses though Java takes it, and what it says better than Java does.
fn known_difference(text: &str, ours: &str, java: &str) -> bool {
    let refused = ours.starts_with("error\t") && ours.contains("not%20supported%20by%20Flumen");
    // Java can stop in the middle of a surrogate pair, and writes half characters as `?`.
    let split_pair = java.contains('?') && text.chars().any(|c| c > '\u{FFFF}');
    let name_of_nothing = java.ends_with("{%00}") && ours.ends_with("{}");
    let clearer =
        java == "error\tUnexpected%20internal%20error" && ours == "error\tUnescaped%20trailing%20backslash";
    refused || clearer || split_pair || name_of_nothing
}

fn compare(answers: &str) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in answers.lines() {
        let ([pattern, text, replacement], java) = split(line);
        let ours = answer(&pattern, &text, &replacement);
        count += 1;
        if ours != java && !known_difference(&text, &ours, java) {
            wrong.push(format!(
                "{pattern:?} on {text:?} with {replacement:?}\n   java {java:?}\n   ours {ours:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn all_stored_answers_of_java_are_ours() {
    assert!(ANSWERS.lines().count() > 4000);
    compare(ANSWERS);
}

#[test]
fn a_real_java_still_gives_the_stored_answers() {
    if java_wanted() {
        let questions: String = ANSWERS
            .lines()
            .map(|line| line.splitn(4, '\t').take(3).collect::<Vec<_>>().join("\t") + "\n")
            .collect();
        assert_eq!(ask_java("Regex", &[], questions), ANSWERS);
    }
}
