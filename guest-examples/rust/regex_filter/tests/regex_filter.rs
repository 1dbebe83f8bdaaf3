//! What `regex_filter` does, natively.

use flumen_plugin_sdk::testing::{Event, Tested, with_host};
use regex_filter::RegexFilter;

const INPUT: [&str; 6] =
    ["hello", "the quick brown fox", "ERROR 42 disk full", "key=value user=alice", "", "last line"];

fn kept(options: &[(&str, &str)], input: &[&str]) -> Vec<String> {
    let input: Vec<Event> = input.iter().map(|body| Event::new(*body)).collect();
    let out = Tested::<RegexFilter>::configured(options).expect("valid").intercept(&input).expect("accepted");
    out.events.iter().map(|event| String::from_utf8_lossy(&event.body).into_owned()).collect()
}

#[test]
fn events_are_kept_or_dropped_as_by_the_native_one() {
    assert_eq!(kept(&[], &INPUT), INPUT);
    assert_eq!(kept(&[("regex", "(ERROR|fox)")], &INPUT), ["the quick brown fox", "ERROR 42 disk full"]);
    let options = [("regex", "^(hello|last)"), ("excludeEvents", "true")];
    assert_eq!(
        kept(&options, &INPUT),
        ["the quick brown fox", "ERROR 42 disk full", "key=value user=alice", ""]
    );
}

#[test]
fn an_event_that_is_too_complex_is_kept_and_counted() {
    let hard = "a".repeat(5_000);
    let options = [("regex", r"(?=((a+)+)+\2b)"), ("excludeEvents", "true")];
    assert_eq!(kept(&options, &[&hard]), [hard]);
    assert_eq!(with_host(|host| host.counters["too_complex"]), 1);
}

#[test]
fn a_bad_pattern_is_an_error_of_that_option() {
    for pattern in ["[a", ""] {
        let error = Tested::<RegexFilter>::configured(&[("regex", pattern)]).expect_err("refused");
        assert_eq!(error.key.as_deref(), Some("regex"));
    }
}
