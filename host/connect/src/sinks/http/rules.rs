//! What an answer's status means for its event: rules for single codes, for their class, and for all.

use std::collections::BTreeMap;

use flumen_config::{Diagnostic, Diagnostics, Settings};

/// What becomes of an event after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It stays in the channel.
    pub rollback: bool,
    /// The sink pauses.
    pub backoff: bool,
    /// It counts as delivered although the status is an error.
    pub counts: bool,
}

/// One of the three questions.
#[derive(Clone, Debug)]
struct Rule {
    /// `200` or `2XX`.
    by_code: BTreeMap<String, bool>,
    default: bool,
}

impl Rule {
    fn read(settings: &Settings, name: &str, default: bool, diagnostics: &mut Diagnostics) -> Option<Self> {
        let below = settings.below(&format!("{name}."));
        let mut by_code = BTreeMap::new();
        let mut good = true;
        for (code, setting) in below.iter() {
            if !is_code(code) {
                let text = format!(
                    "`{name}.{code}`: `{code}` is neither a status code (`503`) nor a class of them (`5XX`)"
                );
                let finding = Diagnostic::error("bad-key", text).at(&below.key_origin(code));
                diagnostics.push(finding.on(format!("{}.{code}", below.path())));
                good = false;
                continue;
            }
            by_code.insert(code.to_owned(), setting.value.eq_ignore_ascii_case("true"));
        }
        good.then_some(Self { by_code, default })
    }
    /// What is said about the code itself or its class.
    fn said(&self, status: u16) -> Option<bool> {
        let exact = self.by_code.get(&status.to_string());
        exact.or_else(|| self.by_code.get(&format!("{}XX", status / 100))).copied()
    }
    fn of(&self, status: u16, default: bool) -> bool {
        self.said(status).unwrap_or(default)
    }
}

fn is_code(text: &str) -> bool {
    matches!(text.as_bytes(), [b'1'..=b'9', b'X', b'X']) || matches!(text.parse::<u16>(), Ok(100..=999))
}

/// All rules of a sink.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    rollback: Rule,
    backoff: Rule,
    counts: Rule,
}

/// The defaults, as configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub rollback: bool,
    pub backoff: bool,
    pub counts: bool,
}

impl Rules {
    /// Reads all rules. `None` after an error that was reported.
    pub(super) fn read(
        settings: &Settings,
        defaults: Defaults,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let rollback = Rule::read(settings, "rollback", defaults.rollback, diagnostics);
        let backoff = Rule::read(settings, "backoff", defaults.backoff, diagnostics);
        let counts = Rule::read(settings, "incrementMetrics", defaults.counts, diagnostics);
        let rules = Self { rollback: rollback?, backoff: backoff?, counts: counts? };
        for key in ["200", "2XX"] {
            if rules.rollback.by_code.get(key) == Some(&true) {
                let text =
                    format!("`rollback.{key} = true`: an event that the server took is sent again for ever");
                diagnostics.push(
                    Diagnostic::warning("endless", text)
                        .on(settings.path())
                        .at(&settings.origin(&format!("rollback.{key}")))
                        .help(format!("remove it, or set `{}.rollback.{key} = false`", settings.path())),
                );
            }
        }
        Some(rules)
    }

    /// What becomes of an event after an answer with this status.
    ///
    /// The defaults are for what is no success: with Flume's own defaults it would send every event again for ever
    /// after a 200 that no rule names.
    pub(super) fn verdict(&self, status: u16) -> Verdict {
        let is_success = (200..300).contains(&status);
        let default = |rule: &Rule| rule.default && !is_success;
        Verdict {
            rollback: self.rollback.of(status, default(&self.rollback)),
            backoff: self.backoff.of(status, default(&self.backoff)),
            counts: self.counts.of(status, self.counts.default || is_success),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUMES: Defaults = Defaults { rollback: true, backoff: true, counts: false };

    fn rules(pairs: &[(&str, &str)], defaults: Defaults) -> (Option<Rules>, Vec<String>) {
        let settings = Settings::from_pairs("a1.sinks.k1", pairs.iter().copied());
        let mut diagnostics = Diagnostics::default();
        let rules = Rules::read(&settings, defaults, &mut diagnostics);
        (rules, diagnostics.iter().map(|finding| finding.message.clone()).collect())
    }
    fn verdict(pairs: &[(&str, &str)], status: u16) -> (bool, bool, bool) {
        let verdict = rules(pairs, FLUMES).0.expect("rules").verdict(status);
        (verdict.rollback, verdict.backoff, verdict.counts)
    }

    #[test]
    fn a_code_comes_before_its_class_and_the_class_before_the_default() {
        let pairs = [
            ("rollback.4XX", "false"),
            ("rollback.404", "true"),
            ("backoff.4XX", "false"),
            ("incrementMetrics.4XX", "TRUE"),
            ("incrementMetrics.404", "no"),
        ];
        assert_eq!(verdict(&pairs, 400), (false, false, true));
        assert_eq!(verdict(&pairs, 404), (true, false, false));
        assert_eq!(verdict(&pairs, 500), (true, true, false));
        assert_eq!(verdict(&pairs, 302), (true, true, false));
    }

    #[test]
    fn a_success_is_one_unless_a_rule_says_otherwise() {
        assert_eq!(verdict(&[], 200), (false, false, true));
        assert_eq!(verdict(&[], 204), (false, false, true));
        assert_eq!(
            verdict(&[("rollback.2XX", "true"), ("rollback.200", "false")], 200),
            (false, false, true)
        );
        assert_eq!(verdict(&[("rollback.2XX", "true"), ("backoff.2XX", "true")], 201), (true, true, true));
        let (_, findings) = rules(&[("rollback.200", "true")], FLUMES);
        assert_eq!(findings, ["`rollback.200 = true`: an event that the server took is sent again for ever"]);
    }

    #[test]
    fn defaults_are_for_what_is_no_success() {
        let defaults = Defaults { rollback: false, backoff: false, counts: true };
        let rules = rules(&[], defaults).0.expect("rules");
        assert_eq!(rules.verdict(503), Verdict { rollback: false, backoff: false, counts: true });
        assert_eq!(rules.verdict(200), Verdict { rollback: false, backoff: false, counts: true });
    }

    #[test]
    fn what_is_no_code_is_an_error() {
        for code in ["2xx", "20", "abc", "1000", "0XX"] {
            let key = format!("backoff.{code}");
            let (rules, findings) = rules(&[(&key, "true")], FLUMES);
            assert!(rules.is_none() && findings[0].contains(code), "{findings:?}");
        }
    }
}
