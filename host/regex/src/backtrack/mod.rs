//! The exact engine: Java's backtracking, step by step, with a limit on the steps.
//!
//! It runs what linear time cannot (look-around, back-references, possessive quantifiers) and the
//! texts that the linear program does not fit. It is written out here, and not taken from a
//! library, because Java's own rules (groups that keep a value from a failed branch, loops that
//! stop at an empty turn, `$` before a final terminator) decide what an event's headers become.

mod first;
mod loops;
mod program;
mod vm;

pub(crate) use program::Program;
pub(crate) use vm::{Search, run};
