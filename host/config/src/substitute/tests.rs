//! What Flume 1.11's own `MapResolver` answered to the same values (run once with Java 17), and our two differences.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::diagnostic::Origin;

fn options(extra: &[(&str, &str)]) -> LoadOptions {
    LoadOptions {
        environment: Arc::new(|name| match name {
            "JCASE" => Some("jj".to_owned()),
            "KK" => Some("k".to_owned()),
            "EMPTY" => Some(String::new()),
            "LOOP" => Some("<${env:LOOP}>".to_owned()),
            "DB_PASSWORD" => Some("hunter2".to_owned()),
            _ => None,
        }),
        system_properties: [("foo", "FOO")]
            .iter()
            .chain(extra)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
        ..LoadOptions::default()
    }
}

fn entry(key: &str, value: &str) -> Entry {
    let (key_at, value_at) = (Origin::CommandLine, Origin::CommandLine);
    Entry { key: key.into(), value: value.into(), key_at, value_at, separated: true, secret: false }
}

fn run(value: &str, options: &LoadOptions) -> (Entry, Diagnostics) {
    let mut entries = vec![
        entry("a.v", value),
        entry("a.k", "K"),
        entry("a.l", "<${a.k}>"),
        entry("a.x", "${a.y}"),
        entry("a.y", "${a.x}"),
        entry("a.big", &"${a.l}".repeat(2_000)),
        entry("b.configfilters", "f"),
    ];
    let mut findings = Diagnostics::default();
    substitute(&mut entries, options, &mut findings);
    (entries.swap_remove(0), findings)
}

#[test]
fn values_resolve_as_flume_resolves_them() {
    for (value, expected) in [
        ("${env:JCASE}", "jj"),
        ("x${env:JCASE}y${env:JCASE}", "xjjyjj"),
        ("${ENV:JCASE}", "jj"),
        ("${env:NOPE:-dflt}", "dflt"),
        ("${env:NOPE:-}", ""),
        ("${env:NOPE:-${env:JCASE}}", "jj"),
        ("${NOPE}", "${NOPE}"),
        ("${NOPE:-d}", "d"),
        ("${JCASE}", "${JCASE}"),
        ("${sys:foo}", "FOO"),
        ("${sys:foo:-x:-y}", "FOO"),
        ("$${env:JCASE}", "${env:JCASE}"),
        ("$$${env:JCASE}", "$${env:JCASE}"),
        ("${env:JCASE", "${env:JCASE"),
        ("${}", "${}"),
        ("${:-x}", "x"),
        ("${env:}", "${env:}"),
        ("${bogus:x}", "${bogus:x}"),
        ("${bogus:x:-d}", "d"),
        ("${env:EMPTY:-d}", ""),
        ("${f1['key']}", "${f1['key']}"),
        ("${ env:JCASE }", "${ env:JCASE }"),
        ("${env:NOPE:-a}b}", "ab}"),
        ("${${env:KK}", "${${env:KK}"),
        ("$$", "$$"),
        ("$${x", "$${x"),
        ("a}b", "a}b"),
        ("%{x}", "%{x}"),
        ("${env:J:-${NOPE}}", "${NOPE}"),
    ] {
        assert_eq!(run(value, &options(&[])).0.value, expected, "{value}");
    }
}

#[test]
fn another_key_of_the_configuration_can_be_used_whatever_the_order() {
    for (value, expected) in [("${a.k}", "K"), ("${a.l}", "<K>"), ("${a.${env:KK}}", "K"), ("${a.m:-z}", "z")]
    {
        assert_eq!(run(value, &options(&[])).0.value, expected, "{value}");
    }
}

#[test]
fn plain_names_mean_the_environment_only_if_asked_for() {
    let asked = options(&[("propertiesImplementation", "org.apache.flume.node.EnvVarResolverProperties")]);
    assert_eq!(run("${JCASE}", &asked).0.value, "jj");
    assert_eq!(run("${NOPE}", &asked).0.value, "${NOPE}");
}

#[test]
fn dates_are_formatted_as_java_does() {
    let value = run("${date:yyyy}", &options(&[])).0.value;
    assert_eq!(value, "2001");
    let (odd, findings) = run("${date:yyyy-MM'T''x'} ${date:bad''fff'}", &options(&[]));
    assert!(odd.value.starts_with("2001-09T'x ${date:bad"), "{}", odd.value);
    assert!(findings.iter().any(|d| d.message.contains("not known")));
}

#[test]
fn what_stays_literal_is_warned_of_with_the_reason() {
    let texts = |value: &str| {
        run(value, &options(&[])).1.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("\n")
    };
    assert!(texts("${env:NOPE}").contains("no environment variable `NOPE`"));
    assert!(texts("${JCASE}").contains("${env:JCASE}"));
    assert!(texts("${java:version}").contains("no Java"));
    assert!(texts("${f[k]}").contains("config filter"));
}

#[test]
fn endless_values_are_an_error_and_stay_as_they_are() {
    for value in ["${a.x}", "${env:LOOP}", "${a.big}", &format!("{}x{}", "${".repeat(99), "}".repeat(99))] {
        let (entry, findings) = run(value, &options(&[]));
        assert!(findings.iter().any(|d| d.code == "endless-substitution"), "{value}");
        assert_eq!(entry.value, value);
    }
}

#[test]
fn a_value_from_a_variable_that_is_called_a_password_is_secret() {
    assert!(run("x${env:DB_PASSWORD}", &options(&[])).0.secret);
    assert!(!run("x${env:JCASE}", &options(&[])).0.secret);
}
