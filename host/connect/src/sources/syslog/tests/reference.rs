//! The scanner against Flume's own patterns: a slow parser that goes byte by byte through Flume's states and matches
//! with `java.util.regex` patterns as flumen-regex runs them.

use flumen_regex::{Groups, JavaRegex};
use jiff::civil::{DateTime, date};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::*;

const FULL: &str = r"(?:\<(\d{1,3})\>)(?:(\d?)\s?)(?:(\d{4}[-]\d{2}[-]\d{2}[T]\d{2}[:]\d{2}[:]\d{2}(?:\.\d{1,6})?(?:[+-]\d{2}[:]\d{2}|Z)?)|-)\s(?:([\w][\w\d\.@\-]*)|-)\s(.*)$";
const CLASSIC: &str = r"(?:\<(\d{1,3})\>)(?:(\d)?\s?)([A-Z][a-z][a-z]\s{1,2}\d{1,2}\s\d{2}[:]\d{2}[:]\d{2})\s([\w][\w\d\.@-]*)\s(.*)$";

struct Slow {
    patterns: [JavaRegex; 2],
    keep: String,
    event_size: usize,
    priority: Option<String>,
    version: Option<String>,
}

impl Slow {
    fn new(keep: &str, event_size: usize) -> Self {
        let whole = |pattern: &str| JavaRegex::new(&format!(r"\A(?:{pattern})\z")).expect("Flume's pattern");
        let patterns = [whole(FULL), whole(CLASSIC)];
        Self { patterns, keep: keep.to_owned(), event_size, priority: None, version: None }
    }

    fn run(&mut self, input: &[u8]) -> Vec<Event> {
        #[derive(PartialEq)]
        enum Mode {
            Start,
            Priority,
            Data,
        }
        let (mut mode, mut bad) = (Mode::Start, false);
        let (mut text, mut digits, mut found) = (Vec::new(), String::new(), Vec::new());
        for &byte in input {
            let mut ended = None;
            match mode {
                Mode::Start if byte == b'\n' => continue,
                Mode::Start => {
                    text.push(byte);
                    bad = byte != b'<';
                    mode = if bad { Mode::Data } else { Mode::Priority };
                }
                Mode::Priority => {
                    text.push(byte);
                    if byte == b'>' {
                        bad = digits.is_empty();
                        mode = Mode::Data;
                    } else {
                        digits.push(char::from(byte));
                        if !byte.is_ascii_digit() || digits.len() > 3 {
                            bad = true;
                            mode = Mode::Data;
                        }
                    }
                }
                Mode::Data if byte == b'\n' => ended = Some("whole"),
                Mode::Data => {
                    text.push(byte);
                    if text.len() == self.event_size {
                        ended = Some("cut");
                    }
                }
            }
            if let Some(how) = ended {
                found.push(self.build(&text, (!bad).then_some(&digits), how == "cut"));
                text.clear();
                digits.clear();
                (mode, bad) = (Mode::Start, false);
            }
        }
        found
    }

    fn build(&mut self, text: &[u8], digits: Option<&String>, cut: bool) -> Event {
        let mut headers = BTreeMap::new();
        let number: u32 = digits.map_or(0, |digits| digits.parse().expect("digits"));
        headers.insert("Facility".to_owned(), (number / 8).to_string());
        headers.insert("Severity".to_owned(), (number % 8).to_string());
        let mut body = None;
        if digits.is_some() {
            body = self.headers(text, &mut headers);
        }
        let mut set = |name: &str, value: &Option<String>| {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                headers.insert(name.to_owned(), value.clone());
            }
        };
        set("priority", &self.priority);
        set("version", &self.version);
        if digits.is_none() {
            set("flume.syslog.status", &Some("Invalid".to_owned()));
        } else if cut {
            set("flume.syslog.status", &Some("Incomplete".to_owned()));
        }
        let body = body.filter(|body| !body.is_empty() && self.keep != "all");
        (headers, body.unwrap_or_else(|| text.to_vec()))
    }

    fn headers(&mut self, text: &[u8], headers: &mut BTreeMap<String, String>) -> Option<Vec<u8>> {
        let mut groups = Groups::new();
        let matched = self.patterns.iter().position(|p| p.captures(text, &mut groups).expect("simple"))?;
        let group =
            |at: usize| groups.get(at, text).map(|text| str::from_utf8(text).expect("UTF-8").to_owned());
        let (priority, version, stamp, host) = (group(1), group(2), group(3), group(4));
        let moment = stamp.as_deref().and_then(if matched == 0 { full } else { short });
        if let Some(moment) = moment {
            headers.insert("timestamp".to_owned(), moment.to_string());
        }
        if let Some(host) = &host {
            headers.insert("host".to_owned(), host.clone());
        }
        let mut body = group(5).expect("always there");
        let null = || "null".to_owned();
        if self.keep.contains("hostname") {
            body = format!("{} {body}", host.unwrap_or_else(null));
        }
        if self.keep.contains("timestamp") {
            body = format!("{} {body}", stamp.unwrap_or_else(null));
        }
        if let Some(version) = version.as_ref().filter(|v| self.keep.contains("version") && !v.is_empty()) {
            body = format!("{version} {body}");
        }
        if self.keep.contains("priority") {
            body = format!("<{}>{body}", priority.as_deref().expect("always there"));
        }
        (self.priority, self.version) = (priority, version);
        Some(body.into_bytes())
    }
}

