//! What Flume does with the same bytes, and what is done otherwise on purpose.

mod framing;
mod reference;
mod stamps;
mod vectors;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use flumen_config::Settings;
use flumen_event::Batch;
use jiff::tz::TimeZone;

use super::decoder::{Decoder, End, Rules};
use super::{multiport, tcp};

/// The moment at which the vectors of Flume's parsers were recorded, in November 2026.
const NOW_MS: i64 = 1_795_361_200_151;

/// An event: its headers and its body.
type Event = (BTreeMap<String, String>, Vec<u8>);

/// The options that bring all of Flume's defects back.
const AS_FLUME: [(&str, &str); 2] = [("flumeTimestamps", "true"), ("flumeLineEnds", "true")];

fn rules(pairs: &[(&str, &str)], zone: &str) -> Rules {
    let place = if pairs.iter().any(|(key, _)| *key == "ports") { vec![] } else { vec![("port", "0")] };
    let settings = Settings::from_pairs("a1.sources.r1", place.into_iter().chain(pairs.iter().copied()));
    let made =
        if settings.get("ports").is_some() { multiport::rules(&settings) } else { tcp::rules(&settings) };
    let made = made.unwrap_or_else(|findings| panic!("{findings:?}"));
    Rules { zone: TimeZone::get(zone).expect("a known zone"), ..made }
}

fn classic(pairs: &[(&str, &str)]) -> Decoder {
    Decoder::new(Arc::new(rules(pairs, "UTC")))
}

fn strict(pairs: &[(&str, &str)]) -> Decoder {
    let pairs = [&[("ports", "1")], pairs].concat();
    Decoder::new(Arc::new(rules(&pairs, "UTC")))
}

fn feed(decoder: &mut Decoder, input: &[u8], end: End) -> Vec<Event> {
    let mut buffer = BytesMut::from(input);
    events(decoder.batches(&mut buffer, end, NOW_MS))
}

fn events(batches: Vec<Batch>) -> Vec<Event> {
    let one = |event: flumen_event::EventRef<'_>| {
        let headers = event.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        (headers.collect(), event.body().to_vec())
    };
    batches.iter().flat_map(|batch| batch.iter().map(one).collect::<Vec<_>>()).collect()
}

/// Events as `name=value name=value | body`.
fn shown(events: &[Event]) -> Vec<String> {
    let one = |(headers, body): &Event| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} | {}", headers.join(" "), String::from_utf8_lossy(body))
    };
    events.iter().map(one).collect()
}
