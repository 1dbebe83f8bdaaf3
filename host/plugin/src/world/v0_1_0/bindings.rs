//! Generated from `wit/0.1.0`, once for all worlds, so that they share their types.
//!
//! A component exports the interface of one world only; each is looked up by itself:
//! `exports::flumen::plugin::intercept::GuestIndices::new(&pre)`, then `load(&mut store, &instance)`.

#![allow(unsafe_code, missing_docs, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit/0.1.0",
    inline: "
        package flumen:host;
        world all {
            include flumen:plugin/interceptor@0.1.0;
            include flumen:plugin/interceptor-simple@0.1.0;
            include flumen:plugin/serializer@0.1.0;
            include flumen:plugin/deserializer@0.1.0;
            include flumen:plugin/selector@0.1.0;
            include flumen:plugin/source@0.1.0;
            include flumen:plugin/sink@0.1.0;
            include flumen:plugin/http-handler@0.1.0;
        }
    ",
    world: "flumen:host/all",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: {
        // These wait for a plugin that writes faster than the disk is shared.
        "flumen:plugin/state.set": async | trappable,
        "flumen:plugin/state.delete": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
