//! Escapes: everything that begins with a backslash except `\p` and `\Q`.

use super::{Escape, Parser};
use crate::ast::{Assert, Fold, Node};
use crate::error::PatternError;
use crate::property;
use crate::set::{CharSet, LAST};

impl Parser {
    /// Reads an escape from its backslash on. `range` says that `-` follows in a class, where `\v`
    /// is the one character 0x0B.
    pub(super) fn escape(&mut self, in_class: bool, range: bool) -> Result<Escape, PatternError> {
        let c = self.cursor.skip();
        let unicode = self.cursor.flags.unicode_class;
        let Some(letter) = char::from_u32(c).filter(char::is_ascii_alphanumeric) else {
            return Ok(Escape::Char(c));
        };
        Ok(match letter {
            '0' => Escape::Char(self.octal()?),
            'a' => Escape::Char(0x07),
            'c' => Escape::Char(self.control()?),
            'e' => Escape::Char(0x1B),
            'f' => Escape::Char(0x0C),
            'n' => Escape::Char(0x0A),
            'r' => Escape::Char(0x0D),
            't' => Escape::Char(0x09),
            'u' => Escape::Char(self.utf16()?),
            'x' => Escape::Char(self.hexadecimal()?),
            'v' if range => Escape::Char(0x0B),
            'd' | 'D' => cased(letter, property::digit(unicode)),
            'h' | 'H' => cased(letter, property::horizontal_space()),
            's' | 'S' => cased(letter, property::space(unicode)),
            'v' | 'V' => cased(letter, property::vertical_space()),
            'w' | 'W' => cased(letter, property::word(unicode)),
            'N' => return Err(self.cursor.unsupported("\\N{name}", "write the character as \\x{hex}")),
            _ if in_class => return Err(self.illegal()),
            _ => Escape::Node(self.zero_width_or_reference(letter)?),
        })
    }

    fn illegal(&self) -> PatternError {
        self.cursor.error("Illegal/unsupported escape sequence")
    }

    fn zero_width_or_reference(&mut self, letter: char) -> Result<Node, PatternError> {
        let (unicode, unix) = (self.cursor.flags.unicode_class, self.cursor.flags.unix_lines);
        Ok(Node::Assert(match letter {
            'A' => Assert::Begin,
            'z' => Assert::End,
            'Z' => Assert::Dollar { unix },
            'G' => Assert::LastMatch,
            'b' if self.cursor.peek() == '{' as u32 && self.cursor.raw(self.cursor.at + 1) == 'g' as u32 => {
                return Err(self.cursor.unsupported("\\b{g}", "grapheme clusters cannot be matched"));
            }
            'b' | 'B' => Assert::WordBoundary { negated: letter == 'B', unicode },
            'R' => return Ok(Node::LineEnding),
            'X' => return Err(self.cursor.unsupported("\\X", "write . or [^\\p{M}]\\p{M}* instead")),
            '1'..='9' => return Ok(self.numbered_reference(letter as usize - '0' as usize)),
            'k' => return self.named_reference(),
            _ => return Err(self.illegal()),
        }))
    }

    /// `\12` is group 12 if there are that many groups so far, else group 1 and the digit 2.
    fn numbered_reference(&mut self, first: usize) -> Node {
        let mut number = first;
        while let Some(digit) = super::digit(self.cursor.peek()) {
            let longer = number * 10 + digit.unsigned_abs() as usize;
            if longer > self.group_names.len() {
                break;
            }
            number = longer;
            self.cursor.read();
        }
        Node::Backref(number, self.fold())
    }

    fn named_reference(&mut self) -> Result<Node, PatternError> {
        if self.cursor.read() != '<' as u32 {
            return Err(self.cursor.error("\\k is not followed by '<' for named capturing group"));
        }
        let first = self.cursor.read();
        let name = self.group_name(first)?;
        match self.group_names.iter().position(|known| known.as_ref() == Some(&name)) {
            Some(index) => Ok(Node::Backref(index + 1, self.fold())),
            None => Err(self.cursor.error(format!("named capturing group <{name}> does not exist"))),
        }
    }

    fn fold(&self) -> Fold {
        match (self.cursor.flags.ignore_case, self.cursor.flags.unicode_case) {
            (false, _) => Fold::Exact,
            (true, false) => Fold::Ascii,
            (true, true) => Fold::Unicode,
        }
    }

    fn control(&mut self) -> Result<u32, PatternError> {
        if self.cursor.at_end() {
            return Err(self.cursor.error("Illegal control escape sequence"));
        }
        Ok(self.cursor.read() ^ 64)
    }

    /// `\0n`, `\0nn` or `\0mnn` with m at most 3.
    fn octal(&mut self) -> Result<u32, PatternError> {
        let Some(first) = octal_digit(self.cursor.read()) else {
            return Err(self.cursor.error("Illegal octal escape sequence"));
        };
        let Some(second) = octal_digit(self.cursor.read()) else {
            self.cursor.unread();
            return Ok(first);
        };
        match octal_digit(self.cursor.read()) {
            Some(third) if first <= 3 => Ok(first * 64 + second * 8 + third),
            _ => {
                self.cursor.unread();
                Ok(first * 8 + second)
            }
        }
    }

    fn hexadecimal(&mut self) -> Result<u32, PatternError> {
        let first = self.cursor.read();
        if let Some(high) = hex_digit(first) {
            if let Some(low) = hex_digit(self.cursor.read()) {
                return Ok(high * 16 + low);
            }
        } else if first == '{' as u32 && hex_digit(self.cursor.peek()).is_some() {
            return self.braced_hexadecimal();
        }
        Err(self.cursor.error("Illegal hexadecimal escape sequence"))
    }

    fn braced_hexadecimal(&mut self) -> Result<u32, PatternError> {
        let mut value = 0;
        loop {
            let c = self.cursor.read();
            match hex_digit(c) {
                Some(digit) => value = value * 16 + digit,
                None if c == '}' as u32 => return Ok(value),
                None => return Err(self.cursor.error("Unclosed hexadecimal escape sequence")),
            }
            if value > LAST {
                return Err(self.cursor.error("Hexadecimal codepoint is too big"));
            }
        }
    }

    fn utf16(&mut self) -> Result<u32, PatternError> {
        let unit = self.utf16_unit()?;
        if !(0xD800..0xDC00).contains(&unit) {
            return Ok(unit);
        }
        let before = self.cursor.at;
        if self.cursor.read() == '\\' as u32 && self.cursor.read() == 'u' as u32 {
            let low = self.utf16_unit()?;
            if (0xDC00..0xE000).contains(&low) {
                return Ok(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
            }
        }
        self.cursor.at = before;
        Ok(unit)
    }

    fn utf16_unit(&mut self) -> Result<u32, PatternError> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = hex_digit(self.cursor.read()) else {
                return Err(self.cursor.error("Illegal Unicode escape sequence"));
            };
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }
}

/// The set for a lower-case letter, its complement for an upper-case one.
fn cased(letter: char, set: CharSet) -> Escape {
    Escape::Set(if letter.is_ascii_uppercase() { set.negate() } else { set })
}

fn octal_digit(c: u32) -> Option<u32> {
    (0x30..=0x37).contains(&c).then(|| c - 0x30)
}

fn hex_digit(c: u32) -> Option<u32> {
    char::from_u32(c).and_then(|c| c.to_digit(16))
}
