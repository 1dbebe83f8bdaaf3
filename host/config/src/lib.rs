//! Flume's configuration: from the text of a file to components whose options are checked.
//!
//! ```text
//! .properties ─┐                 ┌─ substitution ─┐
//!              ├─▶ entries ─────▶│ ${env:X} …     │─▶ agents ─▶ kept components ─▶ typed options
//! .toml ───────┘   (with spans)  └────────────────┘   (Flume's own rules)   (component catalog)
//!                        every step adds to one list of Diagnostics
//! ```
//!
//! Nothing here opens a socket or starts a component: `check` never touches the world. The one exception is asked
//! for by name, [`LoadOptions::run_external`].
//!
//! | to change | look in |
//! |---|---|
//! | a grammar | `properties`, `toml` |
//! | `${…}` | `substitute`, `agents/filters` |
//! | what Flume keeps and drops | `agents` |
//! | checks of options, batches, groups, time escapes | `typed` |
//! | the table of Flume's types | `known/types` |
//! | how findings look | [`render`] |
//! | `flumen explain`, the option reference | [`explain`], [`mod@reference`] |

mod agents;
pub mod catalog;
pub mod diagnostic;
mod entry;
pub mod explain;
pub mod known;
pub mod load;
pub mod model;
pub mod options;
mod properties;
pub mod reference;
pub mod render;
pub mod secret;
pub mod settings;
mod substitute;
pub mod suggest;
pub mod text;
mod toml;
mod typed;

pub use catalog::{Catalog, ComponentKind, ComponentSpec, PLUGIN};
pub use diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
pub use entry::read_properties;
pub use load::{Environment, Input, LoadOptions, Loaded, load};
pub use model::{AgentConfig, ComponentConfig, DEAD_LETTER, DeadLetterChannel, Resolution, SinkGroupConfig};
pub use options::{OptionSpec, OptionValue, Options};
pub use settings::{Setting, Settings};
pub use text::{SourceText, SourceTexts};
