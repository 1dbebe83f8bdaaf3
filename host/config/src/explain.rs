//! The effective configuration of an agent as text: every option with its value and where that comes from.

use std::fmt::Write as _;

use crate::catalog::{Catalog, ComponentKind, ComponentSpec};
use crate::diagnostic::Origin;
use crate::known;
use crate::model::{AgentConfig, ComponentConfig, Resolution};
use crate::options::OptionSpec;
use crate::settings::{Setting, Settings};

/// One agent, explained. Secrets are shown as `******`.
pub fn text(agent: &AgentConfig, catalog: &Catalog) -> String {
    let mut page = Page { catalog, out: format!("agent {}\n\nroutes\n", agent.name) };
    page.routes(agent);
    for (title, components) in
        [("channels", &agent.channels), ("sources", &agent.sources), ("sinks", &agent.sinks)]
    {
        page.title(title, components.is_empty());
        for component in components {
            page.component(component);
        }
    }
    page.title("sink groups", agent.sink_groups.is_empty());
    for group in &agent.sink_groups {
        page.head(
            &format!("{}: {} processor over {}", group.name, group.processor_type, group.sinks.join(", ")),
            group.resolution,
        );
        let mut rows = set_rows(&group.settings);
        let spec = page.spec(ComponentKind::SinkProcessor, group.resolution);
        rows.extend(default_rows(&group.processor, "processor.", spec));
        page.rows(rows);
    }
    page.title("dropped", agent.dropped.is_empty());
    for path in &agent.dropped {
        page.line(&format!("  {path}"));
    }
    page.out
}

struct Page<'a> {
    catalog: &'a Catalog,
    out: String,
}

/// One row of a component: an option that is set, has a default, or is neither.
struct Row {
    key: String,
    value: String,
    origin: String,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn title(&mut self, title: &str, is_empty: bool) {
        if !is_empty {
            self.line(&format!("\n{title}"));
        }
    }

    /// `source ──▶ channel ──▶ sink`, one line per channel.
    fn routes(&mut self, agent: &AgentConfig) {
        for channel in &agent.channels {
            let bound = |components: &[ComponentConfig]| -> Vec<String> {
                components
                    .iter()
                    .filter(|c| c.bound_channels().any(|name| name == channel.name))
                    .map(|c| c.name.clone())
                    .collect()
            };
            let sources = bound(&agent.sources).join(", ");
            let sinks: Vec<String> = bound(&agent.sinks)
                .into_iter()
                .map(|sink| match agent.sink_groups.iter().find(|g| g.sinks.contains(&sink)) {
                    Some(group) => format!("{sink} (group {})", group.name),
                    None => sink,
                })
                .collect();
            let or_nobody = |names: String| if names.is_empty() { "(nobody)".to_owned() } else { names };
            self.line(&format!(
                "  {} ──▶ {} ──▶ {}",
                or_nobody(sources),
                channel.name,
                or_nobody(sinks.join(", "))
            ));
        }
    }

    fn component(&mut self, component: &ComponentConfig) {
        self.head(&format!("{}: {}", component.name, component.type_text), component.resolution);
        let settings = &component.settings;
        let mut rows = set_rows(settings);
        rows.extend(default_rows(settings, "", self.spec(component.kind, component.resolution)));
        for (prefix, kind, type_text) in nested(component) {
            let spec = self.spec(kind, known::resolve(kind, &type_text, self.catalog));
            rows.extend(default_rows(&settings.below(&prefix), &prefix, spec));
        }
        self.rows(rows);
    }

    fn head(&mut self, text: &str, resolution: Resolution) {
        let state = match resolution {
            Resolution::Ready(_) => "",
            Resolution::Planned => "   [not in this version of Flumen yet]",
            Resolution::Unknown => "   [unknown type]",
        };
        self.line(&format!("  {text}{state}"));
    }

    fn spec(&self, kind: ComponentKind, resolution: Resolution) -> Option<ComponentSpec> {
        match resolution {
            Resolution::Ready(name) => self.catalog.find(kind, name).copied(),
            Resolution::Planned | Resolution::Unknown => None,
        }
    }

    fn rows(&mut self, rows: Vec<Row>) {
        let width = rows.iter().map(|r| r.key.chars().count()).max().unwrap_or(0);
        for Row { key, value, origin } in rows {
            let from = if origin.is_empty() { String::new() } else { format!("   # {origin}") };
            // Writing to a string cannot fail.
            let _ = writeln!(self.out, "    {key:width$} = {value}{from}");
        }
    }
}

/// The keys that are set.
fn set_rows(settings: &Settings) -> Vec<Row> {
    let row = |(key, setting): (&str, &Setting)| Row {
        key: key.to_owned(),
        value: value(settings, key),
        origin: origin(&setting.origin),
    };
    settings.iter().map(row).collect()
}

/// The options that are not set: their defaults, or that they have none.
fn default_rows(settings: &Settings, prefix: &str, spec: Option<ComponentSpec>) -> Vec<Row> {
    let options = spec.map_or(&[][..], |spec| spec.options);
    let unset = options.iter().filter(|o| !o.key.ends_with('.') && settings.get(o.key).is_none());
    let row = |option: &OptionSpec| Row {
        key: format!("{prefix}{}", option.key),
        value: option.default.map_or_else(|| "(not set)".to_owned(), |show| show()),
        origin: if option.default.is_some() { "default".to_owned() } else { String::new() },
    };
    unset.map(row).collect()
}

/// The value as it may be shown, on one line.
fn value(settings: &Settings, key: &str) -> String {
    if settings.is_unknown(key) && !settings.is_secret(key) {
        return "(from a config filter that was not run)".to_owned();
    }
    let shown = settings.shown(key).unwrap_or_default();
    shown
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::File { file, line, .. } => format!("{file}:{line}"),
        Origin::CommandLine => "command line".to_owned(),
        Origin::Default => "default".to_owned(),
    }
}

/// The nested types of a component: where their keys lie, what they are, and their type.
fn nested(component: &ComponentConfig) -> Vec<(String, ComponentKind, String)> {
    let settings = &component.settings;
    let mut found = Vec::new();
    for name in settings.words("interceptors") {
        let prefix = format!("interceptors.{name}.");
        if let Some(type_text) = settings.text(&format!("{prefix}type")) {
            found.push((prefix, ComponentKind::Interceptor, type_text.to_owned()));
        }
    }
    if component.kind == ComponentKind::Source {
        let type_text = settings.text("selector.type").unwrap_or("replicating").to_owned();
        found.push(("selector.".to_owned(), ComponentKind::Selector, type_text));
    }
    for (option, kind) in [
        ("serializer", ComponentKind::Serializer),
        ("sink.serializer", ComponentKind::Serializer),
        ("deserializer", ComponentKind::Deserializer),
        ("handler", ComponentKind::HttpHandler),
    ] {
        if let Some(type_text) = settings.text(option) {
            found.push((format!("{option}."), kind, type_text.to_owned()));
        }
    }
    found
}
