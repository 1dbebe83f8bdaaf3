//! `filter`: drops events by what is in them.
//!
//! | option | default | |
//! |---|---|---|
//! | `contains` | none | Drops events whose body contains this text. |
//! | `header`, `equals` | none | Drops events whose header has this value. |
//! | `invert` | `false` | Keeps those events, and drops the others. |

use flumen_plugin_sdk::interceptor::*;

/// The plugin.
#[derive(Debug)]
pub struct Filter {
    text: Option<bytes::Finder>,
    header: Option<(String, String)>,
    invert: bool,
}

impl Interceptor for Filter {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let text = options.get("contains").map(bytes::Finder::new);
        let header = match (options.optional("header")?, options.optional("equals")?) {
            (Some(name), Some(value)) => Some((name, value)),
            (None, None) if text.is_some() => None,
            (None, None) => return Err(ConfigError::new("set `contains`, or `header` and `equals`")),
            (Some(_), None) => return Err(ConfigError::at("header", "needs `equals` beside it")),
            (None, Some(_)) => return Err(ConfigError::at("equals", "needs `header` beside it")),
        };
        Ok(Self { text, header, invert: options.or("invert", false)? })
    }

    fn needs(&self) -> Needs {
        let needs = if self.text.is_some() { Needs::body() } else { Needs::nothing() };
        match &self.header {
            Some((name, _)) => needs.and_header(name),
            None => needs,
        }
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        batch.retain(|event| {
            let text = self.text.as_ref().is_some_and(|text| text.is_in(event.body()));
            let header =
                || self.header.as_ref().is_some_and(|(name, value)| event.header(name) == Some(value));
            (text || header()) == self.invert
        });
        Ok(batch)
    }
}

export!(Filter);
