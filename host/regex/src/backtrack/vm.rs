//! Runs a program over a text that is valid UTF-8.

use super::program::{Class, Inst, Program};
use crate::ast::{Assert, Behind, Kind};
use crate::error::MatchError;
use crate::text::{char_at, char_before};
use crate::{assert, backref};

/// A group that did not take part.
const NO_POSITION: usize = usize::MAX;

/// Steps allowed on any text, before its length counts.
const STEPS_BASE: u64 = 1_000_000;

/// Steps allowed for each byte of the text, so that long bodies may be read a few times.
const STEPS_PER_BYTE: u64 = 64;

/// More memory than this is not spent on remembering failed places; 8 MiB of bits.
const MEMO_BITS_MAX: usize = 64 << 20;

/// What to look for.
pub(crate) struct Search<'t> {
    pub(crate) text: &'t [u8],
    /// The first place to try.
    pub(crate) from: usize,
    /// Where the last match ended: what `\G` means.
    pub(crate) last_end: usize,
    /// The match must be the whole text.
    pub(crate) whole: bool,
}

/// What to do when the way taken fails.
#[derive(Clone, Copy)]
pub(super) enum Frame {
    Branch {
        pc: usize,
        at: usize,
    },
    /// Give one character back, down to `min_at`.
    RunShorter {
        next: usize,
        min_at: usize,
        at: usize,
    },
    /// Take one character more.
    RunLonger {
        pc: usize,
        at: usize,
        taken: u32,
    },
    Slot {
        index: usize,
        old: usize,
    },
    Local {
        index: usize,
        old: usize,
    },
    Count {
        index: usize,
        old: u32,
    },
    /// Forget the latest of the late values.
    Late,
}

/// The state of one search.
pub(super) struct Vm<'p, 't> {
    program: &'p Program,
    pub(super) text: &'t [u8],
    slots: Vec<usize>,
    last_end: usize,
    pub(super) locals: Vec<usize>,
    pub(super) counts: Vec<u32>,
    pub(super) stack: Vec<Frame>,
    /// Values that groups get when the run they belong to has matched, the last one first.
    late: Vec<(usize, usize, usize)>,
    behind_to: usize,
    whole: bool,
    steps: u64,
    steps_max: u64,
    /// Bits of `visited`; 0 if failed places may not, or need not, be remembered.
    memo_bits: usize,
    /// Failed places, one bit for each; empty until it pays.
    visited: Vec<u64>,
}

/// Looks for the first match and fills `slots` (begin and end of each group) with it.
pub(crate) fn run(
    program: &Program,
    search: &Search<'_>,
    slots: &mut Vec<usize>,
) -> Result<bool, MatchError> {
    slots.clear();
    slots.resize(2 * (program.groups + 1), NO_POSITION);
    let mut vm = Vm::new(program, search, std::mem::take(slots));
    let found = vm.search(search.from);
    *slots = vm.slots;
    found
}

/// The length that Java counts.
pub(super) fn utf16_length(text: &[u8]) -> usize {
    text.iter().map(|&byte| usize::from(byte & 0xC0 != 0x80) + usize::from(byte >= 0xF0)).sum()
}

impl<'p, 't> Vm<'p, 't> {
    fn new(program: &'p Program, search: &Search<'t>, slots: Vec<usize>) -> Vm<'p, 't> {
        let memo_bits = program.insts.len().saturating_mul(search.text.len() + 1);
        let memo = program.memo && memo_bits <= MEMO_BITS_MAX;
        let length = search.text.len() as u64;
        Vm {
            program,
            text: search.text,
            slots,
            last_end: search.last_end,
            locals: vec![NO_POSITION; program.locals],
            counts: vec![0; program.counts],
            stack: Vec::new(),
            late: Vec::new(),
            behind_to: 0,
            whole: search.whole,
            steps: 0,
            // With the memo, the work is bounded by its size already.
            steps_max: if memo { u64::MAX } else { STEPS_BASE + STEPS_PER_BYTE * length },
            memo_bits: if memo { memo_bits } else { 0 },
            visited: Vec::new(),
        }
    }

    fn search(&mut self, from: usize) -> Result<bool, MatchError> {
        let mut at = from;
        loop {
            if self.can_begin(at) {
                if let Some(end) = self.run(0, at)? {
                    (self.slots[0], self.slots[1]) = (at, end);
                    return Ok(true);
                }
                self.step(1)?;
            }
            if at >= self.text.len() || self.whole || self.program.anchored {
                return Ok(false);
            }
            at += char_at(self.text, at).map_or(1, |(_, length)| length);
        }
    }

    fn can_begin(&self, at: usize) -> bool {
        match (&self.program.first, self.text.get(at)) {
            (None, _) => true,
            (Some(first), Some(&byte)) => first[usize::from(byte)],
            (Some(_), None) => false,
        }
    }

