//! The Rust guests of `guest-examples` in the host that production has, and the SDK's own tests in WebAssembly.
//!
//! What each example does in detail is tested natively beside it; here is what only a component can show.

mod golden;
mod kinds;
mod plugins;
mod sdk;
