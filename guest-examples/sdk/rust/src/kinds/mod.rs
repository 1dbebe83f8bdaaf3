//! One module for each kind of plugin: its trait, what goes with it, and its `export!`.

pub mod deserializer;
pub mod http_handler;
pub mod interceptor;
pub mod selector;
pub mod serializer;
pub mod sink;
pub mod source;

/// What every kind's module offers beside its own.
macro_rules! prelude {
    () => {
        pub use crate::bytes;
        pub use crate::error::{ConfigError, Error, Result};
        pub use crate::log::Level;
        pub use crate::metrics::{Counter, Gauge};
        pub use crate::options::Options;
        pub use crate::{clock, state};
        pub use crate::{debug, error, info, trace, warn};
    };
}
pub(crate) use prelude;
