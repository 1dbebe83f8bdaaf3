//! What makes a header's value from the text of a group.

use std::borrow::Cow;

use flumen_config::{
    Catalog, ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options,
};
use flumen_event::HeaderName;

use super::Value;

options! {
    /// The text of the group is the value of the header.
    pub struct PassThroughOptions {
        /// The header.
        "name" => name: String,
    }
}

const PASS_THROUGH: ComponentSpec = spec::<PassThroughOptions>(
    "default",
    &["org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer"],
    |settings, diagnostics| PassThroughOptions::read(settings, diagnostics).is_some(),
);

pub(super) const SPECS: &[ComponentSpec] = &[PASS_THROUGH];

type Check = fn(&Settings, &mut Diagnostics) -> bool;

const fn spec<O: Options>(
    name: &'static str,
    aliases: &'static [&'static str],
    check: Check,
) -> ComponentSpec {
    ComponentSpec {
        kind: ComponentKind::ExtractorSerializer,
        name,
        aliases,
        doc: O::DOC,
        options: O::OPTIONS,
        check,
        batch_size: None,
        transaction_capacity: None,
    }
}

/// How the value of a header is made.
pub(super) enum Serializer {
    /// It is the text.
    PassThrough,
}

impl Serializer {
    /// The value for the text of a group that may not have taken part in the match.
    pub(super) fn apply(&self, text: Option<Cow<'_, str>>) -> Result<Value, String> {
        match self {
            Self::PassThrough => Ok(text.map_or(Value::Absent, |text| Value::Text(text.into_owned()))),
        }
    }
}

/// Reads the settings of one serializer, `serializers.S.…`.
pub(super) fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<(HeaderName, Serializer)> {
    let kind = settings.text("type").unwrap_or(PASS_THROUGH.name);
    let catalog = Catalog::new(SPECS.iter().copied());
    match catalog.find(ComponentKind::ExtractorSerializer, kind).map(|spec| spec.name) {
        Some("default") => {
            let options = PassThroughOptions::read(settings, diagnostics)?;
            Some((options.name.into(), Serializer::PassThrough))
        }
        _ => {
            let message = format!("there is no serializer `{kind}` for groups");
            let known: Vec<&str> = SPECS.iter().map(|spec| spec.name).collect();
            let finding = Diagnostic::error("unknown-type", message).on(settings.path());
            let help = format!("known are: {}", known.join(", "));
            diagnostics.push(finding.at(&settings.origin("type")).help(help));
            None
        }
    }
}
