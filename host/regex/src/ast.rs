//! The tree of a Java pattern after parsing: flags are resolved, classes are sets.
//!
//! Both engines are built from it. What Java's own engine does with a part (atomic or not, with
//! a loop counter or not) follows from the shape of the tree; see [`Study`].

use std::sync::Arc;

use crate::set::CharSet;

/// A part of a pattern.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Matches the empty text.
    Empty,
    /// One code point of the set.
    Set(Arc<CharSet>),
    /// All, one after the other.
    Concat(Vec<Node>),
    /// The first that lets the rest match.
    Alt(Vec<Node>),
    /// `(...)` with its number, or `(?:...)`.
    Group(Option<usize>, Box<Node>),
    /// `x?`, `x*`, `x{n,m}`...
    Repeat(Box<Repeat>),
    /// `(?=...)`, `(?!...)`, `(?<=...)`, `(?<!...)`.
    Look(Box<Look>),
    /// `(?>...)`.
    Atomic(Box<Node>),
    /// `\1`, `\k<name>`.
    Backref(usize, Fold),
    /// A place between characters.
    Assert(Assert),
    /// `\R`.
    LineEnding,
}

/// A repeated part.
#[derive(Clone, Debug)]
pub(crate) struct Repeat {
    pub(crate) body: Node,
    pub(crate) min: u32,
    /// `None` is without end.
    pub(crate) max: Option<u32>,
    pub(crate) kind: Kind,
    /// What is known of the body; kept, because to ask again at each level would cost 2^depth.
    study: Study,
}

/// What a quantifier prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Greedy,
    Lazy,
    Possessive,
}

/// A look-around.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) body: Node,
    pub(crate) negated: bool,
    /// `None` looks ahead.
    pub(crate) behind: Option<Behind>,
}

/// How far back a look-behind tries, in characters; Java's arithmetic, overflow included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    pub(crate) min: i32,
    pub(crate) max: i32,
}

/// How a back-reference compares characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    Exact,
    Ascii,
    Unicode,
}

/// A zero-width assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assert {
    /// `\A`, and `^` without (?m).
    Begin,
    /// `\z`.
    End,
    /// `$` without (?m), `\Z`: at the end or before the last line terminator.
    Dollar { unix: bool },
    /// (?m) `^`: never at the end of the text.
    LineStart { unix: bool },
    /// (?m) `$`.
    LineEnd { unix: bool },
    /// `\b`, `\B`.
    WordBoundary { negated: bool, unicode: bool },
    /// `\G`.
    LastMatch,
}

impl Node {
    /// Whether `test` holds for this node or one below it.
    pub(crate) fn any(&self, test: &impl Fn(&Node) -> bool) -> bool {
        test(self) || self.children().into_iter().any(|child| child.any(test))
    }

    fn children(&self) -> Vec<&Node> {
        match self {
            Node::Concat(nodes) | Node::Alt(nodes) => nodes.iter().collect(),
            Node::Group(_, body) | Node::Atomic(body) => vec![body],
            Node::Repeat(repeat) => vec![&repeat.body],
            Node::Look(look) => vec![&look.body],
            _ => Vec::new(),
        }
    }

    /// Whether the node can match without taking a character (a safe over-estimate).
    pub(crate) fn nullable(&self) -> bool {
        match self {
            Node::Set(_) | Node::LineEnding => false,
            Node::Concat(nodes) => nodes.iter().all(Node::nullable),
            Node::Alt(nodes) => nodes.iter().any(Node::nullable),
            Node::Group(_, body) | Node::Atomic(body) => body.nullable(),
            Node::Repeat(repeat) => repeat.min == 0 || repeat.body.nullable(),
            _ => true,
        }
    }

    /// Whether the node holds a capturing group.
    pub(crate) fn captures(&self) -> bool {
        self.any(&|node| matches!(node, Node::Group(Some(_), _)))
    }
}

/// What Java's parser learns of a part: its lengths, and whether it can match in one way only.
///
/// The arithmetic wraps as Java's `int` does: `(?<=a+)` has the maximum 2147483647, and
/// `(?<=a+b+)` a negative one, so it never matches, in Java and here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Study {
    pub(crate) min: i32,
    pub(crate) max: i32,
    pub(crate) max_valid: bool,
    pub(crate) deterministic: bool,
    /// The lengths up to the last alternation: Java studies what follows one afresh, so that an
    /// overflow is not noticed across it.
    before: (i32, i32),
}

