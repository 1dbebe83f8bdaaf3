//! The channels' options and how each is built. The channels themselves live in `flumen-channel`.

mod file;
mod memory;
mod spillable;

use std::sync::Arc;

use flumen_channel::file::tools::Target;
use flumen_channel::{Channel, Gate};
use flumen_config::{ComponentSpec, Diagnostics, Settings};

/// Builds a channel of the agent that the gate belongs to.
pub type BuildChannel = fn(&Settings, Arc<Gate>) -> Result<Arc<dyn Channel>, Diagnostics>;

/// A channel type.
pub struct ChannelType {
    /// What is known without building one.
    pub spec: ComponentSpec,
    /// Makes one for the agent that the gate belongs to.
    pub build: BuildChannel,
}

/// The folders and keys of a file channel, for the tools that work on it without an agent.
///
/// # Errors
/// If its options are wrong, or a key cannot be had.
pub fn file_target(settings: &Settings) -> Result<Target, Diagnostics> {
    file::target(settings)
}

/// All channels.
pub static TYPES: &[ChannelType] =
    &[memory::MEMORY, file::FILE, spillable::SPILLABLE, memory::PSEUDO_TRANSACTIONAL];
