//! Recorded answers of Flume 1.11 (Java 17, UTC, November 2026), and where Flumen differs.

use super::*;

/// One message of `syslogtcp` without its line feed, and the event of Flume.
const CLASSIC: [(&str, &str); 21] = [
    ("hello world", "Facility=0 Severity=0 flume.syslog.status=Invalid | hello world"),
    ("<13>hello", "Facility=1 Severity=5 | <13>hello"),
    (
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
        "Facility=4 Severity=2 host=mymachine priority=34 timestamp=1791756855000 | su: 'su root' failed",
    ),
    (
        "<34>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
        "Facility=4 Severity=2 host=10.0.0.99 priority=34 timestamp=1770312738000 | Use the BFG!",
    ),
    (
        "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 - BOM msg",
        "Facility=20 Severity=5 host=mymachine.example.com priority=165 timestamp=1065910455003 version=1 | evntslog - ID47 - BOM msg",
    ),
    (
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - text",
        "Facility=20 Severity=5 host=192.0.2.1 priority=165 timestamp=1061702055000 version=1 | myproc 8710 - - text",
    ),
    ("<14>1 - - app - - - nothing", "Facility=1 Severity=6 priority=14 version=1 | app - - - nothing"),
    (
        "<13>1 2003-10-11T22:14:15Z host app",
        "Facility=1 Severity=5 host=host priority=13 timestamp=1065910455000 version=1 | app",
    ),
    (
        "<13>2003-10-11T22:14:15 host noversion",
        "Facility=1 Severity=5 host=host priority=13 timestamp=1065910455000 | noversion",
    ),
    ("<>text", "Facility=0 Severity=0 flume.syslog.status=Invalid | <>text"),
    ("<1234>text", "Facility=0 Severity=0 flume.syslog.status=Invalid | <1234>text"),
    ("<12a>text", "Facility=0 Severity=0 flume.syslog.status=Invalid | <12a>text"),
    (
        "\n\n<13>Oct  1 00:00:00 h tag[1]: m",
        "Facility=1 Severity=5 host=h priority=13 timestamp=1790812800000 | tag[1]: m",
    ),
    ("<13>Oct 1 00:00:00 h", "Facility=1 Severity=5 | <13>Oct 1 00:00:00 h"),
    ("<191>Jan 10 10:10:10 fe80::1 msg", "Facility=23 Severity=7 | <191>Jan 10 10:10:10 fe80::1 msg"),
    (
        "<999>Jan 10 10:10:10 h msg",
        "Facility=124 Severity=7 host=h priority=999 timestamp=1768039810000 | msg",
    ),
    (
        "<13>1 2003-10-11T22:14:15.123456789Z h app m",
        "Facility=1 Severity=5 | <13>1 2003-10-11T22:14:15.123456789Z h app m",
    ),
    ("<13>Oct 11 22:14:15 h m\r", "Facility=1 Severity=5 | <13>Oct 11 22:14:15 h m\r"),
    ("<13>xxx 11 22:14:15 h m", "Facility=1 Severity=5 | <13>xxx 11 22:14:15 h m"),
    // From the recorded runs of the agent.
    (
        "<0>Jan  2 03:04:05 single-digit-day kernel: panic",
        "Facility=0 Severity=0 host=single-digit-day priority=0 timestamp=1767323045000 | kernel: panic",
    ),
    ("<11>", "Facility=1 Severity=3 | <11>"),
];

/// Where Flumen gives another event, unless it is told not to.
const CLASSIC_OTHERWISE: [(&str, &str); 2] = [
    (
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - text",
        "Facility=20 Severity=5 host=192.0.2.1 priority=165 timestamp=1061727255000 version=1 | myproc 8710 - - text",
    ),
    ("<13>Oct 11 22:14:15 h m\r", "Facility=1 Severity=5 host=h priority=13 timestamp=1791756855000 | m"),
];

fn one(decoder: &mut Decoder, text: &str) -> String {
    let found = shown(&feed(decoder, format!("{text}\n").as_bytes(), End::Open));
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.concat()
}

