//! What can be seen from the text of a value alone: things that look right and are not.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::entry::Entry;

/// Looks for comments inside values and for characters that only look like the right ones.
pub(super) fn check(entry: &Entry, diagnostics: &mut Diagnostics) {
    if let Some(before) = comment(entry) {
        let shown = crate::secret::shown(&entry.key, before);
        diagnostics.push(
            Diagnostic::warning(
                "comment-in-value",
                format!("the text from `#` on is part of the value of `{}`", entry.key),
            )
            .at(&entry.value_at)
            .on(&entry.key)
            .help(format!("a comment needs a line of its own: write `{} = {shown}`", entry.key)),
        );
    }
    if let Some((look_alike, meant)) = look_alike(entry) {
        diagnostics.push(
            Diagnostic::warning("look-alike", format!("the value of `{}` holds {look_alike}", entry.key))
                .at(&entry.value_at)
                .on(&entry.key)
                .help(format!("write {meant}")),
        );
    }
}

/// The value before a comment that was meant to follow it.
fn comment(entry: &Entry) -> Option<&str> {
    let last = entry.key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    // In commands and patterns ` #` is common and meant.
    if ["command", "regex", "pattern", "replacestring", "value", "keywords"]
        .iter()
        .any(|word| last.contains(word))
    {
        return None;
    }
    let at = entry.value.match_indices('#').find(|(at, _)| entry.value[..*at].ends_with([' ', '\t']))?.0;
    Some(entry.value[..at].trim_end())
}

/// Full-width punctuation and no-break blanks come from web pages and input methods.
fn look_alike(entry: &Entry) -> Option<(&'static str, &'static str)> {
    let is_structural = [
        "type",
        "channel",
        "channels",
        "servers",
        "port",
        "bind",
        "hostname",
        "brokerList",
        "sources",
        "sinks",
    ]
    .iter()
    .any(|word| entry.key.ends_with(word));
    if !is_structural {
        return None;
    }
    entry.value.chars().find_map(|c| match c {
        '\u{FF0C}' => Some(("a full-width comma (U+FF0C)", "`,`")),
        '\u{FF1A}' => Some(("a full-width colon (U+FF1A)", "`:`")),
        '\u{A0}' | '\u{3000}' | '\u{200B}' => {
            Some(("a blank that is none to Java (such as U+00A0)", "an ordinary blank"))
        }
        _ => None,
    })
}
