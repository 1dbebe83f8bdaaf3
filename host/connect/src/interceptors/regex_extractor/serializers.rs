//! What makes a header's value from the text of a group.

use std::borrow::Cow;

use flumen_config::{
    Catalog, ComponentKind, ComponentSpec, Diagnostic, Diagnostics, OptionValue, Options, Settings, options,
};
use flumen_event::HeaderName;
use flumen_regex::date::DatePattern;

use super::Value;

options! {
    /// The text of the group is the value of the header.
    pub struct PassThroughOptions {
        /// The header.
        "name" => name: String,
    }
}

options! {
    /// The text of the group is a date; the value of the header is that moment in milliseconds since 1970.
    /// A batch with a date that cannot be read, or with a match in which the group took no part, is refused,
    /// as in Flume: its sender is told and may send it again.
    pub struct MillisOptions {
        /// The header.
        "name" => name: String,
        /// The form of the date in Joda-Time's letters, such as `yyyy-MM-dd HH:mm:ss`. Without a zone in it,
        /// dates are of this machine's time zone.
        "pattern" => pattern: DateForm,
    }
}

/// A date pattern and how it was written.
#[derive(Clone, Debug)]
pub struct DateForm {
    text: String,
    pattern: DatePattern,
}

impl OptionValue for DateForm {
    const KIND: &'static str = "Joda-Time date pattern";
    fn parse(text: &str) -> Result<Self, String> {
        let pattern = DatePattern::new(text).map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), pattern })
    }
    fn show(&self) -> String {
        self.text.clone()
    }
}

const PASS_THROUGH: ComponentSpec = ComponentSpec::of::<PassThroughOptions>(
    ComponentKind::ExtractorSerializer,
    "default",
    &["org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer"],
);

const MILLIS: ComponentSpec = ComponentSpec::of::<MillisOptions>(
    ComponentKind::ExtractorSerializer,
    "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer",
    &[],
);

pub(super) const SPECS: &[ComponentSpec] = &[PASS_THROUGH, MILLIS];

/// How the value of a header is made.
pub(super) enum Serializer {
    /// It is the text.
    PassThrough,
    /// It is the moment that the text names.
    Millis(Box<DatePattern>),
}

impl Serializer {
    /// The value for the text of a group that may not have taken part in the match.
    pub(super) fn apply(&self, text: Option<Cow<'_, str>>) -> Result<Value, String> {
        match self {
            Self::PassThrough => Ok(text.map_or(Value::Absent, |text| Value::Text(text.into_owned()))),
            Self::Millis(pattern) => {
                let text = text.ok_or("the group of a date took no part in the match")?;
                let moment_ms = pattern.parse_ms(&text).map_err(|error| error.to_string())?;
                Ok(Value::Text(moment_ms.to_string()))
            }
        }
    }
}

/// Reads the settings of one serializer, `serializers.S.…`.
pub(super) fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<(HeaderName, Serializer)> {
    let kind = settings.text("type").unwrap_or(PASS_THROUGH.name);
    let catalog = Catalog::new(SPECS.iter().copied());
    let found = catalog.find(ComponentKind::ExtractorSerializer, kind).map(|spec| spec.name);
    if found == Some(PASS_THROUGH.name) {
        let options = PassThroughOptions::read(settings, diagnostics)?;
        return Some((options.name.into(), Serializer::PassThrough));
    }
    if found == Some(MILLIS.name) {
        let options = MillisOptions::read(settings, diagnostics)?;
        return Some((options.name.into(), Serializer::Millis(Box::new(options.pattern.pattern))));
    }
    let known: Vec<&str> = SPECS.iter().map(|spec| spec.name).collect();
    let finding = Diagnostic::error("unknown-type", format!("there is no serializer `{kind}` for groups"));
    let help = format!("known are: {}", known.join(", "));
    diagnostics.push(finding.on(settings.path()).at(&settings.origin("type")).help(help));
    None
}
