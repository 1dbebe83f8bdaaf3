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
}

impl Interceptor for SearchReplace {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let text: String = options.required("searchPattern")?;
        let regex = JavaRegex::new(&text).map_err(|why| ConfigError::at("searchPattern", why))?;
        let replacement = Replacement::new(options.get("replaceString").unwrap_or_default(), &regex)
            .map_err(|why| ConfigError::at("replaceString", why))?;
        Ok(Self { regex, replacement, too_complex: Counter::new("too_complex") })
    }

    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let mut too_complex = 0;
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            event.rewrite_body_if(|old, new| {
                let replaced = self.regex.replace_all(old, &self.replacement, new);
                // Given up on after too many steps: it counts as one without a match.
                too_complex += u64::from(replaced.is_err());
                replaced.is_ok_and(|places| places > 0)
            });
        }
        if too_complex > 0 {
            self.too_complex.add(too_complex);
        }
        Ok(batch)
    }
}

export!(SearchReplace);
