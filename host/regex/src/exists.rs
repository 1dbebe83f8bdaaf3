//! Shorter ways to tell whether there is a match, for the shapes that filters have.
//!
//! An automaton takes a text byte by byte, some 1.7 ns each. Where only the existence of a match counts:
//!
//! ```text
//! .*error.*            what can be empty at either end is left out: a search for `error`
//! ^\d{4} .*failed$     `^`, a head of fixed length, `.*`, a rest: the head is compared where it must stand,
//!                      the line's end is looked for with SIMD, and only then the rest is searched
//! [05] user            fixed characters, then a literal: see `near`
//! ```

use regex_automata::{Anchored, Input, meta};
use regex_syntax::hir::{Hir, Look};

use crate::ast::{Assert, Node};
use crate::near::Near;
use crate::scan::is_plain_line;
use crate::set::{CharSet, LAST};
use crate::text::first_terminator;

/// Tells whether there is a match.
#[derive(Debug)]
pub(crate) enum Exists {
    /// The same as the pattern's own search: there is no shorter way.
    Search,
    /// A search for less.
    Shorter(meta::Regex),
    /// `^`, a head, `.*`, a rest.
    Line(Line),
    /// A literal with fixed characters before it.
    Near(Box<Near>),
}

#[derive(Debug)]
pub(crate) struct Line {
    head: Head,
    rest: Rest,
    /// The line must end with the text.
    to_end: bool,
}

/// What a line begins with.
#[derive(Debug)]
enum Head {
    /// Characters of these sets; none is no head.
    Ascii(Vec<AsciiSet>),
    /// A pattern and its length in bytes.
    Pattern(meta::Regex, usize),
}

/// What stands behind the head.
#[derive(Debug)]
enum Rest {
    Nothing,
    /// Characters of these sets, at the end.
    AsciiAtEnd(Vec<AsciiSet>),
    /// A pattern, anywhere (one that ends in `$` holds its own anchor).
    Pattern(meta::Regex),
}

/// ASCII characters, one bit each. Two words, because WebAssembly has no 128 bits: each shift would be a call, and a
/// choice between two halves of a `u128` is made into such a shift again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsciiSet([u64; 2]);

impl AsciiSet {
    pub(crate) fn of(bytes: impl Iterator<Item = u8>) -> Self {
        let mut set = Self::default();
        for byte in bytes {
            assert!(byte.is_ascii(), "{byte} is no ASCII");
            set.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        set
    }
    #[inline(always)]
    pub(crate) fn holds(self, byte: u8) -> bool {
        byte.is_ascii() && self.0[usize::from(byte >> 6 & 1)] >> (byte & 63) & 1 == 1
    }
    /// How many of the first bytes it holds, four at a time: in WebAssembly a turn of a loop costs as much as two.
    #[inline(always)]
    pub(crate) fn run(self, text: &[u8]) -> usize {
        let (fours, rest) = text.as_chunks::<4>();
        for (four, at) in fours.iter().zip((0..).step_by(4)) {
            let held = (0..4).fold(0, |held, i| held | u32::from(self.holds(four[i])) << i);
            if held != 0b1111 {
                return at + held.trailing_ones() as usize;
            }
        }
        text.len() - rest.len() + rest.iter().take_while(|byte| self.holds(**byte)).count()
    }
    /// Its one character.
    pub(crate) fn only(self) -> Option<u8> {
        let mut all = (0..128).filter(|byte| self.holds(*byte));
        all.next().filter(|_| all.next().is_none())
    }
}

/// Longer sequences are left to an automaton.
const ASCII_SETS_MAX: usize = 64;

impl Exists {
    /// Finds a shorter way for a pattern that the linear engine runs. `hir` turns parts of it into automata's
    /// trees.
    pub(crate) fn study(
        node: &Node,
        hir: &mut impl FnMut(&[Node]) -> Option<Hir>,
        compile: impl Fn(&Hir) -> Option<meta::Regex>,
    ) -> Exists {
        let mut nodes = Vec::new();
        flatten(node, &mut nodes);
        if let Some(line) = Line::study(&nodes, hir, &compile) {
            return Exists::Line(line);
        }
        let kept = trimmed(&nodes);
        if let Some(near) = Near::study(kept, || hir(kept).and_then(|hir| compile(&hir))) {
            return Exists::Near(Box::new(near));
        }
        if kept.len() == nodes.len() {
            return Exists::Search;
        }
        hir(kept).and_then(|hir| compile(&hir)).map_or(Exists::Search, Exists::Shorter)
    }
}

impl Line {
    fn study(
        nodes: &[Node],
        hir: &mut impl FnMut(&[Node]) -> Option<Hir>,
        compile: &impl Fn(&Hir) -> Option<meta::Regex>,
    ) -> Option<Line> {
        let (Node::Assert(Assert::Begin), nodes) = nodes.split_first()? else { return None };
        let gap = nodes.iter().position(is_any_line_text)?;
        let (head, rest) = (&nodes[..gap], &nodes[gap + 1..]);
        let (to_end, rest) = match rest.split_last() {
            Some((Node::Assert(Assert::End | Assert::Dollar { .. }), rest)) => (true, rest),
            _ => (false, rest),
        };
        if !head.iter().chain(rest).all(stays_on_line) {
            return None;
        }
        // What can be empty before the rest is part of the gap; behind it, it is part of another gap.
        let ends_in_gap = !to_end || rest.last().is_none_or(is_any_line_text);
        let rest = if ends_in_gap { trimmed(rest) } else { without_first_droppable(rest) };
        let head = match ascii_sets(head) {
            Some(sets) => Head::Ascii(sets),
            None => {
                let hir = hir(head)?;
                let length =
                    hir.properties().minimum_len().filter(|n| hir.properties().maximum_len() == Some(*n))?;
                Head::Pattern(compile(&Hir::concat(vec![Hir::look(Look::Start), hir]))?, length)
            }
        };
        let rest = match (rest, ascii_sets(rest)) {
            ([], _) => Rest::Nothing,
            (_, Some(sets)) if !ends_in_gap => Rest::AsciiAtEnd(sets),
            (rest, _) if ends_in_gap => Rest::Pattern(compile(&hir(rest)?)?),
            (rest, _) => Rest::Pattern(compile(&Hir::concat(vec![hir(rest)?, Hir::look(Look::End)]))?),
        };
        Some(Line { head, rest, to_end })
    }

