//! Java's regular expressions and date patterns, on byte bodies.
//!
//! Flume's users wrote their patterns for `java.util.regex`; Flumen runs them unchanged. A pattern
//! is parsed by Java's rules into a tree of code point sets, and the tree serves two engines:
//!
//! ```text
//!                 ┌─ linear ──── regex-automata: whenever exact on the text at hand
//! parse ── ast ───┤
//!                 └─ backtrack ─ Java's own way, step by step, with a limit on the steps
//! ```
//!
//! | who | uses |
//! |---|---|
//! | regex_filter | [`JavaRegex::find`] |
//! | regex_extractor | [`JavaRegex::captures`], [`date::DatePattern::parse_ms`] |
//! | search_replace | [`Replacement`], [`JavaRegex::replace_all`] |
//! | remove_header | [`JavaRegex::matches`] |
//! | file_roll's path manager | [`date::DatePattern::format`] |
//!
//! Invariants: no text makes a match hang (linear time, or [`MatchError::TooComplex`]); no pattern
//! makes compilation abort; all facts about characters are Java 17's.

mod assert;
mod ast;
mod backref;
mod backtrack;
pub mod date;
mod error;
mod exists;
mod groups;
mod linear;
mod near;
mod parse;
mod property;
mod regex;
mod replace;
mod scan;
mod set;
mod text;
mod unicode;

pub use error::{MatchError, PatternError, ReplacementError};
pub use groups::Groups;
pub use regex::{Engine, JavaRegex};
pub use replace::Replacement;