#[test]
fn the_classic_parser_gives_flumes_events() {
    for (text, expected) in CLASSIC {
        assert_eq!(one(&mut classic(&AS_FLUME), text), expected, "{text}");
        let other = CLASSIC_OTHERWISE.iter().find(|(other, _)| *other == text);
        let expected = other.map_or(expected, |(_, expected)| expected);
        assert_eq!(one(&mut classic(&[]), text), expected, "{text}, defects put right");
    }
}

#[test]
fn fields_can_be_kept_in_the_body() {
    for (keep, text, expected) in [
        (
            "timestamp hostname",
            CLASSIC[2].0,
            "Facility=4 Severity=2 host=mymachine priority=34 timestamp=1791756855000 | Oct 11 22:14:15 mymachine su: 'su root' failed",
        ),
        (
            "timestamp hostname",
            CLASSIC[4].0,
            "Facility=20 Severity=5 host=mymachine.example.com priority=165 timestamp=1065910455003 version=1 | 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 - BOM msg",
        ),
        (
            "timestamp hostname",
            CLASSIC[6].0,
            "Facility=1 Severity=6 priority=14 version=1 | null null app - - - nothing",
        ),
        (
            "priority, version",
            CLASSIC[7].0,
            "Facility=1 Severity=5 host=host priority=13 timestamp=1065910455000 version=1 | <13>1 app",
        ),
        (
            "all",
            CLASSIC[7].0,
            "Facility=1 Severity=5 host=host priority=13 timestamp=1065910455000 version=1 | <13>1 2003-10-11T22:14:15Z host app",
        ),
        ("timestamp", "plain", "Facility=0 Severity=0 flume.syslog.status=Invalid | plain"),
    ] {
        assert_eq!(one(&mut classic(&[("keepFields", keep)]), text), expected, "{keep}: {text}");
    }
}

#[test]
fn an_event_shows_the_last_priority_and_version_of_its_connection() {
    let input = "<165>1 2003-10-11T22:14:15.003Z hostA m1\n<13>nomatch\nbad\n";
    let found = shown(&feed(&mut classic(&[]), input.as_bytes(), End::Open));
    assert_eq!(
        found,
        [
            "Facility=20 Severity=5 host=hostA priority=165 timestamp=1065910455003 version=1 | m1",
            "Facility=1 Severity=5 priority=165 version=1 | <13>nomatch",
            "Facility=0 Severity=0 flume.syslog.status=Invalid priority=165 version=1 | bad",
        ]
    );
}

#[test]
fn what_is_longer_than_an_event_is_cut_and_marked() {
    let input = "<13>Oct 11 22:14:15 host message is long\n<13>short\n";
    let found = shown(&feed(&mut classic(&[("eventSize", "20")]), input.as_bytes(), End::Open));
    assert_eq!(
        found,
        [
            "Facility=1 Severity=5 flume.syslog.status=Incomplete | <13>Oct 11 22:14:15 ",
            "Facility=0 Severity=0 flume.syslog.status=Invalid | host message is long",
            "Facility=1 Severity=5 | <13>short",
        ]
    );
    let cut = "<13>1 - h 12345678901234567890\n";
    let found = shown(&feed(&mut strict(&[("eventSize", "20")]), cut.as_bytes(), End::Open));
    let arrival = NOW_MS;
    assert_eq!(
        found,
        [
            format!(
                "Facility=1 Priority=13 Severity=5 Version=1 flume.syslog.status=Incomplete host=h timestamp={arrival} | 1234567890"
            ),
            "flume.syslog.status=Invalid | 1234567890".to_owned(),
        ]
    );
}

