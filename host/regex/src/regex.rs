//! [`JavaRegex`]: one pattern, two engines, and the choice between them for each text.

use std::cell::RefCell;
use std::sync::Arc;

use regex_automata::util::primitives::NonMaxUsize;

use crate::backtrack::{self, Program, Search};
use crate::error::{MatchError, PatternError};
use crate::groups::Groups;
use crate::linear::Linear;
use crate::parse::{Parsed, parse};
use crate::replace::Replacement;
use crate::scan::{append, is_utf8};
use crate::text;

thread_local! {
    /// Working space of [`JavaRegex::replace_all`].
    static REPLACE_GROUPS: RefCell<Groups> = RefCell::default();
}

/// How a pattern runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// In time linear in the length of the body.
    Linear,
    /// Step by step, with a limit on the steps: a body can be too complex.
    Backtracking {
        /// The reason, as the end of "because ...".
        why: &'static str,
    },
}

/// A pattern of `java.util.regex`, with Java 17's meaning. Clones share everything.
#[derive(Clone, Debug)]
pub struct JavaRegex {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pattern: String,
    group_names: Vec<Option<String>>,
    engine: Engine,
    linear: Option<Linear>,
    exact: Program,
}

/// How the linear program serves a text.
#[derive(Clone, Copy)]
enum Fit {
    Exact,
    /// `$` holds at the end and at this place: the text is searched with and without its terminator.
    Tail(usize),
    No,
}

impl JavaRegex {
    /// Compiles a pattern.
    pub fn new(pattern: &str) -> Result<JavaRegex, PatternError> {
        let Parsed { node, group_names } = parse(pattern)?;
        let exact = Program::compile(&node, group_names.len()).map_err(|_| PatternError {
            message: "the pattern is too large".to_owned(),
            offset: 0,
            hint: None,
        })?;
        let (linear, engine) = match Linear::build(&node) {
            Ok(linear) => {
                let engine =
                    linear.spans.map_or_else(|why| Engine::Backtracking { why }, |()| Engine::Linear);
                (Some(linear), engine)
            }
            Err(_) if exact.is_linear() => (None, Engine::Linear),
            Err(why) => (None, Engine::Backtracking { why }),
        };
        let inner = Inner { pattern: pattern.to_owned(), group_names, engine, linear, exact };
        Ok(JavaRegex { inner: Arc::new(inner) })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.inner.pattern
    }

    /// How the pattern runs; the config check warns of [`Engine::Backtracking`].
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// How many capturing groups the pattern has, group 0 not counted.
    pub fn group_count(&self) -> usize {
        self.inner.group_names.len()
    }

    /// The names of the capturing groups, from group 1 on.
    pub fn group_names(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.inner.group_names.iter().map(Option::as_deref)
    }

    /// The number of the group of this name.
    pub fn group_by_name(&self, name: &str) -> Option<usize> {
        self.group_names().position(|known| known == Some(name)).map(|index| index + 1)
    }

    /// Whether the pattern matches somewhere in the body: `Matcher.find()`.
    #[inline]
    pub fn find(&self, body: &[u8]) -> Result<bool, MatchError> {
        match self.inner.linear.as_ref().and_then(|linear| linear.is_match_of_bytes(body)) {
            Some(answer) => Ok(answer),
            None => self.find_in_text(body),
        }
    }

    #[inline(never)]
    fn find_in_text(&self, body: &[u8]) -> Result<bool, MatchError> {
        let text = &*text::decode(body);
        if let Some(linear) = &self.inner.linear {
            match fit(linear, text) {
                Fit::Exact => return Ok(linear.is_match(text)),
                // The shorter one first: a `$` mostly stands for the place before the terminator.
                Fit::Tail(cut) => return Ok(linear.is_match(&text[..cut]) || linear.is_match(text)),
                Fit::No => {}
            }
        }
        self.run_exact(text, 0, 0, &mut Vec::new(), false)
    }

    /// Whether the pattern matches the whole text: `Matcher.matches()`.
    pub fn matches(&self, text: &[u8]) -> Result<bool, MatchError> {
        let text = &*text::decode(text);
        if let Some(linear) = &self.inner.linear
            && let Fit::Exact = fit(linear, text)
            && let Some(answer) = linear.is_whole_match(text)
        {
            return Ok(answer);
        }
        self.run_exact(text, 0, 0, &mut Vec::new(), true)
    }

    /// Finds the first match in the body and its groups. Nothing is allocated on the fast path once
    /// `groups` has served a pattern with as many groups.
    pub fn captures(&self, body: &[u8], groups: &mut Groups) -> Result<bool, MatchError> {
        groups.decoded = match text::decode(body) {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(decoded) => Some(decoded),
        };
        let Some(decoded) = groups.decoded.take() else {
            return self.next_match(body, self.spans_fit(body), (0, 0), groups);
        };
        let found = self.next_match(&decoded, self.spans_fit(&decoded), (0, 0), groups);
        groups.decoded = Some(decoded);
        found
    }

