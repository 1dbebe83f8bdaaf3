//! Sorts entries into agents, as `FlumeConfiguration.addRawProperty` does.

use std::collections::HashMap;

use super::draft::{AgentDraft, ComponentDraft, Part};
use super::text_checks;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::entry::Entry;
use crate::properties::is_java_blank;
use crate::settings::{Setting, Settings};
use crate::suggest;
use crate::text::SourceTexts;

/// The drafts of all agents, in order of first mention.
pub(crate) fn collect(
    entries: Vec<Entry>,
    sources: &SourceTexts,
    diagnostics: &mut Diagnostics,
) -> Vec<AgentDraft> {
    let mut drafts: Vec<AgentDraft> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for entry in entries {
        let Some((agent, key)) = agent_and_key(&entry, diagnostics) else { continue };
        let at = *index.entry(agent.to_owned()).or_insert_with(|| {
            drafts.push(AgentDraft::new(agent, entry.key_at.clone()));
            drafts.len() - 1
        });
        text_checks::check(&entry, diagnostics);
        add(&mut drafts[at], key, &entry, sources, diagnostics);
    }
    let names: Vec<String> = drafts.iter().map(|d| d.name.clone()).collect();
    if names.len() <= SUGGESTED_AGENTS_MAX {
        for draft in &mut drafts {
            draft.other_agents = names.iter().filter(|n| **n != draft.name).cloned().collect();
        }
    }
    drafts
}

/// In a file with more agents than this nobody is helped by a guess among them.
const SUGGESTED_AGENTS_MAX: usize = 200;

/// Splits `a1.sources` into the agent and the rest, or says why the entry is ignored.
fn agent_and_key<'e>(entry: &'e Entry, diagnostics: &mut Diagnostics) -> Option<(&'e str, &'e str)> {
    let split = entry.key.split_once('.');
    let finding = if let Some((agent, key)) = split.filter(|(a, k)| !a.is_empty() && !k.is_empty()) {
        if !entry.value.is_empty() {
            return Some((agent, key));
        }
        Diagnostic::warning(
            "empty-value",
            format!("`{}` has no value, so it is ignored as if it were not set", entry.key),
        )
        .help("give it a value, or take the line out")
    } else if let Some((agent, _)) = split.filter(|(agent, key)| !agent.is_empty() && key.is_empty()) {
        Diagnostic::warning(
            "no-agent-name",
            format!("key `{agent}.` ends after the agent's name, so it is ignored"),
        )
        .help(format!("write `{agent}.sources`, `{agent}.channels`, …"))
    } else if !entry.separated {
        Diagnostic::warning("no-agent-name", "this line is no `key = value`, so it is ignored")
            .help("if it is a comment, begin it with `#`")
    } else {
        Diagnostic::warning(
            "no-agent-name",
            format!("key `{}` does not begin with an agent's name and a dot, so it is ignored", entry.key),
        )
        .help(format!("write `<agent>.{} = …`", entry.key.trim_matches('.')))
    };
    diagnostics.push(finding.at(&entry.key_at).on(&entry.key));
    None
}

fn add(
    draft: &mut AgentDraft,
    key: &str,
    entry: &Entry,
    sources: &SourceTexts,
    diagnostics: &mut Diagnostics,
) {
    let setting = Setting { value: entry.value.clone(), origin: entry.value_at.clone() };
    if let Some(part) = Part::ALL.into_iter().find(|part| part.key() == key) {
        draft.part_mut(part).list = Some(setting);
        return;
    }
    for part in Part::ALL {
        if let Some((name, option)) = component_and_option(key, part) {
            let path = format!("{}.{}.{name}", draft.name, part.key());
            let component = draft.part_mut(part).components.entry(name.to_owned()).or_insert_with(|| {
                ComponentDraft { settings: Settings::new(path), first: entry.key_at.clone() }
            });
            if let Some(dir) = base_dir(&entry.value_at, sources) {
                component.settings.set_base_dir(dir);
            }
            if entry.secret {
                component.settings.mark_secret(option);
            }
            component.settings.set_key_origin(option, entry.key_at.clone());
            component.settings.insert(option, setting);
            return;
        }
    }
    diagnostics.push(invalid_property(&draft.name, key, entry));
}

fn base_dir(origin: &Origin, sources: &SourceTexts) -> Option<std::sync::Arc<std::path::Path>> {
    match origin {
        Origin::File { file, .. } => sources.get(file).map(|source| source.base_dir().clone()),
        Origin::CommandLine | Origin::Default => None,
    }
}

/// Splits `sources.r1.type` into `r1` and `type`.
///
/// As in Flume the search for the dot starts behind the name's first character, so a name may begin with a dot,
/// and the name is trimmed but the option is not.
fn component_and_option(key: &str, part: Part) -> Option<(&str, &str)> {
    let rest = key.strip_prefix(part.key())?.strip_prefix('.')?;
    let first = rest.chars().next()?.len_utf8();
    let dot = first + rest[first..].find('.')?;
    let name = rest[..dot].trim_matches(is_java_blank);
    let option = &rest[dot + 1..];
    (!name.is_empty() && !option.is_empty()).then_some((name, option))
}

fn invalid_property(agent: &str, key: &str, entry: &Entry) -> Diagnostic {
    let finding = Diagnostic::warning(
        "invalid-property",
        format!("`{agent}.{key}` means nothing to Flume, so it is ignored"),
    )
    .at(&entry.key_at)
    .on(format!("{agent}.{key}"));
    let mut parts = key.splitn(3, '.');
    let (first, name, option) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let names = Part::ALL.map(Part::key);
    if names.contains(&first) {
        return finding.help(match name {
            Some(name) if !name.is_empty() => {
                format!("an option is missing between `{name}` and the value: `{agent}.{first}.{name}.<option> = …`")
            }
            _ => format!("write `{agent}.{first}.<name>.<option> = …`"),
        });
    }
    let near = names
        .into_iter()
        .find(|part| part.eq_ignore_ascii_case(first))
        .or_else(|| suggest::nearest(first, names));
    let rest: String = name.into_iter().chain(option).map(|part| format!(".{part}")).collect();
    finding.help(match near {
        Some(near) => format!("did you mean `{agent}.{near}{rest}`?"),
        None => format!("after the agent's name comes one of {}", names.join(", ")),
    })
}
