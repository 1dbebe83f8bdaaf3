//! The runtime of plugins with a real guest (`tests/guests-core`), which is built when the tests run.

mod calls;
mod compile;
mod failing;
mod guest;
mod limits;
mod swap;
mod tenants;
