//! Brings the list of a part and the components with keys together.

use std::collections::BTreeSet;

use super::draft::{AgentDraft, ComponentDraft, Part};
use super::{Validation, lists};
use crate::diagnostic::{Diagnostic, Origin, Severity};
use crate::settings::Settings;
use crate::suggest;

/// A component that is listed and has keys.
pub(super) struct Listed {
    pub name: String,
    pub settings: Settings,
    pub first: Origin,
}

impl Validation<'_> {
    /// Takes the listed components out of a draft, in the list's order, and reports what does not fit together.
    pub(super) fn take_listed(&mut self, draft: &mut AgentDraft, part: Part) -> Vec<Listed> {
        let agent = draft.name.clone();
        let others = other_lists(draft, part);
        let draft = draft.part_mut(part);
        let mut components = std::mem::take(&mut draft.components);
        let (text, list_at) = match &draft.list {
            Some(list) => (list.value.as_str(), list.origin.clone()),
            None => ("", Origin::Default),
        };
        let mut seen = BTreeSet::new();
        let mut listed = Vec::new();
        let mut empty = Vec::new();
        for name in lists::names(part, text) {
            if !seen.insert(name.clone()) {
                let path = format!("{agent}.{}", part.key());
                let finding =
                    Diagnostic::warning("duplicate-name", format!("`{name}` is listed twice in `{path}`"));
                self.diagnostics.push(finding.at(&list_at).on(path));
            } else if let Some(ComponentDraft { settings, first }) = components.remove(&name) {
                listed.push(Listed { name, settings, first });
            } else {
                empty.push(name);
            }
        }
        let listing = Listing { agent: &agent, part, list_at: &list_at, others };
        for (number, name) in empty.iter().enumerate() {
            let others = components.keys().take(guesses(number));
            self.diagnostics.push(listing.without_keys(name, others));
            self.dropped.push(format!("{agent}.{}.{name}", part.key()));
        }
        for (number, (name, component)) in components.iter().enumerate() {
            let others = seen.iter().take(guesses(number));
            self.diagnostics.push(listing.unlisted(name, component, others));
        }
        listed
    }
}

struct Listing<'a> {
    agent: &'a str,
    part: Part,
    list_at: &'a Origin,
    /// The names that the other parts of the agent list.
    others: Vec<(Part, BTreeSet<String>)>,
}

fn other_lists(draft: &AgentDraft, part: Part) -> Vec<(Part, BTreeSet<String>)> {
    let names = |other: Part| {
        let list = draft.part(other).list.as_ref()?;
        Some((other, lists::names(other, &list.value).into_iter().collect()))
    };
    Part::ALL.into_iter().filter(|other| *other != part).filter_map(names).collect()
}

impl Listing<'_> {
    /// The part that lists this name although it was meant for another.
    fn elsewhere(&self, name: &str) -> Option<Part> {
        self.others.iter().find(|(_, names)| names.contains(name)).map(|(part, _)| *part)
    }

    /// Whether the agent has no list for this part.
    fn is_listless(&self) -> bool {
        *self.list_at == Origin::Default
    }

    /// A listed name that nothing is configured for. Flume drops it with a warning or none.
    fn without_keys<'n>(&self, name: &str, unlisted: impl Iterator<Item = &'n String>) -> Diagnostic {
        let path = format!("{}.{}.{name}", self.agent, self.part.key());
        let finding = Diagnostic::error(
            "listed-without-keys",
            format!("`{name}` is listed but has no keys, so it cannot run"),
        );
        let help = if name.contains(',') {
            "names are separated by blanks; a comma is part of the name".to_owned()
        } else if name.contains(char::is_whitespace) {
            "names of sink groups are separated by one blank, not by tabs".to_owned()
        } else if name.starts_with('#') {
            "a comment cannot follow a value; put it on a line of its own".to_owned()
        } else if let Some(near) = near(name, unlisted.map(String::as_str)) {
            format!("did you mean `{near}`, which has keys but is not listed?")
        } else if let Some(other) = self.elsewhere(name) {
            format!("`{name}` is one of the {}; take it out of this list", other.key())
        } else {
            format!("add `{path}.type = …`, or take `{name}` out of the list")
        };
        finding.at(self.list_at).on(path).help(help)
    }

    /// A component with keys that no list names. Flume ignores it without a word (realworld 67).
    fn unlisted<'n>(
        &self,
        name: &str,
        component: &ComponentDraft,
        listed: impl Iterator<Item = &'n String>,
    ) -> Diagnostic {
        let (agent, part) = (self.agent, self.part.key());
        let path = component.settings.path();
        let message =
            format!("`{path}` has keys but `{name}` is not in `{agent}.{part}`, so they are ignored");
        let mut finding = Diagnostic::warning("unlisted-component", message).at(&component.first).on(path);
        let is_switched_off = component.settings.get("type").is_some();
        let elsewhere = self.elsewhere(name).filter(|_| !is_switched_off);
        let near = near(name, listed.map(String::as_str)).filter(|_| !is_switched_off);
        finding = match (elsewhere, near) {
            (Some(other), _) => finding.help(format!("did you mean `{agent}.{}.{name}`?", other.key())),
            (None, Some(near)) => finding.help(format!("did you mean `{agent}.{part}.{near}`?")),
            (None, None) if self.is_listless() => finding.help(format!("add `{agent}.{part} = {name}`")),
            (None, None) => finding.help(format!("add `{name}` to `{agent}.{part}` if it shall run")),
        };
        if is_switched_off && !self.is_listless() {
            // A whole component that is only not listed is the usual way to switch one off (realworld 49).
            finding.severity = Severity::Note;
        }
        finding
    }
}

/// The listed or configured name most likely meant.
fn near<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let others: Vec<&str> = others.collect();
    let same = others.iter().find(|other| other.trim_matches(',').eq_ignore_ascii_case(name)).copied();
    same.or_else(|| suggest::nearest(name, others.iter().copied()))
}

/// Among how many names one is sought for the `number`-th finding. In a list of hundreds nobody is helped by a guess
/// for each, and guessing all against all would take minutes.
fn guesses(number: usize) -> usize {
    if number < 50 { 200 } else { 0 }
}
