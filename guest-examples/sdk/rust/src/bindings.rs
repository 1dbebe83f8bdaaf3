//! Generated from `wit`: the shared interfaces once, then each world, which takes its types from there.
//!
//! A component is of the world whose `export!` was used; what the other worlds generate is then not linked.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]

wit_bindgen::generate!({
    path: "wit",
    inline: "
        package flumen:sdk;
        world shared {
            include flumen:plugin/base@0.1.0;
            import flumen:plugin/types@0.1.0;
            import flumen:plugin/columns@0.1.0;
        }
    ",
    world: "flumen:sdk/shared",
    generate_all,
    generate_unused_types: true,
});

macro_rules! world {
    ($module:ident, $world:literal, $path:literal $(, $columns:literal)?) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                world: $world,
                with: {
                    "flumen:plugin/types@0.1.0": crate::bindings::flumen::plugin::types,
                    $($columns: crate::bindings::flumen::plugin::columns,)?
                    "flumen:plugin/log@0.1.0": crate::bindings::flumen::plugin::log,
                    "flumen:plugin/metrics@0.1.0": crate::bindings::flumen::plugin::metrics,
                    "flumen:plugin/clock@0.1.0": crate::bindings::flumen::plugin::clock,
                    "flumen:plugin/state@0.1.0": crate::bindings::flumen::plugin::state,
                },
                pub_export_macro: true,
                default_bindings_module: $path,
            });
        }
    };
}

world!(
    interceptor,
    "flumen:plugin/interceptor",
    "flumen_plugin_sdk::bindings::interceptor",
    "flumen:plugin/columns@0.1.0"
);
world!(
    serializer,
    "flumen:plugin/serializer",
    "flumen_plugin_sdk::bindings::serializer",
    "flumen:plugin/columns@0.1.0"
);
world!(deserializer, "flumen:plugin/deserializer", "flumen_plugin_sdk::bindings::deserializer");
world!(
    selector,
    "flumen:plugin/selector",
    "flumen_plugin_sdk::bindings::selector",
    "flumen:plugin/columns@0.1.0"
);
world!(source, "flumen:plugin/source", "flumen_plugin_sdk::bindings::source");
world!(sink, "flumen:plugin/sink", "flumen_plugin_sdk::bindings::sink", "flumen:plugin/columns@0.1.0");
world!(http_handler, "flumen:plugin/http-handler", "flumen_plugin_sdk::bindings::http_handler");
