//! One adapter for each released version of the WIT package.
pub mod v0_1_0;
