//! Formats of the configuration, tried in front of the two that are built in.

use flumen_config::{Diagnostic, Diagnostics, Settings};
use flumen_regex::{Groups, JavaRegex, Replacement};

use super::java_date::JavaDate;
use super::stamp::Stamps;

/// A format: a pattern over the whole message, and how its date is read.
#[derive(Debug)]
pub(super) struct Format {
    pattern: JavaRegex,
    rewrite: Option<(JavaRegex, Replacement)>,
    date: Option<JavaDate>,
}

/// The groups of a match, by their meaning: 1 priority, 2 version, 3 date, 4 host, 5 body.
pub(super) struct Match {
    /// How many groups the pattern has.
    pub groups: usize,
    texts: [Option<Vec<u8>>; 5],
}

impl Match {
    fn text(&self, group: usize) -> Option<&[u8]> {
        self.texts[group - 1].as_deref()
    }
    pub fn priority(&self) -> Option<&[u8]> {
        self.text(1)
    }
    pub fn version(&self) -> Option<&[u8]> {
        self.text(2)
    }
    pub fn timestamp(&self) -> Option<&[u8]> {
        self.text(3)
    }
    pub fn host(&self) -> Option<&[u8]> {
        self.text(4)
    }
    pub fn body(&self) -> Option<&[u8]> {
        self.text(5)
    }
}

impl Format {
    /// The groups, if the pattern matches all of the text. A text that is too complex for it counts as no match.
    pub fn find(&self, text: &[u8]) -> Option<Match> {
        let mut groups = Groups::new();
        if !self.pattern.captures(text, &mut groups).unwrap_or(false) {
            return None;
        }
        let texts = std::array::from_fn(|at| groups.get(at + 1, text).map(<[u8]>::to_vec));
        Some(Match { groups: self.pattern.group_count(), texts })
    }

    /// The moment of the date in a message.
    pub fn moment(&self, date: &[u8], stamps: &mut Stamps) -> Option<i64> {
        let mut text = Vec::new();
        let rewritten = match &self.rewrite {
            Some((search, replace)) => search.replace_all(date, replace, &mut text).ok()?,
            None => 0,
        };
        let text = if rewritten > 0 { &text } else { date };
        self.date.as_ref()?.moment(str::from_utf8(text).ok()?, stamps)
    }
}

/// Reads `format.regex` and so on, and those with a name, `format.NAME.regex`, numbers in their order.
pub(super) fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Vec<Format>> {
    let below = settings.below("format.");
    let (mut names, mut failed) = (Vec::new(), false);
    for (key, _) in below.iter() {
        let (name, part) = key.rsplit_once('.').unwrap_or(("", key));
        if !["regex", "search", "replace", "dateFormat"].contains(&part) {
            failed = true;
            let known = "`format.` is followed by regex, search, replace or dateFormat, with a name between them if there are several";
            let finding =
                Diagnostic::error("unknown-key", format!("`format.{key}` is not an option of a format"));
            diagnostics.push(finding.on(settings.path()).at(&below.key_origin(key)).help(known));
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| (name.parse::<u64>().unwrap_or(u64::MAX), *name));
    // The format without a name is Flume's, and the first.
    names.sort_by_key(|name| !name.is_empty());
    let prefix = |name: &str| if name.is_empty() { String::new() } else { format!("{name}.") };
    let formats: Vec<_> = names.iter().map(|name| one(&below, &prefix(name), diagnostics)).collect();
    let formats: Option<Vec<Format>> = formats.into_iter().collect();
    formats.filter(|_| !failed)
}

fn one(settings: &Settings, prefix: &str, diagnostics: &mut Diagnostics) -> Option<Format> {
    let mut read = Reader { settings, prefix, diagnostics };
    let Some(regex) = read.text("regex") else {
        read.error::<()>("regex", "missing-key", "a format needs a `regex`".to_owned());
        return None;
    };
    let pattern = read.pattern("regex", regex).and_then(|_| {
        // All of the message has to match, as with `Matcher.matches()`.
        read.pattern("regex", &format!(r"\A(?:{regex})\z"))
    });
    let rewrite = match (read.text("search"), read.text("replace")) {
        (None, None) => Some(None),
        (Some(search), Some(replace)) => {
            read.pattern("search", search).and_then(|search| match Replacement::new(replace, &search) {
                Ok(replace) => Some(Some((search, replace))),
                Err(error) => read.error("replace", "bad-value", format!("`replace`: {error}")),
            })
        }
        (Some(_), None) => read.error("search", "missing-key", "`search` needs a `replace`".to_owned()),
        (None, Some(_)) => read.error("replace", "missing-key", "`replace` needs a `search`".to_owned()),
    };
    let date = match read.text("dateFormat").map(JavaDate::new) {
        None => Some(None),
        Some(Ok(date)) => Some(Some(date)),
        Some(Err(why)) => read.error("dateFormat", "bad-value", format!("`dateFormat`: {why}")),
    };
    Some(Format { pattern: pattern?, rewrite: rewrite?, date: date? })
}

struct Reader<'a> {
    settings: &'a Settings,
    prefix: &'a str,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    fn text(&self, part: &str) -> Option<&'a str> {
        self.settings.text(&format!("{}{part}", self.prefix))
    }
    fn pattern(&mut self, part: &str, text: &str) -> Option<JavaRegex> {
        match JavaRegex::new(text) {
            Ok(pattern) => Some(pattern),
            Err(error) => self.error(part, "bad-value", format!("`{part}`: {error}")),
        }
    }
    fn error<T>(&mut self, part: &str, code: &'static str, message: String) -> Option<T> {
        let key = format!("{}{part}", self.prefix);
        let finding = Diagnostic::error(code, message).on(format!("{}.{key}", self.settings.path()));
        self.diagnostics.push(finding.at(&self.settings.key_origin(&key)));
        None
    }
}
