//! Sinks: they take events out of a channel to where these belong.

pub use crate::batch::{Batch, Event};
pub use crate::export_sink as export;
pub use crate::needs::Needs;
super::prelude!();

use crate::batch::RowSet;
use crate::bindings::flumen::plugin::columns as wire;
use crate::bindings::flumen::plugin::types::{self, Rejection};
use crate::bindings::sink::exports::flumen::plugin::deliver;
use crate::glue::Slot;

/// What became of a batch. What is not named is stored.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    pending: Vec<u32>,
    rejected: Vec<Rejection>,
}

impl Delivery {
    /// Everything is stored.
    pub fn complete() -> Self {
        Self::default()
    }
    /// This event is not stored yet: it is given again.
    pub fn pending(&mut self, event: Event<'_>) {
        self.pending.push(event.row());
    }
    /// The rows of the events that are not stored yet, and of those that can never be.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn rows(self) -> (Vec<u32>, Vec<u32>) {
        (self.pending, self.rejected.into_iter().map(|rejection| rejection.row).collect())
    }
    /// This event can never be stored.
    pub fn reject(&mut self, event: Event<'_>, reason: impl Into<String>) {
        self.rejected.push(Rejection { row: event.row(), reason: reason.into() });
    }
}

/// A sink. `configure`, `start`, any number of `deliver`, `stop`.
pub trait Sink: Sized {
    /// Called once, before anything else.
    ///
    /// # Errors
    /// What is wrong with the options. Those that were not read are refused afterwards.
    fn configure(options: &Options) -> Result<Self, ConfigError>;
    /// What `deliver` reads. Called once, behind `configure`.
    fn needs(&self) -> Needs {
        Needs::everything()
    }
    /// Called before the first `deliver`, and again after it failed.
    ///
    /// # Errors
    /// If the sink cannot begin.
    fn start(&mut self) -> Result<()> {
        Ok(())
    }
    /// Stores the events. Answers when they are as safe as the sink promises: only then do they leave the channel.
    ///
    /// # Errors
    /// If none was stored.
    fn deliver(&mut self, batch: &Batch) -> Result<Delivery>;
    /// The last call.
    fn stop(&mut self) {}
}

/// What a component keeps.
#[doc(hidden)]
pub type Kept<T> = Slot<(T, Needs)>;

#[doc(hidden)]
pub fn configure<T: Sink>(kept: &Kept<T>, options: types::Options) -> Result<wire::Needs, types::Error> {
    kept.configure(options, |options| {
        let plugin = T::configure(options)?;
        let needs = plugin.needs();
        Ok((plugin, needs))
    })?;
    Ok(kept.with(|(_, needs)| needs.to_wire()))
}

#[doc(hidden)]
pub fn deliver<T: Sink>(kept: &Kept<T>, batch: wire::Batch) -> Result<deliver::Delivery, types::Error> {
    kept.call(|(plugin, needs)| {
        let count = batch.count;
        let Delivery { pending, rejected } = plugin.deliver(&Batch::new(batch, needs))?;
        let pending = (!pending.is_empty()).then(|| {
            let mut rows = RowSet::none(count);
            pending.iter().for_each(|row| rows.insert(*row));
            rows.into_words()
        });
        Ok(deliver::Delivery { pending, rejected })
    })
}

/// `export!(Type)`: makes this component a sink.
#[macro_export]
macro_rules! export_sink {
    ($plugin:ty) => {
        // Names like `flumen:plugin/…@0.1.0#…` are for a component; a native linker does not take them.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::std::result::Result;
            use $crate::bindings::flumen::plugin::{columns, types};
            use $crate::bindings::sink::exports::flumen::plugin::deliver::{Delivery, Guest};
            use $crate::sink;
            ::std::thread_local! {
                static KEPT: sink::Kept<$plugin> = const { sink::Kept::empty() };
            }
            struct Component;
            impl Guest for Component {
                fn configure(options: types::Options) -> Result<columns::Needs, types::Error> {
                    KEPT.with(|kept| sink::configure(kept, options))
                }
                fn start() -> Result<(), types::Error> {
                    KEPT.with(|kept| kept.call(|(plugin, _)| sink::Sink::start(plugin)))
                }
                fn deliver(batch: columns::Batch) -> Result<Delivery, types::Error> {
                    KEPT.with(|kept| sink::deliver(kept, batch))
                }
                fn stop() {
                    KEPT.with(|kept| kept.with(|(plugin, _)| sink::Sink::stop(plugin)));
                }
            }
    $crate::bindings::sink::export!(Component with_types_in $crate::bindings::sink);
        };
    };
}
