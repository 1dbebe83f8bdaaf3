//! `line_deserializer`: one event for each line.
//!
//! | option | default | |
//! |---|---|---|
//! | `maxLineBytes` | `2048` | A longer line becomes several events. |
//! | `lineHeader` | none | A header that gets the place of the line in the file. |

use flumen_plugin_sdk::deserializer::*;

/// The plugin.
#[derive(Debug)]
pub struct Lines {
    max: usize,
    header: Option<String>,
}

impl Deserializer for Lines {
    /// The place of the next byte.
    type Stream = u64;

    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let max = options.or("maxLineBytes", 2048)?;
        if max == 0 {
            return Err(ConfigError::at("maxLineBytes", "must be at least 1"));
        }
        Ok(Self { max, header: options.optional("lineHeader")? })
    }

    fn open(&mut self, _name: &str, position: u64) -> u64 {
        position
    }

    fn decode(&mut self, place: &mut u64, input: Input<'_>, events: &mut Events) -> Result<usize> {
        let mut taken = 0;
        while !events.is_full() {
            let rest = &input.bytes[taken..];
            // A line of exactly the longest length still has its end behind it.
            let within = &rest[..rest.len().min(self.max + 1)];
            let (line, next) = match bytes::find_byte(within, b'\n') {
                Some(end) => (end, end + 1),
                None if within.len() > self.max => (self.max, self.max),
                None if input.last && !rest.is_empty() => (rest.len(), rest.len()),
                None => break,
            };
            let event = events.push(&rest[..line]);
            if let Some(name) = &self.header {
                event.number(name, *place);
            }
            taken += next;
            *place += next as u64;
        }
        Ok(taken)
    }
}

export!(Lines);