    fn step(&mut self, count: u64) -> Result<(), MatchError> {
        self.steps += count;
        // To clear the memo costs as much as so many steps: most matches are found before.
        if self.visited.is_empty() && self.memo_bits > 0 && self.steps > (self.memo_bits / 64 + 1000) as u64 {
            self.visited = vec![0; self.memo_bits / 64 + 1];
        }
        if self.steps > self.steps_max {
            return Err(MatchError::TooComplex { steps: self.steps_max, text_bytes: self.text.len() });
        }
        Ok(())
    }

    /// Runs from `pc` at `at` until a match, which it returns the end of. What it pushed stays on
    /// the stack only while it runs.
    pub(super) fn run(&mut self, mut pc: usize, mut at: usize) -> Result<Option<usize>, MatchError> {
        let (base, late_base) = (self.stack.len(), self.late.len());
        let program = self.program;
        loop {
            self.step(1)?;
            let next = match &program.insts[pc] {
                Inst::Match if self.whole && at != self.text.len() => None,
                Inst::BehindMatch if at != self.behind_to => None,
                Inst::Match | Inst::SubMatch | Inst::BehindMatch => {
                    while self.late.len() > late_base {
                        self.set_late();
                    }
                    self.stack.truncate(base);
                    return Ok(Some(at));
                }
                inst => self.execute(inst, pc, at)?,
            };
            match next.or_else(|| self.backtrack(base)) {
                Some(place) => (pc, at) = place,
                None => return Ok(None),
            }
        }
    }

    /// One instruction: where to go on, or `None` when this way fails.
    fn execute(&mut self, inst: &Inst, pc: usize, at: usize) -> Result<Option<(usize, usize)>, MatchError> {
        let text = self.text;
        Ok(match inst {
            Inst::Set(class) => match char_at(text, at) {
                Some((c, length)) if class.contains(c) => Some((pc + 1, at + length)),
                _ => None,
            },
            Inst::Run { class, min, max, kind } => {
                self.character_run(class, (*min, *max), *kind, (pc, at))?
            }
            Inst::Split(first, second) => {
                if self.seen(pc, at) {
                    return Ok(None);
                }
                self.stack.push(Frame::Branch { pc: *second, at });
                Some((*first, at))
            }
            Inst::Jump(to) => Some((*to, at)),
            Inst::Head(local) => {
                self.set_local(*local, at);
                Some((pc + 1, at))
            }
            Inst::Tail { local, group } => {
                self.set_group(*group, self.locals[*local], at);
                Some((pc + 1, at))
            }
            Inst::LoopInit(count, turns) => Some(self.loop_init(*count, turns, (pc, at))),
            Inst::LoopNext(count, turns) => Some(self.loop_next(*count, turns, at)),
            Inst::LoopTurn(count, turns) => self.loop_turn(*count, turns, at),
            Inst::AtomsInit { count } => {
                self.set_count(*count, 0);
                Some((pc + 1, at))
            }
            Inst::AtomsNext(atoms) => self.atoms_next(atoms, at)?,
            Inst::AtomsTurn(atoms) => self.atoms_turn(atoms, at)?,
            Inst::AtomsLeave { group } => {
                self.late.push((*group, self.slots[2 * group], self.slots[2 * group + 1]));
                self.stack.push(Frame::Late);
                Some((pc + 1, at))
            }
            Inst::Atomic { next } => self.run(pc + 1, at)?.map(|end| (*next, end)),
            Inst::Look { negated, behind, next } => {
                let found = match behind {
                    Some(behind) => self.look_behind(pc + 1, *behind, at)?,
                    None => self.run(pc + 1, at)?.is_some(),
                };
                (found != *negated).then_some((*next, at))
            }
            Inst::Backref(group, fold) => {
                backref::end(text, self.group(*group), at, *fold).map(|end| (pc + 1, end))
            }
            Inst::Assert(assert) => self.holds(*assert, at).then_some((pc + 1, at)),
            Inst::LineEnding => self.line_ending(pc, at),
            Inst::Match | Inst::SubMatch | Inst::BehindMatch => None,
        })
    }

    fn holds(&self, assert: Assert, at: usize) -> bool {
        match assert {
            Assert::LastMatch => at == self.last_end,
            other => assert::holds(other, self.text, at),
        }
    }

    pub(super) fn group(&self, group: usize) -> Option<(usize, usize)> {
        match (self.slots.get(2 * group), self.slots.get(2 * group + 1)) {
            (Some(&begin), Some(&end)) if begin != NO_POSITION => Some((begin, end)),
            _ => None,
        }
    }

