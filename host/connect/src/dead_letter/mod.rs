//! Dead letters: events that a plugin could not process, put aside in a channel of the agent or in a file.
//!
//! ```text
//! {"headers":{"flumen.plugin":"a1.sources.r1.interceptors.i1",…},"body":"as text"}
//! {"headers":{…},"bodyBase64":"/wA="}                                  a body that is no UTF-8
//! ```
//!
//! [`line`] is that format, both ways; [`file`] is the file as a [`Channel`](flumen_channel::Channel) that is only
//! ever put to, so that [`put_all`](flumen_channel::put_all) stores dead letters together with the rest of their
//! batch, or none of it.

pub mod file;
pub mod line;

pub use file::DeadLetterFile;

/// Headers that begin so are the host's: which plugin, which component, what error, when.
pub const HEADER_PREFIX: &str = "flumen.";
/// The plugin that put the event aside: its path in the configuration.
pub const PLUGIN_HEADER: &str = "flumen.plugin";
