//! Why a channel could not be opened.

use std::io::Error;
use std::path::PathBuf;

use crate::file::cipher::CipherError;
use crate::file::record::HeadError;

/// A channel could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has a folder, or another channel of this one.
    #[error("{cause}; two channels cannot share a folder: give each its own `{key}`")]
    Locked {
        /// Names the folder and the process that holds it.
        cause: Error,
        /// The option that names the folder.
        key: &'static str,
    },
    /// A folder cannot be used.
    #[error("cannot use {}: {cause}", .dir.display())]
    Dir {
        /// The folder.
        dir: PathBuf,
        /// Why.
        cause: Error,
    },
    /// A segment cannot be read for a reason that is not its damage.
    #[error("cannot read {}: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: Error,
    },
    /// A later Flumen wrote it.
    #[error("{}: {cause}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Which version.
        cause: HeadError,
    },
    /// The folders hold segments of two channels.
    #[error("{} belongs to another channel than {}: `dataDirs` mixes the folders of two channels", .path.display(), .other.display())]
    Mixed {
        /// A file of one.
        path: PathBuf,
        /// A file of the other.
        other: PathBuf,
    },
    /// Pending events could not be opened with the keys there are.
    #[error("{} holds sealed events: {cause}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which key is missing.
        cause: CipherError,
    },
}
