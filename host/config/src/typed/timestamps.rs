//! Time escapes without a time: `%Y` in a path needs a `timestamp` header, or every batch fails for ever.

use crate::catalog::ComponentKind;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::known;
use crate::model::{AgentConfig, ComponentConfig};
use crate::settings::Settings;

/// Keys of sinks whose values are expanded per event.
const EXPANDED: [&str; 7] = [
    "hdfs.path",
    "hdfs.filePrefix",
    "hdfs.fileSuffix",
    "kafka.topic",
    "indexName",
    "indexType",
    "hive.partition",
];
/// The letters that stand for a part of a time.
const TIME_LETTERS: &str = "aAbBcdeDHIjklmMnpsStyYz";
/// Flume's sources that give events no timestamp of their own, by alias or class.
const WITHOUT_TIMESTAMP: [&str; 9] = [
    "exec",
    "netcat",
    "netcatudp",
    "seq",
    "spooldir",
    "taildir",
    "org.apache.flume.source.StressSource",
    "org.apache.flume.source.scribe.ScribeSource",
    "jms",
];

/// Warns once per sink whose path needs a time that no source on its channel provides.
pub(super) fn check(agent: &AgentConfig, diagnostics: &mut Diagnostics) {
    for sink in &agent.sinks {
        let Some(key) = key_with_time(&sink.settings) else { continue };
        let feeding: Vec<&ComponentConfig> = agent
            .sources
            .iter()
            .filter(|s| sink.channel.as_ref().is_some_and(|c| s.channels.contains(c)))
            .collect();
        let Some(source) =
            feeding.first().filter(|_| !feeding.iter().any(|source| may_set_timestamp(source)))
        else {
            continue;
        };
        let path = sink.settings.path();
        let own_clock = if key.starts_with("hdfs.") {
            format!(", or set `{path}.hdfs.useLocalTimeStamp = true`")
        } else {
            String::new()
        };
        let message = format!(
            "`{path}.{key}` needs the time of each event, but no source of channel `{}` sets a `timestamp` header",
            sink.channel.as_deref().unwrap_or_default()
        );
        diagnostics.push(
            Diagnostic::warning("no-timestamp", message)
                .at(&sink.settings.origin(key))
                .on(path)
                .help(format!("add a timestamp interceptor to `{}`{own_clock}", source.settings.path())),
        );
    }
}

fn key_with_time(sink: &Settings) -> Option<&'static str> {
    let is_true = |key: &str| sink.text(key).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if is_true("hdfs.useLocalTimeStamp") || is_true("useLocalTimeStamp") {
        return None;
    }
    EXPANDED.into_iter().find(|key| sink.text(key).is_some_and(has_time_escape))
}

/// Whether the text holds `%` and a time letter; `%{header}`, `%[host]` and `%%` are none.
fn has_time_escape(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            match chars.next() {
                Some('{') => while chars.next().is_some_and(|c| c != '}') {},
                Some(letter) if TIME_LETTERS.contains(letter) => return true,
                _ => {}
            }
        }
    }
    false
}

/// Whether events of this source may carry a timestamp. What we cannot know counts as yes.
fn may_set_timestamp(source: &ComponentConfig) -> bool {
    let Some(known) = known::find(ComponentKind::Source, &source.type_text) else { return true };
    let is_bare = WITHOUT_TIMESTAMP.iter().any(|name| known.is_named(name));
    let decodes_headers =
        source.settings.text("deserializer").is_some_and(|d| !d.eq_ignore_ascii_case("line"));
    !is_bare
        || decodes_headers
        || source.settings.words("interceptors").iter().any(|name| interceptor_may(source, name))
}

fn interceptor_may(source: &ComponentConfig, name: &str) -> bool {
    let settings = source.settings.below(&format!("interceptors.{name}."));
    let type_text = settings.text("type").unwrap_or_default();
    let Some(known) = known::find(ComponentKind::Interceptor, type_text) else { return true };
    match known.alias {
        Some("timestamp") => settings.text("headerName").is_none_or(|header| header == "timestamp"),
        Some("static") => settings.text("key") == Some("timestamp"),
        Some("regex_extractor") => {
            settings.iter().any(|(key, setting)| key.ends_with(".name") && setting.value == "timestamp")
        }
        Some(_) => false,
        None => known.class.ends_with("MorphlineInterceptor$Builder"),
    }
}

#[cfg(test)]
mod tests {
    use super::has_time_escape;

    #[test]
    fn only_time_letters_count() {
        assert!(has_time_escape("/x/%Y-%m"));
        assert!(has_time_escape("%{Y}%H"));
        for without in ["/x/%{Y}/%%Y", "%[localhost]", "100%", "%{open", "%%", "plain", "%Q"] {
            assert!(!has_time_escape(without), "{without}");
        }
    }
}