    /// Replaces every match: `Matcher.replaceAll`. Appends the result to `out` and returns how many
    /// matches there were. With no match (or an error) nothing is appended, so that the caller keeps
    /// the body it has, invalid bytes included.
    pub fn replace_all(
        &self,
        body: &[u8],
        with: &Replacement,
        out: &mut Vec<u8>,
    ) -> Result<usize, MatchError> {
        let before = out.len();
        if let (Some(run), Some(with)) = (self.inner.linear.as_ref().and_then(Linear::run), with.literal()) {
            let (places, is_ascii) = run.replace_all(body, with, out);
            if places > 0 && (is_ascii || is_utf8(body)) {
                return Ok(places);
            }
            out.truncate(before);
            if places == 0 {
                return Ok(0);
            }
        }
        let text = &*text::decode(body);
        let replaced = match &self.inner.linear {
            Some(linear)
                if linear.spans.is_ok()
                    && with.literal().is_some()
                    && matches!(fit(linear, text), Fit::Exact) =>
            {
                let next = |from, _| Ok(linear.span(text, from));
                replace_each(text, next, |_, out| append(out, with.literal().unwrap_or_default()), out)
            }
            _ => REPLACE_GROUPS.with_borrow_mut(|groups| self.replace_with_groups(text, with, groups, out)),
        };
        if replaced.is_err() {
            out.truncate(before);
        }
        replaced
    }

    fn replace_with_groups(
        &self,
        text: &[u8],
        with: &Replacement,
        groups: &mut Groups,
        out: &mut Vec<u8>,
    ) -> Result<usize, MatchError> {
        groups.decoded = None;
        // Once for all matches: the check may read the whole text.
        let fit = self.spans_fit(text);
        let groups = RefCell::new(groups);
        let next = |from, last_end| {
            let mut groups = groups.borrow_mut();
            let found = self.next_match(text, fit, (from, last_end), &mut groups)?;
            Ok(groups.span(0).filter(|_| found).map(|span| (span.start, span.end)))
        };
        replace_each(text, next, |text, out| with.expand(text, &groups.borrow(), out), out)
    }

    /// How the linear program serves a text when spans are asked for.
    fn spans_fit(&self, text: &[u8]) -> Fit {
        match &self.inner.linear {
            Some(linear) if linear.spans.is_ok() => fit(linear, text),
            _ => Fit::No,
        }
    }

    /// The first match from `from` on, into `groups`.
    fn next_match(
        &self,
        text: &[u8],
        fit: Fit,
        (from, last_end): (usize, usize),
        groups: &mut Groups,
    ) -> Result<bool, MatchError> {
        let slots = 2 * (self.group_count() + 1);
        groups.slots.resize(slots, None);
        match (fit, &self.inner.linear) {
            (Fit::Exact, Some(linear)) => return Ok(linear.captures(text, from, &mut groups.slots)),
            (Fit::Tail(cut), Some(linear)) => {
                groups.other.resize(slots, None);
                if let Some(found) = match_with_and_without_tail(linear, text, from, cut, groups) {
                    return Ok(found);
                }
            }
            _ => {}
        }
        let mut scratch = std::mem::take(&mut groups.scratch);
        let found = self.run_exact(text, from, last_end, &mut scratch, false);
        groups.scratch = scratch;
        groups.adopt_scratch();
        found
    }

    fn run_exact(
        &self,
        text: &[u8],
        from: usize,
        last_end: usize,
        slots: &mut Vec<usize>,
        whole: bool,
    ) -> Result<bool, MatchError> {
        backtrack::run(&self.inner.exact, &Search { text, from, last_end, whole }, slots)
    }
}

fn fit(linear: &Linear, text: &[u8]) -> Fit {
    let needs = linear.needs;
    if needs.ascii && !text.is_ascii() {
        return Fit::No;
    }
    if needs.single_line && (text.is_empty() || text::has_terminator(text)) {
        return Fit::No;
    }
    if !needs.no_final_terminator {
        return Fit::Exact;
    }
    match text::final_terminator(text) {
        None => Fit::Exact,
        Some(cut) if linear.dollar_at_tail => Fit::Tail(cut),
        Some(_) => Fit::No,
    }
}

/// Searches the text with and without its final terminator. `None` if both searches match at the
/// same place in different ways: then which one Java prefers depends on more than the two results.
fn match_with_and_without_tail(
    linear: &Linear,
    text: &[u8],
    from: usize,
    cut: usize,
    groups: &mut Groups,
) -> Option<bool> {
    let begin = |slots: &[Option<NonMaxUsize>]| slots.first().copied().flatten();
    let whole = linear.captures(text, from, &mut groups.slots).then(|| begin(&groups.slots));
    let shorter =
        (from <= cut && linear.captures(&text[..cut], from, &mut groups.other)).then(|| begin(&groups.other));
    match (whole, shorter) {
        (None, None) => Some(false),
        (Some(_), None) => Some(true),
        (Some(a), Some(b)) if a < b || groups.slots == groups.other => Some(true),
        (Some(a), Some(b)) if a == b => None,
        _ => {
            std::mem::swap(&mut groups.slots, &mut groups.other);
            Some(true)
        }
    }
}

/// Java's iteration: after an empty match the search goes on one character later, and an empty
/// match right behind a match counts.
fn replace_each(
    text: &[u8],
    mut next: impl FnMut(usize, usize) -> Result<Option<(usize, usize)>, MatchError>,
    replacement: impl Fn(&[u8], &mut Vec<u8>),
    out: &mut Vec<u8>,
) -> Result<usize, MatchError> {
    let (mut from, mut copied, mut count) = (0, 0, 0);
    while from <= text.len() {
        let Some((begin, end)) = next(from, copied)? else { break };
        append(out, &text[copied..begin]);
        replacement(text, out);
        count += 1;
        copied = end;
        from =
            if begin == end { end + text::char_at(text, end).map_or(1, |(_, length)| length) } else { end };
    }
    if count > 0 {
        append(out, &text[copied..]);
    }
    Ok(count)
}
