//! From the channel names in a selector's settings to indexes into the source's list of channels.

use std::collections::BTreeSet;

use flumen_config::{Diagnostic, Diagnostics, Settings, suggest};

/// Channels as indexes, ascending, each once.
pub(super) type Channels = BTreeSet<usize>;

/// Reads channel lists and collects what is wrong with them.
pub(super) struct ChannelLists<'a> {
    pub(super) settings: &'a Settings,
    pub(super) names: &'a [String],
    pub(super) diagnostics: Diagnostics,
}

impl<'a> ChannelLists<'a> {
    pub(super) fn new(settings: &'a Settings, names: &'a [String]) -> Self {
        Self { settings, names, diagnostics: Diagnostics::default() }
    }
    /// The channels that a key names; none if the key is not set. Flume splits at every single blank and
    /// stumbles over two in a row; here they are one.
    pub(super) fn of(&mut self, key: &str) -> Channels {
        let mut channels = Channels::new();
        for word in self.settings.words(key) {
            match self.names.iter().position(|name| name == word) {
                Some(channel) => drop(channels.insert(channel)),
                None => self.unknown(key, word),
            }
        }
        channels
    }
    fn unknown(&mut self, key: &str, word: &str) {
        let help = match suggest::nearest(word, self.names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the source's channels are: {}", self.names.join(" ")),
        };
        let message = format!("the source has no channel `{word}`");
        self.error("unknown-channel", key, message, help);
    }
    pub(super) fn error(&mut self, code: &'static str, key: &str, message: String, help: String) {
        let path = format!("{}.{key}", self.settings.path());
        let finding = Diagnostic::error(code, message).on(path).at(&self.settings.origin(key));
        self.diagnostics.push(finding.help(help));
    }
    /// The value, if nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.diagnostics.error_count() == 0 { Ok(value) } else { Err(self.diagnostics) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_channel_once_and_in_the_sources_order() {
        let names = ["c1", "c2", "c3"].map(str::to_owned);
        let settings = Settings::from_pairs("s", [("default", "c3  c1 c3")]);
        let mut lists = ChannelLists::new(&settings, &names);
        assert_eq!(lists.of("default"), Channels::from([0, 2]));
        assert_eq!(lists.of("optional"), Channels::new());
        assert!(lists.finish(()).is_ok());
    }

    #[test]
    fn near_names_are_suggested() {
        let names = ["memory-channel", "file-channel"].map(str::to_owned);
        let settings = Settings::from_pairs("s", [("default", "memroy-channel kafka")]);
        let mut lists = ChannelLists::new(&settings, &names);
        lists.of("default");
        let helps: Vec<String> = lists.diagnostics.into_iter().filter_map(|d| d.help).collect();
        assert_eq!(helps[0], "did you mean `memory-channel`?");
        assert_eq!(helps[1], "the source's channels are: memory-channel file-channel");
    }
}
