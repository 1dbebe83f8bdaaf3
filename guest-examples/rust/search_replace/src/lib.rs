//! `search_replace`: as the native interceptor of that name, for bodies in UTF-8, with the same patterns.
//!
//! | option | default | |
//! |---|---|---|
//! | `searchPattern` | | A Java regular expression. |
//! | `replaceString` | empty | What stands in place of a match, with `$1` and `${name}` for the groups. |

use flumen_plugin_sdk::interceptor::*;
use flumen_regex::{JavaRegex, Replacement};

/// The plugin.
#[derive(Debug)]
pub struct SearchReplace {
    regex: JavaRegex,
    replacement: Replacement,
    too_complex: Counter,
    rewritten: Vec<u8>,
}

impl Interceptor for SearchReplace {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let text: String = options.required("searchPattern")?;
        let regex = JavaRegex::new(&text).map_err(|why| ConfigError::at("searchPattern", why))?;
        let replacement = Replacement::new(options.get("replaceString").unwrap_or_default(), &regex)
            .map_err(|why| ConfigError::at("replaceString", why))?;
        Ok(Self { regex, replacement, too_complex: Counter::new("too_complex"), rewritten: Vec::new() })
    }

    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let mut too_complex = 0;
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            self.rewritten.clear();
            match self.regex.replace_all(event.body(), &self.replacement, &mut self.rewritten) {
                Ok(0) => {}
                Ok(_) => event.set_body(&self.rewritten),
                // Given up on after too many steps: it counts as one without a match.
                Err(_) => too_complex += 1,
            }
        }
        if too_complex > 0 {
            self.too_complex.add(too_complex);
        }
        Ok(batch)
    }
}

export!(SearchReplace);
