//! The pattern as Java's parser walks it: code points, the flags in force, and errors with places.

use crate::error::PatternError;

/// The flags of `(?idmsuxU)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) unix_lines: bool,
    pub(super) multiline: bool,
    pub(super) dot_all: bool,
    pub(super) unicode_case: bool,
    pub(super) comments: bool,
    pub(super) unicode_class: bool,
}

/// A place in the pattern. Reads behind the end yield 0, as Java's zero-terminated copy does.
pub(super) struct Cursor {
    chars: Vec<u32>,
    /// The byte offset of each character in the pattern as the user wrote it, and of its end.
    offsets: Vec<usize>,
    pub(super) at: usize,
    pub(super) flags: Flags,
}

impl Cursor {
    /// Takes the pattern apart; `\Q...\E` becomes escaped characters, as in Java.
    pub(super) fn new(pattern: &str) -> Cursor {
        let (chars, mut offsets): (Vec<u32>, Vec<usize>) = unquote(pattern).into_iter().unzip();
        offsets.push(pattern.len());
        Cursor { chars, offsets, at: 0, flags: Flags::default() }
    }

    /// How many characters there are.
    pub(super) fn len(&self) -> usize {
        self.chars.len()
    }

    /// The character at `index`, whatever the flags.
    pub(super) fn raw(&self, index: usize) -> u32 {
        self.chars.get(index).copied().unwrap_or(0)
    }

    /// The characters from `start` to `end`, as text.
    pub(super) fn text(&self, start: usize, end: usize) -> String {
        let chars = self.chars.get(start..end.min(self.len())).unwrap_or_default();
        chars.iter().filter_map(|&c| char::from_u32(c)).collect()
    }

    /// Whether everything was read.
    pub(super) fn at_end(&self) -> bool {
        self.at >= self.len()
    }

    /// The next character; in (?x) after moving over blanks and comments.
    pub(super) fn peek(&mut self) -> u32 {
        self.skip_blanks();
        self.raw(self.at)
    }

    /// Moves over the next character and returns it; in (?x) without the blanks before it.
    pub(super) fn read(&mut self) -> u32 {
        self.skip_blanks();
        let c = self.raw(self.at);
        self.at += 1;
        c
    }

    /// Moves on by one and peeks.
    pub(super) fn next(&mut self) -> u32 {
        self.at += 1;
        self.peek()
    }

    /// Moves on by one and looks, with no regard to (?x).
    pub(super) fn next_raw(&mut self) -> u32 {
        self.at += 1;
        self.raw(self.at)
    }

    /// Returns the character after the one at hand and moves behind both.
    pub(super) fn skip(&mut self) -> u32 {
        let c = self.raw(self.at + 1);
        self.at += 2;
        c
    }

    /// Moves back by one.
    pub(super) fn unread(&mut self) {
        self.at -= 1;
    }

    fn skip_blanks(&mut self) {
        while self.flags.comments {
            match self.raw(self.at) {
                0x09..=0x0D | 0x20 => self.at += 1,
                0x23 => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        while !self.at_end() && !self.ends_comment(self.raw(self.at)) {
            self.at += 1;
        }
    }

    fn ends_comment(&self, c: u32) -> bool {
        match c {
            0x0A => true,
            0x0D | 0x85 | 0x2028 | 0x2029 => !self.flags.unix_lines,
            _ => false,
        }
    }

    /// An error at the last read character, which is where Java puts it.
    pub(super) fn error(&self, message: impl Into<String>) -> PatternError {
        let index = self.at.saturating_sub(1).min(self.len());
        PatternError { message: message.into(), offset: self.offsets[index], hint: None }
    }

    /// An error for what Java would accept but Flumen does not.
    pub(super) fn unsupported(&self, what: &str, hint: &str) -> PatternError {
        PatternError {
            hint: Some(hint.to_owned()),
            ..self.error(format!("{what} is not supported by Flumen"))
        }
    }
}

/// Writes `\Q...\E` as escaped characters; every character keeps the byte offset it came from.
fn unquote(pattern: &str) -> Vec<(u32, usize)> {
    let mut chars = pattern.char_indices().map(|(at, c)| (c, at)).peekable();
    let mut out = Vec::with_capacity(pattern.len());
    while let Some((c, at)) = chars.next() {
        match (c, chars.peek().map(|&(next, _)| next)) {
            ('\\', Some('Q')) => {
                chars.next();
                copy_quoted(&mut chars, &mut out);
            }
            ('\\', Some(next)) => {
                out.extend([(c as u32, at), (next as u32, at + 1)]);
                chars.next();
            }
            _ => out.push((c as u32, at)),
        }
    }
    out
}

/// Copies up to `\E` or the end.
fn copy_quoted(
    chars: &mut std::iter::Peekable<impl Iterator<Item = (char, usize)>>,
    out: &mut Vec<(u32, usize)>,
) {
    let mut first = true;
    while let Some((c, at)) = chars.next() {
        if c == '\\' && chars.peek().is_some_and(|&(next, _)| next == 'E') {
            chars.next();
            return;
        }
        match c {
            // A leading digit could lengthen the escape before the quote: `\1\Q1\E`.
            '0'..='9' if first => out.extend([0x5C, 0x78, 0x33, c as u32].map(|c| (c, at))),
            _ if !c.is_ascii() || c.is_ascii_alphanumeric() => out.push((c as u32, at)),
            _ => out.extend([0x5C, c as u32].map(|c| (c, at))),
        }
        first = false;
    }
}
