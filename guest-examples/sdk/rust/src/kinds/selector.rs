//! Selectors: they choose the channels of each event.

pub use crate::batch::{Batch, Event};
pub use crate::export_selector as export;
pub use crate::needs::Needs;
super::prelude!();

use std::ops::BitOr;

use crate::bindings::flumen::plugin::columns as wire;
use crate::bindings::flumen::plugin::types;
use crate::bindings::selector::exports::flumen::plugin::route::{ChannelSets, Choice};
use crate::glue::Slot;

/// A set of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels(u64);

impl Channels {
    /// No channel.
    pub const NONE: Self = Self(0);

    /// The channel with this place in the agent's list.
    ///
    /// # Panics
    /// If it is 64 or more: an agent with a plugin as selector has at most 64 channels.
    pub const fn at(index: usize) -> Self {
        assert!(index < 64, "a selector has at most 64 channels");
        Self(1 << index)
    }
    /// The channels of this name in the list that `configure` got.
    ///
    /// # Errors
    /// If there is none; with the key of the option that named it.
    pub fn named(name: &str, channels: &[String], key: &str) -> Result<Self, ConfigError> {
        let found = channels.iter().position(|channel| channel == name);
        found.map(Self::at).ok_or_else(|| {
            let known = channels.join(", ");
            ConfigError::at(key, format_args!("there is no channel `{name}` here; there are: {known}"))
        })
    }
}
impl BitOr for Channels {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
impl FromIterator<Channels> for Channels {
    fn from_iter<I: IntoIterator<Item = Channels>>(sets: I) -> Self {
        sets.into_iter().fold(Self::NONE, BitOr::bitor)
    }
}

/// Where one event goes. To no channel at all: it is dropped and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The batch fails if one of these is full.
    pub required: Channels,
    /// Best effort.
    pub optional: Channels,
}
impl From<Channels> for Route {
    fn from(required: Channels) -> Self {
        Self { required, optional: Channels::NONE }
    }
}

/// A selector.
pub trait Selector: Sized {
    /// Called once, before anything else. channels: their names, in the order of the agent's list.
    ///
    /// # Errors
    /// What is wrong with the options. Those that were not read are refused afterwards.
    fn configure(options: &Options, channels: &[String]) -> Result<Self, ConfigError>;
    /// What `route` reads. Called once, behind `configure`.
    fn needs(&self) -> Needs {
        Needs::everything()
    }
    /// Where an event goes.
    ///
    /// # Errors
    /// If nothing can be said about the whole batch.
    fn route(&mut self, event: Event<'_>) -> Result<Route>;
}

/// What a component keeps.
#[doc(hidden)]
pub type Kept<T> = Slot<(T, Needs)>;

#[doc(hidden)]
pub fn configure<T: Selector>(
    kept: &Kept<T>,
    options: types::Options,
    channels: &[String],
) -> Result<wire::Needs, types::Error> {
    kept.configure(options, |options| {
        let plugin = T::configure(options, channels)?;
        let needs = plugin.needs();
        Ok((plugin, needs))
    })?;
    Ok(kept.with(|(_, needs)| needs.to_wire()))
}

#[doc(hidden)]
pub fn route<T: Selector>(kept: &Kept<T>, batch: wire::Batch) -> Result<Choice, types::Error> {
    kept.call(|(plugin, needs)| {
        let batch = Batch::new(batch, needs);
        let (mut required, mut optional) = (Sets::new(batch.len()), Sets::new(batch.len()));
        for event in batch.events() {
            let route = plugin.route(event)?;
            required.push(route.required);
            optional.push(route.optional);
        }
        Ok(Choice { required: required.finish(), optional: optional.finish() })
    })
}

/// One set for each event, as long as they differ.
struct Sets {
    len: usize,
    rows: usize,
    first: u64,
    each: Vec<u64>,
}

impl Sets {
    fn new(rows: usize) -> Self {
        Self { len: 0, rows, first: 0, each: Vec::new() }
    }
    fn push(&mut self, Channels(set): Channels) {
        if self.len == 0 {
            self.first = set;
        } else if self.each.is_empty() && set != self.first {
            self.each.reserve_exact(self.rows);
            self.each.resize(self.len, self.first);
        }
        if !self.each.is_empty() {
            self.each.push(set);
        }
        self.len += 1;
    }
    fn finish(self) -> ChannelSets {
        if self.each.is_empty() { ChannelSets::Same(self.first) } else { ChannelSets::Each(self.each) }
    }
}

/// `export!(Type)`: makes this component a selector.
#[macro_export]
macro_rules! export_selector {
    ($plugin:ty) => {
        // Names like `flumen:plugin/…@0.1.0#…` are for a component; a native linker does not take them.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::std::{result::Result, string::String, vec::Vec};
            use $crate::bindings::flumen::plugin::{columns, types};
            use $crate::bindings::selector::exports::flumen::plugin::route::{Choice, Guest};
            use $crate::selector;
            ::std::thread_local! {
                static KEPT: selector::Kept<$plugin> = const { selector::Kept::empty() };
            }
            struct Component;
            impl Guest for Component {
                fn configure(
                    options: types::Options,
                    channels: Vec<String>,
                ) -> Result<columns::Needs, types::Error> {
                    KEPT.with(|kept| selector::configure(kept, options, &channels))
                }
                fn route(batch: columns::Batch) -> Result<Choice, types::Error> {
                    KEPT.with(|kept| selector::route(kept, batch))
                }
            }
    $crate::bindings::selector::export!(Component with_types_in $crate::bindings::selector);
        };
    };
}
