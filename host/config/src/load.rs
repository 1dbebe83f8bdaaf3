//! The one entry: from inputs to kept agents and all findings.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::agents;
use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
use crate::entry::{self, Format, Parsed};
use crate::model::AgentConfig;
use crate::substitute;
use crate::text::{SourceText, SourceTexts};
use crate::typed;

/// Larger inputs are refused: no configuration is that long, but a log file named by mistake is.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// One piece of configuration. Its name tells the grammar: `.toml`, else Java properties.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file to be read.
    File(PathBuf),
    /// A text at hand, under the name that messages shall give it.
    Text {
        /// The name.
        name: String,
        /// The bytes, as a file would hold them.
        text: Vec<u8>,
    },
}

/// Looks up an environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a load depends on besides its inputs.
#[derive(Clone)]
pub struct LoadOptions {
    /// The `-Dname=value` of the command line.
    pub system_properties: BTreeMap<String, String>,
    /// The environment. The default is the process's own.
    pub environment: Environment,
    /// Treats what Flume silently ignores as an error, as the TOML form always does.
    pub strict: bool,
    /// Runs the commands of `external` config filters. Without it their values count as present but unknown.
    pub run_external: bool,
    /// The time that `${date:…}` tells.
    pub now: SystemTime,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            system_properties: BTreeMap::new(),
            environment: Arc::new(|name| std::env::var(name).ok()),
            strict: false,
            run_external: false,
            now: SystemTime::now(),
        }
    }
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of -D properties may be passwords.
        f.debug_struct("LoadOptions")
            .field("system_properties", &self.system_properties.keys())
            .field("strict", &self.strict)
            .field("run_external", &self.run_external)
            .finish_non_exhaustive()
    }
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The agents that can run, in the order of the file.
    pub agents: Vec<AgentConfig>,
    /// The names of agents that cannot run and were removed.
    pub removed_agents: Vec<String>,
    /// Everything found on the way.
    pub diagnostics: Diagnostics,
    /// The texts, for rendering the findings.
    pub sources: SourceTexts,
}

impl Loaded {
    /// The agent of that name.
    pub fn agent(&self, name: &str) -> Option<&AgentConfig> {
        self.agents.iter().find(|a| a.name == name)
    }
}

/// Reads and checks a configuration. Of several inputs a later one overrides keys of an earlier one.
///
/// Never panics, and changes nothing in the world; only with [`LoadOptions::run_external`] it runs commands.
pub fn load(inputs: &[Input], options: &LoadOptions, catalog: &Catalog) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let mut sources = SourceTexts::default();
    let mut parsed = Vec::new();
    let mut toml_files = HashSet::new();
    for input in inputs {
        let Some(mut source) = read(input, &mut diagnostics) else { continue };
        let one = entry::parse(&mut source, &mut diagnostics);
        if one.format == Format::Toml {
            toml_files.insert(source.name().clone());
        }
        parsed.push(one);
        sources.push(source);
    }
    warn_of_lookups(options, &mut diagnostics);
    let (agents, removed_agents) = check(parsed, &sources, options, catalog, &mut diagnostics);
    let diagnostics =
        settle(diagnostics, |file| options.strict || file.is_some_and(|f| toml_files.contains(f)));
    Loaded { agents, removed_agents, diagnostics, sources }
}

fn check(
    parsed: Vec<Parsed>,
    sources: &SourceTexts,
    options: &LoadOptions,
    catalog: &Catalog,
    diagnostics: &mut Diagnostics,
) -> (Vec<AgentConfig>, Vec<String>) {
    let mut entries = entry::merge(parsed, diagnostics);
    substitute::substitute(&mut entries, options, diagnostics);
    let drafts = agents::collect(entries, sources, diagnostics);
    if drafts.is_empty() {
        let finding = Diagnostic::error("no-agents", "the configuration describes no agent");
        diagnostics.push(finding.help("a line looks like `a1.sources = r1`: the agent's name, then the key"));
    }
    let mut kept = Vec::new();
    let mut removed = Vec::new();
    for draft in drafts {
        let name = draft.name.clone();
        match agents::validate(draft, options, catalog, diagnostics) {
            Some(agent) => kept.push(typed::check(agent, catalog, diagnostics)),
            None => removed.push(name),
        }
    }
    (kept, removed)
}

fn read(input: &Input, diagnostics: &mut Diagnostics) -> Option<SourceText> {
    let (name, bytes) = match input {
        Input::Text { name, text } => (name.clone(), Ok(text.clone())),
        Input::File(path) => (path.display().to_string(), read_file(path)),
    };
    match bytes {
        Ok(bytes) if bytes.len() as u64 > INPUT_BYTES_MAX => {
            let message = format!("{name} is larger than {INPUT_BYTES_MAX} bytes; is it a configuration?");
            diagnostics.push(Diagnostic::error("unreadable-file", message));
            None
        }
        Ok(bytes) => Some(SourceText::new(&name, &decode(&name, &bytes, diagnostics))),
        Err(error) => {
            let finding = Diagnostic::error("unreadable-file", format!("cannot read {name}: {error}"));
            diagnostics.push(finding.help("check the path and the permissions"));
            None
        }
    }
}

/// Reads one byte more than allowed at most, so that not even an endless device is read for ever.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// UTF-8, else ISO-8859-1 as Java reads properties from a stream.
fn decode(name: &str, bytes: &[u8], diagnostics: &mut Diagnostics) -> String {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) => {
            let text: String = bytes.iter().map(|b| char::from(*b)).collect();
            let at = error.valid_up_to();
            let line = 1 + bytes[..at].iter().filter(|b| **b == b'\n').count();
            let message =
                format!("the file is not UTF-8 (byte {at}, line {line}), so it is read as ISO-8859-1");
            let origin = Origin::File { file: name.into(), line, column: 1, len: 0 };
            let finding = Diagnostic::note("not-utf8", message).at(&origin);
            diagnostics.push(finding.help("store it as UTF-8, or write `\\uXXXX`"));
            text
        }
    }
}

fn warn_of_lookups(options: &LoadOptions, diagnostics: &mut Diagnostics) {
    if options.system_properties.contains_key("lookups") {
        let message =
            "`-Dlookups=…` names Java lookup classes, which cannot be loaded here; env, sys and date work";
        diagnostics.push(Diagnostic::warning("unknown-lookups", message).at(&Origin::CommandLine));
    }
}

/// Findings about text that Flume ignores without stopping: errors where the user asked for strictness.
const IGNORED_TEXT: [&str; 8] = [
    "no-agent-name",
    "invalid-property",
    "unlisted-component",
    "duplicate-key",
    "duplicate-name",
    "unknown-key",
    "empty-value",
    "comment-in-value",
];

/// Drops repeated findings and raises those about ignored text where `is_strict` says so of their file.
fn settle(diagnostics: Diagnostics, is_strict: impl Fn(Option<&Arc<str>>) -> bool) -> Diagnostics {
    let mut seen = HashSet::new();
    let mut settled = Diagnostics::default();
    for mut finding in diagnostics {
        let file = match &finding.origin {
            Some(Origin::File { file, .. }) => Some(file),
            _ => None,
        };
        if finding.severity == Severity::Warning && IGNORED_TEXT.contains(&finding.code) && is_strict(file) {
            finding.severity = Severity::Error;
        }
        if seen.insert((finding.code, finding.message.clone(), finding.origin.clone())) {
            settled.push(finding);
        }
    }
    settled
}
