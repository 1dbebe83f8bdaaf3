//! The TOML form of the same model: tables become dotted keys, arrays become lists of words.
//!
//! ```toml
//! [agents.a1.sources.r1]          # also puts `r1` into the list of sources
//! type = "netcat"
//! port = 44444
//! channels = ["c1"]
//! [agents.a1.sources.r1.interceptors.i1]   # also puts `i1` into `interceptors`
//! type = "timestamp"
//! ```
//! Lists of components come from the tables that exist, in order of appearance, so nothing can be configured
//! and not listed. A table at a key that takes a type (`serializer`, `handler`, …) gives the type under `type`.

use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeArray, DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::entry::Entry;
use crate::secret;
use crate::suggest;
use crate::text::{Locator, SourceText};

/// The tables of an agent.
const PARTS: [&str; 5] = ["sources", "channels", "sinks", "sinkgroups", "configfilters"];
/// Keys below a component whose value is the list of the tables (or keys) below them.
const LIST_KEYS: [&str; 3] = ["interceptors", "serializers", "filegroups"];
/// Keys that name a type and have options below them: the table's `type` is the key's own value.
const TYPE_KEYS: [&str; 6] =
    ["serializer", "deserializer", "handler", "pathManager", "indexNameBuilder", "encryption.keyProvider"];

/// Reads all entries. With a syntax error there are none.
pub fn parse(source: &mut SourceText, diagnostics: &mut Diagnostics) -> Vec<Entry> {
    let text = source.text().to_owned();
    let (document, errors) = DeTable::parse_recoverable(&text);
    let mut walk =
        Walk { locator: Locator::new(source), entries: Vec::new(), secrets: Vec::new(), diagnostics };
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let finding = Diagnostic::error("toml-syntax", error.message().trim().replace('\n', ", "));
        walk.diagnostics.push(finding.at(&walk.locator.origin(span)));
    }
    if !errors.is_empty() {
        return Vec::new();
    }
    walk.document(document.get_ref());
    let Walk { entries, secrets, .. } = walk;
    for range in secrets {
        source.hide(range);
    }
    entries
}

struct Walk<'a, 'd> {
    locator: Locator<'a>,
    entries: Vec<Entry>,
    secrets: Vec<Range<usize>>,
    diagnostics: &'d mut Diagnostics,
}

