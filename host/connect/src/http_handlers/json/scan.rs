//! JSON as Gson's lenient reader takes it, over text that is known to be UTF-8.
//!
//! Beyond JSON that is: comments (`//`, `#`, `/* */`), single quotes, names and values without quotes, `;` for `,`,
//! `=` and `=>` for `:`, control characters in strings, empty places of arrays as null, and a first line `)]}'`.
//!
//! Strings are places in the text. One with escapes is unescaped where it lies, in a copy of the whole text that is
//! made at the first escape: what an escape stands for is never longer than the escape.
//!
//! ```text
//! text     ["plain", "two\nlines"]        places: 2..7 and 11..20
//! edited   ["plain", "two⏎lineses"]       (only where there are escapes)
//! ```

use std::ops::Range;

use bytes::Bytes;

/// So many times eight bytes of a string are searched here: a call of the SIMD search costs more.
const WORDS: usize = 2;

/// Why a text is no list of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not JSON, or other JSON than a list of events.
    Syntax {
        /// Byte of the text.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// What Flume answers with 500: its reader or handler fails with another error than "bad request".
    Unusable(&'static str),
    /// More different header names than one batch may have.
    TooDiverse,
}

/// A value, or the begin of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// A string, number or boolean: Flume makes text of all of them.
    Text(Range<usize>),
    /// Behind its bracket.
    Array,
    /// Behind its brace.
    Object,
}

/// Where the reader stands.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    edited: Option<Vec<u8>>,
}

/// Whether a byte can be part of text without quotes.
fn is_literal(byte: u8) -> bool {
    !matches!(
        byte,
        b'/' | b'\\'
            | b';'
            | b'#'
            | b'='
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b':'
            | b','
            | b' '
            | b'\t'
            | 0x0c
            | b'\r'
            | b'\n'
    )
}