fn digits(text: &str) -> i64 {
    text.parse().expect("digits")
}

/// A moment by a calendar that is not ours.
fn lenient(year: i16, parts: [i64; 5]) -> DateTime {
    let [month, day, hour, minute, second] = parts;
    let start = date(year, 1, 1).at(0, 0, 0, 0).checked_add((month - 1).months()).expect("in range");
    let day = start.checked_add((day - 1).days()).expect("in range");
    day.checked_add((hour * 3600 + minute * 60 + second).seconds()).expect("in range")
}

fn utc_ms(at: DateTime) -> i64 {
    at.to_zoned(TimeZone::UTC).expect("in range").timestamp().as_millisecond()
}

/// As Flume: an offset is obeyed only if there is no fraction; UTC is the local zone.
fn full(text: &str) -> Option<i64> {
    let field = |range: std::ops::Range<usize>| digits(&text[range]);
    let parts = [field(5..7), field(8..10), field(11..13), field(14..16), field(17..19)];
    let mut ms = utc_ms(lenient(field(0..4) as i16, parts));
    if let Some(fraction) = text[19..].strip_prefix('.') {
        let fraction: String = fraction.chars().take_while(char::is_ascii_digit).take(3).collect();
        return Some(ms + digits(&fraction));
    }
    if text.len() == 25 {
        let (hours, minutes) = (field(20..22), field(23..25));
        if hours < 24 && minutes < 60 {
            let sign = if text.as_bytes()[19] == b'-' { -1 } else { 1 };
            ms -= sign * (hours * 60 + minutes) * 60_000;
        }
    }
    Some(ms)
}

fn short(text: &str) -> Option<i64> {
    let text = text.replace("  ", " ");
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names.iter().position(|name| text.starts_with(name))? as i64 + 1;
    let rest = text[3..].strip_prefix(' ')?.trim_start_matches('\t');
    let (day, time) = rest.split_once(' ')?;
    let day: i64 = day.parse().ok()?;
    let [hour, minute, second] = [&time[..2], &time[3..5], &time[6..]].map(digits);
    let now = Timestamp::from_millisecond(NOW_MS).expect("now").to_zoned(TimeZone::UTC).datetime();
    let at = lenient(now.year(), [month, day, hour, minute, second]);
    let moved = if at > now && at.checked_sub(1.month()).expect("in range") > now {
        at.checked_sub(1.year())
    } else if at < now && at.checked_add(11.months()).expect("in range") < now {
        at.checked_add(1.year())
    } else {
        Ok(at)
    };
    Some(utc_ms(moved.expect("in range")))
}

/// Pieces of which messages are made, right ones and wrong ones.
fn piece() -> impl Strategy<Value = String> {
    let fixed = |choices: &'static [&'static str]| proptest::sample::select(choices).prop_map(str::to_owned);
    prop_oneof![
        fixed(&[
            "<13>",
            "<165>",
            "<0>",
            "<007>",
            "<999>",
            "<>",
            "<1",
            "<12",
            "<",
            ">",
            "<1234>",
            "<1a>",
            "<13>1 ",
            "<34>Oct 11 22:14:15 web1 "
        ]),
        fixed(&["1", "1 ", "2 ", " ", "  ", "\t", "\r", "\x0b", "\x0c", "-", "- ", "- - "]),
        fixed(&[
            "2003-10-11T22:14:15",
            "2003-99-99T99:99:99",
            "2026-11-22T00:00:00",
            "12003-10-11T22:14:15",
            "2003-10-11t22:14:15"
        ]),
        fixed(&[".1", ".12", ".123456", ".1234567", ".", "Z", "+05:30", "-07:00", "+99:99", "+0530"]),
        fixed(&[
            "Oct 11 22:14:15",
            "Feb  5 17:32:18",
            "Jan 1 00:00:00",
            "Dec 31 23:59:59",
            "Feb 31 99:99:99",
            "Oct \t1 00:00:00",
            "Oct\t1 00:00:00",
            "Xyz 11 22:14:15",
            "oct 11 22:14:15",
            "Oct 111 22:14:15"
        ]),
        fixed(&["web1", "10.0.0.1", "a@b-c.d", "fe80::1", "_x", ".x", "h\u{f6}st"]),
        fixed(&[
            "su: failed",
            "caf\u{e9}",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "\u{2030}",
            "x\ry",
            "\u{1f600}"
        ]),
        fixed(&["\n", "\n\n", "\r\n"]),
        "[ -~]{0,8}",
    ]
}

