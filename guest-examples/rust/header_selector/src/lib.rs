//! `header_selector`: channels by the beginning of a header's value, as in `config.to.web = c1`.
//!
//! | option | default | |
//! |---|---|---|
//! | `header` | | The header. |
//! | `to.PREFIX` | | The channels of events whose value begins with PREFIX; the longest that fits counts. |
//! | `default` | none | The channels of all others. None: they are dropped and counted. |
//! | `copies` | none | Channels that get every event as well, if they have room. |

use flumen_plugin_sdk::selector::*;

/// The plugin.
#[derive(Debug)]
pub struct HeaderSelector {
    header: String,
    /// Longest first.
    by_prefix: Vec<(String, Channels)>,
    default: Channels,
    copies: Channels,
}

impl Selector for HeaderSelector {
    fn configure(options: &Options, channels: &[String]) -> Result<Self, ConfigError> {
        let named = |key: &str| -> Result<Channels, ConfigError> {
            options.list::<String>(key)?.iter().map(|name| Channels::named(name, channels, key)).collect()
        };
        let rows =
            options.below("to.").map(|(prefix, _)| Ok((prefix.to_owned(), named(&format!("to.{prefix}"))?)));
        let mut by_prefix = rows.collect::<Result<Vec<_>, ConfigError>>()?;
        by_prefix.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let header = options.required("header")?;
        Ok(Self { header, by_prefix, default: named("default")?, copies: named("copies")? })
    }

    fn needs(&self) -> Needs {
        Needs::header(&self.header)
    }

    fn route(&mut self, event: Event<'_>) -> Result<Route> {
        let value = event.header(&self.header).unwrap_or_default();
        let row = self.by_prefix.iter().find(|(prefix, _)| value.starts_with(prefix));
        Ok(Route { required: row.map_or(self.default, |(_, channels)| *channels), optional: self.copies })
    }
}

export!(HeaderSelector);
