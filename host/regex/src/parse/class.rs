//! Character classes: `[...]` with unions, intersections and Java's rules of precedence, and
//! `\p{...}`.

use super::cursor::Flags;
use super::{Escape, Parser};
use crate::error::PatternError;
use crate::property::{self, Mode};
use crate::set::CharSet;
use crate::unicode;

const OPEN: u32 = '[' as u32;
const CLOSE: u32 = ']' as u32;
const AMPERSAND: u32 = '&' as u32;

/// The parts of a class read so far. Java keeps single Latin-1 characters apart from the rest and
/// joins them last; which of the two is empty decides about errors and about intersections.
#[derive(Default)]
struct Parts {
    joined: Option<CharSet>,
    latest: Option<CharSet>,
    singles: CharSet,
    singles_pending: bool,
}

impl Parts {
    fn join(&mut self, set: &CharSet) {
        self.joined = Some(self.joined.take().unwrap_or_default().union(set));
    }

    fn join_singles(&mut self) {
        if self.singles_pending {
            let singles = self.singles.clone();
            if self.joined.is_none() {
                self.latest = Some(singles.clone());
            }
            self.join(&singles);
            self.singles_pending = false;
        }
    }
}

/// One item of a class: a Latin-1 character by itself, or anything else.
enum Item {
    Single(CharSet),
    Set(CharSet),
}

impl Parser {
    /// A class from its `[` on; `consume` is false for an operand of `&&` written without brackets.
    pub(super) fn class(&mut self, consume: bool) -> Result<CharSet, PatternError> {
        self.descend()?;
        let set = self.class_body(consume);
        self.depth -= 1;
        set
    }

    fn class_body(&mut self, consume: bool) -> Result<CharSet, PatternError> {
        let mut parts = Parts::default();
        let mut c = self.cursor.next();
        let negated = c == '^' as u32 && self.cursor.raw(self.cursor.at - 1) == OPEN;
        if negated {
            c = self.cursor.next();
        }
        loop {
            match c {
                OPEN => {
                    let inner = self.class(true)?;
                    parts.join(&inner);
                    parts.latest = Some(inner);
                    c = self.cursor.peek();
                    continue;
                }
                AMPERSAND => {
                    if self.cursor.next() == AMPERSAND {
                        c = self.intersection(&mut parts)?;
                        continue;
                    }
                    self.cursor.unread();
                }
                0 if self.cursor.at_end() => return Err(self.cursor.error("Unclosed character class")),
                CLOSE if parts.joined.is_some() || parts.singles_pending => {
                    if consume {
                        self.cursor.next();
                    }
                    parts.join_singles();
                    let set = parts.joined.unwrap_or_default();
                    return Ok(if negated { set.negate() } else { set });
                }
                _ => {}
            }
            self.add_item(&mut parts)?;
            c = self.cursor.peek();
        }
    }

    fn add_item(&mut self, parts: &mut Parts) -> Result<(), PatternError> {
        match self.class_item()? {
            Item::Single(set) => {
                parts.singles = std::mem::take(&mut parts.singles).union(&set);
                parts.singles_pending = true;
                parts.latest = None;
            }
            Item::Set(set) => {
                parts.join(&set);
                parts.latest = Some(set);
            }
        }
        Ok(())
    }

    /// The part of a class after `&&`, up to the next `&&` or the end.
    fn intersection(&mut self, parts: &mut Parts) -> Result<u32, PatternError> {
        let mut right: Option<CharSet> = None;
        let mut c = self.cursor.next();
        while c != CLOSE && c != AMPERSAND {
            let operand = if c == OPEN {
                self.class(true)?
            } else {
                self.cursor.unread();
                self.class(false)?
            };
            right = Some(right.unwrap_or_default().union(&operand));
            c = self.cursor.peek();
        }
        parts.join_singles();
        if right.is_some() {
            parts.latest = right.clone();
        }
        parts.joined = Some(match (parts.joined.take(), right) {
            (None, None) => return Err(self.cursor.error("Bad class syntax")),
            (None, Some(right)) => right,
            (Some(left), _) => match &parts.latest {
                Some(latest) => left.intersect(latest),
                None => return Err(self.cursor.error("Bad intersection syntax")),
            },
        });
        Ok(c)
    }

    fn class_item(&mut self) -> Result<Item, PatternError> {
        let mut c = self.cursor.peek();
        if c == '\\' as u32 {
            c = self.cursor.next_raw();
            if c == 'p' as u32 || c == 'P' as u32 {
                return self.property(c == 'P' as u32).map(Item::Set);
            }
            let range = self.cursor.raw(self.cursor.at + 1) == '-' as u32;
            self.cursor.unread();
            match self.escape(true, range)? {
                Escape::Char(escaped) => c = escaped,
                Escape::Set(set) => return Ok(Item::Set(set)),
                Escape::Node(_) => return Err(self.cursor.error("Illegal/unsupported escape sequence")),
            }
        } else {
            self.cursor.next();
        }
        self.range_from(c)
    }

