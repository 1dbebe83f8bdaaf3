//! Compiled components on disk.
//!
//! ```text
//! FOLDER  0700, ours
//!   DIGEST-ENGINE.cwasm   0600   DIGEST: SHA-256 of the component; ENGINE: hash of version, target and configuration
//!   .DIGEST-….tmp                being written; renamed when synced
//! ```

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::trusted;
use crate::error::LoadError;
use crate::tenants::Digest;

/// The folder of compiled components.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn at(folder: Option<PathBuf>) -> Self {
        let default = || {
            let user = rustix::process::getuid().as_raw();
            std::env::temp_dir().join(format!("flumen-plugin-cache-{user}"))
        };
        Self { folder: folder.unwrap_or_else(default) }
    }

    /// The folder, made if it is missing, and checked each time: it may have been given to others meanwhile.
    pub(super) fn open(&self) -> Result<&Self, LoadError> {
        let refused = |reason: String| LoadError::Cache { folder: self.folder.clone(), reason };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| refused(format!("cannot be made: {error}")))?;
        let found = std::fs::symlink_metadata(&self.folder).map_err(|error| refused(error.to_string()))?;
        if !found.is_dir() {
            return Err(refused("is no folder; remove it, or set another one".to_owned()));
        }
        private(&found).map_err(|what| {
            refused(format!(
                "{what}, so that others could put code there; `chown` it to the user that runs flumen, \
                 `chmod 700` it, and remove what is in it"
            ))
        })?;
        Ok(self)
    }
    pub(super) fn entry(&self, engine: &Engine, digest: &Digest) -> Entry {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let name = format!("{digest}-{:016x}.cwasm", hasher.finish());
        Entry { folder: self.folder.clone(), file: self.folder.join(name) }
    }
}

/// The place of one compiled component.
pub(super) struct Entry {
    folder: PathBuf,
    file: PathBuf,
}

impl Entry {
    /// The compiled component, if it is there and to be trusted. What cannot be used is compiled again.
    pub(super) fn load(&self, engine: &Engine) -> Option<Component> {
        let found = std::fs::symlink_metadata(&self.file).ok()?;
        if let Err(what) = private(&found) {
            tracing::warn!(file = %self.file.display(), what, "a compiled plugin is not trusted: compiled again");
            return None;
        }
        let loaded = trusted::load(engine, &self.file);
        loaded
            .inspect_err(|error| tracing::debug!(file = %self.file.display(), %error, "compiled again"))
            .ok()
    }
    /// Stores what was compiled in this process.
    pub(super) fn write(&self, code: &[u8]) -> Result<(), LoadError> {
        let beside = self.beside();
        let written = new_private_file(&beside).and_then(|mut file| file.write_all(code));
        written.map_err(|error| self.failed(&beside, &error))?;
        self.publish(&beside)
    }
    /// A name in the folder that nobody else uses.
    pub(super) fn beside(&self) -> PathBuf {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        self.folder.join(format!(".{}-{number}.tmp", std::process::id()))
    }
    /// Makes a whole file at [`beside`](Self::beside) the entry.
    pub(super) fn publish(&self, beside: &Path) -> Result<(), LoadError> {
        let synced = File::open(beside).and_then(|file| file.sync_all());
        let renamed = synced.and_then(|()| std::fs::rename(beside, &self.file));
        renamed.map_err(|error| self.failed(beside, &error))
    }
    pub(super) fn failed(&self, beside: &Path, error: &std::io::Error) -> LoadError {
        let _may_be_missing = std::fs::remove_file(beside);
        LoadError::Cache { folder: self.folder.clone(), reason: format!("cannot be written: {error}") }
    }
}

/// A file that must be new, for this user alone.
pub(super) fn new_private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Whether only this user can write to it.
fn private(found: &Metadata) -> Result<(), &'static str> {
    if found.uid() != rustix::process::getuid().as_raw() {
        return Err("belongs to another user");
    }
    if found.mode() & 0o022 != 0 {
        return Err("can be written to by others than its owner");
    }
    Ok(())
}
