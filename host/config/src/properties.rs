//! Java's `.properties` grammar, exactly as `java.util.Properties.load` reads it, with places.
//!
//! ```text
//! natural lines ──▶ logical lines ──▶ key │ value ──▶ escapes undone ──▶ trimmed (as Flume does)
//!                   comments dropped,   first unescaped
//!                   `\` at the end      `=` `:` or blank
//!                   continues
//! ```
//! Two traps for the reader of files: a comment begins only at the start of a logical line, so
//! `key = value # text` keeps the text; and a continued line is no comment (unless nothing stood before it).

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::entry::Entry;
use crate::secret;
use crate::text::{Locator, SourceText};

/// The characters of one logical line with their byte offsets.
type Chars = [(usize, char)];

/// Reads all entries. A malformed `\uXXXX` is an error finding, and its entry is left out.
pub fn parse(source: &mut SourceText, diagnostics: &mut Diagnostics) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut secrets = Vec::new();
    let locator = Locator::new(source);
    let mut lines = Lines { text: source.text(), at: 0 };
    while let Some(line) = lines.next_logical() {
        match read(&line) {
            Ok(raw) => {
                let key_at = locator.origin(raw.key_span);
                let value_at =
                    raw.value_span.clone().map_or_else(|| key_at.clone(), |span| locator.origin(span));
                if secret::is_secret_key(&raw.key) {
                    secrets.extend(raw.whole_value.clone());
                } else if let Some(span) = raw.value_span.filter(|_| raw.value.contains("://")) {
                    secrets.extend(
                        secret::url_password(&source.text()[span.clone()])
                            .map(|hidden| span.start + hidden.start..span.start + hidden.end),
                    );
                }
                let separated = raw.separated;
                entries.push(Entry {
                    key: raw.key,
                    value: raw.value,
                    key_at,
                    value_at,
                    separated,
                    secret: false,
                });
            }
            Err(span) => diagnostics.push(
                Diagnostic::error("bad-unicode-escape", "`\\u` must be followed by four hexadecimal digits")
                    .at(&locator.origin(span))
                    .help("write a backslash as `\\\\`; Java refuses the whole file for this"),
            ),
        }
    }
    for range in secrets {
        source.hide(range);
    }
    entries
}

/// One entry before its places are turned into lines and columns.
struct RawEntry {
    key: String,
    value: String,
    key_span: Range<usize>,
    /// The part of the value on the line it begins on.
    value_span: Option<Range<usize>>,
    /// All of the value, continued lines included.
    whole_value: Option<Range<usize>>,
    separated: bool,
}

/// Splits a logical line at its separator and undoes the escapes. The error is the span of a malformed escape.
fn read(line: &LogicalLine) -> Result<RawEntry, Range<usize>> {
    let chars = line.chars.as_slice();
    let (key_end, value_start, separated) = split(chars);
    let (key_chars, value_chars) = (&chars[..key_end], &chars[value_start..]);
    let key = unescape(key_chars)?;
    let value = unescape(value_chars)?;
    let trimmed = trim(value_chars);
    Ok(RawEntry {
        key: key.trim_matches(is_java_blank).to_owned(),
        value: value.trim_matches(is_java_blank).to_owned(),
        key_span: first_run(key_chars).unwrap_or(line.start..line.start),
        value_span: first_run(trimmed),
        whole_value: trimmed
            .first()
            .zip(trimmed.last())
            .map(|(first, last)| first.0..last.0 + last.1.len_utf8()),
        separated,
    })
}

/// Where the key ends, where the value starts, and whether `=` or `:` stood between them.
fn split(chars: &Chars) -> (usize, usize, bool) {
    let mut key_end = 0;
    let mut escaped = false;
    while let Some((_, c)) = chars.get(key_end) {
        if !escaped && (matches!(c, '=' | ':') || is_blank(*c)) {
            break;
        }
        escaped = *c == '\\' && !escaped;
        key_end += 1;
    }
    let mut value_start = key_end;
    let mut separated = false;
    while let Some((_, c)) = chars.get(value_start) {
        if !is_blank(*c) {
            if separated || !matches!(c, '=' | ':') {
                break;
            }
            separated = true;
        }
        value_start += 1;
    }
    (key_end, value_start, separated)
}

