//! Why a channel's directories cannot be read at all. Damage to single records is not an error, see `Damage`.

use std::io;
use std::path::PathBuf;

/// Why a channel's directories cannot be read at all. All are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum FlumeLogError {
    /// A file or folder could not be read.
    #[error("`{path}` cannot be read: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are no log files.
    #[error("`{path}` is no Flume file channel: it holds no folder with files named log-1, log-2, …")]
    NoLogs {
        /// The folder.
        path: PathBuf,
    },
    /// More than one channel, so it is not clear which is meant.
    #[error("`{path}` holds more than one checkpoint ({}): name the folders of one channel", list(.checkpoints))]
    SeveralChannels {
        /// The folder.
        path: PathBuf,
        /// The checkpoint folders in it.
        checkpoints: Vec<PathBuf>,
    },
    /// Flume, or another import, holds the lock.
    #[error("`{path}` is in use: stop the Flume agent first, cleanly if it can be")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// Written by Flume 1.3 or older.
    #[error(
        "`{path}` has format version {version}, which Flume before 1.4 wrote; start Flume 1.4 to 1.11 on the folder once, it upgrades them, then import"
    )]
    OldVersion {
        /// The file.
        path: PathBuf,
        /// The version it names.
        version: i64,
    },
    /// Two files of different data folders have the same number.
    #[error("`{first}` and `{second}` have the same number: these are the folders of different channels")]
    SameNumber {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The log is encrypted, and its key was not given.
    #[error("`{path}` is encrypted with the key `{key}`, which is not among those given ({known})")]
    MissingKey {
        /// The log.
        path: PathBuf,
        /// The key it names.
        key: String,
        /// The keys given, separated by commas.
        known: String,
    },
    /// The log is encrypted in a way that Flume itself does not offer.
    #[error("`{path}` is encrypted by {cipher}, which is not known; Flume's own is AESCTRNOPADDING")]
    UnknownCipher {
        /// The log.
        path: PathBuf,
        /// The cipher it names.
        cipher: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl FlumeLogError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
