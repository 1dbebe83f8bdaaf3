//! Variables in values: `${env:X}`, `${sys:X}`, `${date:…}`, `${another.key}`, each with `:-default`.
//!
//! This is the algorithm of commons-text's `StringSubstitutor`, which Flume 1.10 and later use: the name itself may
//! hold variables, the value found is looked through again, `$${x}` stays as `${x}`, and what cannot be resolved
//! stays as it is written. One thing is better here: `${another.key}` always works, where Flume finds the other
//! key only if its hash map happens to have visited it before.

mod date;
mod lookup;

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::entry::Entry;
use crate::load::LoadOptions;
use crate::secret;

pub(crate) use lookup::is_filter_expression;
use lookup::{Found, lookup};

/// More replacements than this in one value are taken for an endless loop.
const REPLACEMENTS_MAX: usize = 1_000;
/// A value does not grow beyond this.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// Variables in variables, and values that hold variables, go no deeper than this.
const DEPTH_MAX: usize = 32;

/// Replaces the variables in all values.
pub(crate) fn substitute(entries: &mut [Entry], options: &LoadOptions, diagnostics: &mut Diagnostics) {
    let raw: BTreeMap<String, String> = if entries.iter().any(|e| e.value.contains("${")) {
        entries.iter().map(|e| (e.key.clone(), e.value.clone())).collect()
    } else {
        return;
    };
    for entry in entries.iter_mut().filter(|e| e.value.contains("${")) {
        let mut run =
            Run { raw: &raw, options, names: Vec::new(), replacements: 0, notes: Vec::new(), secret: false };
        match run.expand(&entry.value, 0) {
            Ok(value) => {
                let (notes, secret) = (std::mem::take(&mut run.notes), run.secret);
                report(entry, notes, &raw, diagnostics);
                entry.value = value.trim_matches(crate::properties::is_java_blank).to_owned();
                entry.secret |= secret;
            }
            Err(Endless(name)) => diagnostics.push(
                Diagnostic::error(
                    "endless-substitution",
                    format!("`${{{name}}}` leads back to itself or grows without end"),
                )
                .at(&entry.value_at)
                .on(&entry.key)
                .help("the value is kept as it is written"),
            ),
        }
    }
}

/// The variable at which a value was found to have no end.
struct Endless(String);

/// What could not be resolved, and why.
struct Note {
    name: String,
    why: String,
}

struct Run<'a> {
    raw: &'a BTreeMap<String, String>,
    options: &'a LoadOptions,
    /// The variables being replaced right now, outermost first.
    names: Vec<String>,
    replacements: usize,
    notes: Vec<Note>,
    secret: bool,
}

impl Run<'_> {
    fn expand(&mut self, text: &str, depth: usize) -> Result<String, Endless> {
        if depth > DEPTH_MAX {
            return Err(Endless(self.names.last().cloned().unwrap_or_default()));
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, variable) = rest.split_at(at);
            let Some(end) = closing(variable) else {
                out.push_str(before);
                rest = variable;
                break;
            };
            if let Some(kept) = before.strip_suffix('$') {
                out.push_str(kept);
                out.push_str("${");
                rest = &variable[2..];
                continue;
            }
            out.push_str(before);
            let (whole, after) = variable.split_at(end + 1);
            let expression = self.expand(&whole[2..end], depth + 1)?;
            match self.value_of(&expression, depth)? {
                Some(value) => out.push_str(&value),
                None => out.push_str(whole),
            }
            if out.len() > VALUE_BYTES_MAX {
                return Err(Endless(expression));
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The value of `name` or `name:-default`, with its own variables replaced.
    fn value_of(&mut self, expression: &str, depth: usize) -> Result<Option<String>, Endless> {
        let (name, default) = match expression.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (expression, None),
        };
        self.replacements += 1;
        if self.replacements > REPLACEMENTS_MAX || self.names.iter().any(|n| n == name) {
            return Err(Endless(name.to_owned()));
        }
        let value = match lookup(name, self.raw, self.options) {
            Found::Value(value) => {
                self.secret |= secret::is_secret_key(name);
                Some(value)
            }
            Found::Nothing(why) if default.is_none() => {
                self.notes.push(Note { name: name.to_owned(), why });
                None
            }
            Found::Nothing(_) => default.map(str::to_owned),
        };
        let Some(value) = value else { return Ok(None) };
        if !value.contains("${") {
            return Ok(Some(value));
        }
        self.names.push(name.to_owned());
        let expanded = self.expand(&value, depth + 1);
        self.names.pop();
        expanded.map(Some)
    }
}

/// The byte of the `}` that closes the `${` at the start, with variables in between counted.
fn closing(variable: &str) -> Option<usize> {
    let bytes = variable.as_bytes();
    let mut open = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"${") {
            open += 1;
            at += 2;
        } else if bytes[at] == b'}' {
            open -= 1;
            if open == 0 {
                return Some(at);
            }
            at += 1;
        } else {
            at += 1;
        }
    }
    None
}

fn report(entry: &Entry, notes: Vec<Note>, raw: &BTreeMap<String, String>, diagnostics: &mut Diagnostics) {
    let agent = entry.key.split('.').next().unwrap_or_default();
    for Note { name, why } in notes {
        // Config filters have their turn later.
        if is_filter_expression(&name) && raw.contains_key(&format!("{agent}.configfilters")) {
            continue;
        }
        diagnostics.push(
            Diagnostic::warning("unresolved-variable", format!("`${{{name}}}` is not replaced: {why}"))
                .at(&entry.value_at)
                .on(&entry.key)
                .help(format!("the text stays as it is; write `${{{name}:-value}}` for a default, `$${{{name}}}` if it is meant literally")),
        );
    }
}

#[cfg(test)]
mod tests;
