//! The fast engine: the tree as a linear-time automaton, wherever that is exact.
//!
//! Some parts are exact on some texts only: `$` is `\z` unless the text ends in a line terminator,
//! `\b` is ASCII's on ASCII text. [`Needs`] says which texts those are; all others go to the exact
//! engine, which is linear too for every pattern that has a program here.

use std::sync::OnceLock;

use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{self, Hir, literal};

use crate::ast::{Assert, Kind, Node, Repeat, Shape};
use crate::exists::Exists;
use crate::near::Run;
use crate::scan::Literal;
use crate::set::CharSet;

/// What the automaton of one pattern may take, in bytes.
const NFA_BYTES_MAX: usize = 16 << 20;

/// Shorter literals are found too often to begin an automaton at each.
const FIRST_BYTES_MIN: usize = 3;

/// So often a match is tried at the literal before the plain search takes over.
const FIRST_TRIES_MAX: usize = 4;

/// What must be true of a text for the automaton to be exact on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// `$` or `\Z`: no line terminator at the end.
    pub(crate) no_final_terminator: bool,
    /// (?m) anchors: no line terminator at all, and not empty.
    pub(crate) single_line: bool,
    /// `\b`: ASCII only.
    pub(crate) ascii: bool,
}

/// A pattern as an automaton.
#[derive(Debug)]
pub(crate) struct Linear {
    search: meta::Regex,
    exists: Exists,
    /// What every match begins with, if that is one literal.
    first: Option<Literal>,
    /// The way to spans where the pattern is a literal and a run.
    run: Option<Run>,
    whole: OnceLock<Option<meta::Regex>>,
    hir: Hir,
    pub(crate) needs: Needs,
    /// `$` stands only where nothing can be taken after it, and has no (?d): a text with a final
    /// terminator can be searched with and without it.
    pub(crate) dollar_at_tail: bool,
    /// Where matches begin and end, and what groups hold, is Java's too, and not only whether
    /// there is a match; else the reason why not.
    pub(crate) spans: Result<(), &'static str>,
}

impl Linear {
    /// Builds the automaton, or says why only backtracking will do.
    pub(crate) fn build(node: &Node) -> Result<Linear, &'static str> {
        let mut builder = Builder { needs: Needs::default(), spans: Ok(()), repeats: 0 };
        let hir = builder.hir(node)?;
        let search = compile(&hir).ok_or("the automaton would be too large")?;
        let dollar_at_tail = dollar_at_tail(node, false);
        let Builder { needs, spans, .. } = builder;
        let exists = Exists::study(node, &mut part, compile);
        let first = first_literal(&hir);
        let run = Run::study(node);
        Ok(Linear { search, exists, first, run, whole: OnceLock::new(), hir, needs, dollar_at_tail, spans })
    }

    /// Whether there is a match.
    #[inline]
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        match &self.exists {
            Exists::Search => self.search.is_match(text),
            Exists::Shorter(search) => search.is_match(text),
            Exists::Line(line) => line.is_match(text),
            Exists::Near(near) => near.is_match(text),
        }
    }

    /// Whether there is a match, where that can be told without knowing that the bytes are UTF-8: the pattern takes
    /// ASCII alone and looks at nothing else, and decoding neither makes ASCII of other bytes nor takes any away; or the
    /// bytes are ASCII.
    #[inline]
    pub(crate) fn is_match_of_bytes(&self, body: &[u8]) -> Option<bool> {
        match &self.exists {
            Exists::Near(near) if near.is_fixed() => Some(near.is_match(body)),
            Exists::Line(line) => line.is_match_of_bytes(body),
            _ => None,
        }
    }

    /// The first match from `from` on; fills `slots`.
    #[inline]
    pub(crate) fn captures(&self, text: &[u8], from: usize, slots: &mut [Option<NonMaxUsize>]) -> bool {
        slots.fill(None);
        self.search.search_slots(&Input::new(text).range(from..), slots).is_some()
    }

    /// The pattern as a literal and a run, if it is one.
    #[inline]
    pub(crate) fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// The span of the first match from `from` on.
    #[inline]
    pub(crate) fn span(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        if let Some(run) = &self.run {
            return run.span(text, from);
        }
        if let Some(first) = &self.first {
            return self.span_from_literal(first, text, from);
        }
        self.search.search(&Input::new(text).range(from..)).map(|found| (found.start(), found.end()))
    }

    /// Every match begins with the literal: where it stands, the automaton has only to find the end, and need
    /// not run back for the start. After some vain tries the plain search takes over, so that the time stays
    /// linear on a text that is full of the literal.
    fn span_from_literal(&self, first: &Literal, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let mut at = from;
        for _ in 0..FIRST_TRIES_MAX {
            at += first.find(&text[at..])?;
            let input = Input::new(text).range(at..).anchored(Anchored::Yes);
            if let Some(end) = self.search.search_half(&input) {
                return Some((at, end.offset()));
            }
            at += 1;
        }
        self.search.search(&Input::new(text).range(at..)).map(|found| (found.start(), found.end()))
    }

    /// Whether the whole text matches; `None` if that automaton would be too large.
    pub(crate) fn is_whole_match(&self, text: &[u8]) -> Option<bool> {
        let whole = self.whole.get_or_init(|| {
            let parts = vec![Hir::look(hir::Look::Start), self.hir.clone(), Hir::look(hir::Look::End)];
            compile(&Hir::concat(parts))
        });
        let input = Input::new(text).anchored(Anchored::Yes).earliest(true);
        whole.as_ref().map(|whole| whole.search_half(&input).is_some())
    }
}

