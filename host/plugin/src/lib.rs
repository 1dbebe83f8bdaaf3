//! The WebAssembly side: components that take the place of Flume's classes.
//!
//! ```text
//! configuration ─▶ spec (file, options, limits, grants) ─▶ compile (cache) ─▶ configure ─▶ warm instances
//!                                                                                              │
//! batch ─▶ columns ─▶ call (limits, fair CPU) ─▶ edits, checked ─▶ batch                       │
//!                        │ trap, overrun                                                       │
//!                        └─▶ instance discarded, batch as `onError` says, back-off ◀───────────┘
//! ```

mod destination;
pub mod options;
pub mod spec;
pub mod tenants;
pub mod world;