type Row<'t, 'i> = (&'t Spanned<::toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>);

/// The rows of a table in the order they were written.
fn rows<'t, 'i>(table: &'t DeTable<'i>) -> Vec<Row<'t, 'i>> {
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    rows
}

impl Walk<'_, '_> {
    fn document(&mut self, document: &DeTable<'_>) {
        for (key, value) in rows(document) {
            match value.get_ref() {
                DeValue::Table(agents) if key.get_ref() == "agents" => self.agents(agents),
                _ => self.unknown(key.span(), key.get_ref(), "", &["agents"]),
            }
        }
    }

    fn agents(&mut self, agents: &DeTable<'_>) {
        for (name, value) in rows(agents) {
            let (span, name) = (name.span(), name.get_ref());
            match value.get_ref() {
                DeValue::Table(parts) if self.is_name(span.clone(), name) => {
                    for (part, components) in rows(parts) {
                        self.part(name, part.span(), part.get_ref(), components);
                    }
                }
                DeValue::Table(_) => {}
                _ => {
                    self.misplaced(span, &format!("agents.{name}"), "a table of sources, channels and sinks")
                }
            }
        }
    }

    fn part(&mut self, agent: &str, span: Range<usize>, part: &str, components: &Spanned<DeValue<'_>>) {
        if !PARTS.contains(&part) {
            return self.unknown(span, part, &format!("agents.{agent}."), &PARTS);
        }
        let DeValue::Table(components) = components.get_ref() else {
            let what = format!("a table of {part}: write `[agents.{agent}.{part}.<name>]`");
            return self.misplaced(span, &format!("agents.{agent}.{part}"), &what);
        };
        let mut names = Vec::new();
        for (name, value) in rows(components) {
            let (span, name) = (name.span(), name.get_ref());
            if !self.is_name(span.clone(), name) {
                continue;
            }
            let path = format!("{agent}.{part}.{name}");
            match value.get_ref() {
                DeValue::Table(options) => {
                    names.push(name.as_ref());
                    self.options(&path, "", options);
                }
                _ => self.misplaced(span, &format!("agents.{path}"), "a table of options"),
            }
        }
        self.entry(span.clone(), format!("{agent}.{part}"), names.join(" "), span);
    }

    /// The options of a component: `path` is the component's, `prefix` what lies between it and this table.
    fn options(&mut self, path: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in rows(table) {
            let (span, dotted) = (key.span(), format!("{prefix}{}", key.get_ref()));
            let last = key.get_ref().rsplit('.').next().unwrap_or_default();
            match value.get_ref() {
                // What a plugin gets is its own business: nothing there is a list of ours.
                DeValue::Table(below) if is_config(&dotted) => {
                    self.options(path, &format!("{dotted}."), below)
                }
                DeValue::Table(below) if LIST_KEYS.contains(&last) => {
                    let names =
                        rows(below).iter().map(|(k, _)| k.get_ref().as_ref()).collect::<Vec<_>>().join(" ");
                    self.entry(span.clone(), format!("{path}.{dotted}"), names, span);
                    self.options(path, &format!("{dotted}."), below);
                }
                DeValue::Table(below) => {
                    self.own_type(path, &dotted, below);
                    self.options(path, &format!("{dotted}."), below);
                }
                scalar => {
                    let is_own_type = key.get_ref() == "type"
                        && is_type_key(prefix.trim_end_matches('.'))
                        && !is_config(prefix);
                    if let Some(text) = self.text(value.span(), scalar).filter(|_| !is_own_type) {
                        self.entry(span, format!("{path}.{dotted}"), text, value.span());
                    }
                }
            }
        }
    }

    /// `serializer = { type = "text", … }` means Flume's `serializer = text`, `serializer.… = …`.
    fn own_type(&mut self, path: &str, dotted: &str, below: &DeTable<'_>) {
        if let Some((key, value)) = below.get_key_value("type").filter(|_| is_type_key(dotted))
            && let Some(text) = self.text(value.span(), value.get_ref())
        {
            self.entry(key.span(), format!("{path}.{dotted}"), text, value.span());
        }
    }

    /// A scalar or list as a properties file would hold it.
    fn text(&mut self, span: Range<usize>, value: &DeValue<'_>) -> Option<String> {
        match value {
            DeValue::Array(words) => self.words(words),
            DeValue::Table(_) => {
                self.misplaced(span, "an element of a list", "text, a number or a truth value");
                None
            }
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Some(number.to_string()),
                Err(_) => Some(number.as_str().to_owned()),
            },
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(value) => Some(value.to_string()),
            DeValue::Datetime(date) => Some(date.to_string()),
        }
    }

    fn words(&mut self, array: &DeArray<'_>) -> Option<String> {
        let mut words = Vec::new();
        for element in array.iter() {
            let word = match element.get_ref() {
                DeValue::Array(_) | DeValue::Table(_) => {
                    self.misplaced(element.span(), "an element of a list", "text, a number or a truth value");
                    return None;
                }
                scalar => self.text(element.span(), scalar)?,
            };
            if word.is_empty() || word.contains(char::is_whitespace) {
                let finding = Diagnostic::error(
                    "bad-list",
                    format!("the list element {word:?} is empty or has a blank in it"),
                );
                let help = "an element is one word; write the value as one text if it is no list";
                self.diagnostics.push(finding.at(&self.locator.origin(element.span())).help(help));
                return None;
            }
            words.push(word);
        }
        Some(words.join(" "))
    }

    fn entry(&mut self, key_span: Range<usize>, key: String, value: String, value_span: Range<usize>) {
        if secret::is_secret_key(&key) && key_span != value_span {
            self.secrets.push(value_span.clone());
        }
        self.entries.push(Entry {
            key_at: self.locator.origin(key_span),
            value_at: self.locator.origin(value_span),
            key,
            value: value.trim_matches(crate::properties::is_java_blank).to_owned(),
            separated: true,
            secret: false,
        });
    }

    /// Names are parts of dotted keys and words of lists, so they hold neither dots nor blanks.
    fn is_name(&mut self, span: Range<usize>, name: &str) -> bool {
        let good = !name.is_empty() && !name.contains(|c: char| c == '.' || c.is_whitespace());
        if !good {
            let finding = Diagnostic::error(
                "bad-name",
                format!("{name:?} cannot be a name: it is empty or holds a dot or a blank"),
            );
            self.diagnostics.push(finding.at(&self.locator.origin(span)));
        }
        good
    }

    fn misplaced(&mut self, span: Range<usize>, what: &str, expected: &str) {
        let finding = Diagnostic::error("toml-shape", format!("`{what}` must be {expected}"));
        self.diagnostics.push(finding.at(&self.locator.origin(span)));
    }

    fn unknown(&mut self, span: Range<usize>, key: &str, prefix: &str, known: &[&str]) {
        let mut finding = Diagnostic::error("unknown-key", format!("`{prefix}{key}` is not known"));
        finding = match suggest::nearest(key, known.iter().copied()) {
            Some(near) => finding.help(format!("did you mean `{prefix}{near}`?")),
            None => finding.help(format!("known here: {}", known.join(", "))),
        };
        self.diagnostics.push(finding.at(&self.locator.origin(span)));
    }
}

/// Whether the key is, or lies below, a plugin's `config`.
fn is_config(dotted: &str) -> bool {
    dotted.split('.').any(|part| part == "config")
}

fn is_type_key(dotted: &str) -> bool {
    TYPE_KEYS
        .iter()
        .any(|key| dotted == *key || dotted.strip_suffix(key).is_some_and(|rest| rest.ends_with('.')))
}
