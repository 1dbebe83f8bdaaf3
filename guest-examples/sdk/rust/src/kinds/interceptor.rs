//! Interceptors: they change or drop events between a source and its channels.
//!
//! ```
//! use flumen_plugin_sdk::interceptor::*;
//!
//! struct Stage(String);
//!
//! impl Interceptor for Stage {
//!     fn configure(options: &Options) -> Result<Self, ConfigError> {
//!         Ok(Self(options.required("stage")?))
//!     }
//!     fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
//!         batch.retain(|event| !event.body().starts_with(b"DEBUG"));
//!         batch.set_header_all("stage", &self.0);
//!         Ok(batch)
//!     }
//! }
//!
//! export!(Stage);
//! # fn main() {}
//! ```

pub use crate::batch::{Batch, Event, EventMut, EventsMut, NewEvent};
pub use crate::export_interceptor as export;
pub use crate::needs::Needs;
super::prelude!();

use crate::bindings::flumen::plugin::columns as wire;
use crate::bindings::flumen::plugin::types;
use crate::glue::Slot;

/// An interceptor.
pub trait Interceptor: Sized {
    /// Called once, before anything else.
    ///
    /// # Errors
    /// What is wrong with the options. Those that were not read are refused afterwards.
    fn configure(options: &Options) -> Result<Self, ConfigError>;
    /// What `intercept` reads. Called once, behind `configure`.
    fn needs(&self) -> Needs {
        Needs::everything()
    }
    /// Called for each batch. May be called again with events it has seen, when a channel was full; and with a batch
    /// of no events, which must succeed.
    ///
    /// # Errors
    /// If nothing can be said about the batch as a whole. For single events there is [`EventMut::reject`].
    fn intercept(&mut self, batch: Batch) -> Result<Batch>;
}

/// What a component keeps.
#[doc(hidden)]
pub type Kept<T> = Slot<(T, Needs)>;

#[doc(hidden)]
pub fn configure<T: Interceptor>(
    kept: &Kept<T>,
    options: types::Options,
) -> Result<wire::Needs, types::Error> {
    kept.configure(options, |options| {
        let plugin = T::configure(options)?;
        let needs = plugin.needs();
        Ok((plugin, needs))
    })?;
    Ok(kept.with(|(_, needs)| needs.to_wire()))
}

#[doc(hidden)]
pub fn intercept<T: Interceptor>(kept: &Kept<T>, batch: wire::Batch) -> Result<wire::Edits, types::Error> {
    kept.call(|(plugin, needs)| Ok(plugin.intercept(Batch::new(batch, needs))?.finish()))
}

/// `export!(Type)`: makes this component an interceptor.
#[macro_export]
macro_rules! export_interceptor {
    ($plugin:ty) => {
        // Names like `flumen:plugin/…@0.1.0#…` are for a component; a native linker does not take them.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::flumen::plugin::{columns, types};
            use $crate::bindings::interceptor::exports::flumen::plugin::intercept::Guest;
            use $crate::interceptor;
            ::std::thread_local! {
                static KEPT: interceptor::Kept<$plugin> = const { interceptor::Kept::empty() };
            }
            struct Component;
            impl Guest for Component {
                fn configure(options: types::Options) -> ::std::result::Result<columns::Needs, types::Error> {
                    KEPT.with(|kept| interceptor::configure(kept, options))
                }
                fn intercept(batch: columns::Batch) -> ::std::result::Result<columns::Edits, types::Error> {
                    KEPT.with(|kept| interceptor::intercept(kept, batch))
                }
            }
    $crate::bindings::interceptor::export!(Component with_types_in $crate::bindings::interceptor);
        };
    };
}
