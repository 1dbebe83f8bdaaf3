//! Loops: turns that can be taken back into, and turns that are final.

use super::program::{Atoms, Loop};
use super::vm::{Frame, Vm, utf16_length};
use crate::ast::Kind;
use crate::error::MatchError;

/// Where to go on, and from which place in the text; `None` when this way fails.
type Step = Result<Option<(usize, usize)>, MatchError>;

impl Vm<'_, '_> {
    pub(super) fn loop_init(
        &mut self,
        count: usize,
        turns: &Loop,
        (pc, at): (usize, usize),
    ) -> (usize, usize) {
        if turns.min == 0 && turns.lazy {
            self.set_count(count, 0);
            self.stack.push(Frame::Branch { pc: pc + 1, at });
            return (turns.exit, at);
        }
        if turns.max == 0 {
            return (turns.exit, at);
        }
        if turns.min == 0 {
            self.stack.push(Frame::Branch { pc: turns.exit, at });
        }
        self.set_count(count, 1);
        (turns.body, at)
    }

    /// After a turn: another one, or what follows. An empty turn is always the last.
    pub(super) fn loop_next(&mut self, count: usize, turns: &Loop, at: usize) -> (usize, usize) {
        let done = self.counts[count];
        if at <= self.locals[turns.local] {
            return (turns.exit, at);
        }
        if done < turns.min {
            self.set_count(count, done + 1);
            return (turns.body, at);
        }
        if turns.lazy {
            // The turn instruction stands right before the body.
            self.stack.push(Frame::Branch { pc: turns.body - 1, at });
            return (turns.exit, at);
        }
        if done >= turns.max {
            return (turns.exit, at);
        }
        self.stack.push(Frame::Branch { pc: turns.exit, at });
        self.set_count(count, done.saturating_add(1));
        (turns.body, at)
    }

    pub(super) fn loop_turn(&mut self, count: usize, turns: &Loop, at: usize) -> Option<(usize, usize)> {
        let done = self.counts[count];
        if done >= turns.max {
            return None;
        }
        self.set_count(count, done.saturating_add(1));
        Some((turns.body, at))
    }

    pub(super) fn atoms_next(&mut self, atoms: &Atoms, at: usize) -> Step {
        let done = self.counts[atoms.count];
        if done < atoms.min {
            let Some(end) = self.run(atoms.body, at)? else { return Ok(None) };
            // An empty turn would only repeat itself: all that are due are done with it.
            let count = if end == at { atoms.min } else { done + 1 };
            self.set_turn(atoms, count, at, end);
            return Ok(Some((atoms.again, end)));
        }
        if atoms.kind == Kind::Lazy {
            self.stack.push(Frame::Branch { pc: atoms.again + 1, at });
            return Ok(Some((atoms.exit, at)));
        }
        let leave = if done > atoms.min { atoms.leave } else { atoms.exit };
        if done >= atoms.max {
            return Ok(Some((leave, at)));
        }
        match self.run(atoms.body, at)? {
            Some(end) if end > at => {
                if atoms.kind == Kind::Greedy {
                    // Java goes back turn by turn only among turns of the same length.
                    let same = self.turn_length(atoms) == Some(utf16_length(&self.text[at..end]));
                    self.stack.push(Frame::Branch { pc: if same { leave } else { atoms.exit }, at });
                }
                self.set_turn(atoms, done.saturating_add(1), at, end);
                Ok(Some((atoms.again, end)))
            }
            _ => Ok(Some((leave, at))),
        }
    }

    fn turn_length(&self, atoms: &Atoms) -> Option<usize> {
        let (begin, end) = self.group(atoms.group?)?;
        self.text.get(begin..end).map(utf16_length)
    }

    pub(super) fn atoms_turn(&mut self, atoms: &Atoms, at: usize) -> Step {
        let done = self.counts[atoms.count];
        if done >= atoms.max {
            return Ok(None);
        }
        match self.run(atoms.body, at)? {
            Some(end) if end > at => {
                self.set_turn(atoms, done.saturating_add(1), at, end);
                Ok(Some((atoms.again, end)))
            }
            _ => Ok(None),
        }
    }

    fn set_turn(&mut self, atoms: &Atoms, count: u32, begin: usize, end: usize) {
        self.set_count(atoms.count, count);
        if let Some(group) = atoms.group {
            self.set_group(group, begin, end);
        }
    }
}
