//! What is wrong with a configuration, where, why, and what to do about it.

use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// In a configuration file. Line and column count from one; the column counts characters.
    File {
        /// The file's name as the user gave it.
        file: Arc<str>,
        /// Line, from one.
        line: usize,
        /// Column in characters, from one.
        column: usize,
        /// Length of the marked text in characters.
        len: usize,
    },
    /// On the command line (`-Dname=value`).
    CommandLine,
    /// Nowhere: the option's default.
    Default,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, nothing is lost by it.
    Note,
    /// Flume would say nothing or little, and the user most likely meant something else.
    Warning,
    /// A component or agent cannot run as written.
    Error,
}

/// One finding about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable short name of the kind of finding, for example `unknown-key`.
    pub code: &'static str,
    /// The cause, in one sentence without a full stop.
    pub message: String,
    /// Where the cause was written, if it was written anywhere.
    pub origin: Option<Origin>,
    /// What the user can do about it.
    pub help: Option<String>,
    /// The component or agent concerned, as a dotted path (`a1.sources.r1`), if any.
    pub path: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }
    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }
    /// A note.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }
    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self { severity, code, message: message.into(), origin: None, help: None, path: None }
    }
    /// Says where the cause was written.
    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.origin = Some(origin.clone());
        self
    }
    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// Says which component or agent is concerned.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
}

/// All findings of one check, in the order they were found.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// What a reader makes, or all that it found wrong.
    ///
    /// # Errors
    /// If the reader makes nothing.
    pub fn or<T>(read: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, Self> {
        let mut diagnostics = Self::default();
        read(&mut diagnostics).ok_or(diagnostics)
    }
    /// Adds a finding.
    pub fn push(&mut self, finding: Diagnostic) {
        self.list.push(finding);
    }
    /// All findings so far.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }
    /// How many errors there are.
    pub fn error_count(&self) -> usize {
        self.list.iter().filter(|d| d.severity == Severity::Error).count()
    }
    /// How many findings there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, iter: T) {
        self.list.extend(iter);
    }
}
