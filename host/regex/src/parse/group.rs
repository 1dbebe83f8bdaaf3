//! Groups: capturing, named, flags, look-around, atomic.

use super::Parser;
use super::cursor::Flags;
use crate::ast::{Behind, Look, Node, Study};
use crate::error::PatternError;

impl Parser {
    /// A group from its `(` on; `None` for `(?i)`, whose flags hold to the end of the enclosing group.
    pub(super) fn group(&mut self) -> Result<Option<Node>, PatternError> {
        self.descend()?;
        let saved = self.cursor.flags;
        let node = if self.cursor.next() == '?' as u32 {
            self.special_group()?
        } else {
            Some(self.capturing(None)?)
        };
        self.depth -= 1;
        if node.is_some() {
            if self.cursor.read() != ')' as u32 {
                return Err(self.cursor.error("Unclosed group"));
            }
            self.cursor.flags = saved;
        }
        Ok(node)
    }

    fn special_group(&mut self) -> Result<Option<Node>, PatternError> {
        let c = self.cursor.skip();
        Ok(Some(match char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER) {
            ':' => self.plain()?,
            '=' | '!' => look(self.alternatives()?, c == '!' as u32, None),
            '>' => Node::Atomic(Box::new(self.alternatives()?)),
            '<' => self.named_or_behind()?,
            '$' | '@' => return Err(self.cursor.error("Unknown group type")),
            _ => return self.flags_group(),
        }))
    }

    fn plain(&mut self) -> Result<Node, PatternError> {
        Ok(Node::Group(None, Box::new(self.alternatives()?)))
    }

    fn capturing(&mut self, name: Option<String>) -> Result<Node, PatternError> {
        self.group_names.push(name);
        let number = self.group_names.len();
        Ok(Node::Group(Some(number), Box::new(self.alternatives()?)))
    }

    fn named_or_behind(&mut self) -> Result<Node, PatternError> {
        let c = self.cursor.read();
        if c == '=' as u32 || c == '!' as u32 {
            let body = self.alternatives()?;
            let study = Study::of(&body);
            if !study.max_valid {
                let message = "Look-behind group does not have an obvious maximum length";
                return Err(self.cursor.error(message));
            }
            return Ok(look(body, c == '!' as u32, Some(Behind { min: study.min, max: study.max })));
        }
        let name = self.group_name(c)?;
        if self.group_names.iter().any(|known| known.as_ref() == Some(&name)) {
            return Err(self.cursor.error(format!("Named capturing group <{name}> is already defined")));
        }
        self.capturing(Some(name))
    }

    /// A group name that begins with `first`, and the `>` behind it.
    pub(super) fn group_name(&mut self, first: u32) -> Result<String, PatternError> {
        let ascii = |c: u32| char::from_u32(c).filter(char::is_ascii_alphanumeric);
        let Some(letter) = ascii(first).filter(char::is_ascii_alphabetic) else {
            return Err(self.cursor.error("capturing group name does not start with a Latin letter"));
        };
        let mut name = String::from(letter);
        loop {
            let c = self.cursor.read();
            match ascii(c) {
                Some(c) => name.push(c),
                None if c == '>' as u32 => return Ok(name),
                None => return Err(self.cursor.error("named capturing group is missing trailing '>'")),
            }
        }
    }

    /// `(?i)` and `(?i:...)`, after the question mark.
    fn flags_group(&mut self) -> Result<Option<Node>, PatternError> {
        self.cursor.unread();
        self.flags()?;
        match char::from_u32(self.cursor.read()) {
            Some(')') => Ok(None),
            Some(':') => self.plain().map(Some),
            _ => Err(self.cursor.error("Unknown inline modifier")),
        }
    }

    fn flags(&mut self) -> Result<(), PatternError> {
        let mut on = true;
        let mut c = self.cursor.peek();
        loop {
            match char::from_u32(c) {
                Some('-') if on => on = false,
                Some('c') => return Err(self.cursor.unsupported("(?c)", "normalise the text to NFC first")),
                Some(letter) if set_flag(&mut self.cursor.flags, letter, on) => {}
                _ => return Ok(()),
            }
            c = self.cursor.next();
        }
    }
}

/// Sets a flag by its letter; false if there is no such flag.
fn set_flag(flags: &mut Flags, letter: char, on: bool) -> bool {
    match letter {
        'i' => flags.ignore_case = on,
        'm' => flags.multiline = on,
        's' => flags.dot_all = on,
        'd' => flags.unix_lines = on,
        'u' => flags.unicode_case = on,
        'x' => flags.comments = on,
        'U' => {
            flags.unicode_class = on;
            flags.unicode_case = on;
        }
        _ => return false,
    }
    true
}

fn look(body: Node, negated: bool, behind: Option<Behind>) -> Node {
    Node::Look(Box::new(Look { body, negated, behind }))
}
