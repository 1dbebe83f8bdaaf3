//! One `key = value` of a configuration, whatever grammar it was written in.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::secret;
use crate::settings::{Setting, Settings};
use crate::text::SourceText;

/// The two grammars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Flume's own: Java properties. What Flume ignores is warned of.
    Properties,
    /// TOML. What Flume would ignore is an error.
    Toml,
}

/// One key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The whole dotted key, trimmed.
    pub key: String,
    /// The value, trimmed.
    pub value: String,
    /// Where the key was written.
    pub key_at: Origin,
    /// Where the value was written; the key's place if the value is empty.
    pub value_at: Origin,
    /// Whether `=` or `:` stood between the two. Lines of prose have none.
    pub separated: bool,
    /// The value is known to be secret whatever its key.
    pub secret: bool,
}

/// The entries of one input.
pub(crate) struct Parsed {
    pub entries: Vec<Entry>,
    pub format: Format,
}

/// Reads one input in the grammar its name tells.
pub(crate) fn parse(source: &mut SourceText, diagnostics: &mut Diagnostics) -> Parsed {
    if source.name().to_ascii_lowercase().ends_with(".toml") {
        Parsed { entries: crate::toml::parse(source, diagnostics), format: Format::Toml }
    } else {
        Parsed { entries: crate::properties::parse(source, diagnostics), format: Format::Properties }
    }
}

/// Reads a file of Java properties that is not an agent's configuration: its keys become the settings of `path`.
/// Of two lines with one key the later counts, as in Java.
pub fn read_properties(source: &mut SourceText, path: &str, diagnostics: &mut Diagnostics) -> Settings {
    let mut settings = Settings::new(path);
    for entry in crate::properties::parse(source, diagnostics) {
        settings.set_key_origin(&entry.key, entry.key_at);
        settings.insert(entry.key, Setting { value: entry.value, origin: entry.value_at });
    }
    settings
}

/// Lays the inputs over each other: a later input overrides an earlier one, a later line an earlier line.
///
/// Only the second case is warned of: `Properties` is a map, so Flume never notices it (realworld 50, 63, 64).
pub(crate) fn merge(inputs: Vec<Parsed>, diagnostics: &mut Diagnostics) -> Vec<Entry> {
    let mut merged: BTreeMap<String, (usize, usize, Entry)> = BTreeMap::new();
    for (input, parsed) in inputs.into_iter().enumerate() {
        for (order, entry) in parsed.entries.into_iter().enumerate() {
            if let Some((earlier_input, _, earlier)) = merged.get(&entry.key)
                && *earlier_input == input
                // Lines of prose often begin with the same word; they are reported as what they are.
                && entry.key.contains('.')
            {
                diagnostics.push(duplicate(earlier, &entry));
            }
            merged.insert(entry.key.clone(), (input, order, entry));
        }
    }
    let mut entries: Vec<_> = merged.into_values().collect();
    entries.sort_by_key(|(input, order, _)| (*input, *order));
    entries.into_iter().map(|(_, _, entry)| entry).collect()
}

fn duplicate(earlier: &Entry, entry: &Entry) -> Diagnostic {
    let first_line = match &earlier.key_at {
        Origin::File { line, .. } => format!("line {line}"),
        Origin::CommandLine | Origin::Default => "an earlier place".to_owned(),
    };
    let key = &entry.key;
    let message = if earlier.value == entry.value {
        format!("`{key}` is set twice, here and in {first_line}, to the same value")
    } else {
        let (before, now) = (secret::shown(key, &earlier.value), secret::shown(key, &entry.value));
        format!("`{key}` is set twice: `{now}` here wins over `{before}` of {first_line}")
    };
    Diagnostic::warning("duplicate-key", message).at(&entry.key_at).on(key).help("keep one of the two lines")
}
