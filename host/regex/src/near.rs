//! A literal in the middle of a pattern: it is looked for with SIMD, and what stands before it is compared where it is.
//!
//! ```text
//! [05] user\d*        before: one of `05`    literal: ` user`    behind: any (can be empty, so it is left out)
//! \d{3} GET /[a-z]    before: three digits   literal: ` GET /`   behind: the automaton, from the start of `before`
//! ```
//!
//! On machines without Teddy (SIMD for several literals; WebAssembly has none) an automaton would take some 3 ns a byte
//! for such a pattern.

use regex_automata::{Anchored, Input, meta};

use crate::ast::{Kind, Node};
use crate::exists::{AsciiSet, ascii_sets, flatten, takes};
use crate::scan::{Copier, Literal};

/// Shorter literals are found too often.
const LITERAL_BYTES_MIN: usize = 3;
/// So often the automaton is begun at a literal before it takes over, so that the time stays linear.
const TRIES_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Near {
    before: Vec<AsciiSet>,
    literal: Literal,
    /// The whole pattern, where something stands behind the literal.
    whole: Option<meta::Regex>,
}

impl Near {
    /// For a sequence of nodes that begins with characters of ASCII sets, some of them in a row with one character
    /// each. `whole` compiles the sequence.
    pub(crate) fn study(nodes: &[Node], whole: impl FnOnce() -> Option<meta::Regex>) -> Option<Self> {
        let mut sets = Vec::new();
        let fixed = nodes.iter().map_while(|node| ascii_sets(std::slice::from_ref(node)));
        let taken = fixed.map(|more| sets.extend(more)).count();
        let literal = literal(&sets)?;
        let bytes: Vec<u8> = sets[literal.clone()].iter().filter_map(|set| set.only()).collect();
        // What is behind the literal and fixed as well could be compared; the automaton does it for now.
        let ends_there = taken == nodes.len() && literal.end == sets.len();
        let whole = if ends_there { None } else { Some(whole()?) };
        sets.truncate(literal.start);
        Some(Self { before: sets, literal: Literal::new(&bytes), whole })
    }

    /// Whether the pattern is fixed ASCII characters and nothing else.
    pub(crate) fn is_fixed(&self) -> bool {
        self.whole.is_none()
    }

    /// Whether the text has a match.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        match &self.whole {
            None => self.literal.find_where(text, |place| self.start(text, place).is_some()).is_some(),
            Some(whole) => self.is_match_of_whole(whole, text),
        }
    }

    /// Where a match begins whose literal stands there.
    #[inline(always)]
    fn start(&self, text: &[u8], place: usize) -> Option<usize> {
        let start = place.checked_sub(self.before.len())?;
        takes(&self.before, &text[start..place]).then_some(start)
    }

    #[inline(never)]
    fn is_match_of_whole(&self, whole: &meta::Regex, text: &[u8]) -> bool {
        let (mut at, mut tries) = (0, 0);
        while let Some(found) = self.literal.find(&text[at..]) {
            let place = at + found;
            at = place + 1;
            let Some(start) = self.start(text, place) else { continue };
            if tries == TRIES_MAX {
                return whole.is_match(Input::new(text).range(start..));
            }
            tries += 1;
            let here = Input::new(text).range(start..).anchored(Anchored::Yes).earliest(true);
            if whole.search_half(&here).is_some() {
                return true;
            }
        }
        false
    }
}

/// A literal, then as many characters of a set as there are: `user=[a-z]+`; or a literal alone. What most masks are; no
/// automaton is needed to find where such a match ends.
#[derive(Debug)]
pub(crate) struct Run {
    literal: Literal,
    set: AsciiSet,
    least: usize,
}

/// A larger least number could be counted again and again, in vain.
const LEAST_MAX: u32 = 8;

impl Run {
    pub(crate) fn study(node: &Node) -> Option<Self> {
        let mut nodes = Vec::new();
        flatten(node, &mut nodes);
        let (set, least, literal) = match nodes.split_last()? {
            (Node::Repeat(repeat), literal) if repeat.max.is_none() => {
                if repeat.kind != Kind::Greedy || repeat.min > LEAST_MAX {
                    return None;
                }
                let body = ascii_sets(std::slice::from_ref(&repeat.body))?;
                let [set] = body.as_slice() else { return None };
                (*set, repeat.min as usize, literal)
            }
            _ => (AsciiSet::default(), 0, nodes.as_slice()),
        };
        let bytes: Option<Vec<u8>> = ascii_sets(literal)?.iter().map(|set| set.only()).collect();
        let bytes = bytes.filter(|bytes| bytes.len() >= LITERAL_BYTES_MIN)?;
        Some(Self { literal: Literal::new(&bytes), set, least })
    }

    /// The span of the first match from `from` on.
    pub(crate) fn span(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let mut at = from;
        loop {
            at += self.literal.find(&text[at..])?;
            if let Some(end) = self.end(text, at) {
                return Some((at, end));
            }
            at += 1;
        }
    }

    /// Where the match ends whose literal stands there, if it is one.
    #[inline(always)]
    fn end(&self, text: &[u8], at: usize) -> Option<usize> {
        let start = at + self.literal.len();
        let run = self.set.run(&text[start..]);
        (run >= self.least).then_some(start + run)
    }

    /// Appends the body with every match replaced, in one pass, and answers how many there were: with none, what was
    /// appended is not the body. The bytes need not be UTF-8: decoding makes no difference to where matches are. The
    /// other answer says that all of them are ASCII.
    pub(crate) fn replace_all(&self, body: &[u8], with: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        let Some(mut place) = self.literal.find(body) else { return (0, false) };
        let mut copier = Copier::new(out);
        copier.copy(&body[..place]);
        let mut places = 0;
        loop {
            let from = if let Some(end) = self.end(body, place) {
                copier.put(with);
                places += 1;
                end
            } else {
                copier.put(&body[place..=place]);
                place + 1
            };
            match copier.copy_until(&self.literal, &body[from..]) {
                Some(next) => place = from + next,
                None => return (places, copier.is_ascii()),
            }
        }
    }
}

/// The longest run of sets with one character, of those that are long enough the first.
fn literal(sets: &[AsciiSet]) -> Option<std::ops::Range<usize>> {
    let mut best: Option<std::ops::Range<usize>> = None;
    let mut start = 0;
    for end in 1..=sets.len() {
        if sets[end - 1].only().is_none() {
            start = end;
        } else if best.as_ref().is_none_or(|best| end - start > best.len()) {
            best = Some(start..end);
        }
    }
    best.filter(|best| best.len() >= LITERAL_BYTES_MIN)
}
