//! The headers of a message, found byte by byte: exactly what Flume's two regular expressions find.
//!
//! ```text
//! <PRI>  digit?  blank?  2003-10-11T22:14:15[.1…6 digits][Z|+hh:mm|-hh:mm] or -   blank  host or -  blank  body
//! <PRI>  digit?  blank?  Mmm 1…2 blanks, day, blank, hh:mm:ss                     blank  host       blank  body
//! ```
//!
//! A blank is Java's `\s`, a host begins with a letter, a digit or `_`, and goes on with these, `.`, `@` and `-`.
//! Of the ways in which a pattern may match, the one that a backtracking matcher finds first counts. That there is
//! only one is what makes this scanner short: apart from the digit and the blank behind the priority no part can
//! begin where the part in front of it could go on. `tests.rs` compares it with the patterns themselves.

use flumen_event::Span;

/// What the `.` of Flume's patterns stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dot {
    /// Everything but line ends, as in Java: a body with one of them makes a pattern fail.
    InLine,
    /// Everything: messages with a length of their own may have several lines.
    Any,
}

/// Where the parts of a message lie in its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    /// The digit behind the priority, if there is one.
    pub version: Option<u8>,
    /// The date; absent for `-`.
    pub date: Option<Span>,
    /// Whether the date has a year.
    pub form: Form,
    /// The host; absent for `-`.
    pub host: Option<Span>,
    /// Where the body begins.
    pub body: usize,
}

/// Which of the patterns matched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// RFC 5424, and what is like it.
    Full,
    /// RFC 3164, and what is like it.
    Classic,
}

/// Finds the parts of a message whose priority ends in front of `at`.
pub(super) fn scan(text: &[u8], at: usize, dot: Dot) -> Option<Parts> {
    let has_digit = text.get(at).is_some_and(u8::is_ascii_digit);
    let after_digit = at + usize::from(has_digit);
    let found = full_from(text, at, after_digit).or_else(|| {
        let start = after_digit + usize::from(is_blank(text.get(after_digit)));
        classic(text, start).map(|parts| Parts { version: has_digit.then(|| text[at]), ..parts })
    })?;
    (dot == Dot::Any || !has_line_end(&text[found.body..])).then_some(found)
}

/// The first pattern. A digit behind the priority may be a version or the first digit of a year.
fn full_from(text: &[u8], at: usize, after_digit: usize) -> Option<Parts> {
    let with_version = |version| move |parts: Parts| Parts { version, ..parts };
    if after_digit > at {
        let version = with_version(Some(text[at]));
        let blank = usize::from(is_blank(text.get(after_digit)));
        let found = full(text, after_digit + blank);
        if let Some(found) = found {
            return Some(version(found));
        }
        // A blank that was taken could also be given back, but neither a date nor `-` begins with one.
        return full(text, at).map(with_version(None));
    }
    full(text, at + usize::from(is_blank(text.get(at)))).map(with_version(None))
}

fn full(text: &[u8], start: usize) -> Option<Parts> {
    let (date, after) = match text.get(start)? {
        b'-' => (None, start + 1),
        _ => {
            let end = full_date(text, start)?;
            (Some(Span::new(start..end)), end)
        }
    };
    let host_at = blank(text, after)?;
    let (host, after) = match text.get(host_at)? {
        b'-' => (None, host_at + 1),
        _ => {
            let end = host_end(text, host_at)?;
            (Some(Span::new(host_at..end)), end)
        }
    };
    let body = blank(text, after)?;
    Some(Parts { version: None, date, form: Form::Full, host, body })
}

/// The end of a date with a year.
fn full_date(text: &[u8], start: usize) -> Option<usize> {
    const FORM: &[u8; 19] = b"dddd-dd-ddTdd:dd:dd";
    let seconds = text.get(start..start + FORM.len())?;
    let fits = |(byte, form): (&u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form };
    if !seconds.iter().zip(FORM).all(fits) {
        return None;
    }
    let mut end = start + FORM.len();
    if text.get(end) == Some(&b'.') {
        let digits = text[end + 1..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        end += 1 + digits;
    }
    match text.get(end) {
        Some(b'Z') => Some(end + 1),
        Some(b'+' | b'-') => {
            let [_, h1, h2, b':', m1, m2] = text.get(end..end + 6)? else { return None };
            [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()).then_some(end + 6)
        }
        _ => Some(end),
    }
}

/// The second pattern, from the month on.
fn classic(text: &[u8], start: usize) -> Option<Parts> {
    let [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z'] = text.get(start..start + 3)? else { return None };
    let mut at = blank(text, start + 3)?;
    at += usize::from(is_blank(text.get(at)));
    let digits = text[at..].iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    at = blank(text, at + digits)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = text.get(at..at + 8)? else { return None };
    if ![h1, h2, m1, m2, s1, s2].iter().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let date_end = at + 8;
    let host_at = blank(text, date_end)?;
    let host_end = host_end(text, host_at)?;
    let body = blank(text, host_end)?;
    Some(Parts {
        version: None,
        date: Some(Span::new(start..date_end)),
        form: Form::Classic,
        host: Some(Span::new(host_at..host_end)),
        body,
    })
}

/// What a byte may be in a host: 1 anywhere, 2 behind the first.
const HOST: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        if it.is_ascii_alphanumeric() || it == b'_' {
            table[byte] = 1;
        } else if it == b'.' || it == b'@' || it == b'-' {
            table[byte] = 2;
        }
        byte += 1;
    }
    table
};

fn host_end(text: &[u8], start: usize) -> Option<usize> {
    if HOST[usize::from(*text.get(start)?)] != 1 {
        return None;
    }
    let rest = &text[start + 1..];
    let length = rest.iter().position(|byte| HOST[usize::from(*byte)] == 0).unwrap_or(rest.len());
    Some(start + 1 + length)
}

/// The place behind a blank.
fn blank(text: &[u8], at: usize) -> Option<usize> {
    is_blank(text.get(at)).then_some(at + 1)
}

/// Java's `\s`.
fn is_blank(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r'))
}

/// Whether there is something that Java's `.` does not match: CR, NEL, the separators of lines and paragraphs. (A line
/// feed would be one as well, but has ended the message.)
fn has_line_end(body: &[u8]) -> bool {
    // Messages are mostly ASCII, so all of them are looked for at once.
    memchr::memchr3_iter(b'\r', 0xc2, 0xe2, body).any(|at| match body[at..] {
        [b'\r', ..] | [0xc2, 0x85, ..] => true,
        [0xe2, 0x80, last, ..] => last == 0xa8 || last == 0xa9,
        _ => false,
    })
}