#[test]
fn datagrams_are_messages_of_their_own() {
    let mut decoder = classic(&[]);
    decoder.set_now(NOW_MS);
    let mut input = Vec::new();
    for text in ["<13>Oct 11 22:14:15 h m", "plain", "<14>Oct 11 22:14:15 h two\nlines\r\n", "\n", "", "<13"]
    {
        let start = input.len();
        input.extend_from_slice(text.as_bytes());
        decoder.datagram(&input, start);
    }
    let batch = decoder.finish(|| input.clone().into()).expect("messages");
    assert_eq!(
        shown(&events(vec![batch])),
        [
            "Facility=1 Severity=5 host=h priority=13 timestamp=1791756855000 | m",
            "Facility=0 Severity=0 flume.syslog.status=Invalid priority=13 | plain",
            "Facility=1 Severity=6 host=h priority=14 timestamp=1791756855000 | two\nlines",
            "Facility=1 Severity=5 priority=14 | <13",
        ]
    );
    let mut decoder = classic(&AS_FLUME);
    decoder.set_now(NOW_MS);
    let input = b"<14>Oct 11 22:14:15 h two\nlines";
    assert!(decoder.datagram(input, 0));
    let batch = decoder.finish(|| input.to_vec().into()).expect("a message");
    assert_eq!(batch.event(0).body(), b"two");
}

const INVALID: &str = "flume.syslog.status=Invalid";

/// One message of `multiport_syslogtcp`, and the headers and the body of Flume; no headers: invalid.
const STRICT: [(&str, &str, &str); 20] = [
    ("hello world", "", ""),
    ("<13>hello", "", ""),
    (
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
        "Facility=4 Priority=34 Severity=2 host=mymachine timestamp=1002838455000",
        "su: 'su root' failed",
    ),
    (
        "<34>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
        "Facility=4 Priority=34 Severity=2 host=10.0.0.99 timestamp=981394338000",
        "Use the BFG!",
    ),
    (
        "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 - BOM msg",
        "Facility=20 Priority=165 Severity=5 Version=1 host=mymachine.example.com timestamp=1065910455003",
        "evntslog - ID47 - BOM msg",
    ),
    (
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - text",
        "Facility=20 Priority=165 Severity=5 Version=1 host=192.0.2.1 timestamp=1061727255000",
        "myproc 8710 - - text",
    ),
    (
        "<14>1 - - app - - - nothing",
        "Facility=1 Priority=14 Severity=6 Version=1 host=- timestamp=1795361200151",
        "app - - - nothing",
    ),
    (
        "<13>1 2003-10-11T22:14:15Z host app",
        "Facility=1 Priority=13 Severity=5 Version=1 host=host timestamp=1065910455000",
        "app",
    ),
    ("<13>2003-10-11T22:14:15 host noversion", "", ""),
    ("<>text", "", ""),
    ("<1234>text", "", ""),
    ("<12a>text", "", ""),
    ("<13>Oct 1 00:00:00 h", "", ""),
    (
        "<191>Jan 10 10:10:10 fe80::1 msg",
        "Facility=23 Priority=191 Severity=7 host=fe80::1 timestamp=979121410000",
        "msg",
    ),
    (
        "<999>Jan 10 10:10:10 h msg",
        "Facility=124 Priority=999 Severity=7 host=h timestamp=979121410000",
        "msg",
    ),
    (
        "<13>1 2003-10-11T22:14:15.123456789Z h app m",
        "Facility=1 Priority=13 Severity=5 Version=1 host=h timestamp=1065910455123",
        "app m",
    ),
    ("<13>Oct 11 22:14:15 h m\r", "Facility=1 Priority=13 Severity=5 host=h timestamp=1002838455000", "m\r"),
    ("<13>xxx 11 22:14:15 h m", "", ""),
    (
        "<0>Jan  2 03:04:05 single-digit-day kernel: panic",
        "Facility=0 Priority=0 Severity=0 host=single-digit-day timestamp=978404645000",
        "kernel: panic",
    ),
    ("<11>", "", ""),
];

/// Flume's wrong moments and the right ones.
const STRICT_RIGHT: [(&str, &str); 4] = [
    ("1002838455000", "1791756855000"),
    ("981394338000", "1770312738000"),
    ("979121410000", "1768039810000"),
    ("978404645000", "1767323045000"),
];

