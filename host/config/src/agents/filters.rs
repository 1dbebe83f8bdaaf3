//! Config filters: `${filter[key]}` in the values of components, replaced by what the filter answers.
//!
//! What a filter answers is taken for a secret: that is what filters are for.

mod external;

use std::collections::{BTreeMap, HashMap};

use super::draft::{AgentDraft, Part};
use super::lists;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::load::LoadOptions;
use crate::settings::{Setting, Settings};
use crate::substitute::is_filter_expression;
use crate::suggest;
use external::External;

/// A config filter that can be asked.
enum Filter {
    Environment,
    External(External),
    /// It is listed but cannot be asked; that has been reported.
    Broken,
}

/// What a filter says of one key.
#[derive(Clone)]
enum Answer {
    Value(String),
    /// The filter was not asked: there is a value, but nobody knows it now.
    Unknown,
    /// There is none, and this is why.
    Nothing(String),
}

const KINDS: [(&str, &str); 3] = [
    ("env", "org.apache.flume.configfilter.EnvironmentVariableConfigFilter"),
    ("external", "org.apache.flume.configfilter.ExternalProcessConfigFilter"),
    ("hadoop", "org.apache.flume.configfilter.HadoopCredentialStoreConfigFilter"),
];

/// Replaces the filter expressions in all sources, channels, sinks and sink groups of an agent.
pub(super) fn apply(draft: &mut AgentDraft, options: &LoadOptions, diagnostics: &mut Diagnostics) {
    let filters = filters(draft, diagnostics);
    if filters.is_empty() {
        return;
    }
    let mut pass = Pass { filters, options, diagnostics, answers: HashMap::new() };
    for part in [Part::Sources, Part::Channels, Part::Sinks, Part::SinkGroups] {
        for component in draft.part_mut(part).components.values_mut() {
            pass.component(&mut component.settings);
        }
    }
}

/// The listed filters by name.
fn filters(draft: &mut AgentDraft, diagnostics: &mut Diagnostics) -> BTreeMap<String, Filter> {
    let agent = draft.name.clone();
    let part = draft.part_mut(Part::ConfigFilters);
    let Some(list) = &part.list else {
        for component in part.components.values() {
            let path = component.settings.path();
            let message =
                format!("`{path}` has keys but there is no `{agent}.configfilters`, so they are ignored");
            diagnostics
                .push(Diagnostic::warning("unlisted-component", message).at(&component.first).on(path));
        }
        return BTreeMap::new();
    };
    let mut filters = BTreeMap::new();
    for name in lists::names(Part::ConfigFilters, &list.value) {
        let filter = match part.components.get(&name) {
            Some(component) => filter(&component.settings, &component.first, diagnostics),
            None => {
                let message = format!("config filter `{name}` is listed but has no keys");
                let help = format!("add `{agent}.configfilters.{name}.type = env`");
                diagnostics
                    .push(Diagnostic::error("listed-without-keys", message).at(&list.origin).help(help));
                Filter::Broken
            }
        };
        filters.insert(name, filter);
    }
    filters
}

fn filter(settings: &Settings, first: &Origin, diagnostics: &mut Diagnostics) -> Filter {
    let path = settings.path();
    let Some(text) = settings.text("type") else {
        let finding = Diagnostic::error("missing-type", format!("config filter `{path}` has no type"));
        diagnostics.push(finding.at(first).on(path).help(format!("add `{path}.type = env` or `external`")));
        return Filter::Broken;
    };
    let kind = KINDS.iter().find(|(alias, class)| alias.eq_ignore_ascii_case(text) || *class == text);
    let finding = match kind.map(|(alias, _)| *alias) {
        Some("env") => return Filter::Environment,
        Some("external") => match External::from_settings(settings) {
            Ok(external) => return Filter::External(external),
            Err(finding) => *finding,
        },
        Some(_) => Diagnostic::error(
            "type-planned",
            format!("config filter type `{text}` is not in this version of Flumen yet"),
        )
        .help("use `env`, or `external` with a command that reads the store"),
        None => {
            let near = suggest::nearest(text, KINDS.iter().flat_map(|(alias, class)| [*alias, *class]));
            Diagnostic::error("type-unknown", format!("config filter type `{text}` does not exist")).help(
                near.map_or("there are `env` and `external`".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                }),
            )
        }
    };
    diagnostics.push(finding.at(&settings.origin("type")).on(path));
    Filter::Broken
}