impl Study {
    /// Studies one part on its own.
    pub(crate) fn of(node: &Node) -> Study {
        let mut study = Study { min: 0, max: 0, max_valid: true, deterministic: true, before: (0, 0) };
        study.follow(node);
        study.advance(study.before.0, study.before.1);
        study.before = (0, 0);
        study
    }

    fn advance(&mut self, min: i32, max: i32) {
        self.min = self.min.wrapping_add(min);
        self.max = self.max.wrapping_add(max);
    }

    fn begin_afresh(&mut self) {
        self.before = (self.before.0.wrapping_add(self.min), self.before.1.wrapping_add(self.max));
        (self.min, self.max) = (0, 0);
        self.deterministic = false;
    }

    fn follow(&mut self, node: &Node) {
        match node {
            Node::Empty | Node::Assert(_) | Node::Look(_) => {}
            Node::Set(_) => self.advance(1, 1),
            Node::LineEnding => self.advance(1, 2),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.follow(node)),
            Node::Group(_, body) | Node::Atomic(body) => self.follow(body),
            Node::Backref(..) => self.max_valid = false,
            Node::Alt(nodes) => self.follow_alternatives(nodes),
            Node::Repeat(repeat) => self.follow_repeat(repeat),
        }
    }

    fn follow_alternatives(&mut self, nodes: &[Node]) {
        let all: Vec<Study> = nodes.iter().map(Study::of).collect();
        self.max_valid &= all.iter().all(|one| one.max_valid);
        let min = all.iter().map(|one| one.min).min().unwrap_or(0);
        // Java begins with -1: of lengths that overflowed none is the longest.
        let max = all.iter().map(|one| one.max).fold(-1, i32::max);
        self.advance(min, max);
        self.begin_afresh();
    }

    fn follow_repeat(&mut self, repeat: &Repeat) {
        match repeat.shape() {
            Shape::Optional => {
                self.max_valid &= repeat.study.max_valid;
                self.deterministic = false;
                if matches!(repeat.body, Node::Group(..)) && repeat.kind != Kind::Possessive {
                    // A choice between the group and nothing, which is longer than a length that overflowed.
                    self.advance(0, repeat.study.max.max(0));
                    self.begin_afresh();
                } else {
                    self.advance(0, repeat.study.max);
                }
            }
            Shape::Run if repeat.max.is_none() && repeat.kind == Kind::Greedy => {
                self.advance(repeat.min as i32, if self.max_valid { i32::MAX } else { 0 });
                self.deterministic = false;
            }
            Shape::Loop => {
                self.max_valid = false;
                self.deterministic = false;
            }
            Shape::Run | Shape::Atoms => self.multiply(repeat),
        }
    }

    fn multiply(&mut self, repeat: &Repeat) {
        let body = repeat.study;
        let times =
            |length: i32, count: u32, before: i32| length.wrapping_mul(count as i32).wrapping_add(before);
        let min = times(body.min, repeat.min, self.min);
        self.min = if min < self.min { 0xFFF_FFFF } else { min };
        if self.max_valid && body.max_valid {
            let max = times(body.max, repeat.max.unwrap_or(i32::MAX as u32), self.max);
            self.max_valid = max >= self.max;
            self.max = max;
        } else {
            self.max_valid = false;
            self.max = body.max;
        }
        self.deterministic &= body.deterministic && repeat.max == Some(repeat.min);
    }
}

/// Which of Java's nodes a quantifier becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `x?` of anything.
    Optional,
    /// One character class, repeated.
    Run,
    /// Something that matches in one way only, or is made to: each turn is final.
    Atoms,
    /// A group with choices inside: turns can be taken back into.
    Loop,
}

impl Repeat {
    /// Repeats `body` from `min` to `max` times.
    pub(crate) fn new(body: Node, min: u32, max: Option<u32>, kind: Kind) -> Repeat {
        let study = Study::of(&body);
        Repeat { body, min, max, kind, study }
    }

    /// Whether the body matches in one way only, each time.
    pub(crate) fn deterministic(&self) -> bool {
        self.study.deterministic
    }
    /// Which of Java's nodes this quantifier becomes.
    pub(crate) fn shape(&self) -> Shape {
        match &self.body {
            _ if self.min == 0 && self.max == Some(1) => Shape::Optional,
            Node::Set(_) => Shape::Run,
            Node::Group(..) if self.kind != Kind::Possessive && !self.deterministic() => Shape::Loop,
            _ => Shape::Atoms,
        }
    }
}