    /// Whether the text, which is UTF-8, has a match.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.is_match_with(text, first_terminator)
    }

    /// The same of bytes that need not be UTF-8, if they are one line of ASCII.
    pub(crate) fn is_match_of_bytes(&self, body: &[u8]) -> Option<bool> {
        // What is empty some patterns leave to the exact engine.
        let is_plain = !body.is_empty() && is_plain_line(body);
        is_plain.then(|| self.is_match_with(body, |_| None))
    }

    #[inline(always)]
    fn is_match_with(&self, text: &[u8], first_terminator: impl Fn(&[u8]) -> Option<usize>) -> bool {
        let length = match &self.head {
            Head::Ascii(sets) => sets.len(),
            Head::Pattern(_, length) => *length,
        };
        let Some((start, mut line)) = text.split_at_checked(length) else { return false };
        let begins = match &self.head {
            Head::Ascii(sets) => takes(sets, start),
            Head::Pattern(head, _) => {
                head.search_half(&Input::new(start).anchored(Anchored::Yes).earliest(true)).is_some()
            }
        };
        if !begins {
            return false;
        }
        // The end of the text is compared before the line's end is looked for, which takes longer.
        if let Rest::AsciiAtEnd(sets) = &self.rest {
            let end = line.len().checked_sub(sets.len()).map(|at| &line[at..]);
            return end.is_some_and(|end| takes(sets, end)) && first_terminator(line).is_none();
        }
        if let Some(end) = first_terminator(line) {
            if self.to_end {
                return false;
            }
            line = &line[..end];
        }
        match &self.rest {
            Rest::Pattern(rest) => rest.is_match(line),
            Rest::Nothing | Rest::AsciiAtEnd(_) => true,
        }
    }
}

pub(crate) fn takes(sets: &[AsciiSet], text: &[u8]) -> bool {
    sets.iter().zip(text).all(|(set, &byte)| set.holds(byte))
}

/// The sequence as one set for each of its characters, if it has a fixed length and takes only ASCII.
pub(crate) fn ascii_sets(nodes: &[Node]) -> Option<Vec<AsciiSet>> {
    let mut sets = Vec::new();
    for node in nodes {
        let (node, times) = match node {
            Node::Repeat(repeat) if repeat.max == Some(repeat.min) => (&repeat.body, repeat.min as usize),
            other => (other, 1),
        };
        let mut body = Vec::new();
        flatten(node, &mut body);
        let [Node::Set(set)] = body.as_slice() else { return None };
        if sets.len() + times > ASCII_SETS_MAX || set.ranges().iter().any(|&(_, last)| last > 0x7F) {
            return None;
        }
        let characters = set.ranges().iter().flat_map(|&(first, last)| first..=last);
        sets.extend(std::iter::repeat_n(AsciiSet::of(characters.map(|c| c as u8)), times));
    }
    Some(sets)
}

