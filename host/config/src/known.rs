//! All component types of Flume, by alias and class, whether this build has them or not.
//!
//! From Flume's own enums and classes, 1.9 to 1.11, with the deprecated ones. With it a type that is only not here
//! yet is told from a misspelt one, and both from a Java class of somebody else.

mod types;

use crate::catalog::{Catalog, ComponentKind, PLUGIN};
use crate::diagnostic::Diagnostic;
use crate::model::Resolution;
use crate::suggest;

pub use types::{BatchLimit, KnownType};

/// The type of Flume that `text` names. Aliases match in any case, classes only exactly.
pub fn find(kind: ComponentKind, text: &str) -> Option<&'static KnownType> {
    types::ALL.iter().filter(|t| t.kind == kind).find(|t| t.is_named(text))
}

/// What `text` means as a type of that kind.
pub fn resolve(kind: ComponentKind, text: &str, catalog: &Catalog) -> Resolution {
    if let Some(spec) = catalog.find(kind, text) {
        return Resolution::Ready(spec.name);
    }
    // A class may be known to the catalog by its alias only, and the other way round.
    let other_name = find(kind, text).and_then(|known| {
        known.alias.and_then(|alias| catalog.find(kind, alias)).or_else(|| catalog.find(kind, known.class))
    });
    match other_name {
        Some(spec) => Resolution::Ready(spec.name),
        None if is_plugin(text) || find(kind, text).is_some() => Resolution::Planned,
        None => Resolution::Unknown,
    }
}

/// The finding that says why a type that is not ready is not, and what to do.
pub fn explain_unready(kind: ComponentKind, text: &str, catalog: &Catalog) -> Diagnostic {
    let what = kind_name(kind);
    if is_plugin(text) {
        return explain_no_plugin(text, what, catalog);
    }
    if let Some(known) = find(kind, text) {
        let class = known.class.rsplit('.').next().unwrap_or(known.class);
        let message = format!("{what} type `{text}` (Flume's {class}) is not in this version of Flumen yet");
        let ready = ready_names(kind, catalog);
        return Diagnostic::error("type-planned", message).help(format!("this version has: {ready}"));
    }
    if let Some((type_alone, _)) = text.split_once('#').filter(|(before, _)| before.ends_with([' ', '\t'])) {
        let message = format!("{what} type `{text}` does not exist: a comment cannot follow a value");
        let help = format!("write `{}` and put the comment on a line of its own", type_alone.trim());
        return Diagnostic::error("type-unknown", message).help(help);
    }
    if let Some(near) = suggest::nearest(text, names(kind, catalog)) {
        let message = format!("{what} type `{text}` does not exist");
        return Diagnostic::error("type-unknown", message).help(format!("did you mean `{near}`?"));
    }
    if text.contains('.') {
        let message = format!(
            "Java class {text} cannot be loaded; Flumen runs WebAssembly components instead of Java classes ({what})"
        );
        let help = "port the class to a component (see guest-examples), or use one of Flume's own types";
        return Diagnostic::error("type-unknown", message).help(help);
    }
    let message = format!("{what} type `{text}` does not exist");
    Diagnostic::error("type-unknown", message)
        .help(format!("this version has: {}", ready_names(kind, catalog)))
}

/// A component where there can be none, or a build without plugins.
fn explain_no_plugin(text: &str, what: &str, catalog: &Catalog) -> Diagnostic {
    let kinds: Vec<&str> =
        catalog.iter().filter(|spec| spec.name == PLUGIN).map(|spec| kind_name(spec.kind)).collect();
    if kinds.is_empty() {
        let message = format!("{what} type `{text}`: this build of Flumen runs no WebAssembly components");
        return Diagnostic::error("type-planned", message)
            .help("remove the component, or use the `flumen` program");
    }
    let message = format!("{what} type `{text}`: a {what} cannot be a WebAssembly component");
    Diagnostic::error("type-unknown", message).help(format!("components can be: {}", kinds.join(", ")))
}

