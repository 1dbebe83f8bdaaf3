//! `mask`: replaces what a pattern finds in the body, as in `config.pattern = [0-9]{4}-[0-9]{4}`.
//!
//! | option | default | |
//! |---|---|---|
//! | `pattern` | | A regular expression of the crate `regex`, over bytes. |
//! | `replacement` | `***` | What stands in its place. `$1` and `${name}` are its groups. |
//! | `header` | none | A header that counts the replaced places, where there are any. |

use flumen_plugin_sdk::interceptor::*;
use regex::bytes::Regex;

/// The plugin.
#[derive(Debug)]
pub struct Mask {
    pattern: Regex,
    replacement: Vec<u8>,
    header: Option<String>,
}

impl Interceptor for Mask {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let pattern = options.optional_with("pattern", Regex::new)?;
        Ok(Self {
            pattern: pattern.ok_or_else(|| ConfigError::at("pattern", "is not set, and has no default"))?,
            replacement: options.get("replacement").unwrap_or("***").into(),
            header: options.optional("header")?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            if !self.pattern.is_match(event.body()) {
                continue;
            }
            let mut places = 0;
            event.rewrite_body(|old, new| {
                let mut done = 0;
                for found in self.pattern.captures_iter(old) {
                    let place = found.get_match();
                    new.extend_from_slice(&old[done..place.start()]);
                    found.expand(&self.replacement, new);
                    (done, places) = (place.end(), places + 1);
                }
                new.extend_from_slice(&old[done..]);
            });
            if let Some(name) = &self.header {
                event.set_number(name, places);
            }
        }
        Ok(batch)
    }
}

export!(Mask);
