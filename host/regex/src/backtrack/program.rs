//! The program of the backtracking engine, compiled from the tree.
//!
//! What is inlined and what runs on its own ("a sub-run", final once it has matched) follows
//! Java's nodes: look-around, atomic groups and the turns of [`Shape::Atoms`] are sub-runs.

use std::sync::Arc;

use crate::ast::{Assert, Behind, Fold, Kind, Look, Node, Repeat, Shape};
use crate::exists::AsciiSet;
use crate::set::CharSet;

/// Programs may have this many instructions; counted repeats are counted, not copied, so that only
/// patterns of a megabyte come near.
const INSTRUCTIONS_MAX: usize = 4 << 20;

/// One step. Unless it says otherwise, a step goes on with the next instruction.
#[derive(Clone, Debug)]
pub(super) enum Inst {
    /// The whole pattern matched.
    Match,
    /// A sub-run matched.
    SubMatch,
    /// A look-behind matched, if it ends where it was asked from.
    BehindMatch,
    Set(Arc<Class>),
    /// A run of one class.
    Run {
        class: Arc<Class>,
        min: u32,
        max: u32,
        kind: Kind,
    },
    /// Prefers the first.
    Split(usize, usize),
    Jump(usize),
    /// Remembers where a group began.
    Head(usize),
    /// Sets group `group` from what `Head(local)` remembered to here.
    Tail {
        local: usize,
        group: usize,
    },
    LoopInit(usize, Loop),
    LoopNext(usize, Loop),
    /// Begins a turn, if there may be one more.
    LoopTurn(usize, Loop),
    AtomsInit {
        count: usize,
    },
    AtomsNext(Atoms),
    /// A lazy turn, tried after all that follows has failed.
    AtomsTurn(Atoms),
    /// A greedy loop is left after more turns than it had to make. When everything after it has
    /// matched, Java sets the group once more, over what a later round of the loop put there.
    AtomsLeave {
        group: usize,
    },
    /// A sub-run at `body`, then `next`.
    Atomic {
        next: usize,
    },
    Look {
        negated: bool,
        behind: Option<Behind>,
        next: usize,
    },
    Backref(usize, Fold),
    Assert(Assert),
    LineEnding,
}

/// A loop whose turns can be taken back into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) lazy: bool,
    /// Where `Head` keeps the begin of the turn.
    pub(super) local: usize,
    pub(super) body: usize,
    pub(super) exit: usize,
}

/// A loop of sub-runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atoms {
    pub(super) count: usize,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) kind: Kind,
    /// The group that each turn sets.
    pub(super) group: Option<usize>,
    pub(super) again: usize,
    pub(super) body: usize,
    /// Where `AtomsLeave` stands, or what follows the loop.
    pub(super) leave: usize,
    pub(super) exit: usize,
}

/// A set, with an ASCII table in front.
#[derive(Debug)]
pub(super) struct Class {
    ascii: AsciiSet,
    set: Arc<CharSet>,
}

impl Class {
    fn new(set: &Arc<CharSet>) -> Arc<Class> {
        let ascii = AsciiSet::of((0..128).filter(|&c| set.contains(u32::from(c))));
        Arc::new(Class { ascii, set: Arc::clone(set) })
    }

    /// Whether `c` is in the set.
    pub(super) fn contains(&self, c: u32) -> bool {
        if c < 128 { self.ascii.holds(c as u8) } else { self.set.contains(c) }
    }
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) insts: Vec<Inst>,
    pub(super) groups: usize,
    pub(super) locals: usize,
    pub(super) counts: usize,
    /// A position that failed at an instruction fails there for ever: exponential patterns are
    /// linear then. Not so with counters, sub-runs and references.
    pub(super) memo: bool,
    /// The bytes a match can begin with; `None` if it can be empty.
    pub(super) first: Option<Box<[bool; 256]>>,
    /// A match can begin at the begin of the text only.
    pub(super) anchored: bool,
}

/// The pattern is too large for this engine.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl Program {
    /// Compiles a tree with `groups` capturing groups.
    pub(crate) fn compile(node: &Node, groups: usize) -> Result<Program, TooLarge> {
        let mut compiler = Compiler { insts: Vec::new(), locals: 0, counts: 0 };
        compiler.node(node)?;
        compiler.push(Inst::Match)?;
        let memo = !compiler.insts.iter().any(has_state);
        Ok(Program {
            insts: compiler.insts,
            groups,
            locals: compiler.locals,
            counts: compiler.counts,
            memo,
            first: if keeps_values(node) { None } else { super::first::first_bytes(node) },
            anchored: super::first::anchored(node),
        })
    }

    /// Whether no text can make the engine take more than linear time.
    pub(crate) fn is_linear(&self) -> bool {
        self.memo
    }
}