    /// `c`, or the range that begins with it.
    fn range_from(&mut self, c: u32) -> Result<Item, PatternError> {
        if self.cursor.peek() != '-' as u32 {
            return Ok(single_in_class(c, self.cursor.flags));
        }
        let after = self.cursor.raw(self.cursor.at + 1);
        if after == OPEN || after == CLOSE {
            return Ok(single_in_class(c, self.cursor.flags));
        }
        self.cursor.next();
        let mut last = self.cursor.peek();
        if last == '\\' as u32 {
            match self.escape(true, true)? {
                Escape::Char(escaped) => last = escaped,
                _ => return Err(self.cursor.error("Illegal character range")),
            }
        } else {
            self.cursor.next();
        }
        if last < c {
            return Err(self.cursor.error("Illegal character range"));
        }
        Ok(Item::Set(range_with(c, last, self.cursor.flags)))
    }

    /// `\p{...}` from its `p` on.
    pub(super) fn property(&mut self, negated: bool) -> Result<CharSet, PatternError> {
        let braced = self.cursor.next() == '{' as u32;
        if !braced {
            self.cursor.unread();
        }
        self.cursor.next();
        let start = self.cursor.at;
        let name = if braced {
            while !self.cursor.at_end() && self.cursor.peek() != '}' as u32 {
                self.cursor.at += 1;
            }
            let end = self.cursor.at;
            self.cursor.at = end + 1;
            if end >= self.cursor.len() {
                return Err(self.cursor.error("Unclosed character family"));
            }
            if end == start {
                return Err(self.cursor.error("Empty character family"));
            }
            self.cursor.text(start, end)
        } else {
            self.cursor.read();
            self.cursor.text(start, start + 1)
        };
        let set = self.property_set(&name)?;
        Ok(if negated { set.negate() } else { set })
    }

    fn property_set(&self, name: &str) -> Result<CharSet, PatternError> {
        let mode =
            Mode { ignore_case: self.cursor.flags.ignore_case, unicode: self.cursor.flags.unicode_class };
        match name.split_once('=') {
            Some((key, value)) => {
                let key = key.to_lowercase();
                property::keyed(&key, value, mode).ok_or_else(|| {
                    self.cursor.error(format!("Unknown Unicode property {{name=<{key}>, value=<{value}>}}"))
                })
            }
            None => property::named(name, mode)
                .ok_or_else(|| self.cursor.error(format!("Unknown character property name {{{name}}}"))),
        }
    }
}

/// One character under the flags.
pub(super) fn single_with(c: u32, flags: Flags) -> CharSet {
    match u8::try_from(c) {
        _ if !flags.ignore_case => CharSet::single(c),
        _ if flags.unicode_case => {
            let (upper, folded) = (unicode::upper(c), unicode::fold(c));
            if upper == folded { CharSet::single(c) } else { unicode::folding_to(folded) }
        }
        Ok(byte) if byte.is_ascii_alphabetic() => {
            CharSet::of(&[byte.to_ascii_lowercase(), byte.to_ascii_uppercase()].map(|b| (b.into(), b.into())))
        }
        _ => CharSet::single(c),
    }
}

/// A range under the flags.
fn range_with(first: u32, last: u32, flags: Flags) -> CharSet {
    let exact = CharSet::range(first, last);
    if !flags.ignore_case {
        return exact;
    }
    if flags.unicode_case {
        return unicode::range_ignoring_case(first, last);
    }
    let other_case: Vec<(u32, u32)> = (b'A'..=b'z')
        .filter(|b| b.is_ascii_alphabetic() && exact.contains(u32::from(b ^ 0x20)))
        .map(|b| (b.into(), b.into()))
        .collect();
    exact.union(&CharSet::of(&other_case))
}

/// A lone character in a class: Latin-1 ones go to Java's bit table, except those whose case
/// partners lie outside Latin-1.
fn single_in_class(c: u32, flags: Flags) -> Item {
    const PARTNERS_OUTSIDE: [u32; 10] = [0xFF, 0xB5, 0x49, 0x69, 0x53, 0x73, 0x4B, 0x6B, 0xC5, 0xE5];
    let folded = flags.ignore_case && flags.unicode_case;
    if c > 0xFF || (folded && PARTNERS_OUTSIDE.contains(&c)) {
        return Item::Set(single_with(c, flags));
    }
    let mut set = single_with(c, Flags { unicode_case: false, ..flags });
    if folded && c > 0x7F {
        set.add(unicode::lower(c));
        set.add(unicode::upper(c));
    }
    Item::Single(set)
}
