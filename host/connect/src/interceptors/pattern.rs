//! Java's regular expressions as options, and what to do about a text that is too much for one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flumen_config::{Diagnostic, Diagnostics, OptionValue, Settings};
use flumen_regex::{Engine, JavaRegex, MatchError};

/// A warning about texts that are too complex comes this often at most.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// A pattern of `java.util.regex`.
#[derive(Clone, Debug)]
pub struct Pattern(pub(super) JavaRegex);

impl Pattern {
    /// A pattern that is known to be right.
    pub(super) fn fixed(text: &str) -> Self {
        Self(JavaRegex::new(text).expect("a pattern of this program is a valid one"))
    }
    /// Tells, at check, of a pattern that cannot run in linear time.
    pub(super) fn warn_if_slow(&self, key: &str, settings: &Settings, diagnostics: &mut Diagnostics) {
        let Engine::Backtracking { why } = self.0.engine() else { return };
        let message = format!("`{key}` is matched step by step, because {why}");
        let finding = Diagnostic::warning("slow-pattern", message)
            .on(format!("{}.{key}", settings.path()))
            .at(&settings.origin(key));
        diagnostics.push(finding.help(
            "it is slower, and a text that needs too many steps counts as one without a match; \
             a pattern without look-around, back-references and possessive quantifiers has neither problem",
        ));
    }
}

impl OptionValue for Pattern {
    const KIND: &'static str = "Java regular expression";
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the pattern is empty".to_owned());
        }
        JavaRegex::new(text).map(Self).map_err(|error| match &error.hint {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })
    }
    fn show(&self) -> String {
        self.0.as_str().to_owned()
    }
}

/// Counts the texts on which a pattern was given up, and says so now and then. Such a text passes as it is:
/// nothing is lost, and Java would have spent years or its stack on it.
#[derive(Debug)]
pub(super) struct TooComplex {
    interceptor: String,
    texts: AtomicU64,
    complained: Mutex<Option<Instant>>,
}

impl TooComplex {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            interceptor: settings.name().to_owned(),
            texts: AtomicU64::new(0),
            complained: Mutex::new(None),
        }
    }
    #[cold]
    pub(super) fn note(&self, error: MatchError) {
        let texts = self.texts.fetch_add(1, Relaxed) + 1;
        let mut complained = self.complained.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            *complained = Some(Instant::now());
            tracing::warn!(interceptor = %self.interceptor, %error, texts, "events pass unchanged, as the pattern is too complex for them");
        }
    }
    #[cfg(test)]
    pub(super) fn texts(&self) -> u64 {
        self.texts.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_patterns_are_refused_with_javas_words() {
        let why = Pattern::parse("a(b").expect_err("refused");
        assert!(why.contains("Unclosed group near index 3"), "{why}");
        assert!(Pattern::parse("").is_err());
    }

    #[test]
    fn a_pattern_that_backtracks_is_warned_of_with_the_reason() {
        let settings = Settings::from_pairs("a1.sources.r1.interceptors.i1", [("regex", r"(a)\1")]);
        let mut diagnostics = Diagnostics::default();
        Pattern::fixed(r"(a)\1").warn_if_slow("regex", &settings, &mut diagnostics);
        Pattern::fixed("a+b").warn_if_slow("regex", &settings, &mut diagnostics);
        let texts: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert!(
            texts.len() == 1 && texts[0].starts_with("`regex` is matched step by step, because"),
            "{texts:?}"
        );
    }
}
