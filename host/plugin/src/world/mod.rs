//! One adapter for each released version of the WIT package.
pub mod v0_1_0;

use crate::spec::Kind;

/// The package versions that this build runs.
pub const VERSIONS: [&str; 1] = ["0.1.0"];

/// The interfaces of which a component exports one, to be used as this kind.
#[must_use]
pub fn interfaces(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Interceptor => &["flumen:plugin/intercept@0.1.0", "flumen:plugin/intercept-events@0.1.0"],
        Kind::Serializer => &["flumen:plugin/serialize@0.1.0"],
        Kind::Deserializer => &["flumen:plugin/deserialize@0.1.0"],
        Kind::Selector => &["flumen:plugin/route@0.1.0"],
        Kind::Source => &["flumen:plugin/produce@0.1.0"],
        Kind::Sink => &["flumen:plugin/deliver@0.1.0"],
        Kind::HttpHandler => &["flumen:plugin/handle@0.1.0"],
    }
}

/// What an exported interface is good for, in the words of the documentation.
#[must_use]
pub fn described(interface: &str) -> Option<&'static str> {
    let name = interface.strip_prefix("flumen:plugin/")?;
    Some(match name.split('@').next()? {
        "intercept" => "world interceptor",
        "intercept-events" => "world interceptor-simple",
        "serialize" => "world serializer",
        "deserialize" => "world deserializer",
        "route" => "world selector",
        "produce" => "world source",
        "deliver" => "world sink",
        "handle" => "world http-handler",
        _ => return None,
    })
}
