//! Write plugins for the stream router Flumen in Rust.
//!
//! Each kind of plugin has a module with all that an author needs; take it whole and write a type with one trait:
//!
//! | `use flumen_plugin_sdk::…::*` | to |
//! |---|---|
//! | [`interceptor`] | change or drop events between a source and its channels |
//! | [`serializer`], [`deserializer`] | turn events into a file's bytes, and back |
//! | [`source`], [`sink`] | bring events in, and take them out |
//! | [`selector`] | choose the channels of each event |
//! | [`http_handler`] | turn HTTP requests into events |
//!
//! Around them: [`bytes`] (search and replace, quick in WebAssembly), [`log`], [`metrics`], [`clock`], [`state`] (the
//! host's services), [`testing`] (run a plugin in a native test).
//!
//! The interface below is columns (`wit`): a batch crosses once, with what the plugin's needs ask for, and only what
//! was changed crosses back. Nothing here allocates for a single event.

#![warn(missing_docs)]

mod batch;
#[doc(hidden)]
pub mod bindings;
pub mod bytes;
mod error;
#[doc(hidden)]
pub mod glue;
mod host;
mod kinds;
mod needs;
mod options;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use error::{ConfigError, Error, Result};
pub use host::{clock, log, metrics, state};
pub use kinds::{deserializer, http_handler, interceptor, selector, serializer, sink, source};
pub use needs::Needs;
pub use options::{FromOption, Options};