/// Undoes `\t \n \r \f \uXXXX` and `\x` for any other `x`.
fn unescape(chars: &Chars) -> Result<String, Range<usize>> {
    let mut out = String::new();
    // Java's `\u` escapes are UTF-16 units, so two of them may make one character.
    let mut high: Option<u16> = None;
    let mut rest = chars.iter();
    while let Some((at, c)) = rest.next() {
        let mut unit = None;
        let plain = match c {
            '\\' => match rest.next().map(|(_, c)| *c) {
                None => break,
                Some('u') => {
                    let digits: Vec<_> = rest.by_ref().take(4).collect();
                    unit = Some(
                        hex(&digits)
                            .ok_or_else(|| *at..digits.last().map_or(at + 2, |d| d.0 + d.1.len_utf8()))?,
                    );
                    '\0'
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0C',
                Some(other) => other,
            },
            other => *other,
        };
        match unit {
            Some(unit) => high = push_unit(&mut out, high, unit),
            None => {
                flush(&mut out, high.take());
                out.push(plain);
            }
        }
    }
    flush(&mut out, high);
    Ok(out)
}

fn hex(digits: &[&(usize, char)]) -> Option<u16> {
    if digits.len() < 4 {
        return None;
    }
    digits.iter().try_fold(0u16, |sum, (_, c)| Some(sum << 4 | u16::try_from(c.to_digit(16)?).ok()?))
}

/// Adds a UTF-16 unit; answers the high surrogate that waits for its partner.
fn push_unit(out: &mut String, high: Option<u16>, unit: u16) -> Option<u16> {
    if let Some(high) = high {
        if let [Ok(c)] = char::decode_utf16([high, unit]).collect::<Vec<_>>()[..] {
            out.push(c);
            return None;
        }
        flush(out, Some(high));
    }
    if (0xD800..0xDC00).contains(&unit) {
        return Some(unit);
    }
    flush(out, Some(unit));
    None
}

/// Adds a unit that stands alone; half a surrogate pair becomes the replacement character.
fn flush(out: &mut String, unit: Option<u16>) {
    if let Some(unit) = unit {
        out.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

/// The blanks of the properties grammar.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0C')
}

/// What `String.trim` of Java removes.
pub(crate) fn is_java_blank(c: char) -> bool {
    c <= ' '
}

fn trim(chars: &Chars) -> &Chars {
    let start = chars.iter().position(|(_, c)| !is_java_blank(*c)).unwrap_or(chars.len());
    let end = chars.iter().rposition(|(_, c)| !is_java_blank(*c)).map_or(start, |last| last + 1);
    &chars[start..end]
}

/// The bytes of the leading characters that stand next to each other in the file.
fn first_run(chars: &Chars) -> Option<Range<usize>> {
    let (start, _) = *chars.first()?;
    let mut end = start;
    for (at, c) in chars {
        if *at != end {
            break;
        }
        end = at + c.len_utf8();
    }
    Some(start..end)
}

/// A logical line: comments gone, continuations joined, leading blanks dropped, escapes still in place.
struct LogicalLine {
    chars: Vec<(usize, char)>,
    start: usize,
}

/// The state machine of Java's `Properties.LineReader`.
struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl Lines<'_> {
    fn next_logical(&mut self) -> Option<LogicalLine> {
        let mut chars: Vec<(usize, char)> = Vec::new();
        let mut state = State::start();
        let mut line_start = self.at;
        while let Some(c) = self.text[self.at..].chars().next() {
            let at = self.at;
            self.at += c.len_utf8();
            let ends_line = c == '\n' || c == '\r';
            if state.skip_blanks {
                if is_blank(c) || (ends_line && !state.continued) {
                    continue;
                }
                state.skip_blanks = false;
                state.continued = false;
            }
            if chars.is_empty() {
                line_start = at;
                if c == '#' || c == '!' {
                    self.skip_natural_line();
                    state = State::start();
                    continue;
                }
            }
            if !ends_line {
                chars.push((at, c));
                state.escaped = c == '\\' && !state.escaped;
            } else if chars.is_empty() {
                state = State::start();
            } else if state.escaped {
                chars.pop();
                if self.at == self.text.len() {
                    return Some(LogicalLine { chars, start: line_start });
                }
                state = State { skip_blanks: true, continued: true, escaped: false };
                if c == '\r' && self.text[self.at..].starts_with('\n') {
                    self.at += 1;
                }
            } else {
                return Some(LogicalLine { chars, start: line_start });
            }
        }
        if state.escaped {
            chars.pop();
        } else if chars.is_empty() {
            return None;
        }
        Some(LogicalLine { chars, start: line_start })
    }

    fn skip_natural_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find(['\n', '\r']).map_or(rest.len(), |end| end + 1);
    }
}

struct State {
    /// Leading blanks are being dropped.
    skip_blanks: bool,
    /// The line before ended in a backslash.
    continued: bool,
    /// The character before is an unescaped backslash.
    escaped: bool,
}

impl State {
    fn start() -> Self {
        Self { skip_blanks: true, continued: false, escaped: false }
    }
}

#[cfg(test)]
mod tests;
