//! All interceptors.
//!
//! Each works on the batch as a whole: a header that is the same for all events is one constant column, a
//! filter writes spans, rewritten bodies go into one new arena.

mod constant;
mod host;
mod pattern;
mod regex_extractor;
mod regex_filter;
mod remove_header;
mod search_replace;
mod static_header;
mod timestamp;
mod uuid;

use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings};

use crate::catalog::InterceptorType;
use crate::interceptor::Interceptor;

/// All interceptors.
pub static TYPES: &[InterceptorType] = &[
    timestamp::TIMESTAMP,
    host::HOST,
    static_header::STATIC,
    remove_header::REMOVE_HEADER,
    regex_filter::REGEX_FILTER,
    regex_extractor::REGEX_EXTRACTOR,
    search_replace::SEARCH_REPLACE,
    uuid::UUID,
];

/// Types that only occur inside an interceptor's settings; built by their interceptors.
pub static NESTED: &[ComponentSpec] = regex_extractor::SERIALIZERS;

type Check = fn(&Settings, &mut Diagnostics) -> bool;

const fn spec<O: Options>(
    name: &'static str,
    aliases: &'static [&'static str],
    check: Check,
) -> ComponentSpec {
    ComponentSpec { check, ..ComponentSpec::of::<O>(ComponentKind::Interceptor, name, aliases) }
}

fn build<I: Interceptor + 'static>(
    settings: &Settings,
    make: fn(&Settings, &mut Diagnostics) -> Option<I>,
) -> Result<Box<dyn Interceptor>, Diagnostics> {
    Diagnostics::or(|diagnostics| make(settings, diagnostics)).map(|made| Box::new(made) as _)
}

#[cfg(test)]
mod fixtures {
    //! What the tests of all interceptors share.
    use flumen_config::{Diagnostics, Settings};
    use flumen_event::{Batch, BatchBuilder};

    use crate::catalog::by_name;
    use crate::interceptor::{Drops, Interceptor};

    pub type Event<'a> = (&'a str, &'a [(&'a str, &'a str)]);

    pub fn batch(events: &[Event]) -> Batch {
        let mut builder = BatchBuilder::default();
        for (body, headers) in events {
            builder.push(body.as_bytes(), headers.iter().copied()).expect("within limits");
        }
        builder.finish()
    }
    pub fn bodies(batch: &Batch) -> Vec<String> {
        batch.iter().map(|e| String::from_utf8_lossy(e.body()).into_owned()).collect()
    }
    pub fn values<'a>(batch: &'a Batch, header: &str) -> Vec<Option<&'a str>> {
        batch.iter().map(|e| e.header(header)).collect()
    }
    pub fn build(kind: &str, pairs: &[(&str, &str)]) -> Result<Box<dyn Interceptor>, Diagnostics> {
        let settings = Settings::from_pairs("a1.sources.r1.interceptors.i1", pairs.iter().copied());
        (by_name(super::TYPES, kind).expect("a type").build)(&settings)
    }
    pub fn run(kind: &str, pairs: &[(&str, &str)], batch: Batch) -> (Batch, Drops) {
        let mut drops = Drops::default();
        let interceptor = build(kind, pairs).unwrap_or_else(|d| panic!("{d:?}"));
        (interceptor.intercept(batch, &mut drops).expect("accepted"), drops)
    }
    pub fn check(kind: &str, pairs: &[(&str, &str)]) -> (bool, Vec<String>) {
        let settings = Settings::from_pairs("a1.sources.r1.interceptors.i1", pairs.iter().copied());
        let mut diagnostics = Diagnostics::default();
        let good = (by_name(super::TYPES, kind).expect("a type").spec.check)(&settings, &mut diagnostics);
        (good, diagnostics.into_iter().map(|d| d.message).collect())
    }
}
