//! Everything that can go wrong: in a pattern, in a replacement, in a match.

/// A pattern that Java would refuse too, or that Flumen cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} near index {offset}")]
pub struct PatternError {
    /// Java's own words (`PatternSyntaxException.getDescription`) where Java refuses the pattern.
    pub message: String,
    /// Where in the pattern, in bytes; at most its length.
    pub offset: usize,
    /// What to write instead, when there is something to say.
    pub hint: Option<String>,
}

/// A replacement text that Java would refuse when the first match is replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} near index {offset}")]
pub struct ReplacementError {
    /// Java's own words.
    pub message: String,
    /// Where in the replacement, in bytes; at most its length.
    pub offset: usize,
}

/// A match that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The backtracking engine used its steps up; Java would have gone on, for years perhaps.
    #[error("the pattern needs more than {steps} steps on this text of {text_bytes} bytes")]
    TooComplex {
        /// How many steps were allowed.
        steps: u64,
        /// The length of the text.
        text_bytes: usize,
    },
}
