//! As the module of the crate, with what the decoder needs of it.

#[path = "../../../src/world/v0_1_0/columns/mod.rs"]
pub mod columns;

/// What wasmtime's `bindgen!` makes of `wit/0.1.0/types.wit` and `columns.wit`.
pub mod bindings {
    pub mod flumen {
        pub mod plugin {
            pub mod columns;
            pub mod types;
        }
    }
}