/// Has the highest bit of the first byte that is the quote or a backslash, and none below it (S. E. Anderson, Bit
/// Twiddling Hacks, "Determine if a word has a zero byte").
fn hits(word: u64, quote: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let zero_bytes = |word: u64| word.wrapping_sub(LOW) & !word & (LOW << 7);
    zero_bytes(word ^ (LOW * u64::from(quote))) | zero_bytes(word ^ (LOW * u64::from(b'\\')))
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let at = if text.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        Self { text, at, edited: None }
    }

    /// Where the reader stands in the text.
    pub(super) fn at(&self) -> usize {
        self.at
    }
    /// Goes back to where the reader stood before.
    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at;
    }
    /// Passes over what stands at another place of the text too; false, and nothing is passed, if it does not follow.
    pub(super) fn same(&mut self, place: &Range<usize>) -> bool {
        let is_same = self.text[self.at..].starts_with(&self.text[place.clone()]);
        self.at += if is_same { place.len() } else { 0 };
        is_same
    }
    /// Whether a text that was read was a string, and in double quotes. There is no quote right before other text.
    pub(super) fn is_in_double_quotes(&self, place: &Range<usize>) -> bool {
        place.start > 0 && self.text[place.start - 1] == b'"'
    }

    /// The bytes of a string.
    pub(super) fn bytes(&self, place: &Range<usize>) -> &[u8] {
        &self.edited.as_deref().unwrap_or(self.text)[place.clone()]
    }
    /// What the places of all strings point into.
    pub(super) fn into_arena(self, original: &Bytes) -> Bytes {
        self.edited.map_or_else(|| original.clone(), Bytes::from)
    }

    pub(super) fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault::Syntax { at: self.at, what })
    }

    /// The value that is the whole text, or the begin of it; none if there is nothing.
    pub(super) fn document(&mut self) -> Result<Option<Value>, Fault> {
        if self.significant()?.is_none() {
            return Ok(None);
        }
        self.at -= 1;
        if self.text[self.at..].starts_with(b")]}'\n") {
            self.at += 5;
        }
        match self.significant()? {
            None => Ok(None),
            Some(b']' | b',' | b';') => self.fault("a value is expected"),
            Some(first) => self.value_from(first).map(Some),
        }
    }
    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
        if self.at < self.text.len() { self.fault("there is something behind the list") } else { Ok(()) }
    }

    /// The next value of an array; none at its end.
    pub(super) fn element(&mut self, is_first: bool) -> Result<Option<Value>, Fault> {
        if !is_first {
            match self.significant()? {
                Some(b']') => return Ok(None),
                Some(b',' | b';') => {}
                _ => return self.fault("a comma or the end of the array is expected"),
            }
        }
        match self.significant()? {
            Some(b']') if is_first => Ok(None),
            Some(b']' | b',' | b';') => {
                self.at -= 1;
                Ok(Some(Value::Null))
            }
            Some(first) => self.value_from(first).map(Some),
            None => self.fault("the array has no end"),
        }
    }
    /// The next name of an object, up to its colon; none at the object's end.
    pub(super) fn name(&mut self, is_first: bool) -> Result<Option<Range<usize>>, Fault> {
        if !is_first {
            match self.significant()? {
                Some(b'}') => return Ok(None),
                Some(b',' | b';') => {}
                _ => return self.fault("a comma or the end of the object is expected"),
            }
        }
        let name = match self.significant()? {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote)?,
            Some(b'}') if is_first => return Ok(None),
            Some(byte) if is_literal(byte) => {
                self.at -= 1;
                self.unquoted()
            }
            _ => return self.fault("a name is expected"),
        };
        match self.significant()? {
            Some(b':') => {}
            Some(b'=') => self.at += usize::from(self.text.get(self.at) == Some(&b'>')),
            _ => return self.fault("a colon is expected"),
        }
        Ok(Some(name))
    }
    /// The value of a name.
    pub(super) fn value(&mut self) -> Result<Value, Fault> {
        match self.significant()? {
            Some(b']' | b',' | b';') | None => self.fault("a value is expected"),
            Some(first) => self.value_from(first),
        }
    }
    /// A value that must be text or null.
    pub(super) fn text_of(&mut self, value: Value) -> Result<Option<Range<usize>>, Fault> {
        match value {
            Value::Null => Ok(None),
            Value::Text(place) => Ok(Some(place)),
            Value::Array | Value::Object => self.fault("text is expected"),
        }
    }

    /// Passes over the rest of a value, however deep.
    pub(super) fn skip(&mut self, value: Value) -> Result<(), Fault> {
        let mut open = Vec::new();
        let mut value = Some(value);
        loop {
            let is_first = match value {
                Some(begin @ (Value::Array | Value::Object)) => {
                    open.push(begin);
                    true
                }
                _ => false,
            };
            value = match open.last() {
                None => return Ok(()),
                Some(Value::Array) => self.element(is_first)?,
                Some(_) => match self.name(is_first)? {
                    Some(_) => Some(self.value()?),
                    None => None,
                },
            };
            if value.is_none() {
                open.pop();
                // What was opened before goes on behind a value, as after any other.
                value = Some(Value::Null);
            }
        }
    }

    fn value_from(&mut self, first: u8) -> Result<Value, Fault> {
        match first {
            b'"' | b'\'' => self.quoted(first).map(Value::Text),
            b'[' => Ok(Value::Array),
            b'{' => Ok(Value::Object),
            byte if is_literal(byte) => {
                self.at -= 1;
                let place = self.unquoted();
                let word = &self.text[place.clone()];
                if word.eq_ignore_ascii_case(b"null") {
                    return Ok(Value::Null);
                }
                let is_boolean = word.eq_ignore_ascii_case(b"true") || word.eq_ignore_ascii_case(b"false");
                if is_boolean && word.iter().any(u8::is_ascii_uppercase) {
                    self.edit()[place.clone()].make_ascii_lowercase();
                }
                Ok(Value::Text(place))
            }
            _ => self.fault("a value is expected"),
        }
    }

    /// The next byte that is neither white space nor comment; the reader then stands behind it.
    #[inline]
    fn significant(&mut self) -> Result<Option<u8>, Fault> {
        match self.text.get(self.at) {
            // Nearly always there is nothing to skip.
            Some(&byte) if byte > b' ' && byte != b'#' && byte != b'/' => {
                self.at += 1;
                Ok(Some(byte))
            }
            _ => self.behind_blanks(),
        }
    }
    fn behind_blanks(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let Some(&byte) = self.text.get(self.at) else { return Ok(None) };
            self.at += 1;
            match (byte, self.text.get(self.at)) {
                (b' ' | b'\t' | b'\r' | b'\n', _) => {}
                (b'#', _) | (b'/', Some(b'/')) => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr2(b'\n', b'\r', rest).map_or(rest.len(), |end| end + 1);
                }
                (b'/', Some(b'*')) => {
                    let rest = &self.text[self.at + 1..];
                    match memchr::memmem::find(rest, b"*/") {
                        Some(end) => self.at += end + 3,
                        None => return self.fault("a comment has no end"),
                    }
                }
                (byte, _) => return Ok(Some(byte)),
            }
        }
    }

    fn unquoted(&mut self) -> Range<usize> {
        let start = self.at;
        let rest = &self.text[start..];
        self.at += rest.iter().position(|&byte| !is_literal(byte)).unwrap_or(rest.len());
        start..self.at
    }

    /// The rest of a string behind its opening quote; the reader then stands behind the closing one.
    #[inline]
    pub(super) fn quoted(&mut self, quote: u8) -> Result<Range<usize>, Fault> {
        let start = self.at;
        let Some(found) = self.find(quote, start) else { return self.fault("a string has no end") };
        if self.text[found] == quote {
            self.at = found + 1;
            return Ok(start..found);
        }
        self.unescaped(quote, start, found)
    }
    /// The next quote or backslash.
    #[inline]
    fn find(&self, quote: u8, from: usize) -> Option<usize> {
        let (mut rest, mut at) = (&self.text[from..], from);
        for _ in 0..WORDS {
            let Some((word, behind)) = rest.split_first_chunk::<8>() else { break };
            let hits = hits(u64::from_le_bytes(*word), quote);
            if hits != 0 {
                return Some(at + hits.trailing_zeros() as usize / 8);
            }
            (rest, at) = (behind, at + 8);
        }
        memchr::memchr2(quote, b'\\', rest).map(|found| at + found)
    }
    fn edit(&mut self) -> &mut Vec<u8> {
        let text = self.text;
        self.edited.get_or_insert_with(|| text.to_vec())
    }

    /// A string whose first backslash is at `first`.
    fn unescaped(&mut self, quote: u8, start: usize, first: usize) -> Result<Range<usize>, Fault> {
        let (mut read, mut written) = (first, first);
        loop {
            self.at = read;
            if self.text[read] == quote {
                self.at = read + 1;
                return Ok(start..written);
            }
            let mut character = [0; 4];
            let escaped = self.escape(&mut character)?;
            let from = self.at;
            let Some(next) = self.find(quote, from) else { return self.fault("a string has no end") };
            let text = self.text;
            let out = self.edit();
            for piece in [escaped.as_bytes(), &text[from..next]] {
                out[written..written + piece.len()].copy_from_slice(piece);
                written += piece.len();
            }
            read = next;
        }
    }

    /// What the escape at the reader's place stands for; the reader then stands behind it.
    fn escape<'c>(&mut self, character: &'c mut [u8; 4]) -> Result<&'c str, Fault> {
        let Some(&byte) = self.text.get(self.at + 1) else {
            return self.fault("an escape has no end");
        };
        let plain = match byte {
            b't' => '\t',
            b'b' => '\u{8}',
            b'n' | b'\n' => '\n',
            b'r' => '\r',
            b'f' => '\u{c}',
            b'\'' | b'"' | b'\\' | b'/' => char::from(byte),
            b'u' => return self.unicode_escape(character),
            _ => return self.fault("there is no such escape"),
        };
        self.at += 2;
        Ok(plain.encode_utf8(character))
    }

    /// `\uXXXX`, or two of them that are one character. Half a pair alone becomes `?`, as in Java.
    fn unicode_escape<'c>(&mut self, character: &'c mut [u8; 4]) -> Result<&'c str, Fault> {
        let first = self.hex(self.at + 2)?;
        self.at += 6;
        let is_high = (0xd800..0xdc00).contains(&first);
        let pair = match self.text.get(self.at..self.at + 2) {
            Some(b"\\u") if is_high => match self.hex(self.at + 2)? {
                second @ 0xdc00..=0xdfff => Some(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)),
                _ => None,
            },
            _ => None,
        };
        if pair.is_some() {
            self.at += 6;
        }
        Ok(char::from_u32(pair.unwrap_or(first)).unwrap_or('?').encode_utf8(character))
    }
    fn hex(&self, from: usize) -> Result<u32, Fault> {
        let rest = &self.text[from.min(self.text.len())..];
        let digits = rest.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|digits| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()) {
            Some(number) => Ok(number),
            None if rest.len() < 4 => self.fault("an escape has no end"),
            None => Err(Fault::Unusable("\\u is not followed by four hexadecimal digits")),
        }
    }
}
