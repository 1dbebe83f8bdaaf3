//! `regex_filter`: as the native interceptor of that name, with the same options and the same patterns.
//!
//! | option | default | |
//! |---|---|---|
//! | `regex` | `.*` | A Java regular expression. |
//! | `excludeEvents` | `false` | Whether events with a match are dropped instead of kept. |

use flumen_plugin_sdk::interceptor::*;
use flumen_regex::JavaRegex;

/// The plugin.
#[derive(Debug)]
pub struct RegexFilter {
    regex: JavaRegex,
    exclude: bool,
    too_complex: Counter,
}

impl Interceptor for RegexFilter {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let text = options.get("regex").unwrap_or(".*");
        if text.is_empty() {
            return Err(ConfigError::at("regex", "the pattern is empty"));
        }
        Ok(Self {
            regex: JavaRegex::new(text).map_err(|why| ConfigError::at("regex", why))?,
            // Java's `Boolean.parseBoolean`: all else is false.
            exclude: options.get("excludeEvents").unwrap_or("false").eq_ignore_ascii_case("true"),
            too_complex: Counter::new("too_complex"),
        })
    }

    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let mut too_complex = 0;
        batch.retain(|event| match self.regex.find(event.body()) {
            Ok(found) => found != self.exclude,
            // Given up on after too many steps: it is kept either way.
            Err(_) => {
                too_complex += 1;
                true
            }
        });
        if too_complex > 0 {
            self.too_complex.add(too_complex);
        }
        Ok(batch)
    }
}

export!(RegexFilter);
