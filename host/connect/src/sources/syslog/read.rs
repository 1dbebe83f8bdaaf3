//! What the options of the three sources have in common.

use flumen_config::options::Count;
use flumen_config::{Diagnostic, Diagnostics, OptionValue, Settings};

use super::framing::{Framing, LineEnds};
use super::stamp::Dates;

/// Larger events would not fit the spans of a batch, nor anybody's channel.
pub(super) const EVENT_BYTES_MAX: usize = 64 << 20;

impl OptionValue for Framing {
    const KIND: &'static str = "auto, lines or octet-counting";
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "lines" => Ok(Self::Lines),
            "octet-counting" => Ok(Self::Counted),
            _ => Err("neither `auto` nor `lines` nor `octet-counting`".to_owned()),
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Auto => "auto",
            Self::Lines => "lines",
            Self::Counted => "octet-counting",
        }
        .to_owned()
    }
}

impl From<bool> for Dates {
    /// From the option `flumeTimestamps`.
    fn from(as_flume: bool) -> Self {
        if as_flume { Self::AsFlume } else { Self::Right }
    }
}

impl From<bool> for LineEnds {
    /// From the option `flumeLineEnds`.
    fn from(as_flume: bool) -> Self {
        if as_flume { Self::AsFlume } else { Self::Right }
    }
}

/// The address to listen on: `host`, or `bind` as other sources call it; all of them if neither is set.
pub(super) fn host(settings: &Settings, diagnostics: &mut Diagnostics) -> String {
    let (host, bind) = (settings.text("host"), settings.text("bind"));
    if let (Some(host), Some(bind)) = (host, bind)
        && host != bind
    {
        let message = format!("`bind = {bind}` is not used, because there is `host = {host}`");
        let finding =
            Diagnostic::warning("no-effect", message).on(settings.path()).at(&settings.origin("bind"));
        diagnostics.push(finding.help("remove one of the two"));
    }
    host.or(bind).unwrap_or("0.0.0.0").to_owned()
}

/// `eventSize` within its limits.
pub(super) fn event_bytes(
    size: Count,
    least: usize,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> usize {
    let used = size.0.clamp(least, EVENT_BYTES_MAX);
    if used != size.0 {
        let message = format!(
            "`eventSize = {}`: {used} is used, as it may be from {least} to {EVENT_BYTES_MAX}",
            size.0
        );
        let finding = Diagnostic::warning("bad-value", message);
        diagnostics.push(finding.on(settings.path()).at(&settings.origin("eventSize")));
    }
    used
}