/// Whether groups can keep a value from a place where the match failed: then no place is passed over.
fn keeps_values(node: &Node) -> bool {
    node.any(&|node| match node {
        Node::Look(_) | Node::Atomic(_) => node.captures(),
        Node::Repeat(repeat) => {
            let turns_are_final = repeat.kind == Kind::Possessive || repeat.shape() == Shape::Atoms;
            turns_are_final && repeat.body.captures()
        }
        _ => false,
    })
}

fn has_state(inst: &Inst) -> bool {
    !matches!(
        inst,
        Inst::Match
            | Inst::Set(_)
            | Inst::Run { .. }
            | Inst::Split(..)
            | Inst::Jump(_)
            | Inst::Head(_)
            | Inst::Tail { .. }
            | Inst::Assert(_)
            | Inst::LineEnding
    )
}

struct Compiler {
    insts: Vec<Inst>,
    locals: usize,
    counts: usize,
}

impl Compiler {
    fn push(&mut self, inst: Inst) -> Result<usize, TooLarge> {
        if self.insts.len() >= INSTRUCTIONS_MAX {
            return Err(TooLarge);
        }
        self.insts.push(inst);
        Ok(self.insts.len() - 1)
    }

    fn here(&self) -> usize {
        self.insts.len()
    }

    fn node(&mut self, node: &Node) -> Result<(), TooLarge> {
        match node {
            Node::Empty => {}
            Node::Set(set) => drop(self.push(Inst::Set(Class::new(set)))?),
            Node::Concat(nodes) => nodes.iter().try_for_each(|node| self.node(node))?,
            Node::Alt(nodes) => self.alternatives(nodes)?,
            Node::Group(group, body) => drop(self.group(*group, body)?),
            Node::Repeat(repeat) => self.repeat(repeat)?,
            Node::Look(look) => self.look(look)?,
            Node::Atomic(body) => self.atomic(body)?,
            Node::Backref(group, fold) => drop(self.push(Inst::Backref(*group, *fold))?),
            Node::Assert(assert) => drop(self.push(Inst::Assert(*assert))?),
            Node::LineEnding => drop(self.push(Inst::LineEnding)?),
        }
        Ok(())
    }

