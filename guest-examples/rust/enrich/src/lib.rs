//! `enrich`: sets a header from a table that the events themselves fill.
//!
//! An event whose body is `SET KEY VALUE` puts a row into the table and goes no further. Any other event whose header
//! `by` is a key of the table gets its value as the header `into`. The table lies in the plugin's state: it survives
//! restarts, and all instances share it.
//!
//! | option | default | |
//! |---|---|---|
//! | `by` | | The header to look up. |
//! | `into` | | The header to set. |

use std::collections::HashMap;

use flumen_plugin_sdk::interceptor::*;

/// The plugin.
#[derive(Debug)]
pub struct Enrich {
    by: String,
    into: String,
    misses: Counter,
}

impl Interceptor for Enrich {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let (by, into) = (options.required("by")?, options.required("into")?);
        Ok(Self { by, into, misses: Counter::new("misses") })
    }

    fn needs(&self) -> Needs {
        Needs::body().and_header(&self.by)
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        // Known for this batch only: another instance may change the table behind it.
        let mut known: HashMap<String, Option<String>> = HashMap::new();
        let mut misses = 0;
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            if let Some(row) = event.body().strip_prefix(b"SET ") {
                let Some((key, value)) = std::str::from_utf8(row).ok().and_then(|row| row.split_once(' '))
                else {
                    event.reject("`SET` needs a key and a value, as UTF-8");
                    continue;
                };
                // Doing it again, when the batch comes again, changes nothing.
                state::set(key, value.as_bytes())?;
                known.insert(key.to_owned(), Some(value.to_owned()));
                event.filter_out();
                continue;
            }
            let Some(key) = event.header(&self.by).map(str::to_owned) else { continue };
            if !known.contains_key(&key) {
                let value = state::get(&key)?.map(|value| String::from_utf8_lossy(&value).into_owned());
                known.insert(key.clone(), value);
            }
            match known.get(&key) {
                Some(Some(value)) => event.set_header(&self.into, value),
                _ => misses += 1,
            }
        }
        if misses > 0 {
            self.misses.add(misses);
        }
        Ok(batch)
    }
}

export!(Enrich);