/// A sequence without nesting that means nothing.
pub(crate) fn flatten(node: &Node, out: &mut Vec<Node>) {
    match node {
        Node::Concat(nodes) => nodes.iter().for_each(|node| flatten(node, out)),
        Node::Group(_, body) => flatten(body, out),
        Node::Empty => {}
        other => out.push(other.clone()),
    }
}

/// Without what can be empty at either end.
fn trimmed(nodes: &[Node]) -> &[Node] {
    let nodes = without_first_droppable(nodes);
    let last = nodes.iter().rposition(|node| !is_droppable(node)).map_or(0, |at| at + 1);
    &nodes[..last]
}

fn without_first_droppable(nodes: &[Node]) -> &[Node] {
    let first = nodes.iter().position(|node| !is_droppable(node)).unwrap_or(nodes.len());
    &nodes[first..]
}

fn is_droppable(node: &Node) -> bool {
    node.nullable() && !has_places(node)
}

/// Whether anything in the node looks at where it is instead of taking characters.
fn has_places(node: &Node) -> bool {
    node.any(&|node| {
        matches!(
            node,
            Node::Assert(_) | Node::Look(_) | Node::Atomic(_) | Node::Backref(..) | Node::LineEnding
        )
    })
}

/// `.*` or `.*?`, also in a group.
fn is_any_line_text(node: &Node) -> bool {
    match node {
        Node::Repeat(repeat) => {
            let mut body = Vec::new();
            flatten(&repeat.body, &mut body);
            repeat.min == 0
                && repeat.max.is_none()
                && matches!(body.as_slice(), [Node::Set(set)] if **set == line_text())
        }
        _ => false,
    }
}

/// Whether the node takes only what `.` takes too.
fn stays_on_line(node: &Node) -> bool {
    let line_text = line_text();
    !has_places(node)
        && !node.any(&|node| matches!(node, Node::Set(set) if set.intersect(&line_text) != **set))
}

/// What `.` takes: all but Java's line terminators.
fn line_text() -> CharSet {
    let terminators = CharSet::of(&[(0x0A, 0x0A), (0x0D, 0x0D), (0x85, 0x85), (0x2028, 0x2029)]);
    CharSet::range(0, LAST).intersect(&terminators.negate())
}

#[cfg(test)]
mod tests {
    use crate::JavaRegex;

    /// The shapes with a shorter way, and what Java 17 says of texts (`Matcher.find()`).
    #[test]
    fn the_shorter_way_tells_what_java_tells() {
        let cases: [(&str, &[(&str, bool)]); 12] = [
            (".*error.*", &[("an error\n", true), ("x\nerror", true), ("eror", false)]),
            ("(.*)(error)+(.*)$", &[("error\n", true), ("error\nx", false), ("no", false)]),
            (
                "^.*error.*$",
                &[("an error here", true), ("x\nerror", false), ("error\nx", false), ("error\n", true)],
            ),
            ("^.*error", &[("an error\nx", true), ("x\nerror", false)]),
            (
                "^[0-9]{4} .*x$",
                &[("1234 abcx", true), ("1234 x", true), ("1234x", false), ("1234 a\u{85}x", false)],
            ),
            (
                "^[0-9]{2}-(a|b).*[xy]{2}$",
                &[("12-a xy", true), ("12-cxy", false), ("12-axz", false), ("12-b", false)],
            ),
            ("^é.*é$", &[("éé", true), ("é", false), ("é\u{2028}é", false), ("é x é\n", true)]),
            ("^(ab)?.*(x)$", &[("x", true), ("ab", false), ("y\rx", false), ("abx\r\n", true)]),
            ("^a.*a$", &[("a", false), ("aa", true), ("aba", true)]),
            ("^ab?.*bc$", &[("abc", true), ("abbc", true), ("ac", false)]),
            ("^.*", &[("", true), ("\n", true)]),
            (
                "^(.*?)([a-z]+)$",
                &[("12ab", true), ("12", false), ("ab\u{2028}", true), ("ab\u{2028}1", false)],
            ),
        ];
        for (pattern, texts) in cases {
            let regex = JavaRegex::new(pattern).expect(pattern);
            for (text, expected) in texts {
                assert_eq!(regex.find(text.as_bytes()), Ok(*expected), "{pattern} on {text:?}");
            }
        }
    }
}
