//! The batch: the unit in which Flumen moves events, with one layout in memory, on disk and in a guest.
//!
//! ```text
//! arena    ┌──────────────────────────────────────────────┐   one buffer, shared, never written again
//!          │ first line\nsecond line\nthird line\n         │
//!          └──▲────────────▲─────────────▲────────────────┘
//! spans      [0,10)       [11,22)       [23,33)              one per event: 8 bytes
//! headers   host      = constant "web1"                      O(1) for the whole batch
//!           status    = each  ["200", absent, "404"]         one span per event
//!           trace     = some  {2: "abc"}                     only the events that have it
//! ```
//!
//! Invariants: batches are immutable (editing gives a new batch that shares what did not change); every span
//! lies inside its arena; header texts are UTF-8; a header name occurs once.
//! Nothing owns a single event on the hot path: [`EventRef`] is the view for code that wants one.

mod arena_builder;
mod batch;
mod builder;
mod column;
mod headers;
mod java_order;
mod packed;
mod patch;
mod span;

pub use arena_builder::ArenaBuilder;
pub use batch::{Batch, EventRef};
pub use builder::{BatchBuilder, ColumnBuilder, LimitExceeded, Limits};
pub use column::Column;
pub use headers::{HeaderName, Headers};
pub use java_order::java_hash_order;
pub use packed::{Packed, UnpackError};
pub use patch::{BadPlace, Inherit, Insertion};
pub use span::Span;
