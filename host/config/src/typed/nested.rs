//! Types inside a component: interceptors, the selector, serializers.

use super::Typed;
use crate::catalog::ComponentKind;
use crate::diagnostic::{Diagnostic, Origin};
use crate::known;
use crate::model::{ComponentConfig, Resolution};
use crate::settings::Settings;
use crate::suggest;

/// A type inside a component.
pub(super) struct Nested<'a> {
    kind: ComponentKind,
    type_text: &'a str,
    settings: &'a Settings,
    /// Keys of the kind that are no options of the type.
    common: &'a [&'a str],
    type_at: Origin,
}

impl<'a> Nested<'a> {
    /// A type that is written under `type`.
    pub(super) fn new(
        kind: ComponentKind,
        type_text: &'a str,
        settings: &'a Settings,
        common: &'a [&'a str],
    ) -> Self {
        Self { kind, type_text, settings, common, type_at: settings.origin("type") }
    }
}

impl Typed<'_> {
    /// Whether all interceptors of a source can be built. One that cannot takes the source with it, as in Flume:
    /// events must not pass unfiltered.
    pub(super) fn interceptors(&mut self, source: &Settings) -> bool {
        let names = source.words("interceptors");
        let mut good = true;
        for name in &names {
            let settings = source.below(&format!("interceptors.{name}."));
            let Some(type_text) = settings.text("type") else {
                let path = settings.path();
                let finding = Diagnostic::error(
                    "missing-type",
                    format!("interceptor `{path}` has no type, so its source cannot run"),
                );
                let help = match name.strip_suffix(',') {
                    Some(_) => "names are separated by blanks; a comma is part of the name".to_owned(),
                    None => format!("add `{path}.type = …`"),
                };
                self.diagnostics.push(finding.at(&source.origin("interceptors")).on(path).help(help));
                good = false;
                continue;
            };
            let built =
                self.nested(&Nested::new(ComponentKind::Interceptor, type_text, &settings, &["type"]));
            good &= built && self.extractors(type_text, &settings);
        }
        self.report_unlisted(source, "interceptors", &names);
        good
    }

    /// Keys of interceptors that the list does not name.
    fn report_unlisted(&mut self, settings: &Settings, list: &str, names: &[&str]) {
        let below = settings.below(&format!("{list}."));
        let mut reported = Vec::new();
        for (key, _) in below.iter() {
            let name = key.split('.').next().unwrap_or_default();
            if names.contains(&name) || reported.contains(&name) {
                continue;
            }
            reported.push(name);
            let path = format!("{}.{name}", below.path());
            let message = format!("`{path}` has keys but is not in `{}`, so they are ignored", below.path());
            let is_whole = below.get(&format!("{name}.type")).is_some();
            let help = match suggest::nearest(name, names.iter().copied()) {
                Some(near) if !is_whole => format!("did you mean `{near}`?"),
                _ => format!("add `{name}` to `{}`", below.path()),
            };
            self.diagnostics.push(
                Diagnostic::warning("unlisted-component", message)
                    .at(&below.key_origin(key))
                    .on(path)
                    .help(help),
            );
        }
    }

    /// The serializers of `regex_extractor`, one per group.
    fn extractors(&mut self, type_text: &str, interceptor: &Settings) -> bool {
        let kind = ComponentKind::ExtractorSerializer;
        let is_extractor = matches!(
            known::resolve(ComponentKind::Interceptor, type_text, self.catalog),
            Resolution::Ready("regex_extractor")
        );
        if !is_extractor || !self.has_kind(kind) {
            return true;
        }
        let names = interceptor.words("serializers");
        let mut good = true;
        for name in &names {
            let settings = interceptor.below(&format!("serializers.{name}."));
            good &= self.nested(&Nested::new(
                kind,
                settings.text("type").unwrap_or("default"),
                &settings,
                &["type", "name"],
            ));
        }
        self.report_unlisted(interceptor, "serializers", &names);
        good
    }

    /// Whether the selector of a source can be built and names only channels of the source.
    pub(super) fn selector(&mut self, source: &ComponentConfig) -> bool {
        let mut settings = source.settings.below("selector.");
        if settings.iter().next().is_none() {
            return true;
        }
        let type_text = settings.text("type").unwrap_or("replicating").to_owned();
        if known::is_plugin(&type_text) {
            // What it is configured with besides its own options.
            let channels = crate::settings::Setting {
                value: source.channels.join(" "),
                origin: source.settings.origin("channels"),
            };
            settings.insert("channels", channels);
            let nested = Nested::new(ComponentKind::Selector, &type_text, &settings, &["type", "channels"]);
            return self.nested(&nested);
        }
        let good = self.nested(&Nested::new(ComponentKind::Selector, &type_text, &settings, &["type"]));
        let mut known_channels = true;
        for (key, setting) in settings.iter() {
            let names_channels = key == "default"
                || key == "optional"
                || key.starts_with("mapping.")
                || key.starts_with("optional.");
            if !names_channels {
                continue;
            }
            for name in crate::agents::words(&setting.value) {
                if source.channels.contains(&name) {
                    continue;
                }
                known_channels = false;
                let message = format!(
                    "selector of `{}` names channel `{name}`, which is none of its channels",
                    source.settings.path()
                );
                let help = match suggest::nearest(&name, source.channels.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its channels: {}", source.channels.join(", ")),
                };
                let path = format!("{}.{key}", settings.path());
                self.diagnostics.push(
                    Diagnostic::error("unknown-channel", message).at(&setting.origin).on(path).help(help),
                );
            }
        }
        good && known_channels
    }

    /// The serializer and path manager of a sink that takes one.
    pub(super) fn serializers(&mut self, sink: &ComponentConfig) -> bool {
        let Some(spec) = self.spec(sink) else { return true };
        let mut good = true;
        for (option, kind) in [
            ("serializer", ComponentKind::Serializer),
            ("sink.serializer", ComponentKind::Serializer),
            ("sink.pathManager", ComponentKind::PathManager),
        ] {
            let takes_one = spec.options.iter().any(|o| o.key == option);
            let Some(type_text) = sink.settings.text(option).filter(|_| takes_one && self.has_kind(kind))
            else {
                continue;
            };
            good &= self.under_key(kind, type_text, &sink.settings, option);
        }
        good
    }

    /// The deserializer or handler of a source that takes one.
    pub(super) fn decoders(&mut self, source: &ComponentConfig) -> bool {
        let Some(spec) = self.spec(source) else { return true };
        let mut good = true;
        for (option, kind) in
            [("deserializer", ComponentKind::Deserializer), ("handler", ComponentKind::HttpHandler)]
        {
            let takes_one = spec.options.iter().any(|o| o.key == option);
            if let Some(type_text) = source.settings.text(option).filter(|_| takes_one) {
                good &= self.under_key(kind, type_text, &source.settings, option);
            }
        }
        good
    }

    /// A type that is the value of a key, with its options below that key.
    fn under_key(&mut self, kind: ComponentKind, type_text: &str, owner: &Settings, key: &str) -> bool {
        let is_plugin = known::is_plugin(type_text);
        // Only a plugin looks at its own type: it is the component's file.
        let settings = if is_plugin { owner.below_type(key) } else { owner.below(&format!("{key}.")) };
        let common: &[&str] = if is_plugin { &["type"] } else { &[] };
        self.nested(&Nested { kind, type_text, settings: &settings, common, type_at: owner.origin(key) })
    }

    /// Whether a nested type can be built.
    pub(super) fn nested(&mut self, nested: &Nested<'_>) -> bool {
        let Nested { kind, type_text, settings, common, type_at } = nested;
        if settings.is_unknown("type") {
            return true;
        }
        match known::resolve(*kind, type_text, self.catalog) {
            Resolution::Ready(name) => match self.catalog.find(*kind, name).copied() {
                Some(spec) => self.run_check(&spec, settings, common),
                None => true,
            },
            Resolution::Planned | Resolution::Unknown => {
                let finding = known::explain_unready(*kind, type_text, self.catalog);
                self.diagnostics.push(finding.at(type_at).on(settings.path()));
                false
            }
        }
    }

    fn has_kind(&self, kind: ComponentKind) -> bool {
        self.catalog.iter().any(|spec| spec.kind == kind)
    }
}
