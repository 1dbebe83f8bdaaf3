//! Sources: the host asks them for events, stores these in the channels, and says what became of them.

pub use crate::batch::{Events, NewEvent};
pub use crate::export_source as export;
super::prelude!();

use std::time::Duration;

use crate::bindings::flumen::plugin::types;
use crate::bindings::source::exports::flumen::plugin::produce::{Poll, SourceBatch};
use crate::glue::Slot;

/// What a source says when it is asked for events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// There are events, and this checkpoint stands for them and all before them; at most 64 KiB.
    Batch(Vec<u8>),
    /// There are none now: ask again after so long.
    Idle(Duration),
    /// There will be none any more.
    Done,
}

/// A source. `configure`, `start`, then `next_batch` and `committed` or `rolled_back` in turn, `stop`. Nothing runs
/// between the calls.
pub trait Source: Sized {
    /// Called once, before anything else.
    ///
    /// # Errors
    /// What is wrong with the options. Those that were not read are refused afterwards.
    fn configure(options: &Options) -> Result<Self, ConfigError>;
    /// checkpoint: the newest that was committed; none at the very first start.
    ///
    /// # Errors
    /// If the source cannot begin.
    fn start(&mut self, checkpoint: Option<&[u8]>) -> Result<()>;
    /// Adds events until `events.is_full()`. Should answer within `wait`; `limits.batchTimeMsMax` interrupts it.
    ///
    /// # Errors
    /// If there are none because of a failure.
    fn next_batch(&mut self, wait: Duration, events: &mut Events) -> Result<Next>;
    /// The events up to this checkpoint are in the channels, and the checkpoint is stored: acknowledge upstream.
    ///
    /// # Errors
    /// If that fails. The events stay stored.
    fn committed(&mut self, _checkpoint: &[u8]) -> Result<()> {
        Ok(())
    }
    /// The events were refused: start again behind this checkpoint; none: from the beginning.
    ///
    /// # Errors
    /// If the source cannot go back.
    fn rolled_back(&mut self, checkpoint: Option<&[u8]>) -> Result<()>;
    /// The last call.
    fn stop(&mut self) {}
}

/// What a component keeps.
#[doc(hidden)]
pub type Kept<T> = Slot<T>;

#[doc(hidden)]
pub fn next_batch<T: Source>(kept: &Kept<T>, max: u32, wait_millis: u32) -> Result<Poll, types::Error> {
    kept.call(|plugin| {
        let mut events = Events::new(max);
        let next = plugin.next_batch(Duration::from_millis(wait_millis.into()), &mut events)?;
        let lost = |what| Error::fatal(format_args!("answered {what} with {} events", events.len()));
        Ok(match next {
            Next::Batch(checkpoint) => Poll::Batch(SourceBatch { events: events.finish(), checkpoint }),
            Next::Idle(_) if !events.is_empty() => return Err(lost("Idle")),
            Next::Done if !events.is_empty() => return Err(lost("Done")),
            Next::Idle(pause) => Poll::Idle(u32::try_from(pause.as_millis()).unwrap_or(u32::MAX)),
            Next::Done => Poll::Done,
        })
    })
}

/// `export!(Type)`: makes this component a source.
#[macro_export]
macro_rules! export_source {
    ($plugin:ty) => {
        // Names like `flumen:plugin/…@0.1.0#…` are for a component; a native linker does not take them.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::std::{option::Option, result::Result, vec::Vec};
            use $crate::bindings::flumen::plugin::types;
            use $crate::bindings::source::exports::flumen::plugin::produce::{Guest, Poll};
            use $crate::source::{self, Source};
            ::std::thread_local! {
                static KEPT: source::Kept<$plugin> = const { source::Kept::empty() };
            }
            struct Component;
            impl Guest for Component {
                fn configure(options: types::Options) -> Result<(), types::Error> {
                    KEPT.with(|kept| kept.configure(options, <$plugin as Source>::configure))
                }
                fn start(checkpoint: Option<Vec<u8>>) -> Result<(), types::Error> {
                    KEPT.with(|kept| kept.call(|plugin| plugin.start(checkpoint.as_deref())))
                }
                fn next_batch(max: u32, wait_millis: u32) -> Result<Poll, types::Error> {
                    KEPT.with(|kept| source::next_batch(kept, max, wait_millis))
                }
                fn committed(checkpoint: Vec<u8>) -> Result<(), types::Error> {
                    KEPT.with(|kept| kept.call(|plugin| plugin.committed(&checkpoint)))
                }
                fn rolled_back(checkpoint: Option<Vec<u8>>) -> Result<(), types::Error> {
                    KEPT.with(|kept| kept.call(|plugin| plugin.rolled_back(checkpoint.as_deref())))
                }
                fn stop() {
                    KEPT.with(|kept| kept.with(|plugin| plugin.stop()));
                }
            }
    $crate::bindings::source::export!(Component with_types_in $crate::bindings::source);
        };
    };
}
