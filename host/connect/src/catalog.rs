//! All component types of this build. Adding one is: a file, a line here.

use std::sync::OnceLock;

use flumen_config::catalog::{Catalog, ComponentSpec};
use flumen_config::{Diagnostics, Settings};

use crate::deserializer::DeserializerFactory;
use crate::http_handler::HttpHandler;
use crate::interceptor::{AsyncInterceptor, Interceptor};
use crate::processors::SinkProcessor;
use crate::selector::{AsyncSelector, Selector};
use crate::serializer::SerializerFactory;
use crate::sink::Sink;
use crate::source::Source;
use crate::{channels, http_handlers, interceptors, processors, rpc, selectors, serializers, sinks, sources};

/// Builds a component from checked settings; the diagnostics say why it could not.
pub type Build<T> = fn(&Settings) -> Result<T, Diagnostics>;

/// Builds a component that must know the names of others, in their order.
pub type BuildNamed<T> = fn(&Settings, &[String]) -> Result<T, Diagnostics>;

/// A component type: what documents and checks know of it, and how one is built.
pub struct Type<T> {
    /// What is known without building one.
    pub spec: ComponentSpec,
    /// Makes one. Never touches the world (a plugin is loaded later).
    pub build: Build<T>,
}

/// A source that can be built.
pub type SourceType = Type<Box<dyn Source>>;
/// A sink that can be built.
pub type SinkType = Type<Box<dyn Sink>>;
/// An interceptor that can be built.
pub type InterceptorType = Type<Box<dyn Interceptor>>;
/// A serializer that can be built.
pub type SerializerType = Type<Box<dyn SerializerFactory>>;
/// An HTTP handler that can be built.
pub type HttpHandlerType = Type<Box<dyn HttpHandler>>;
/// A channel selector; the names are those of the source's channels.
pub struct SelectorType {
    /// What is known without building one.
    pub spec: ComponentSpec,
    /// Makes one for a source with these channels.
    pub build: BuildNamed<Box<dyn Selector>>,
}
/// A sink processor; the names are those of the group's sinks.
pub struct ProcessorType {
    /// What is known without building one.
    pub spec: ComponentSpec,
    /// Makes one for a group of these sinks.
    pub build: BuildNamed<Box<dyn SinkProcessor>>,
}

/// The types that run WebAssembly components, one of each kind, all with the name `wasm`: `type = mask.wasm`, or
/// `type = wasm` with `component = mask.wasm`. They are not here but in a crate above this one, which
/// [installs](install_plugins) them.
pub struct PluginTypes {
    /// World `source`.
    pub source: SourceType,
    /// World `sink`.
    pub sink: SinkType,
    /// Worlds `interceptor` and `interceptor-simple`.
    pub interceptor: Type<Box<dyn AsyncInterceptor>>,
    /// World `serializer`.
    pub serializer: SerializerType,
    /// World `deserializer`.
    pub deserializer: Type<Box<dyn DeserializerFactory>>,
    /// World `selector`.
    pub selector: PluginSelectorType,
    /// World `http-handler`.
    pub http_handler: HttpHandlerType,
}

/// A selector that is a plugin; the names are those of the source's channels.
pub struct PluginSelectorType {
    /// What is known without building one.
    pub spec: ComponentSpec,
    /// Makes one for a source with these channels.
    pub build: BuildNamed<Box<dyn AsyncSelector>>,
}

static PLUGINS: OnceLock<&'static PluginTypes> = OnceLock::new();

/// Adds the plugin types to every catalog and look-up of this process. The first call counts.
pub fn install_plugins(types: &'static PluginTypes) {
    let _first_counts = PLUGINS.set(types);
}

/// The plugin types, if the program has installed them.
#[must_use]
pub fn plugins() -> Option<&'static PluginTypes> {
    PLUGINS.get().copied()
}

/// The catalog that configurations are checked against.
#[must_use]
pub fn catalog() -> Catalog {
    let specs = sources::TYPES.iter().map(|t| t.spec);
    let specs = specs.chain(channels::TYPES.iter().map(|t| t.spec));
    let specs = specs.chain(sinks::TYPES.iter().map(|t| t.spec));
    let specs = specs.chain(interceptors::TYPES.iter().map(|t| t.spec));
    let specs = specs.chain(selectors::TYPES.iter().map(|t| t.spec));
    let specs = specs.chain(processors::TYPES.iter().map(|t| t.spec));
    let specs = specs.chain(serializers::TYPES.iter().map(|t| t.spec));
    let specs = specs.chain(http_handlers::TYPES.iter().map(|t| t.spec));
    let specs = specs.chain(sinks::NESTED.iter().copied()).chain(interceptors::NESTED.iter().copied());
    let specs = specs.chain([rpc::properties::REFERENCE]);
    Catalog::new(specs.chain(plugins().into_iter().flat_map(PluginTypes::specs)))
}

impl PluginTypes {
    fn specs(&self) -> [ComponentSpec; 7] {
        [
            self.source.spec,
            self.sink.spec,
            self.interceptor.spec,
            self.serializer.spec,
            self.deserializer.spec,
            self.selector.spec,
            self.http_handler.spec,
        ]
    }
}

/// The source type of that canonical name, plugins included.
#[must_use]
pub fn source(name: &str) -> Option<&'static SourceType> {
    by_name(sources::TYPES, name).or_else(|| plugins().map(|all| &all.source).filter(|t| t.spec.name == name))
}

/// The sink type of that canonical name, plugins included.
#[must_use]
pub fn sink(name: &str) -> Option<&'static SinkType> {
    by_name(sinks::TYPES, name).or_else(|| plugins().map(|all| &all.sink).filter(|t| t.spec.name == name))
}

/// The builder of a type, by its canonical name (see [`Catalog::find`]).
#[must_use]
pub fn by_name<T>(types: &'static [Type<T>], name: &str) -> Option<&'static Type<T>> {
    types.iter().find(|t| t.spec.name == name)
}
