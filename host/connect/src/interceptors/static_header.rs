//! `static`: a header with a fixed value.

use std::sync::Arc;

use flumen_config::{Diagnostics, Options, Settings, options};
use flumen_event::Batch;

use super::constant::{ConstantHeader, Existing};
use crate::catalog::InterceptorType;
use crate::interceptor::{Drops, InterceptError, Interceptor};

options! {
    /// Gives every event the same header.
    pub struct StaticOptions {
        /// The header.
        "key" => key: String = "key".to_owned(),
        /// Its value.
        "value" => value: String = "value".to_owned(),
        /// Whether events that have the header keep theirs. On by default, unlike in other interceptors.
        "preserveExisting" => preserve_existing: bool = true,
    }
}

pub(super) const STATIC: InterceptorType = InterceptorType {
    spec: super::spec::<StaticOptions>(
        "static",
        &["org.apache.flume.interceptor.StaticInterceptor$Builder"],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Static> {
    let options = StaticOptions::read(settings, diagnostics)?;
    let header = ConstantHeader::new(&options.key, Existing::preserved(options.preserve_existing));
    Some(Static { header, value: options.value.into() })
}

struct Static {
    header: ConstantHeader,
    value: Arc<str>,
}

impl Interceptor for Static {
    fn intercept(&self, batch: Batch, _: &mut Drops) -> Result<Batch, InterceptError> {
        Ok(self.header.put(batch, self.value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{batch, run, values};

    // Golden cases int_static_defaults and int_static.
    #[test]
    fn defaults_are_flumes() {
        let (out, _) = run("static", &[], batch(&[("a", &[("key", "mine")]), ("b", &[])]));
        assert_eq!(values(&out, "key"), [Some("mine"), Some("value")]);
    }

    #[test]
    fn existing_headers_are_replaced_if_asked_for() {
        let pairs = [("key", "datacenter"), ("value", "New York"), ("preserveExisting", "false")];
        let (out, _) = run("static", &pairs, batch(&[("a", &[("datacenter", "Bonn")]), ("b", &[])]));
        assert_eq!(values(&out, "datacenter"), [Some("New York"), Some("New York")]);
    }
}
