//! The WebAssembly side: components that take the place of Flume's classes.
//!
//! ```text
//! configuration ─▶ spec (file, options, limits, grants) ─▶ compile (cache) ─▶ configure ─▶ warm instances
//!                                                                                              │
//! batch ─▶ columns ─▶ call (limits, fair CPU) ─▶ edits, checked ─▶ batch                       │
//!                        │ trap, overrun                                                       │
//!                        └─▶ instance discarded, batch as `onError` says, back-off ◀───────────┘
//! ```

pub mod imports;
pub mod spec;
pub mod world;
