//! Shorter ways to tell whether there is a match, for the shapes that filters have.
//!
//! An automaton takes a text byte by byte, some 1.7 ns each. Where only the existence of a match counts:
//!
//! ```text
//! .*error.*            what can be empty at either end is left out: a search for `error`
//! ^\d{4} .*failed$     `^`, a head of fixed length, `.*`, a rest: the head is compared where it must stand,
//!                      the line's end is looked for with SIMD, and only then the rest is searched
//! ```

use regex_automata::{Anchored, Input, meta};
use regex_syntax::hir::{Hir, Look};

use crate::ast::{Assert, Node};
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
}

#[derive(Debug)]
pub(crate) struct Line {
    /// The head and its length in bytes.
    head: Option<(meta::Regex, usize)>,
    /// What stands somewhere behind it on the line.
    rest: Option<meta::Regex>,
    /// The line must end with the text.
    to_end: bool,
}

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
        let head = match head {
            [] => None,
            head => {
                let hir = hir(head)?;
                let length =
                    hir.properties().minimum_len().filter(|n| hir.properties().maximum_len() == Some(*n))?;
                Some((compile(&Hir::concat(vec![Hir::look(Look::Start), hir]))?, length))
            }
        };
        let rest = match rest {
            [] => None,
            rest if ends_in_gap => Some(compile(&hir(rest)?)?),
            rest => Some(compile(&Hir::concat(vec![hir(rest)?, Hir::look(Look::End)]))?),
        };
        Some(Line { head, rest, to_end })
    }

    /// Whether the text, which is UTF-8, has a match.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        let mut line = text;
        if let Some((head, length)) = &self.head {
            let Some((start, behind)) = text.split_at_checked(*length) else { return false };
            if head.search_half(&Input::new(start).anchored(Anchored::Yes).earliest(true)).is_none() {
                return false;
            }
            line = behind;
        }
        if let Some(end) = first_terminator(line) {
            if self.to_end {
                return false;
            }
            line = &line[..end];
        }
        self.rest.as_ref().is_none_or(|rest| rest.is_match(line))
    }
}

/// A sequence without nesting that means nothing.
fn flatten(node: &Node, out: &mut Vec<Node>) {
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
        let cases: [(&str, &[(&str, bool)]); 9] = [
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
