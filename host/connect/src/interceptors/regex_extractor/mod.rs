//! `regex_extractor`: a pattern's groups become headers.
//!
//! ```text
//! body    "10.0.0.1 GET /index.html"          regex  (\S+) (\S+) (\S+)
//!          └──────┘ └─┘ └─────────┘
//! columns  ip       verb (no third serializer)   spans over the body's own arena: nothing is copied
//! ```

mod serializers;

use flumen_config::{ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};
use flumen_event::{Batch, ColumnBuilder, EventRef, HeaderName, Span};
use flumen_regex::{Groups, JavaRegex};

use self::serializers::Serializer;
use super::pattern::{Pattern, TooComplex};
use crate::catalog::InterceptorType;
use crate::interceptor::{Drops, InterceptError, Interceptor};
use flumen_config::options::Below;

pub(super) const SERIALIZERS: &[ComponentSpec] = serializers::SPECS;

options! {
    /// Puts what the groups of a pattern match into headers. The first match in the body counts; group 1 goes
    /// through the first serializer of the list into the header that it names, group 2 through the second, and
    /// so on. Groups without a serializer and serializers without a group are passed over. A group that took
    /// no part in the match leaves the event without the header (Flume gives it a null value). Events without
    /// a match stay as they are, and so do those on which the pattern takes too many steps. Bodies are read as
    /// UTF-8.
    pub struct RegexExtractorOptions {
        /// The pattern.
        "regex" => regex: Pattern,
        /// The serializers by name, in the order of the groups.
        "serializers" => serializers: flumen_config::options::Words,
        /// `serializers.S.name = HEADER` for each serializer S, and where the text of the group is not the
        /// value of the header: `serializers.S.type` and what that type needs.
        "serializers." => each: Below,
    }
}

pub(super) const REGEX_EXTRACTOR: InterceptorType = InterceptorType {
    spec: super::spec::<RegexExtractorOptions>(
        "regex_extractor",
        &["org.apache.flume.interceptor.RegexExtractorInterceptor$Builder"],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<RegexExtractor> {
    let options = RegexExtractorOptions::read(settings, diagnostics)?;
    options.regex.warn_if_slow("regex", settings, diagnostics);
    if options.serializers.0.is_empty() {
        let finding = Diagnostic::error("bad-value", "`serializers` names no serializer").on(settings.path());
        diagnostics.push(finding.at(&settings.origin("serializers")));
        return None;
    }
    let groups = options.regex.0.group_count();
    if groups < options.serializers.0.len() {
        let names = options.serializers.0.len();
        let message =
            format!("`regex` has {groups} groups for {names} serializers: the last ones get nothing");
        let finding = Diagnostic::warning("unused-serializer", message).on(settings.path());
        diagnostics.push(finding.at(&settings.origin("regex")));
    }
    let each = options
        .serializers
        .0
        .iter()
        .map(|name| serializers::read(&settings.below(&format!("serializers.{name}.")), diagnostics));
    // All are read before one that is wrong ends it, so that all mistakes are reported at once.
    let each: Vec<Option<(HeaderName, Serializer)>> = each.collect();
    let mut headers = each.into_iter().collect::<Option<Vec<_>>>()?;
    headers.truncate(groups);
    Some(RegexExtractor {
        name: settings.name().to_owned(),
        regex: options.regex.0,
        headers,
        too_complex: TooComplex::new(settings),
    })
}

struct RegexExtractor {
    name: String,
    regex: JavaRegex,
    /// For each group from the first on: the header, and how its value is made.
    headers: Vec<(HeaderName, Serializer)>,
    too_complex: TooComplex,
}

/// What one event gets of one header.
enum Value {
    /// The event has no match: what it had.
    Unchanged,
    /// The group took no part in the match: nothing.
    Absent,
    /// A piece of the batch's arena.
    Piece(Span),
    /// Another text.
    Text(String),
}

impl Interceptor for RegexExtractor {
    fn intercept(&self, batch: Batch, _: &mut Drops) -> Result<Batch, InterceptError> {
        let mut values: Vec<Vec<Value>> =
            self.headers.iter().map(|_| Vec::with_capacity(batch.len())).collect();
        let mut groups = Groups::new();
        for event in batch.iter() {
            let found = self.regex.captures(event.body(), &mut groups).unwrap_or_else(|error| {
                self.too_complex.note(error);
                false
            });
            for (index, values) in values.iter_mut().enumerate() {
                values.push(if found { self.value(index, event, &groups)? } else { Value::Unchanged });
            }
        }
        let columns = self.headers.iter().zip(values);
        Ok(columns.fold(batch, |batch, ((header, _), values)| with_values(batch, header, values)))
    }
}

impl RegexExtractor {
    /// The value of a header from the event's match.
    fn value(&self, index: usize, event: EventRef<'_>, groups: &Groups) -> Result<Value, InterceptError> {
        let body = event.body();
        let serializer = &self.headers[index].1;
        if let (Serializer::PassThrough, true) = (serializer, std::ptr::eq(groups.text(body), body)) {
            let start = event.span().start as usize;
            let piece = groups.span(index + 1).map(|at| Span::new(start + at.start..start + at.end));
            return Ok(piece.map_or(Value::Absent, Value::Piece));
        }
        let text = groups.get(index + 1, body).map(String::from_utf8_lossy);
        serializer.apply(text).map_err(|reason| InterceptError { interceptor: self.name.clone(), reason })
    }
}

fn with_values(batch: Batch, header: &HeaderName, values: Vec<Value>) -> Batch {
    let has_before = batch.headers().column(header).is_some();
    let copies = |value: &Value| match value {
        Value::Unchanged => has_before,
        Value::Text(_) => true,
        Value::Absent | Value::Piece(_) => false,
    };
    if values.iter().all(|value| matches!(value, Value::Unchanged)) {
        return batch;
    }
    if values.iter().any(copies) {
        let mut column = ColumnBuilder::default();
        for (event, value) in batch.iter().zip(&values) {
            column.push(match value {
                Value::Unchanged => event.header(header),
                Value::Absent => None,
                Value::Piece(span) => str::from_utf8(&batch.arena()[span.range()]).ok(),
                Value::Text(text) => Some(text),
            });
        }
        return batch.with_column(header, column);
    }
    let mut column = ColumnBuilder::over(batch.arena().clone());
    for value in values {
        column.push_span(if let Value::Piece(span) = value { Some(span) } else { None });
    }
    batch.with_column(header, column)
}

#[cfg(test)]
mod tests;
