//! Flume's configuration: from the text of a file to components whose options are checked.
//!
//! ```text
//! .properties ─┐                 ┌─ substitution ─┐
//!              ├─▶ entries ─────▶│ ${env:X} …     │─▶ agents ─▶ kept components ─▶ typed options
//! .toml ───────┘   (with spans)  └────────────────┘   (Flume's own rules)   (component catalog)
//!                        every step adds to one list of Diagnostics
//! ```
//!
//! Nothing here opens a socket or starts a component: `check` never touches the world.

pub mod catalog;
pub mod diagnostic;
pub mod options;
pub mod settings;

pub use catalog::{Catalog, ComponentKind, ComponentSpec};
pub use diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
pub use options::{OptionSpec, OptionValue, Options};
pub use settings::{Setting, Settings};
