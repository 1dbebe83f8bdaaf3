//! Random patterns: nothing panics, nothing hangs, both engines agree, and so does a real Java.
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not see as tests.

mod support;

use std::fmt::Write as _;

use flumen_regex::{Groups, JavaRegex};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use support::{answer, ask_java, encode, java_wanted};

/// Patterns of the parts that both engines run.
fn simple_pattern() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "é", "."]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["[ab]", "[^a]", "\\w", "\\s", "\\d", "\\W", "[a-c&&[^b]]", "(?i:A)", "(?:)", "\\n"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["^", "$", "\\b", "\\B", "\\z", "\\Z", "\\R", "(?m:^)", "(?m:$)"]).prop_map(str::to_owned),
    ];
    let quantifier =
        || prop::sample::select(vec!["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?"]);
    atom.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}|{b})")),
            2 => (inner.clone(), quantifier()).prop_map(|(a, q)| format!("({a}){q}")),
            2 => (inner, quantifier()).prop_map(|(a, q)| format!("(?:{a}){q}")),
        ]
    })
}

/// The same, with what only backtracking can do.
fn any_pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => simple_pattern(),
        1 => (simple_pattern(), prop::sample::select(vec!["(?=", "(?!", "(?>", "(?<=", "(?<!", "(?:", "("]), 0..5usize)
            .prop_map(|(body, open, q)| format!("{open}{body}){}", ["", "", "+", "*", "?"][q])),
        1 => (simple_pattern(), prop::sample::select(vec!["++", "*+", "?+", "{1,2}+"])).prop_map(|(body, q)| format!("(?:{body}){q}")),
        1 => prop::sample::select(vec!["\\1", "\\2", "\\G", "(?i)", "\\1*", "a*+", "[^b]++", "(?<n>a)"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

fn text() -> impl Strategy<Value = String> {
    let c = prop::sample::select(vec![
        "a", "a", "b", "c", "A", "é", " ", "1", "\n", "\r\n", "\r", "\u{85}", "\u{301}",
    ]);
    prop::collection::vec(c, 0..9).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_linear_engine_gives_the_same_answers_as_the_exact_one(pattern in simple_pattern(), text in text()) {
        let Ok(linear) = JavaRegex::new(&pattern) else { return Ok(()) };
        // An empty look-ahead changes nothing, but leaves only the exact engine.
        let exact = JavaRegex::new(&format!("(?=){pattern}")).unwrap();
        let (mut ours, mut theirs) = (Groups::new(), Groups::new());
        let found = linear.captures(text.as_bytes(), &mut ours).unwrap();
        prop_assert_eq!(found, exact.captures(text.as_bytes(), &mut theirs).unwrap());
        prop_assert_eq!(found, linear.find(text.as_bytes()).unwrap());
        let whole = format!("(?=)(?:{pattern})");
        let whole = JavaRegex::new(&whole).unwrap().matches(text.as_bytes()).unwrap();
        prop_assert_eq!(linear.matches(text.as_bytes()).unwrap(), whole);
        for group in (0..=linear.group_count()).filter(|_| found) {
            prop_assert_eq!(ours.span(group), theirs.span(group), "group {}", group);
        }
    }

    #[test]
    fn no_text_as_a_pattern_makes_a_panic(pattern in "\\PC{0,20}", body in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(regex) = JavaRegex::new(&pattern) {
            let _ = regex.captures(&body, &mut Groups::new());
            let _ = regex.matches(&body);
        }
    }

    #[test]
    fn no_mixture_of_metacharacters_makes_a_panic(pattern in "[ab0-9(){}\\[\\]\\\\|*+?^$.<>=!:&xQEpPkuc#,-]{0,24}", text in text()) {
        if let Ok(regex) = JavaRegex::new(&pattern) {
            let _ = regex.captures(text.as_bytes(), &mut Groups::new());
            let _ = regex.matches(text.as_bytes());
        }
    }
}

#[test]
fn a_real_java_gives_the_same_answers_to_random_patterns() {
    if !java_wanted() {
        return;
    }
    let cases =
        std::env::var("FLUMEN_JAVA_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("FLUMEN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now);
    println!("FLUMEN_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let metacharacters = "[ab0-9(){}\\[\\]\\\\|*+?^$.<>=!:&xQEpPkuc#, -]{0,12}";
    let patterns = prop_oneof![3 => any_pattern(), 1 => simple_pattern(), 1 => metacharacters];
    let texts = text();
    let mut questions = Vec::new();
    for _ in 0..cases {
        let tree = (&patterns, &texts).new_tree(&mut runner).unwrap();
        questions.push(proptest::strategy::ValueTree::current(&tree));
    }
    compare(&questions);
}

fn compare(questions: &[(String, String)]) {
    let lines = questions.iter().fold(String::new(), |mut lines, (pattern, text)| {
        let _ = writeln!(lines, "{}\t{}\t<$0>", encode(pattern), encode(text));
        lines
    });
    let answers = ask_java("Regex", &[], lines);
    assert_eq!(answers.lines().count(), questions.len());
    let mut wrong = Vec::new();
    for ((pattern, text), line) in questions.iter().zip(answers.lines()) {
        let java = line.splitn(4, '\t').nth(3).unwrap();
        let ours = answer(pattern, text, "<$0>");
        let refused = ours.starts_with("error\t") && (ours.contains("Flumen") || ours.contains("backslash"));
        if ours != java && !refused && !java.ends_with("{%00}") {
            wrong.push(format!("{pattern:?} on {text:?}\n   java {java:?}\n   ours {ours:?}"));
        }
    }
    let shown = wrong.iter().take(25).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} differ:\n{shown}", wrong.len(), questions.len());
}
