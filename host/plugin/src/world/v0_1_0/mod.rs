//! Version 0.1.0 of the worlds: `wit/0.1.0`.

pub mod bindings;
pub mod columns;
pub mod interceptor;