#[test]
fn the_strict_parser_gives_flumes_events() {
    for (text, headers, body) in STRICT {
        let expected =
            if headers.is_empty() { format!("{INVALID} | {text}") } else { format!("{headers} | {body}") };
        assert_eq!(one(&mut strict(&AS_FLUME), text), expected, "{text}");
        let wrong = STRICT_RIGHT.iter().find(|(wrong, _)| expected.contains(wrong));
        let right = wrong.map_or(expected.clone(), |(wrong, right)| expected.replace(wrong, right));
        assert_eq!(one(&mut strict(&[]), text), right.trim_end_matches('\r'), "{text}, defects put right");
    }
}

#[test]
fn the_strict_parser_keeps_fields_in_the_body() {
    let keep = ("keepFields", "priority timestamp hostname");
    for (text, body) in [
        (STRICT[2].0, "<34>Oct 11 22:14:15 mymachine su: 'su root' failed"),
        (STRICT[4].0, "<165>2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 - BOM msg"),
        (STRICT[6].0, "<14>- - app - - - nothing"),
    ] {
        let found = one(&mut strict(&[keep]), text);
        assert_eq!(found.split(" | ").nth(1), Some(body));
    }
    let found = one(&mut strict(&[("keepFields", "all")]), STRICT[2].0);
    assert!(found.ends_with(&format!(" | {}", STRICT[2].0)), "{found}");
}

#[test]
fn a_day_of_one_digit_does_not_cost_the_host_its_first_letter() {
    let text = "<13>Oct 1 00:00:00 web1 m";
    assert_eq!(
        one(&mut strict(&[]), text),
        "Facility=1 Priority=13 Severity=5 host=web1 timestamp=1790812800000 | m"
    );
    assert_eq!(
        one(&mut strict(&AS_FLUME), text),
        "Facility=1 Priority=13 Severity=5 host=eb1 timestamp=0 | m"
    );
}

#[test]
fn charsets_are_of_the_port() {
    let text = b"<13>1 - h\xe9 caf\xe9\n";
    let found = feed(&mut strict(&[("charset.default", "ISO-8859-1")]), text, End::Open);
    assert_eq!((found[0].0["host"].as_str(), found[0].1.as_slice()), ("h\u{e9}", &b"caf\xe9"[..]));
    let found = feed(&mut strict(&[]), text, End::Open);
    assert_eq!(shown(&found)[0].split(" | ").next(), Some(INVALID));
    assert_eq!(found[0].1, &text[..text.len() - 1]);
    let found =
        feed(&mut strict(&[("charset.port.1", "ISO-8859-1"), ("keepFields", "hostname")]), text, End::Open);
    assert_eq!(found[0].1, b"h\xe9 caf\xe9");
    let found = feed(&mut strict(&[("charset.default", "US-ASCII")]), text, End::Open);
    assert_eq!(found[0].0.len(), 1);
}

#[test]
fn formats_of_the_configuration_come_first() {
    let pairs = [
        ("format.regex", r"<(\d+)>(x)? \[([^\]]*)\] (\S+) (.*)"),
        ("format.search", "/"),
        ("format.replace", "-"),
        ("format.dateFormat", "dd-MMM-yyyy:HH:mm:ss Z"),
        ("format.2.regex", r"<(local\d)>\s(.*)"),
    ];
    let mut decoder = classic(&pairs);
    assert_eq!(
        one(&mut decoder, "<13>x [11/Oct/2003:22:14:15 +0000] web1 GET /"),
        "Facility=1 Severity=5 host=web1 priority=13 timestamp=1065910455000 version=x | GET /"
    );
    assert_eq!(
        one(&mut decoder, "<13> [no date] web1 GET /"),
        "Facility=1 Severity=5 host=web1 priority=13 | GET /"
    );
    assert_eq!(one(&mut decoder, CLASSIC[2].0), CLASSIC[2].1);
}
