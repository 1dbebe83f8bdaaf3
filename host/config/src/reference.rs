//! The option reference as Markdown, made from the catalog: config structs are the manual.

use std::fmt::Write as _;

use crate::catalog::{Catalog, ComponentKind, ComponentSpec};
use crate::options::OptionSpec;

/// The chapters in the order of an event's way through an agent.
const CHAPTERS: [(ComponentKind, &str); 12] = [
    (ComponentKind::Source, "Sources"),
    (ComponentKind::Interceptor, "Interceptors"),
    (ComponentKind::Selector, "Channel selectors"),
    (ComponentKind::Channel, "Channels"),
    (ComponentKind::SinkProcessor, "Sink processors"),
    (ComponentKind::Sink, "Sinks"),
    (ComponentKind::Serializer, "Serializers"),
    (ComponentKind::PathManager, "Path managers"),
    (ComponentKind::ExtractorSerializer, "Extractor serializers"),
    (ComponentKind::Deserializer, "Deserializers"),
    (ComponentKind::HttpHandler, "HTTP handlers"),
    (ComponentKind::RpcClient, "RPC clients"),
];

/// The whole reference. The same catalog always gives the same text.
pub fn markdown(catalog: &Catalog) -> String {
    let mut out = String::from(
        "# Option reference\n\nGenerated from the component declarations by `flumen options`; do not edit. \
         **Bold** keys are required. A key that ends in a dot stands for every key below it.\n",
    );
    for (kind, title) in CHAPTERS {
        let specs: Vec<&ComponentSpec> = catalog.iter().filter(|s| s.kind == kind).collect();
        if specs.is_empty() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "\n## {title}\n");
        for spec in specs {
            component(&mut out, spec);
        }
    }
    out
}

fn component(out: &mut String, spec: &ComponentSpec) {
    let _ = write!(out, "\n### {}\n\n{}\n", spec.name, paragraphs(spec.doc));
    if !spec.aliases.is_empty() {
        let aliases: Vec<String> = spec.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = write!(out, "\nAlso: {}\n", aliases.join(", "));
    }
    if spec.options.is_empty() {
        out.push_str("\nNo options.\n");
        return;
    }
    out.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    for option in spec.options {
        row(out, option);
    }
}

fn row(out: &mut String, option: &OptionSpec) {
    let key = if option.required { format!("**`{}`**", option.key) } else { format!("`{}`", option.key) };
    let default = match option.default.map(|show| show()) {
        Some(text) if text.is_empty() => "(empty)".to_owned(),
        Some(text) => format!("`{}`", cell(&text)),
        None => String::new(),
    };
    let _ = writeln!(
        out,
        "| {key} | {} | {default} | {} |",
        cell(option.kind.trim_end_matches('?')),
        cell(option.doc)
    );
}

/// Text for one cell of a table: one line, no bars.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A doc comment without the blank each of its lines begins with.
fn paragraphs(doc: &str) -> String {
    let lines: Vec<&str> =
        doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Options, Words};

    crate::options! {
        /// Reads lines.
        ///
        /// Second paragraph.
        struct Sample {
            /// Where to listen,
            /// on one line | with a bar.
            "bind" => bind: String,
            /// How many.
            "max" => max: u32 = 512,
            /// Which.
            "names" => names: Option<Words>,
            /// Suffix.
            "suffix" => suffix: String = String::new(),
        }
    }

    fn catalog() -> Catalog {
        Catalog::new([ComponentSpec {
            check: |settings, findings| {
                Sample::read(settings, findings).map(|s| (s.bind, s.max, s.names, s.suffix)).is_some()
            },
            ..ComponentSpec::of::<Sample>(ComponentKind::Source, "sample", &["org.example.Sample"])
        }])
    }

    #[test]
    fn the_reference_has_a_table_row_for_every_option() {
        let text = markdown(&catalog());
        let expected = "\n## Sources\n\n### sample\n\nReads lines.\n\nSecond paragraph.\n\nAlso: `org.example.Sample`\n\n\
            | key | type | default | meaning |\n|---|---|---|---|\n\
            | **`bind`** | text |  | Where to listen, on one line \\| with a bar. |\n\
            | `max` | integer | `512` | How many. |\n\
            | `names` | words |  | Which. |\n\
            | `suffix` | text | (empty) | Suffix. |\n";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn kinds_without_components_have_no_chapter() {
        assert!(!markdown(&catalog()).contains("## Sinks"));
        assert!(!markdown(&Catalog::default()).contains("\n## "));
    }
}
