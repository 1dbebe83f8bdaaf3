//! `onError` and `deadLetter`: what becomes of input that the plugin cannot process.

use flumen_config::{DEAD_LETTER, Settings};

use super::{Findings, resolved};
use crate::spec::{DeadLetter, Kind, OnError};

/// What each kind can do. Where events do not exist yet (sources, deserializers) or exist no longer (serializers)
/// there is nothing to put aside; what a selector cannot route can only go nowhere.
fn possible(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Interceptor | Kind::Sink => &["retry", "dead-letter", "drop", "stop"],
        Kind::Selector => &["retry", "drop", "stop"],
        Kind::Serializer | Kind::Deserializer | Kind::Source => &["retry", "stop"],
        Kind::HttpHandler => &[],
    }
}

/// Reads both keys, which depend on each other.
pub(super) fn read(kind: Kind, settings: &Settings, findings: &mut Findings<'_>) -> Option<OnError> {
    let letters = settings.text(DEAD_LETTER).is_some();
    let text = settings.text("onError");
    let possible = possible(kind);
    if let Some(text) = text.filter(|text| !possible.contains(text)) {
        let help = match possible {
            [] => {
                "take it out: a request that cannot be processed is refused, and the client told".to_owned()
            }
            _ => format!("possible here: {}", possible.join(", ")),
        };
        findings.bad("onError", format!("`onError = {text}` is not possible for {}", name(kind)), help);
        return None;
    }
    let wants_letters = text == Some("dead-letter");
    match (wants_letters, letters) {
        (true, false) => {
            let help = format!("add `{}.deadLetter = channel NAME` or `file PATH`", settings.path());
            findings.bad("onError", "`onError = dead-letter` does not say where they go", help);
            None
        }
        (false, true) => {
            let why = "`deadLetter` has no effect without `onError = dead-letter`";
            findings.bad(DEAD_LETTER, why, "set `onError = dead-letter`, or take `deadLetter` out");
            None
        }
        (true, true) => target(settings, findings).map(OnError::DeadLetter),
        (false, false) => Some(match text {
            Some("drop") => OnError::Drop,
            Some("stop") => OnError::Stop,
            _ => OnError::Retry,
        }),
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Interceptor => "an interceptor",
        Kind::Serializer => "a serializer",
        Kind::Deserializer => "a deserializer",
        Kind::Selector => "a selector",
        Kind::Source => "a source",
        Kind::Sink => "a sink",
        Kind::HttpHandler => "an HTTP handler",
    }
}

fn target(settings: &Settings, findings: &mut Findings<'_>) -> Option<DeadLetter> {
    let target = dead_letter(settings);
    if target.is_none() {
        let text = settings.text(DEAD_LETTER).unwrap_or_default();
        let why = format!("`deadLetter = {text}` says neither which channel nor which file");
        findings.bad(DEAD_LETTER, why, "write `channel NAME` or `file PATH`");
    }
    target
}

/// Where a plugin's dead letters go, as its settings say; for whoever builds the agent.
#[must_use]
pub fn dead_letter(settings: &Settings) -> Option<DeadLetter> {
    let (word, rest) = settings.text(DEAD_LETTER)?.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    match word {
        _ if rest.is_empty() => None,
        "channel" if !rest.contains(char::is_whitespace) => Some(DeadLetter::Channel(rest.to_owned())),
        "file" => Some(DeadLetter::File(resolved(&settings.base_dir(), rest))),
        _ => None,
    }
}
