//! All serializers, and how a component that takes one builds it.

pub mod avro;
mod event_json;
mod header_and_text;
mod text;

pub(crate) use header_and_text::java_map_text;

use std::sync::Arc;

use flumen_config::{Catalog, ComponentKind, Diagnostic, Diagnostics, Settings};

use crate::catalog::{SerializerType, by_name, plugins};
use crate::serializer::SerializerFactory;

/// All serializers.
pub static TYPES: &[SerializerType] =
    &[text::TEXT, header_and_text::HEADER_AND_TEXT, avro::AVRO_EVENT, event_json::EVENT_JSON];

/// What Flume takes where no serializer is named.
pub(crate) const DEFAULT: &str = "TEXT";

/// Builds the serializer that a component's settings name under `key` (`sink.serializer`) from the settings
/// below it (`sink.serializer.appendNewline`). Without the key it is `TEXT`.
///
/// # Errors
/// If there is no such serializer, or its settings are wrong.
pub fn build_serializer(settings: &Settings, key: &str) -> Result<Arc<dyn SerializerFactory>, Diagnostics> {
    let text = settings.text(key).unwrap_or(DEFAULT);
    if let Some(plugins) = plugins().filter(|_| flumen_config::known::is_plugin(text)) {
        return (plugins.serializer.build)(&settings.below_type(key)).map(Arc::from);
    }
    let catalog = Catalog::new(TYPES.iter().map(|t| t.spec));
    let found = catalog
        .find(ComponentKind::Serializer, text)
        .and_then(|spec| by_name(TYPES, spec.name))
        .ok_or_else(|| {
            let known: Vec<&str> = TYPES.iter().map(|t| t.spec.name).collect();
            let mut diagnostics = Diagnostics::default();
            diagnostics.push(
                Diagnostic::error("unknown-type", format!("there is no serializer `{text}`"))
                    .on(settings.path())
                    .at(&settings.origin(key))
                    .help(format!("known serializers: {}", known.join(", "))),
            );
            diagnostics
        })?;
    (found.build)(&settings.below(&format!("{key}."))).map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(pairs: &[(&str, &str)]) -> Result<Arc<dyn SerializerFactory>, Vec<String>> {
        let settings = Settings::from_pairs("a1.sinks.k1", pairs.iter().copied());
        build_serializer(&settings, "sink.serializer")
            .map_err(|d| d.iter().map(|d| d.message.clone()).collect())
    }

    #[test]
    fn serializers_go_by_alias_in_any_case_and_by_flumes_class_name() {
        for name in [
            "text",
            "TEXT",
            "Header_And_Text",
            "avro_event",
            "org.apache.flume.serialization.BodyTextEventSerializer$Builder",
            "org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder",
            "org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder",
        ] {
            assert!(build(&[("sink.serializer", name)]).is_ok(), "{name}");
        }
        assert!(build(&[]).is_ok());
    }

    #[test]
    fn an_unknown_serializer_is_named_with_the_ones_there_are() {
        let messages = build(&[("sink.serializer", "json")]).err().expect("no such serializer");
        assert_eq!(messages, ["there is no serializer `json`"]);
    }

    #[test]
    fn settings_below_the_key_reach_the_serializer() {
        let settings = [("sink.serializer", "avro_event"), ("sink.serializer.syncIntervalBytes", "8")];
        let messages = build(&settings).err().expect("out of range");
        assert!(messages[0].contains("syncIntervalBytes = 8"), "{messages:?}");
    }
}