/// The literal that every match begins with, if it is long enough to be worth a search of its own.
fn first_literal(hir: &Hir) -> Option<Literal> {
    let prefixes = literal::Extractor::new().extract(hir);
    match prefixes.literals()? {
        [only] if only.as_bytes().len() >= FIRST_BYTES_MIN => Some(Literal::new(only.as_bytes())),
        _ => None,
    }
}

/// A sequence of parts of a pattern that has been built as a whole.
fn part(nodes: &[Node]) -> Option<Hir> {
    let mut builder = Builder { needs: Needs::default(), spans: Ok(()), repeats: 0 };
    builder.all(nodes).ok().map(Hir::concat)
}

fn compile(hir: &Hir) -> Option<meta::Regex> {
    // No full DFA: measured, it is no faster than the lazy one here, and takes seven times as long to build.
    let config = meta::Config::new().nfa_size_limit(Some(NFA_BYTES_MAX)).onepass_size_limit(Some(1 << 20));
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

struct Builder {
    needs: Needs,
    spans: Result<(), &'static str>,
    /// How many quantifiers that repeat stand around the current node.
    repeats: u32,
}

impl Builder {
    fn hir(&mut self, node: &Node) -> Result<Hir, &'static str> {
        Ok(match node {
            Node::Empty => Hir::empty(),
            Node::Set(set) => class(set),
            Node::Concat(nodes) => Hir::concat(self.all(nodes)?),
            Node::Alt(nodes) => Hir::alternation(self.all(nodes)?),
            Node::Group(None, body) => self.hir(body)?,
            Node::Group(Some(number), body) => {
                let index = u32::try_from(*number).map_err(|_| "it has too many groups")?;
                Hir::capture(hir::Capture { index, name: None, sub: Box::new(self.hir(body)?) })
            }
            Node::Repeat(repeat) => self.repeat(repeat)?,
            Node::Assert(assert) => self.assert(*assert)?,
            Node::LineEnding => {
                let crlf = Hir::literal(*b"\r\n");
                Hir::alternation(vec![crlf, class(&crate::property::vertical_space())])
            }
            Node::Look(_) => return Err("it looks ahead or behind"),
            Node::Atomic(_) => return Err("it has an atomic group"),
            Node::Backref(..) => return Err("it has a back-reference"),
        })
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Vec<Hir>, &'static str> {
        nodes.iter().map(|node| self.hir(node)).collect()
    }

    fn repeat(&mut self, repeat: &Repeat) -> Result<Hir, &'static str> {
        let many = repeat.max.is_none_or(|max| max > 1);
        if repeat.kind == Kind::Possessive {
            return Err("it has a possessive quantifier");
        }
        let bare_line_ending = matches!(repeat.body, Node::LineEnding);
        let atoms =
            repeat.shape() == Shape::Atoms && repeat.body.any(&|node| matches!(node, Node::LineEnding));
        if bare_line_ending || atoms {
            return Err("it repeats \\R, which never gives a line feed back");
        }
        if many && repeat.body.nullable() {
            if repeat.min > 1 {
                return Err("it repeats, more than once, what can be empty");
            }
            self.spans = Err("it repeats what can be empty, which matters for groups and replacements");
        }
        let atoms = many && repeat.shape() == Shape::Atoms;
        if atoms && (inner_groups(&repeat.body) || (self.repeats > 0 && repeat.body.captures())) {
            self.spans = Err("it repeats a group within a group, where Java keeps values from other turns");
        }
        self.repeats += u32::from(many);
        let sub = Box::new(self.hir(&repeat.body)?);
        self.repeats -= u32::from(many);
        let greedy = repeat.kind == Kind::Greedy;
        Ok(Hir::repetition(hir::Repetition { min: repeat.min, max: repeat.max, greedy, sub }))
    }

    fn assert(&mut self, assert: Assert) -> Result<Hir, &'static str> {
        Ok(Hir::look(match assert {
            Assert::Begin => hir::Look::Start,
            Assert::End => hir::Look::End,
            Assert::Dollar { .. } => {
                self.needs.no_final_terminator = true;
                hir::Look::End
            }
            Assert::LineStart { .. } => {
                self.needs.single_line = true;
                hir::Look::Start
            }
            Assert::LineEnd { .. } => {
                self.needs.single_line = true;
                hir::Look::End
            }
            Assert::WordBoundary { negated, .. } => {
                self.needs.ascii = true;
                if negated { hir::Look::WordAsciiNegate } else { hir::Look::WordAscii }
            }
            Assert::LastMatch => return Err("it has \\G"),
        }))
    }
}

