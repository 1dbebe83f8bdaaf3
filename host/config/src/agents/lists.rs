//! The lists of names.

use super::draft::Part;

/// The words of a list as Java's `split("\\s+")` finds them: only ASCII blanks separate.
pub(crate) fn words(text: &str) -> Vec<String> {
    split(text, |c| c.is_ascii_whitespace() || c == '\x0B')
}

/// The names that an agent lists; sink groups are separated by the blank only, not by tabs.
pub(super) fn names(part: Part, text: &str) -> Vec<String> {
    match part {
        Part::SinkGroups => split(text, |c| c == ' '),
        Part::Sources | Part::Channels | Part::Sinks | Part::ConfigFilters => words(text),
    }
}

fn split(text: &str, is_blank: impl Fn(char) -> bool) -> Vec<String> {
    text.split(is_blank).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
