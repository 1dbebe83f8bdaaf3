//! The WebAssembly side: components that take the place of Flume's classes.
//!
//! ```text
//! configuration ─▶ spec (file, options, limits, grants) ─▶ compile (cache) ─▶ configure ─▶ warm instances
//!                                                                                              │
//! batch ─▶ columns ─▶ call (limits, fair CPU) ─▶ edits, checked ─▶ batch                       │
//!                        │ trap, overrun                                                       │
//!                        └─▶ instance discarded, batch as `onError` says, back-off ◀───────────┘
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`host`] | one per process: engines, tenants, threads, the list of plugins |
//! | [`plugin`] | one plugin: load, call, lease, reload |
//! | [`instance`] | one instance of it, owned by the call that uses it |
//! | [`call`] | how a guest gets CPU time |
//! | [`compile`] | from a file to machine code, bounded and cached |
//! | [`store`], [`imports`], [`grants`] | what the host offers to a guest |
//! | [`intercept`], [`select`], [`serialize`], [`deserialize`], [`produce`], [`deliver`], [`handle`] | the kinds as components of an agent: what becomes of input that fails |
//! | [`tenants`], [`account`] | who pays, and may pay how much |
//! | [`world`] | one adapter for each kind and released version of the WIT package |

pub mod account;
mod breaker;
pub mod call;
pub mod compile;
pub mod deliver;
pub mod deserialize;
mod destination;
mod engine;
pub mod error;
pub mod grants;
pub mod handle;
pub mod host;
pub mod imports;
pub mod instance;
pub mod intercept;
mod limits;
pub mod options;
pub mod plugin;
pub mod produce;
pub mod select;
pub mod serialize;
pub mod spec;
pub mod status;
pub mod store;
pub mod tenants;
pub mod types;
pub mod world;

pub use error::{CallError, Failure, GuestError, LoadError, Overrun};
pub use host::{Host, HostOptions, host, start};
pub use instance::Live;
pub use plugin::{AnyPlugin, Lease, Plugin, World};