    /// Undoes what was done since the last choice and returns the other way; `None` at `base`.
    fn backtrack(&mut self, base: usize) -> Option<(usize, usize)> {
        while self.stack.len() > base {
            match self.stack.pop()? {
                Frame::Branch { pc, at } => return Some((pc, at)),
                Frame::RunShorter { next, min_at, at } => {
                    let at = at - char_before(self.text, at).map_or(1, |(_, length)| length);
                    if at > min_at {
                        self.stack.push(Frame::RunShorter { next, min_at, at });
                    }
                    return Some((next, at));
                }
                Frame::RunLonger { pc, at, taken } => {
                    if let Some(place) = self.run_longer(pc, at, taken) {
                        return Some(place);
                    }
                }
                Frame::Slot { index, old } => self.slots[index] = old,
                Frame::Local { index, old } => self.locals[index] = old,
                Frame::Count { index, old } => self.counts[index] = old,
                Frame::Late => drop(self.late.pop()),
            }
        }
        None
    }

    fn set_late(&mut self) {
        if let Some((group, begin, end)) = self.late.pop() {
            (self.slots[2 * group], self.slots[2 * group + 1]) = (begin, end);
        }
    }

    /// Whether this instruction was tried here before, and failed.
    fn seen(&mut self, pc: usize, at: usize) -> bool {
        if self.visited.is_empty() {
            return false;
        }
        let bit = pc * (self.text.len() + 1) + at;
        let (word, mask) = (bit / 64, 1 << (bit % 64));
        let before = self.visited[word] & mask != 0;
        self.visited[word] |= mask;
        before
    }

    fn character_run(
        &mut self,
        class: &Class,
        (min, max): (u32, u32),
        kind: Kind,
        (pc, start): (usize, usize),
    ) -> Result<Option<(usize, usize)>, MatchError> {
        if self.seen(pc, start) {
            return Ok(None);
        }
        let wanted = if kind == Kind::Lazy { min } else { max };
        let (mut taken, mut at, mut min_at) = (0, start, start);
        while taken < wanted {
            match char_at(self.text, at) {
                Some((c, length)) if class.contains(c) => at += length,
                _ => break,
            }
            taken += 1;
            if taken == min {
                min_at = at;
            }
        }
        self.step(u64::from(taken))?;
        if taken < min {
            return Ok(None);
        }
        match kind {
            Kind::Greedy if at > min_at => self.stack.push(Frame::RunShorter { next: pc + 1, min_at, at }),
            Kind::Lazy if taken < max => self.stack.push(Frame::RunLonger { pc, at, taken }),
            _ => {}
        }
        Ok(Some((pc + 1, at)))
    }

    fn run_longer(&mut self, pc: usize, at: usize, taken: u32) -> Option<(usize, usize)> {
        let Inst::Run { class, max, .. } = &self.program.insts[pc] else { return None };
        let (c, length) = char_at(self.text, at)?;
        if !class.contains(c) {
            return None;
        }
        if taken + 1 < *max {
            self.stack.push(Frame::RunLonger { pc, at: at + length, taken: taken + 1 });
        }
        Some((pc + 1, at + length))
    }

    fn line_ending(&mut self, pc: usize, at: usize) -> Option<(usize, usize)> {
        let (c, length) = char_at(self.text, at)?;
        if c == 0x0D && self.text.get(at + 1) == Some(&b'\n') {
            self.stack.push(Frame::Branch { pc: pc + 1, at: at + 1 });
            return Some((pc + 1, at + 2));
        }
        matches!(c, 0x0A..=0x0D | 0x85 | 0x2028 | 0x2029).then_some((pc + 1, at + length))
    }

    fn look_behind(&mut self, body: usize, behind: Behind, at: usize) -> Result<bool, MatchError> {
        let furthest = match behind.max {
            max if max >= 0 => max,
            // Java's arithmetic overflowed when it added lengths up, and overflows again here.
            max => {
                let here = utf16_length(&self.text[..at]) as i32;
                here - here.wrapping_sub(max).max(0)
            }
        };
        let saved = std::mem::replace(&mut self.behind_to, at);
        let (mut start, mut back) = (at, 0);
        let mut found = false;
        while !found && back <= furthest {
            if back >= behind.min {
                found = self.run(body, start)?.is_some();
            }
            match char_before(self.text, start) {
                Some((_, length)) => start -= length,
                None => break,
            }
            back += 1;
        }
        self.behind_to = saved;
        Ok(found)
    }

    fn set_local(&mut self, index: usize, value: usize) {
        let old = std::mem::replace(&mut self.locals[index], value);
        self.stack.push(Frame::Local { index, old });
    }

    pub(super) fn set_count(&mut self, index: usize, value: u32) {
        let old = std::mem::replace(&mut self.counts[index], value);
        self.stack.push(Frame::Count { index, old });
    }

    pub(super) fn set_group(&mut self, group: usize, begin: usize, end: usize) {
        for (index, value) in [(2 * group, begin), (2 * group + 1, end)] {
            let old = std::mem::replace(&mut self.slots[index], value);
            self.stack.push(Frame::Slot { index, old });
        }
    }
}
