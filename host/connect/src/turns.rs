//! In which order the members of a group get their turns: the channels of a source, the sinks of a group.

use flumen_config::OptionValue;

/// Who is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
}

impl OptionValue for Turns {
    const KIND: &'static str = "round_robin or random";
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "round_robin" => Ok(Self::RoundRobin),
            "random" => Ok(Self::Random),
            _ => Err("neither `round_robin` nor `random`; Java classes cannot be loaded".to_owned()),
        }
    }
    fn show(&self) -> String {
        match self {
            Self::RoundRobin => "round_robin".to_owned(),
            Self::Random => "random".to_owned(),
        }
    }
}
