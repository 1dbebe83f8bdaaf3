//! Every answer that Joda-Time gave is given here too.
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not see as tests.

mod support;

use flumen_regex::date::DatePattern;
use support::{ask_java, java_wanted};

const ANSWERS: &str = include_str!("vectors/dates.answers");

fn answer(zone: &str, what: &str, pattern: &str, text: &str) -> String {
    let Ok(pattern) = DatePattern::in_zone(pattern, zone) else { return "error".to_owned() };
    if what == "parse" {
        return pattern.parse_ms(text).map_or("error".to_owned(), |ms| ms.to_string());
    }
    pattern.display(text.parse().unwrap()).to_string()
}

#[test]
fn all_stored_answers_of_joda_are_ours() {
    let mut wrong = Vec::new();
    for line in ANSWERS.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let ours = answer(fields[0], fields[1], fields[2], fields[3]);
        if ours != fields[4] {
            wrong.push(format!("{line}\n   ours {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), ANSWERS.lines().count(), wrong.join("\n"));
}

#[test]
fn a_real_joda_still_gives_the_stored_answers() {
    let Some(jar) = std::env::var("FLUMEN_JODA_JAR").ok().filter(|_| java_wanted()) else { return };
    // Years of two digits pivot around the current year, so those lines are left to the stored ones.
    let fixed: Vec<&str> =
        ANSWERS.lines().filter(|line| !line.contains("yy/") && !line.contains("\tyy\t")).collect();
    let questions: String =
        fixed.iter().map(|line| line.rsplit_once('\t').unwrap().0.to_owned() + "\n").collect();
    let answers = ask_java("Dates", &["-cp", &jar], questions);
    assert_eq!(answers.lines().collect::<Vec<_>>(), fixed);
}

#[test]
fn a_pattern_that_joda_refuses_is_refused_with_its_letters() {
    let error = DatePattern::new("yyyy bb").unwrap_err();
    assert_eq!(error.to_string(), "illegal pattern component: bb");
    let error = DatePattern::in_zone("ss.S", "UTC").unwrap().parse_ms("12.567").unwrap_err();
    assert_eq!(error.to_string(), "invalid format: \"12.567\" is malformed at \"67\"");
}
