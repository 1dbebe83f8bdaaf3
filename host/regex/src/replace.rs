//! Replacement texts: `$1`, `${name}`, `\$`.

use crate::error::ReplacementError;
use crate::groups::Groups;
use crate::regex::JavaRegex;

/// A replacement text in Java's syntax, checked against the pattern it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Group(usize),
}

impl Replacement {
    /// Reads a replacement. Java finds the same errors, but only when the first match is replaced.
    pub fn new(text: &str, regex: &JavaRegex) -> Result<Replacement, ReplacementError> {
        let mut reader = Reader { text, at: 0, parts: Vec::new() };
        while let Some(c) = reader.take() {
            match c {
                '\\' => match reader.take() {
                    Some(escaped) => reader.literal(escaped),
                    None => return Err(reader.error("character to be escaped is missing")),
                },
                '$' => reader.reference(regex)?,
                plain => reader.literal(plain),
            }
        }
        Ok(Replacement { parts: reader.parts })
    }

    /// The text, if it refers to no group.
    pub(crate) fn literal(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(&[]),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the replacement for one match in `text`.
    pub(crate) fn expand(&self, text: &[u8], groups: &Groups, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(literal) => out.extend_from_slice(literal),
                Part::Group(group) => {
                    let span = groups.span(*group).and_then(|span| text.get(span));
                    out.extend_from_slice(span.unwrap_or_default());
                }
            }
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    parts: Vec<Part>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn error(&self, message: impl Into<String>) -> ReplacementError {
        ReplacementError { message: message.into(), offset: self.at }
    }

    fn literal(&mut self, c: char) {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).as_bytes();
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.extend_from_slice(bytes),
            _ => self.parts.push(Part::Text(bytes.to_vec())),
        }
    }

    fn reference(&mut self, regex: &JavaRegex) -> Result<(), ReplacementError> {
        let group = match self.peek() {
            None => return Err(self.error("Illegal group reference: group index is missing")),
            Some('{') => self.named(regex)?,
            Some(digit) => match digit.to_digit(10) {
                Some(first) => self.numbered(first as usize, regex)?,
                None => return Err(self.error("Illegal group reference")),
            },
        };
        self.parts.push(Part::Group(group));
        Ok(())
    }

    /// `$12` is group 12 if the pattern has that many, else group 1 and the text "2".
    fn numbered(&mut self, first: usize, regex: &JavaRegex) -> Result<usize, ReplacementError> {
        self.take();
        let mut group = first;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let longer = group.saturating_mul(10).saturating_add(digit as usize);
            if longer > regex.group_count() {
                break;
            }
            group = longer;
            self.take();
        }
        if group > regex.group_count() {
            return Err(self.error(format!("No group {group}")));
        }
        Ok(group)
    }

    fn named(&mut self, regex: &JavaRegex) -> Result<usize, ReplacementError> {
        self.take();
        let begin = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric()) {
            self.take();
        }
        let name = &self.text[begin..self.at];
        if name.is_empty() {
            return Err(self.error("named capturing group has 0 length name"));
        }
        if self.peek() != Some('}') {
            return Err(self.error("named capturing group is missing trailing '}'"));
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.error(format!("capturing group name {{{name}}} starts with digit character")));
        }
        let group =
            regex.group_by_name(name).ok_or_else(|| self.error(format!("No group with name {{{name}}}")))?;
        self.take();
        Ok(group)
    }
}
