//! The one place that turns bytes of a file into code that runs outside of the sandbox.
//!
//! What `Component::deserialize_file` maps is machine code: whoever can write to it owns the process. That it comes
//! from our own compiler is ensured by where it lies: [`super::cache`] checks at each use that the folder and the file
//! belong to this user, and that nobody else may write to either. A checksum or a MAC would add nothing, because its
//! key would have to lie in a place of the same kind; torn writes are kept out by writing beside, syncing, renaming.
//! wasmtime itself checks version, target and engine configuration in the file's header.

#![allow(unsafe_code, reason = "see above: the folder is checked before each use")]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps compiled code. `file` must have passed [`super::cache`]'s checks just now.
pub(super) fn load(engine: &Engine, file: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `Engine::precompile_component` of this program, whole (renamed after a sync), and
    // only this user can have changed it since: the caller checked owner and mode of folder and file.
    unsafe { Component::deserialize_file(engine, file) }
}
