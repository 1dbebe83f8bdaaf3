//! Options whose last word the user makes up: `mapping.CZ`, `priority.k1`.

use flumen_config::OptionValue;

/// Stands in an options struct for every key below a prefix, so that the reference and the search for unknown
/// keys know of them. The component reads them itself, through `Settings::below`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below;

impl OptionValue for Below {
    const KIND: &'static str = "one per name?";
    fn parse(_: &str) -> Result<Self, String> {
        Ok(Self)
    }
    fn absent() -> Option<Self> {
        Some(Self)
    }
    fn show(&self) -> String {
        String::new()
    }
}
