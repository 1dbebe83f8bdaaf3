//! {{name}}: sends events with a text in their body to one channel, the others to another, as an example.

use flumen_plugin_sdk::selector::*;

struct Plugin {
    text: bytes::Finder,
    with: Channels,
    without: Channels,
}

impl Selector for Plugin {
    /// Reads the `config.*` settings. One that is not read here is refused.
    fn configure(options: &Options, channels: &[String]) -> Result<Self, ConfigError> {
        let channel = |key: &str| Channels::named(&options.required::<String>(key)?, channels, key);
        let text = bytes::Finder::new(options.required::<String>("text")?);
        Ok(Self { text, with: channel("with")?, without: channel("without")? })
    }

    /// What `route` reads: the less, the quicker.
    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn route(&mut self, event: Event<'_>) -> Result<Route> {
        Ok(if self.text.is_in(event.body()) { self.with } else { self.without }.into())
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use flumen_plugin_sdk::testing::{Event, batch, options};

    use super::*;

    #[test]
    fn events_go_where_their_text_says() {
        let options = options(&[("text", "ERROR"), ("with", "c2"), ("without", "c1")]);
        let mut plugin = Plugin::configure(&options, &["c1".to_owned(), "c2".to_owned()]).ok().expect("valid options");
        let batch = batch(&[Event::new("an ERROR"), Event::new("fine")], &plugin.needs());
        let routes: Vec<Route> = batch.events().map(|event| plugin.route(event).expect("routed")).collect();
        assert_eq!(routes, [Channels::at(1).into(), Channels::at(0).into()]);
    }
}
