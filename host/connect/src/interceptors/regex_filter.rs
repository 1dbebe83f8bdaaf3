//! `regex_filter`: keeps or drops events by a pattern.

use flumen_config::{Diagnostics, Options, Settings, options};
use flumen_event::Batch;
use flumen_regex::JavaRegex;

use super::pattern::{Pattern, TooComplex};
use crate::catalog::InterceptorType;
use crate::interceptor::{Drops, InterceptError, Interceptor};

options! {
    /// Keeps the events in whose body the pattern is found somewhere, or drops them. Dropped events are
    /// counted; their senders are told that they were accepted. Bodies are read as UTF-8. An event on which
    /// the pattern takes too many steps is kept either way.
    pub struct RegexFilterOptions {
        /// The pattern.
        "regex" => regex: Pattern = Pattern::fixed(".*"),
        /// Whether events with a match are dropped instead of kept.
        "excludeEvents" => exclude_events: bool = false,
    }
}

pub(super) const REGEX_FILTER: InterceptorType = InterceptorType {
    spec: super::spec::<RegexFilterOptions>(
        "regex_filter",
        &["org.apache.flume.interceptor.RegexFilteringInterceptor$Builder"],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<RegexFilter> {
    let options = RegexFilterOptions::read(settings, diagnostics)?;
    options.regex.warn_if_slow("regex", settings, diagnostics);
    Some(RegexFilter {
        cause: format!("interceptor {} (regex_filter): filtered", settings.name()),
        regex: options.regex.0,
        keep: if options.exclude_events { Keep::WithoutMatch } else { Keep::WithMatch },
        too_complex: TooComplex::new(settings),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    WithMatch,
    WithoutMatch,
}

struct RegexFilter {
    cause: String,
    regex: JavaRegex,
    keep: Keep,
    too_complex: TooComplex,
}

impl Interceptor for RegexFilter {
    fn intercept(&self, batch: Batch, drops: &mut Drops) -> Result<Batch, InterceptError> {
        let with_match = self.keep == Keep::WithMatch;
        let kept = batch.filter(|event| match self.regex.find(event.body()) {
            Ok(found) => found == with_match,
            Err(error) => {
                self.too_complex.note(error);
                true
            }
        });
        let dropped = batch.len() - kept.len();
        if dropped > 0 {
            drops.add(self.cause.as_str(), dropped);
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{batch, bodies, check, run};
    use super::*;

    const INPUT: [&str; 6] =
        ["hello", "the quick brown fox", "ERROR 42 disk full", "key=value user=alice", "", "last line"];

    fn filter(pairs: &[(&str, &str)]) -> (Vec<String>, Vec<(String, usize)>) {
        let (out, drops) = run("regex_filter", pairs, batch(&INPUT.map(|body| (body, [].as_slice()))));
        (bodies(&out), drops.iter().map(|(cause, count)| (cause.to_owned(), count)).collect())
    }

    // Golden case int_regex_filter_default.
    #[test]
    fn the_default_keeps_everything() {
        assert_eq!(filter(&[]), (INPUT.map(str::to_owned).to_vec(), vec![]));
    }

    // Golden case int_regex_filter_include.
    #[test]
    fn events_without_a_match_are_dropped_and_counted_under_the_interceptors_name() {
        let (kept, drops) = filter(&[("regex", "(ERROR|fox)")]);
        assert_eq!(kept, ["the quick brown fox", "ERROR 42 disk full"]);
        assert_eq!(drops, [("interceptor i1 (regex_filter): filtered".to_owned(), 4)]);
    }

    // Golden case int_regex_filter_exclude.
    #[test]
    fn events_with_a_match_are_dropped_if_asked_for() {
        let (kept, drops) = filter(&[("regex", "^(hello|last)"), ("excludeEvents", "true")]);
        assert_eq!(kept, ["the quick brown fox", "ERROR 42 disk full", "key=value user=alice", ""]);
        assert_eq!(drops[0].1, 2);
    }

    #[test]
    fn an_event_that_is_too_complex_is_kept_and_noted() {
        let hard = "a".repeat(5_000);
        for exclude in ["true", "false"] {
            let pairs = [("regex", r"(?=((a+)+)+\2b)"), ("excludeEvents", exclude)];
            let settings = Settings::from_pairs("i1", pairs);
            let filter = make(&settings, &mut Diagnostics::default()).expect("valid");
            let mut drops = Drops::default();
            let out = filter.intercept(batch(&[(&hard, &[])]), &mut drops).expect("accepted");
            assert_eq!((out.len(), drops.total(), filter.too_complex.texts()), (1, 0, 1));
        }
    }

    #[test]
    fn a_bad_pattern_is_an_error_at_check() {
        let (good, messages) = check("regex_filter", &[("regex", "[a")]);
        assert!(!good && messages[0].contains("`regex = [a`: Unclosed character class"), "{messages:?}");
    }
}
