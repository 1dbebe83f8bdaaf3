//! Runs a plugin in a native test, against an imitation of the host on this thread.
//!
//! ```
//! # use flumen_plugin_sdk::interceptor::*;
//! # struct Stage;
//! # impl Interceptor for Stage {
//! #     fn configure(_: &Options) -> Result<Self, ConfigError> { Ok(Self) }
//! #     fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
//! #         batch.set_header_all("stage", "prod");
//! #         Ok(batch)
//! #     }
//! # }
//! use flumen_plugin_sdk::testing::{Event, Tested};
//!
//! let stage = Tested::<Stage>::configured(&[]).expect("valid options");
//! let out = stage.intercept(&[Event::new("hello")]).expect("accepted");
//! assert_eq!(out.events, [Event::new("hello").with("stage", "prod")]);
//! ```

mod apply;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::batch::{Batch, Events};
use crate::bindings::flumen::plugin::types as wire;
use crate::deserializer::{self, Deserializer};
use crate::interceptor::{self, Interceptor};
use crate::log::Level;
use crate::state::StateError;

pub use apply::{Outcome, pack};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Event {
    /// An event without headers.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), headers: BTreeMap::new() }
    }
    /// With one header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// A line that the plugin logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Named values.
    pub fields: Vec<(String, String)>,
}

/// The imitation of the host.
#[derive(Debug)]
pub struct Host {
    /// What was logged.
    pub log: Vec<LogLine>,
    /// Lines below it are not kept.
    pub log_level: Level,
    /// The counters by `name{label="value"}`.
    pub counters: BTreeMap<String, u64>,
    /// The gauges, likewise.
    pub gauges: BTreeMap<String, f64>,
    /// What `clock::monotonic` answers.
    pub monotonic: Duration,
    /// What `clock::wall_millis` answers; none: it is not granted.
    pub wall_millis: Option<u64>,
    /// The plugin's store.
    pub state: BTreeMap<String, Vec<u8>>,
    /// Whether the store's disk fails.
    pub state_fails: bool,
}

impl Host {
    pub(crate) fn state_error(&self) -> Result<(), StateError> {
        if self.state_fails { Err(StateError::Io) } else { Ok(()) }
    }
}

thread_local! {
    static HOST: RefCell<Host> = const {
        RefCell::new(Host {
            log: Vec::new(),
            log_level: Level::Info,
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            monotonic: Duration::ZERO,
            wall_millis: None,
            state: BTreeMap::new(),
            state_fails: false,
        })
    };
}

/// Looks at this thread's host, or changes it.
pub fn with_host<R>(look: impl FnOnce(&mut Host) -> R) -> R {
    HOST.with_borrow_mut(look)
}

/// A configured plugin.
#[derive(Debug)]
pub struct Tested<T>(interceptor::Kept<T>, interceptor::Needs);

impl<T: Interceptor> Tested<T> {
    /// Configures an interceptor as the host does.
    ///
    /// # Errors
    /// What it says about its options, and those it did not read.
    pub fn configured(options: &[(&str, &str)]) -> Result<Self, interceptor::ConfigError> {
        let kept = interceptor::Kept::empty();
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        match interceptor::configure::<T>(&kept, options.collect()) {
            Ok(_) => {
                let needs = kept.with(|(_, needs)| needs.clone());
                Ok(Self(kept, needs))
            }
            Err(wire::Error::Config(error)) => {
                Err(interceptor::ConfigError { key: error.key, message: error.message })
            }
            Err(other) => Err(interceptor::ConfigError::new(other)),
        }
    }
    /// Hands it events, with what its needs ask for, and does to them what it answers.
    ///
    /// # Errors
    /// What it answered.
    pub fn intercept(&self, events: &[Event]) -> Result<Outcome, interceptor::Error> {
        let edits = interceptor::intercept(&self.0, pack(events, &self.1)).map_err(|error| match error {
            wire::Error::Retry(why) => interceptor::Error::Retry(why),
            wire::Error::Invalid(why) => interceptor::Error::Invalid(why),
            wire::Error::Fatal(why) => interceptor::Error::Fatal(why),
            wire::Error::Config(error) => interceptor::Error::Fatal(error.message),
        })?;
        Ok(Outcome::of(events, edits))
    }
}

/// Options, as `configure` gets them.
pub fn options(pairs: &[(&str, &str)]) -> crate::Options {
    crate::Options::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
}
/// A batch, as a plugin with these needs gets it.
pub fn batch(events: &[Event], needs: &crate::Needs) -> Batch {
    Batch::new(pack(events, needs), needs)
}
/// Where a plugin puts the events it makes.
pub fn events() -> Events {
    Events::unbounded()
}
/// The events that were made.
pub fn made(events: Events) -> Vec<Event> {
    apply::unpack(&events.finish())
}
/// The rows of a batch of `count` that a sink gives back: those still pending, and those rejected.
///
/// # Panics
/// If one of them is both.
pub fn delivered(delivery: crate::sink::Delivery, count: u32) -> (Vec<u32>, Vec<u32>) {
    let (pending, rejected) = delivery.rows();
    assert!(pending.iter().all(|row| *row < count && !rejected.contains(row)), "{pending:?}, {rejected:?}");
    (pending, rejected)
}

/// What came out of a stream.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The events.
    pub events: Vec<Event>,
    /// The position after each call.
    pub positions: Vec<u64>,
}

/// Runs a deserializer over the pieces of a stream whose first byte is at `position`, as the host does: at most `max`
/// events a call, and as many calls for a piece as that takes.
///
/// # Errors
/// What is wrong with the options, or the stream.
pub fn decode<'a, T: Deserializer>(
    pairs: &[(&str, &str)],
    pieces: impl IntoIterator<Item = &'a [u8]>,
    position: u64,
    max: u32,
) -> Result<Decoded, crate::Error> {
    let failed = |error: wire::Error| crate::Error::fatal(format_args!("{error:?}"));
    let kept = deserializer::Kept::<T>::empty();
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    kept.configure(pairs.collect(), T::configure).map_err(failed)?;
    let decoder = deserializer::Decoder::new(&kept, "test", position);
    let mut out = Decoded::default();
    let mut note = |decoded: deserializer::WireDecoded| {
        let count = decoded.events.bodies.spans.len() / 2;
        out.events.extend(apply::unpack(&decoded.events));
        out.positions.push(decoded.position);
        count == max as usize
    };
    for piece in pieces {
        let mut bytes = piece.to_vec();
        while note(decoder.decode(&kept, std::mem::take(&mut bytes), max).map_err(failed)?) {}
    }
    while note(decoder.finish(&kept, max).map_err(failed)?) {}
    Ok(out)
}
