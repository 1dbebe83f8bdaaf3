//! `static_header`: as the native interceptor `static`, with the same options.
//!
//! | option | default | |
//! |---|---|---|
//! | `key` | `key` | The header. |
//! | `value` | `value` | Its value. |
//! | `preserveExisting` | `true` | Whether events that have the header keep theirs. |

use flumen_plugin_sdk::interceptor::*;

/// The plugin.
#[derive(Debug)]
pub struct StaticHeader {
    key: String,
    value: String,
    preserve: bool,
}

impl Interceptor for StaticHeader {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self {
            key: options.get("key").unwrap_or("key").to_owned(),
            value: options.get("value").unwrap_or("value").to_owned(),
            // Java's `Boolean.parseBoolean`: all else is false.
            preserve: options.get("preserveExisting").unwrap_or("true").eq_ignore_ascii_case("true"),
        })
    }

    fn needs(&self) -> Needs {
        if self.preserve { Needs::header(&self.key) } else { Needs::nothing() }
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        if !self.preserve || batch.events().all(|event| event.header(&self.key).is_none()) {
            batch.set_header_all(&self.key, &self.value);
            return Ok(batch);
        }
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            if event.header(&self.key).is_none() {
                event.set_header(&self.key, &self.value);
            }
        }
        Ok(batch)
    }
}

export!(StaticHeader);