    fn alternatives(&mut self, nodes: &[Node]) -> Result<(), TooLarge> {
        let mut jumps = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            if index + 1 == nodes.len() {
                self.node(node)?;
                break;
            }
            let split = self.push(Inst::Split(self.here() + 1, 0))?;
            self.node(node)?;
            jumps.push(self.push(Inst::Jump(0))?);
            self.insts[split] = Inst::Split(split + 1, self.here());
        }
        let end = self.here();
        for jump in jumps {
            self.insts[jump] = Inst::Jump(end);
        }
        Ok(())
    }

    /// Compiles a group and returns the local that holds where it began.
    fn group(&mut self, group: Option<usize>, body: &Node) -> Result<usize, TooLarge> {
        let local = self.locals;
        self.locals += 1;
        if group.is_some() {
            self.push(Inst::Head(local))?;
        }
        self.node(body)?;
        if let Some(group) = group {
            self.push(Inst::Tail { local, group })?;
        }
        Ok(local)
    }

    fn atomic(&mut self, body: &Node) -> Result<(), TooLarge> {
        let at = self.push(Inst::Atomic { next: 0 })?;
        self.node(body)?;
        self.push(Inst::SubMatch)?;
        self.insts[at] = Inst::Atomic { next: self.here() };
        Ok(())
    }

    fn look(&mut self, look: &Look) -> Result<(), TooLarge> {
        let (negated, behind) = (look.negated, look.behind);
        let at = self.push(Inst::Look { negated, behind, next: 0 })?;
        self.node(&look.body)?;
        self.push(if behind.is_some() { Inst::BehindMatch } else { Inst::SubMatch })?;
        self.insts[at] = Inst::Look { negated, behind, next: self.here() };
        Ok(())
    }

    fn repeat(&mut self, repeat: &Repeat) -> Result<(), TooLarge> {
        match (repeat.shape(), &repeat.body) {
            (_, Node::Set(set)) => {
                let class = Class::new(set);
                let max = repeat.max.unwrap_or(u32::MAX);
                self.push(Inst::Run { class, min: repeat.min, max, kind: repeat.kind })?;
                Ok(())
            }
            (Shape::Optional, body) => self.optional(body, repeat.kind),
            (Shape::Loop, Node::Group(group, body)) => self.turns(repeat, *group, body),
            _ => self.atoms(repeat),
        }
    }

    fn optional(&mut self, body: &Node, kind: Kind) -> Result<(), TooLarge> {
        // A possessive choice is final: choosing is a sub-run of its own.
        let outer = if kind == Kind::Possessive { Some(self.push(Inst::Atomic { next: 0 })?) } else { None };
        let split = self.push(Inst::Split(0, 0))?;
        match body {
            Node::Group(..) => self.node(body)?,
            _ => self.atomic(body)?,
        }
        let end = self.here();
        self.insts[split] =
            if kind == Kind::Lazy { Inst::Split(end, split + 1) } else { Inst::Split(split + 1, end) };
        if let Some(outer) = outer {
            self.push(Inst::SubMatch)?;
            self.insts[outer] = Inst::Atomic { next: self.here() };
        }
        Ok(())
    }

    /// A loop over a group with choices inside.
    fn turns(&mut self, repeat: &Repeat, group: Option<usize>, body: &Node) -> Result<(), TooLarge> {
        if repeat.min <= 1 && repeat.max.is_none() && !body.nullable() {
            return self.endless(repeat, group, body);
        }
        let count = self.counts;
        self.counts += 1;
        let init = self.push(Inst::Jump(0))?;
        let turn = self.push(Inst::Jump(0))?;
        let body_at = self.here();
        let local = self.locals;
        self.locals += 1;
        self.push(Inst::Head(local))?;
        self.node(body)?;
        if let Some(group) = group {
            self.push(Inst::Tail { local, group })?;
        }
        let next = self.push(Inst::Jump(0))?;
        let max = repeat.max.unwrap_or(u32::MAX);
        let turns = Loop {
            min: repeat.min,
            max,
            lazy: repeat.kind == Kind::Lazy,
            local,
            body: body_at,
            exit: next + 1,
        };
        self.insts[init] = Inst::LoopInit(count, turns);
        self.insts[turn] = Inst::LoopTurn(count, turns);
        self.insts[next] = Inst::LoopNext(count, turns);
        Ok(())
    }

    /// `x*` and `x+` where x takes a character: no counter is needed.
    fn endless(&mut self, repeat: &Repeat, group: Option<usize>, body: &Node) -> Result<(), TooLarge> {
        let split = |body, exit| {
            if repeat.kind == Kind::Lazy { Inst::Split(exit, body) } else { Inst::Split(body, exit) }
        };
        if repeat.min == 1 {
            let start = self.here();
            self.group(group, body)?;
            self.push(split(start, self.here() + 1))?;
            return Ok(());
        }
        let at = self.push(Inst::Jump(0))?;
        self.group(group, body)?;
        self.push(Inst::Jump(at))?;
        self.insts[at] = split(at + 1, self.here());
        Ok(())
    }

    fn atoms(&mut self, repeat: &Repeat) -> Result<(), TooLarge> {
        let (group, body) = match &repeat.body {
            Node::Group(group, body) if repeat.kind != Kind::Possessive => (*group, body.as_ref()),
            body => (None, body),
        };
        let count = self.counts;
        self.counts += 1;
        self.push(Inst::AtomsInit { count })?;
        let again = self.push(Inst::Jump(0))?;
        let turn = self.push(Inst::Jump(0))?;
        let body_at = self.here();
        self.node(body)?;
        self.push(Inst::SubMatch)?;
        let max = repeat.max.unwrap_or(u32::MAX);
        let leave = self.here();
        if let (Some(group), Kind::Greedy) = (group, repeat.kind) {
            self.push(Inst::AtomsLeave { group })?;
        }
        let exit = self.here();
        let (min, kind) = (repeat.min, repeat.kind);
        let atoms = Atoms { count, min, max, kind, group, again, body: body_at, leave, exit };
        self.insts[again] = Inst::AtomsNext(atoms);
        self.insts[turn] = Inst::AtomsTurn(atoms);
        Ok(())
    }
}
