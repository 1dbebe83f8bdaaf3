//! Reads a Java pattern into a tree, with Java's own rules for what is an error and where.
//!
//! The grammar has corners that only its implementation defines (`a{2}{3}`, `[a&&]`, `(?x)` inside
//! classes, `\Q` before digits); the vectors in `tests/vectors` come from a real JVM and hold them.
//!
//! `alternatives` → `sequence` → `atom` + `quantified`; classes, escapes and groups have files of
//! their own.

mod class;
mod cursor;
mod escape;
mod group;

use std::sync::Arc;

use crate::ast::{Assert, Kind, Node, Repeat};
use crate::error::PatternError;
use crate::set::CharSet;
use cursor::Cursor;

/// Groups and classes may be nested this deep; Java itself overflows its stack in the thousands.
const DEPTH_MAX: u32 = 250;

/// Patterns may be this long, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A pattern as a tree.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) node: Node,
    /// The name of each capturing group, from group 1 on.
    pub(crate) group_names: Vec<Option<String>>,
}

/// Parses a Java pattern.
pub(crate) fn parse(pattern: &str) -> Result<Parsed, PatternError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        let message = format!("a pattern may have at most {PATTERN_BYTES_MAX} bytes");
        return Err(PatternError { message, offset: 0, hint: None });
    }
    let mut parser = Parser { cursor: Cursor::new(pattern), group_names: Vec::new(), depth: 0 };
    let node = parser.alternatives()?;
    if parser.cursor.at != parser.cursor.len() {
        return Err(match parser.cursor.peek() {
            c if c == ')' as u32 => parser.cursor.error("Unmatched closing ')'"),
            _ => parser.cursor.error("Unescaped trailing backslash"),
        });
    }
    Ok(Parsed { node, group_names: parser.group_names })
}

/// What an escape stands for.
enum Escape {
    Char(u32),
    Set(CharSet),
    Node(Node),
}

struct Parser {
    cursor: Cursor,
    group_names: Vec<Option<String>>,
    depth: u32,
}

impl Parser {
    fn descend(&mut self) -> Result<(), PatternError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.cursor.error(format!("groups and classes are nested deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }

    fn alternatives(&mut self) -> Result<Node, PatternError> {
        let mut all = vec![self.sequence()?];
        while self.cursor.peek() == '|' as u32 {
            self.cursor.next();
            all.push(self.sequence()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Node::Alt(all) })
    }

    fn sequence(&mut self) -> Result<Node, PatternError> {
        let mut nodes = Vec::new();
        loop {
            let c = self.cursor.peek();
            let node = match char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER) {
                '(' => match self.group()? {
                    Some(group) => group,
                    None => continue,
                },
                '|' | ')' => break,
                '\0' if self.cursor.at_end() => break,
                '?' | '*' | '+' => {
                    self.cursor.next();
                    let shown = char::from_u32(c).unwrap_or('?');
                    return Err(self.cursor.error(format!("Dangling meta character '{shown}'")));
                }
                _ => self.atom(c)?,
            };
            let node = self.quantified(node)?;
            nodes.push(node);
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Concat(nodes),
        })
    }

    fn atom(&mut self, c: u32) -> Result<Node, PatternError> {
        let flags = self.cursor.flags;
        let unix = flags.unix_lines;
        let (node, consumed) = match char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER) {
            '[' => (set(self.class(true)?), true),
            '\\' => (self.escaped_atom()?, true),
            // Java reads an empty literal before a brace: `{1}` is fine, `{` fails at the quantifier.
            '{' => (Node::Empty, true),
            '^' if flags.multiline => (Node::Assert(Assert::LineStart { unix }), false),
            '^' => (Node::Assert(Assert::Begin), false),
            '$' if flags.multiline => (Node::Assert(Assert::LineEnd { unix }), false),
            '$' => (Node::Assert(Assert::Dollar { unix }), false),
            '.' => (set(dot(flags)), false),
            _ => (set(class::single_with(c, flags)), false),
        };
        if !consumed {
            self.cursor.next();
        }
        Ok(node)
    }

    fn escaped_atom(&mut self) -> Result<Node, PatternError> {
        let c = self.cursor.next_raw();
        if c == 'p' as u32 || c == 'P' as u32 {
            return self.property(c == 'P' as u32).map(set);
        }
        self.cursor.unread();
        Ok(match self.escape(false, false)? {
            Escape::Char(c) => set(class::single_with(c, self.cursor.flags)),
            Escape::Set(chars) => set(chars),
            Escape::Node(node) => node,
        })
    }

    /// Reads the quantifier behind `body`, if there is one.
    fn quantified(&mut self, body: Node) -> Result<Node, PatternError> {
        let (min, max) = match char::from_u32(self.cursor.peek()) {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => self.counts()?,
            _ => return Ok(body),
        };
        let kind = match char::from_u32(self.cursor.next()) {
            Some('?') => Kind::Lazy,
            Some('+') => Kind::Possessive,
            _ => Kind::Greedy,
        };
        if kind != Kind::Greedy {
            self.cursor.next();
        }
        Ok(Node::Repeat(Box::new(Repeat::new(body, min, max, kind))))
    }

    /// `{n}`, `{n,}` or `{n,m}`; leaves the cursor at the closing brace.
    fn counts(&mut self) -> Result<(u32, Option<u32>), PatternError> {
        let mut c = self.cursor.skip();
        if digit(c).is_none() {
            return Err(self.cursor.error("Illegal repetition"));
        }
        let min = self.count(&mut c)?;
        let mut max = Some(min);
        if c == ',' as u32 {
            c = self.cursor.read();
            max = if c == '}' as u32 { None } else { Some(self.count(&mut c)?) };
        }
        if c != '}' as u32 {
            return Err(self.cursor.error("Unclosed counted closure"));
        }
        if max.is_some_and(|max| max < min) {
            return Err(self.cursor.error("Illegal repetition range"));
        }
        self.cursor.unread();
        // Java's "no end" is its largest int.
        Ok((min, max.filter(|&max| max != i32::MAX as u32)))
    }

    /// A decimal number from `c` on; leaves the first character behind it in `c`.
    fn count(&mut self, c: &mut u32) -> Result<u32, PatternError> {
        let mut value: i32 = 0;
        while let Some(digit) = digit(*c) {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(digit))
                .ok_or_else(|| self.cursor.error("Illegal repetition range"))?;
            *c = self.cursor.read();
        }
        Ok(value.unsigned_abs())
    }
}

fn set(chars: CharSet) -> Node {
    Node::Set(Arc::new(chars))
}

fn digit(c: u32) -> Option<i32> {
    (0x30..=0x39).contains(&c).then(|| c as i32 - 0x30)
}

fn dot(flags: cursor::Flags) -> CharSet {
    let excluded: &[(u32, u32)] = match (flags.dot_all, flags.unix_lines) {
        (true, _) => &[],
        (false, true) => &[(0x0A, 0x0A)],
        (false, false) => &[(0x0A, 0x0A), (0x0D, 0x0D), (0x85, 0x85), (0x2028, 0x2029)],
    };
    CharSet::of(excluded).negate()
}
