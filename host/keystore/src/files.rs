//! The keys of an encrypted channel, found through the files that Flume's `JCEKSFILE` provider is told about.
//!
//! Flume's rules: a key's own `passwordFile` counts where there is one and it exists; otherwise the store's
//! password opens the key too (Flume logs a warning for a file that is named and missing; so do we, through
//! [`KeyFiles::missing_password_files`]). Several keys are listed so that what an old one sealed can still be
//! opened.

use std::path::{Path, PathBuf};

use crate::error::KeyStoreError;
use crate::key::SecretKey;
use crate::password::{Password, PasswordError};
use crate::store::KeyStore;

/// Where the keys lie.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    /// `encryption.keyProvider.keyStoreFile`: JCEKS, or PKCS#12.
    pub store: PathBuf,
    /// `encryption.keyProvider.keyStorePasswordFile`.
    pub store_password: PathBuf,
    /// The keys of `encryption.keyProvider.keys`, each with its `passwordFile` if it has one.
    pub keys: Vec<(String, Option<PathBuf>)>,
}

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFilesError {
    /// A password file is missing or no text.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store could not be opened, or lacks a key.
    #[error("key store `{path}`: {source}")]
    Store {
        /// The store.
        path: PathBuf,
        /// What is wrong.
        source: KeyStoreError,
    },
}

impl KeyFiles {
    /// Reads all listed keys.
    ///
    /// # Errors
    /// With the first file that cannot be read, or the first key that is missing or stays locked.
    pub fn load(&self) -> Result<Vec<(String, SecretKey)>, KeyFilesError> {
        let refused = |source| KeyFilesError::Store { path: self.store.clone(), source };
        let store_password = Password::from_file(&self.store_password)?;
        let store = KeyStore::open(&self.store, &store_password).map_err(refused)?;
        let mut keys = Vec::new();
        for (name, password_file) in &self.keys {
            let own = password_file.as_deref().filter(|path| path.is_file()).map(Password::from_file);
            let password = own.transpose()?.unwrap_or_else(|| store_password.clone());
            keys.push((name.clone(), store.secret_key(name, &password).map_err(refused)?));
        }
        Ok(keys)
    }

    /// Password files that are named but not there: a warning's worth.
    pub fn missing_password_files(&self) -> impl Iterator<Item = (&str, &Path)> {
        let named = self.keys.iter().filter_map(|(name, path)| Some((name.as_str(), path.as_deref()?)));
        named.filter(|(_, path)| !path.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(keys: &[(&str, Option<&str>)]) -> (tempfile::TempDir, KeyFiles) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("store.pw"), "store-secret\n").expect("written");
        std::fs::write(dir.path().join("other.pw"), "  other-secret\n").expect("written");
        let keys = keys.iter().map(|(name, file)| (name.to_string(), file.map(|f| dir.path().join(f))));
        let files = KeyFiles {
            store: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys.jceks"),
            store_password: dir.path().join("store.pw"),
            keys: keys.collect(),
        };
        (dir, files)
    }

    #[test]
    fn a_key_opens_with_its_own_password_or_with_the_stores() {
        let (_dir, files) = files(&[("key-0", None), ("key-1", Some("other.pw"))]);
        let keys = files.load().expect("both keys");
        let sizes: Vec<_> = keys.iter().map(|(name, key)| (name.as_str(), key.bytes().len())).collect();
        assert_eq!(sizes, [("key-0", 16), ("key-1", 32)]);
    }

    #[test]
    fn a_password_file_that_is_not_there_is_told_and_the_stores_password_tried() {
        let (_dir, files) = files(&[("key-0", Some("none.pw"))]);
        assert_eq!(files.missing_password_files().map(|(name, _)| name).collect::<Vec<_>>(), ["key-0"]);
        assert_eq!(files.load().expect("the store's password fits").len(), 1);
    }

    #[test]
    fn a_key_that_stays_locked_is_named_with_its_store() {
        let (_dir, files) = files(&[("key-1", None)]);
        let text = files.load().expect_err("locked").to_string();
        assert!(text.contains("keys.jceks") && text.contains("`key-1`"), "{text}");
    }
}