struct Pass<'a> {
    filters: BTreeMap<String, Filter>,
    options: &'a LoadOptions,
    diagnostics: &'a mut Diagnostics,
    answers: HashMap<(String, String), Answer>,
}

impl Pass<'_> {
    fn component(&mut self, settings: &mut Settings) {
        let values: Vec<(String, Setting)> = settings
            .iter()
            .filter(|(_, setting)| setting.value.contains("${"))
            .map(|(key, setting)| (key.to_owned(), setting.clone()))
            .collect();
        for (key, setting) in values {
            let Some(replaced) = self.replace(settings.path(), &key, &setting) else { continue };
            settings.mark_secret(&key);
            if replaced.is_unknown {
                settings.mark_unknown(&key);
            }
            settings.insert(key, Setting { value: replaced.value, origin: setting.origin });
        }
    }

    /// The value with every answered expression replaced; `None` if there was none.
    fn replace(&mut self, path: &str, key: &str, setting: &Setting) -> Option<Replaced> {
        let mut out = Replaced::default();
        let mut any = false;
        let mut rest = setting.value.as_str();
        while let Some(at) = rest.find("${") {
            out.value.push_str(&rest[..at]);
            let expression = &rest[at..];
            let Some((filter, wanted, len)) = expression_at(expression) else {
                out.value.push_str("${");
                rest = &expression[2..];
                continue;
            };
            match self.ask(filter, wanted) {
                Answer::Value(value) => {
                    out.value.push_str(&value);
                    any = true;
                }
                Answer::Unknown => {
                    out.value.push_str(&expression[..len]);
                    out.is_unknown = true;
                    any = true;
                }
                Answer::Nothing(why) => {
                    out.value.push_str(&expression[..len]);
                    let finding = Diagnostic::error(
                        "unresolved-filter",
                        format!("`{}` is not replaced: {why}", &expression[..len]),
                    );
                    self.diagnostics.push(finding.at(&setting.origin).on(format!("{path}.{key}")));
                }
            }
            rest = &expression[len..];
        }
        out.value.push_str(rest);
        any.then_some(out)
    }

    fn ask(&mut self, name: &str, key: &str) -> Answer {
        let id = (name.to_owned(), key.to_owned());
        if let Some(known) = self.answers.get(&id) {
            return known.clone();
        }
        let answer = match self.filters.get(name) {
            None => Answer::Nothing(format!("there is no config filter `{name}`")),
            Some(Filter::Broken) => {
                Answer::Nothing(format!("config filter `{name}` cannot be used, see above"))
            }
            Some(Filter::Environment) => match (self.options.environment)(key) {
                Some(value) => Answer::Value(value),
                None => Answer::Nothing(format!("there is no environment variable `{key}`")),
            },
            Some(Filter::External(_)) if !self.options.run_external => Answer::Unknown,
            Some(Filter::External(external)) => external.run(key).map_or_else(Answer::Nothing, Answer::Value),
        };
        self.answers.insert(id, answer.clone());
        answer
    }
}

#[derive(Default)]
struct Replaced {
    value: String,
    is_unknown: bool,
}

/// Reads `${filter[key]}`, `${filter['key']}` or `${filter["key"]}` at the start of a text: filter, key, bytes.
fn expression_at(text: &str) -> Option<(&str, &str, usize)> {
    let inner = text.strip_prefix("${")?;
    let end = inner.find('}')?;
    if !is_filter_expression(&inner[..end]) {
        return None;
    }
    let (filter, quoted) = inner[..end].strip_suffix(']')?.split_once('[')?;
    let key = ['\'', '"']
        .iter()
        .find_map(|quote| quoted.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote)))
        .unwrap_or(quoted);
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    is_key.then_some((filter, key, 2 + end + 1))
}

#[cfg(test)]
mod tests {
    use super::expression_at;

    #[test]
    fn the_three_forms_of_an_expression_are_read() {
        assert_eq!(expression_at("${f1[key]} x"), Some(("f1", "key", 10)));
        assert_eq!(expression_at("${f1['my-key_1']}"), Some(("f1", "my-key_1", 17)));
        assert_eq!(expression_at("${f1[\"key\"]}"), Some(("f1", "key", 12)));
        for not_one in [
            "${f1['key\"]}",
            "${f1[]}",
            "${f1[a b]}",
            "${key}",
            "$f1[key]",
            "${[key]}",
            "${f1[key]",
            "${f['']}",
        ] {
            assert_eq!(expression_at(not_one), None, "{not_one}");
        }
    }
}
