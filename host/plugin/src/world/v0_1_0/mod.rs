//! Version 0.1.0 of the package.
pub mod bindings;