/// Mostly messages that are nearly right.
fn message() -> impl Strategy<Value = String> {
    let full = (
        0..1000u32,
        "[0-9]?",
        "[ \t]?",
        "(2003-1[0-3]-3[01]T2[0-9]:[0-6][0-9]:59(\\.[0-9]{1,7})?(Z|[+-][0-2][0-9]:[0-6][0-9])?|-)",
        "[ \r]",
        "([a-z0-9][a-z@.-]{0,5}|-)",
        "[ -~]{0,12}",
    );
    let full = full.prop_map(|(p, v, s, d, b, h, t)| format!("<{p}>{v}{s}{d}{b}{h} {t}\n"));
    let classic = (
        0..200u32,
        "[0-9]?",
        "[ ]?",
        "(Jan|Feb|Sep|Dec|Foo)",
        "[ \t]{1,2}",
        "[0-9]{1,2} [0-2][0-9]:[0-9]{2}:[0-9]{2}",
        "[a-z][a-z0-9.:-]{0,5}",
        "[ -~]{0,12}",
    );
    let classic = classic.prop_map(|(p, v, s, m, b, t, h, r)| format!("<{p}>{v}{s}{m}{b}{t} {h} {r}\n"));
    let pieces = proptest::collection::vec(piece(), 0..10).prop_map(|pieces| pieces.concat() + "\n");
    prop_oneof![full, classic, pieces]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn the_scanner_is_flumes_patterns(
        messages in proptest::collection::vec(message(), 1..6),
        keep in proptest::sample::select(&["none", "all", "priority version", "timestamp hostname"][..]),
        event_size in prop_oneof![Just(2500usize), 10..60usize],
        cuts in proptest::collection::vec(1..40usize, 1..4),
    ) {
        let input = messages.concat().into_bytes();
        let expected = Slow::new(keep, event_size).run(&input);
        let size = event_size.to_string();
        let pairs = [&AS_FLUME[..], &[("keepFields", keep), ("eventSize", &size), ("framing", "lines")]].concat();
        let mut decoder = classic(&pairs);
        let (mut buffer, mut found, mut rest, mut cut) = (BytesMut::new(), Vec::new(), &input[..], 0);
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(cuts[cut % cuts.len()].min(rest.len()));
            (rest, cut) = (more, cut + 1);
            buffer.extend_from_slice(piece);
            found.extend(events(decoder.batches(&mut buffer, End::Open, NOW_MS)));
        }
        // A message that is cut inside a character is no text; Flume replaces what is left of it.
        prop_assert_eq!(shown(&found), shown(&expected), "{:?}", String::from_utf8_lossy(&input));
    }

    #[test]
    fn no_input_is_lost_or_panics(
        input in proptest::collection::vec(any::<u8>(), 0..600),
        source in proptest::sample::select(&["classic", "strict"][..]),
        framing in proptest::sample::select(&["auto", "lines", "octet-counting"][..]),
    ) {
        let pairs = [("keepFields", "all"), ("framing", framing)];
        let mut decoder = if source == "classic" { classic(&pairs) } else { strict(&pairs) };
        let mut buffer = BytesMut::from(&input[..]);
        let found = events(decoder.batches(&mut buffer, End::Closed, NOW_MS));
        let text: Vec<u8> = found.into_iter().flat_map(|(_, body)| body).filter(|b| !b.is_ascii_digit()).collect();
        let is_kept = |byte: &&u8| !byte.is_ascii_digit() && !b"\r\n ".contains(byte);
        let kept: Vec<u8> = input.iter().filter(is_kept).copied().collect();
        let text: Vec<u8> = text.iter().filter(|byte| is_kept(byte)).copied().collect();
        prop_assert_eq!(text, kept);
    }
}