/// Whether there is a capturing group below the one that is repeated.
fn inner_groups(body: &Node) -> bool {
    match body {
        Node::Group(_, inner) => inner.captures(),
        other => other.captures(),
    }
}

/// The set without surrogates, which no UTF-8 text holds.
fn class(set: &CharSet) -> Hir {
    let ranges = set.ranges().iter().flat_map(|&(first, last)| {
        let below = (first, last.min(0xD7FF));
        let above = (first.max(0xE000), last);
        [below, above].into_iter().filter(|(first, last)| first <= last).filter_map(|(first, last)| {
            Some(hir::ClassUnicodeRange::new(char::from_u32(first)?, char::from_u32(last)?))
        })
    });
    Hir::class(hir::Class::Unicode(hir::ClassUnicode::new(ranges)))
}

/// Whether no character can be taken after any `$`; `then_takes` says so of what follows `node`.
fn dollar_at_tail(node: &Node, then_takes: bool) -> bool {
    match node {
        Node::Assert(Assert::Dollar { unix }) => !unix && !then_takes,
        // On the text without its terminator, these would hold where they should not.
        Node::Assert(Assert::End | Assert::LineEnd { .. }) => false,
        Node::Concat(nodes) => {
            let mut then_takes = then_takes;
            nodes.iter().rev().all(|node| {
                let fine = dollar_at_tail(node, then_takes);
                then_takes |= !matches!(node, Node::Empty | Node::Assert(_));
                fine
            })
        }
        Node::Alt(nodes) => nodes.iter().all(|node| dollar_at_tail(node, then_takes)),
        Node::Group(_, body) => dollar_at_tail(body, then_takes),
        Node::Repeat(repeat) => {
            let again = repeat.max.is_none_or(|max| max > 1);
            dollar_at_tail(&repeat.body, then_takes || again)
        }
        _ => true,
    }
}
