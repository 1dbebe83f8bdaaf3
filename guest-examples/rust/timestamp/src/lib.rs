//! `timestamp`: as the native interceptor of that name, with the same options. Needs `grants.clock = wall`.
//!
//! | option | default | |
//! |---|---|---|
//! | `headerName` | `timestamp` | The header. |
//! | `preserveExisting` | `false` | Whether events that have the header keep theirs. |

use flumen_plugin_sdk::interceptor::*;

/// The plugin.
#[derive(Debug)]
pub struct Timestamp {
    header: String,
    preserve: bool,
}

impl Interceptor for Timestamp {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        if clock::wall_millis().is_none() {
            return Err(ConfigError::new("the time of day is not granted: set `grants.clock = wall`"));
        }
        let preserve = options.get("preserveExisting").unwrap_or("false");
        Ok(Self {
            header: options.get("headerName").unwrap_or("timestamp").to_owned(),
            // Java's `Boolean.parseBoolean`: all else is false.
            preserve: preserve.eq_ignore_ascii_case("true"),
        })
    }

    fn needs(&self) -> Needs {
        if self.preserve { Needs::header(&self.header) } else { Needs::nothing() }
    }

    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        let now = clock::wall_millis().unwrap_or_default();
        if !self.preserve {
            batch.set_header_all(&self.header, &now.to_string());
            return Ok(batch);
        }
        let mut events = batch.events_mut();
        while let Some(mut event) = events.next() {
            if event.header(&self.header).is_none() {
                event.set_number(&self.header, now);
            }
        }
        Ok(batch)
    }
}

export!(Timestamp);
