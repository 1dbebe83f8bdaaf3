//! Moments of RFC 5424 dates in two zones, as Flume 1.11 has them and as they should be.

use super::super::stamp::{Dates, Stamps};
use super::*;

fn stamps(dates: Dates, zone: &str) -> Stamps {
    let mut stamps = Stamps::new(dates, TimeZone::get(zone).expect("a known zone"));
    stamps.set_now(NOW_MS);
    stamps
}

/// A date; the moments of Flume's classic parser in UTC and in New York; that of its strict parser, which is right.
const DATES: [(&str, i64, i64, Option<i64>); 13] = [
    ("2003-08-24T05:14:15Z", 1061702055000, 1061702055000, Some(1061702055000)),
    ("2003-08-24T05:14:15-07:00", 1061727255000, 1061727255000, Some(1061727255000)),
    ("2003-08-24T05:14:15+05:30", 1061682255000, 1061682255000, Some(1061682255000)),
    ("2003-08-24T05:14:15.1Z", 1061702055001, 1061716455001, Some(1061702055100)),
    ("2003-08-24T05:14:15.12Z", 1061702055012, 1061716455012, Some(1061702055120)),
    ("2003-08-24T05:14:15.123Z", 1061702055123, 1061716455123, Some(1061702055123)),
    ("2003-08-24T05:14:15.123-07:00", 1061702055123, 1061716455123, Some(1061727255123)),
    ("2003-08-24T05:14:15.1234-07:00", 1061702055123, 1061716455123, Some(1061727255123)),
    ("2003-08-24T05:14:15.123456-07:00", 1061702055123, 1061716455123, Some(1061727255123)),
    ("2003-08-24T05:14:15.123456Z", 1061702055123, 1061716455123, Some(1061702055123)),
    ("2003-08-24T05:14:15.123456", 1061702055123, 1061716455123, None),
    ("2003-08-24T05:14:15.123", 1061702055123, 1061716455123, None),
    ("2003-08-24T05:14:15.000003-07:00", 1061702055000, 1061716455000, Some(1061727255000)),
];

#[test]
fn dates_with_a_year_are_flumes_or_right() {
    for (zone, in_new_york) in [("UTC", false), ("America/New_York", true)] {
        let (mut flumes, mut right) = (stamps(Dates::AsFlume, zone), stamps(Dates::Right, zone));
        for (text, in_utc, there, strict) in DATES {
            let expected = if in_new_york { there } else { in_utc };
            assert_eq!(flumes.full_local(text.as_bytes()), Some(expected), "{text} in {zone}");
            // Without a zone of its own a date is local, and Flume is right about that.
            assert_eq!(
                right.full_local(text.as_bytes()),
                Some(strict.unwrap_or(expected)),
                "{text} in {zone}"
            );
            for stamps in [&mut flumes, &mut right] {
                assert_eq!(stamps.full_utc(text.as_bytes()), strict, "{text}");
            }
        }
    }
}

// Printed by OpenJDK 17 in the zone America/New_York.
#[test]
fn local_times_that_the_clocks_skip_or_repeat_are_javas() {
    let mut stamps = stamps(Dates::Right, "America/New_York");
    for (text, expected) in [
        ("2026-03-08T01:59:59", 1772953199000),
        ("2026-03-08T02:30:00", 1772955000000),
        ("2026-03-08T03:00:00", 1772953200000),
        ("2026-11-01T00:59:59", 1793509199000),
        ("2026-11-01T01:30:00", 1793514600000),
        ("2026-11-01T02:00:00", 1793516400000),
        ("2026-02-31T25:61:61", 1772607721000),
        ("2026-00-00T00:00:00", 1764478800000),
    ] {
        assert_eq!(stamps.full_local(text.as_bytes()), Some(expected), "{text}");
    }
    for (text, expected) in [
        ("Oct 1 00:00:00", Some(1790827200000)),
        ("Oct \t1 00:00:00", Some(1790827200000)),
        ("Oct\t1 00:00:00", None),
        ("Oct 1\t00:00:00", None),
        ("Feb 31 00:00:00", Some(1772514000000)),
        ("Feb 29 00:00:00", Some(1772341200000)),
        ("Foo 1 00:00:00", None),
    ] {
        assert_eq!(stamps.classic_local(text.as_bytes()), expected, "{text}");
    }
}

// Printed by OpenJDK 17: offsets of a day and more, and of more than 59 minutes, are none, and the time is local.
#[test]
fn an_offset_that_cannot_be_is_none() {
    let mut stamps = stamps(Dates::Right, "UTC");
    for offset in ["+99:59", "+24:00", "+00:60", "-24:60", "+00:99"] {
        let text = format!("2003-10-11T22:14:15{offset}");
        assert_eq!(stamps.full_local(text.as_bytes()), Some(1065910455000), "{text}");
    }
    assert_eq!(stamps.full_local(b"2003-10-11T22:14:15+23:59"), Some(1065824115000));
}

#[test]
fn a_date_without_a_year_is_within_eleven_months_back_and_one_ahead() {
    let mut stamps = stamps(Dates::Right, "UTC");
    // It is the 22nd of November 2026.
    for (text, year) in [
        ("Nov 22 15:00:00", 2026),
        ("Dec 22 15:00:00", 2026),
        ("Dec 23 15:00:00", 2025),
        ("Dec 31 23:59:59", 2025),
        ("Jan  1 00:00:00", 2026),
        ("Oct 11 22:14:15", 2026),
    ] {
        let found = stamps.classic_local(text.as_bytes()).expect("a date");
        let expected = super::super::stamp::civil(found.div_euclid(86_400_000)).0;
        assert_eq!(expected, year, "{text}");
        assert_eq!(stamps.classic_utc(text.as_bytes()), Some(found), "{text}");
    }
    // In January, last year's December is near.
    stamps.set_now(1_798_800_000_000);
    let found = stamps.classic_local(b"Dec 31 23:59:59").expect("a date");
    assert_eq!(found, 1_798_761_599_000, "a second before 2027");
}

#[test]
fn unusual_dates_of_the_strict_parser_are_jodas() {
    let mut stamps = stamps(Dates::Right, "UTC");
    assert_eq!(stamps.full_utc(b"2003-13-11T22:14:15Z"), None, "there is no thirteenth month");
    assert_eq!(stamps.full_utc(b"2003-10-11T22:14:60Z"), None, "nor a sixtieth second");
    assert_eq!(stamps.full_utc(b"2003-10-11T22:14:15X"), Some(1065910455000), "what is no zone is UTC");
    assert_eq!(stamps.full_utc(b"2003-10-11T22:14:15"), None);
    assert_eq!(stamps.full_utc(b"2003-10-11T22:14:15."), None);
    assert_eq!(stamps.full_utc(b"2003-10-11T22:14:15.Z"), None);
    assert_eq!(stamps.full_utc(b"2003-10-11T22:14:15+0100"), None);
    assert_eq!(stamps.classic_utc(b"OCT 11 22:14:15"), Some(1791756855000), "in any case of letters");
    assert_eq!(stamps.classic_utc(b"Feb 31 00:00:00"), None);
}
