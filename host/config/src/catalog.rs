//! Which component types there are: those this build can run, and those of Flume that are still to come.

use crate::diagnostic::Diagnostics;
use crate::options::{OptionSpec, Options};
use crate::settings::Settings;

/// The name of the type that runs WebAssembly components; there is one for each kind that may be one.
pub const PLUGIN: &str = "wasm";

/// What a component is. Each kind has names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentKind {
    /// Takes events into the agent.
    Source,
    /// Holds events.
    Channel,
    /// Delivers events.
    Sink,
    /// Transforms or drops events behind a source.
    Interceptor,
    /// Chooses channels for an event.
    Selector,
    /// Chooses among the sinks of a group.
    SinkProcessor,
    /// Writes events as bytes.
    Serializer,
    /// Names the files of `file_roll`.
    PathManager,
    /// Turns a regular expression's group into a header.
    ExtractorSerializer,
    /// Cuts bytes into events.
    Deserializer,
    /// Turns HTTP requests into events.
    HttpHandler,
    /// Sends events from outside of an agent: the properties of `flumen avro-client --rpcProps`.
    RpcClient,
}

/// A component type that this build can run.
#[derive(Clone, Copy)]
pub struct ComponentSpec {
    /// What it is.
    pub kind: ComponentKind,
    /// The name used in documents and logs: Flume's alias, or the class name if it has none.
    pub name: &'static str,
    /// Every other name it goes by: Flume's class name, and older spellings.
    /// Aliases match in any case, class names (with a dot) only exactly, as in Flume.
    pub aliases: &'static [&'static str],
    /// The manual page's text.
    pub doc: &'static str,
    /// The options, for the reference and for finding unknown keys.
    pub options: &'static [OptionSpec],
    /// Reads the options and checks what can be checked without touching the world.
    /// Answers whether a component could be built.
    pub check: fn(&Settings, &mut Diagnostics) -> bool,
    /// Sources and sinks: the most events in one transaction, from valid settings.
    pub batch_size: Option<fn(&Settings) -> usize>,
    /// Channels: the transaction capacity, from valid settings; absent if unlimited.
    pub transaction_capacity: Option<fn(&Settings) -> Option<usize>>,
}

impl ComponentSpec {
    /// A component whose check is that its options can be read. One that checks more, or moves batches, says
    /// so: `ComponentSpec { check: …, ..ComponentSpec::of::<…>(…) }`.
    #[must_use]
    pub const fn of<O: Options>(
        kind: ComponentKind,
        name: &'static str,
        aliases: &'static [&'static str],
    ) -> Self {
        Self {
            kind,
            name,
            aliases,
            doc: O::DOC,
            options: O::OPTIONS,
            check: |settings, diagnostics| O::read(settings, diagnostics).is_some(),
            batch_size: None,
            transaction_capacity: None,
        }
    }
}

/// All component types of a build.
#[derive(Clone, Default)]
pub struct Catalog {
    specs: Vec<ComponentSpec>,
}

impl Catalog {
    /// A catalog of these types.
    pub fn new(specs: impl IntoIterator<Item = ComponentSpec>) -> Self {
        Self { specs: specs.into_iter().collect() }
    }
    /// All types.
    pub fn iter(&self) -> impl Iterator<Item = &ComponentSpec> {
        self.specs.iter()
    }
    /// The type that `text` names, if this build has it. A file that ends in `.wasm` names the plugin type.
    pub fn find(&self, kind: ComponentKind, text: &str) -> Option<&ComponentSpec> {
        let text = if crate::known::is_plugin(text) { PLUGIN } else { text };
        self.specs.iter().filter(|s| s.kind == kind).find(|s| {
            std::iter::once(&s.name)
                .chain(s.aliases)
                .any(|name| if name.contains('.') { *name == text } else { name.eq_ignore_ascii_case(text) })
        })
    }
}
