//! `remove_header`: takes headers off.

use std::collections::HashSet;

use flumen_config::{Diagnostic, Diagnostics, OptionValue, Options, Settings, options};
use flumen_event::{Batch, HeaderName};
use flumen_regex::{JavaRegex, MatchError, Replacement};

use super::pattern::{Pattern, TooComplex};
use crate::catalog::InterceptorType;
use crate::interceptor::{Drops, InterceptError, Interceptor};

options! {
    /// Removes headers by name. The three ways to name them can be combined.
    pub struct RemoveHeaderOptions {
        /// The name of one header.
        "withName" => with_name: Option<String>,
        /// A list of names.
        "fromList" => from_list: Option<String>,
        /// The Java regular expression that separates the names in `fromList`.
        "fromListSeparator" => separator: Pattern = Pattern::fixed(r"\s*,\s*"),
        /// A Java regular expression: headers whose whole name matches it go.
        "matching" => matching: Option<String>,
    }
}

pub(super) const REMOVE_HEADER: InterceptorType = InterceptorType {
    spec: super::spec::<RemoveHeaderOptions>(
        "remove_header",
        &["org.apache.flume.interceptor.RemoveHeaderInterceptor$Builder"],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<RemoveHeader> {
    let options = RemoveHeaderOptions::read(settings, diagnostics)?;
    let mut failed = |key: &str, why: String| {
        let message = format!("`{key} = {}`: {why}", settings.text(key).unwrap_or_default());
        let finding = Diagnostic::error("bad-value", message).on(settings.path());
        diagnostics.push(finding.at(&settings.origin(key)));
    };
    let matching = match options.matching.as_deref().map(Pattern::parse) {
        Some(Err(why)) => {
            failed("matching", why);
            return None;
        }
        Some(Ok(pattern)) => Some(pattern),
        None => None,
    };
    let mut names = match split(options.from_list.as_deref().unwrap_or_default(), &options.separator.0) {
        Ok(names) => names,
        Err(error) => {
            failed("fromListSeparator", error.to_string());
            return None;
        }
    };
    names.extend(options.with_name);
    if let Some(pattern) = &matching {
        pattern.warn_if_slow("matching", settings, diagnostics);
    }
    Some(RemoveHeader { names, matching: matching.map(|p| p.0), too_complex: TooComplex::new(settings) })
}

/// `String.split`: the pieces between the matches.
fn split(list: &str, separator: &JavaRegex) -> Result<HashSet<String>, MatchError> {
    // Each match becomes a character that is not in the list, which spares a loop over matches here.
    let mark = ('\u{e000}'..).find(|c| !list.contains(*c)).unwrap_or_default();
    let with_mark = Replacement::new(&mark.to_string(), separator).expect("one character refers to no group");
    let mut marked = Vec::new();
    if separator.replace_all(list.as_bytes(), &with_mark, &mut marked)? == 0 {
        marked.extend_from_slice(list.as_bytes());
    }
    let marked = String::from_utf8_lossy(&marked);
    Ok(marked.split(mark).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

struct RemoveHeader {
    names: HashSet<String>,
    matching: Option<JavaRegex>,
    too_complex: TooComplex,
}

impl RemoveHeader {
    fn goes(&self, name: &str) -> bool {
        let matches = |pattern: &JavaRegex| {
            pattern.matches(name.as_bytes()).unwrap_or_else(|error| {
                self.too_complex.note(error);
                false
            })
        };
        self.names.contains(name) || self.matching.as_ref().is_some_and(matches)
    }
}

impl Interceptor for RemoveHeader {
    fn intercept(&self, batch: Batch, _: &mut Drops) -> Result<Batch, InterceptError> {
        let columns = batch.headers().columns().map(|(name, _)| name);
        let gone: Vec<HeaderName> = columns.filter(|name| self.goes(name)).cloned().collect();
        Ok(batch.without_all(gone.iter().map(|name| &**name)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{batch, check, run};

    fn left(pairs: &[(&str, &str)]) -> Vec<Vec<String>> {
        let first: &[(&str, &str)] = &[("a", "1"), ("b", "two"), ("keep", "yes")];
        let input = batch(&[
            ("first", first),
            ("second", &[("app.x", "1"), ("app.y", "2"), ("other", "3")]),
            ("third", &[]),
        ]);
        let (out, _) = run("remove_header", pairs, input);
        out.iter().map(|e| e.headers().map(|(name, _)| name.to_owned()).collect()).collect()
    }
    fn none() -> Vec<String> {
        vec![]
    }

    // Golden case int_remove_header_name.
    #[test]
    fn one_name() {
        let all = ["app.x", "app.y", "other"].map(str::to_owned).to_vec();
        assert_eq!(left(&[("withName", "a")]), [vec!["b".to_owned(), "keep".to_owned()], all, none()]);
    }

    // Golden case int_remove_header_list.
    #[test]
    fn a_list_with_its_separator() {
        let first = vec!["b".to_owned(), "keep".to_owned()];
        let expected = [first, vec!["app.x".to_owned(), "app.y".to_owned()], none()];
        assert_eq!(left(&[("fromList", "a,other"), ("fromListSeparator", ",")]), expected);
        assert_eq!(left(&[("fromList", "a ,  other")]), expected);
        assert_eq!(left(&[("fromList", "a;;other;"), ("fromListSeparator", ";+")]), expected);
        assert_eq!(left(&[("fromList", "a.other"), ("fromListSeparator", r"\.")]), expected);
    }

    #[test]
    fn a_list_without_a_separator_in_it_is_one_name() {
        assert_eq!(left(&[("fromList", "other")])[1], ["app.x", "app.y"]);
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        assert_eq!(left(&[("matching", "app")])[1].len(), 3);
        assert_eq!(left(&[("matching", r"app\..*")])[1], ["other"]);
    }

    #[test]
    fn ways_combine() {
        assert_eq!(left(&[("matching", "a.*"), ("withName", "other"), ("fromList", "b")]).concat(), ["keep"]);
    }

    #[test]
    fn bad_patterns_are_errors_at_check() {
        for key in ["matching", "fromListSeparator"] {
            let (good, messages) = check("remove_header", &[("fromList", "a"), (key, "(")]);
            assert!(
                !good && messages[0].starts_with(&format!("`{key} = (`: Unclosed group")),
                "{messages:?}"
            );
        }
    }
}
