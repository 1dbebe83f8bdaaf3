//! The decoder of what guests answer, compiled without the engine: `src/world/v0_1_0/columns` as it stands, with the
//! bindings' types written out. So the fuzzer builds in a minute, with sanitizers in all of it, where wasmtime would take
//! a quarter of an hour and more memory than a small machine has.
//!
//! Types that are not those of the bindings do not compile: the decoder takes them apart field by field.

#![allow(dead_code, unused_imports, reason = "the decoder as it stands; only its entrances are used here")]

// The harness is the one of the crate's tests, and speaks of the crate by its name.
extern crate self as flumen_plugin;

pub mod world {
    pub mod v0_1_0;
}