/// A type that is a WebAssembly component: a file of that name, or the word.
pub fn is_plugin(text: &str) -> bool {
    text.eq_ignore_ascii_case("wasm") || text.to_ascii_lowercase().ends_with(".wasm")
}

/// What a kind is called in a sentence.
pub fn kind_name(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Source => "source",
        ComponentKind::Channel => "channel",
        ComponentKind::Sink => "sink",
        ComponentKind::Interceptor => "interceptor",
        ComponentKind::Selector => "selector",
        ComponentKind::SinkProcessor => "sink processor",
        ComponentKind::Serializer => "serializer",
        ComponentKind::PathManager => "path manager",
        ComponentKind::ExtractorSerializer => "extractor serializer",
        ComponentKind::Deserializer => "deserializer",
        ComponentKind::HttpHandler => "HTTP handler",
        ComponentKind::RpcClient => "RPC client",
    }
}

/// Every name that would be accepted, those of this build first.
fn names(kind: ComponentKind, catalog: &Catalog) -> impl Iterator<Item = &'static str> {
    let ready: Vec<&'static str> = catalog
        .iter()
        .filter(|s| s.kind == kind)
        .flat_map(|s| std::iter::once(s.name).chain(s.aliases.iter().copied()))
        .collect();
    let known = types::ALL.iter().filter(move |t| t.kind == kind);
    ready.into_iter().chain(known.flat_map(|t| t.alias.into_iter().chain([t.class])))
}

fn ready_names(kind: ComponentKind, catalog: &Catalog) -> String {
    let names: Vec<_> = catalog.iter().filter(|s| s.kind == kind).map(|s| s.name).collect();
    if names.is_empty() { "no type of this kind".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ComponentKind::{Interceptor, Sink, Source};

    fn text(kind: ComponentKind, text: &str) -> String {
        let finding = explain_unready(kind, text, &Catalog::default());
        format!("{} / {}", finding.message, finding.help.unwrap_or_default())
    }

    #[test]
    fn a_type_of_flume_is_planned_by_alias_in_any_case_and_by_class() {
        for (kind, name) in [
            (Sink, "hdfs"),
            (Sink, "HDFS"),
            (Sink, "org.apache.flume.sink.hdfs.HDFSEventSink"),
            (Source, "syslogTcp"),
            (Interceptor, "org.apache.flume.interceptor.TimestampInterceptor$Builder"),
            (Interceptor, "plugins/mask.wasm"),
            (Sink, "wasm"),
        ] {
            assert_eq!(resolve(kind, name, &Catalog::default()), Resolution::Planned, "{name}");
        }
        assert_eq!(
            text(Sink, "hdfs").split(" / ").next(),
            Some("sink type `hdfs` (Flume's HDFSEventSink) is not in this version of Flumen yet")
        );
    }

    #[test]
    fn a_class_matches_only_exactly() {
        let class = "org.apache.flume.sink.hdfs.hdfseventsink";
        assert_eq!(resolve(Sink, class, &Catalog::default()), Resolution::Unknown);
        assert!(text(Sink, class).contains("did you mean `org.apache.flume.sink.hdfs.HDFSEventSink`"));
    }

    #[test]
    fn a_misspelt_alias_is_answered_with_the_right_one() {
        assert!(text(Source, "netact").contains("did you mean `netcat`?"));
        assert!(text(Source, "spooldri").contains("did you mean `spooldir`?"));
    }

    #[test]
    fn a_foreign_class_is_answered_with_what_runs_instead() {
        assert!(
            text(Source, "com.cloudera.flume.source.TwitterSource")
                .contains("WebAssembly components instead of Java")
        );
    }

    #[test]
    fn a_comment_behind_a_type_is_named_as_the_cause() {
        assert!(text(ComponentKind::SinkProcessor, "failover # best first").contains("write `failover`"));
    }

    #[test]
    fn no_name_stands_for_two_types_of_a_kind() {
        for one in types::ALL {
            let same = types::ALL.iter().filter(|t| {
                t.kind == one.kind && (t.is_named(one.class) || one.alias.is_some_and(|a| t.is_named(a)))
            });
            assert_eq!(same.count(), 1, "{}", one.class);
        }
    }
}
