//! What the host does for a plugin: [`log`], [`metrics`], [`clock`], [`state`].
//!
//! In a component these call the host. In a native test they work on this thread's own imitation
//! ([`crate::testing`]), so that a plugin's logic is tested with `cargo test`.

pub mod clock;
pub mod log;
pub mod metrics;
pub mod state;
