//! The keys of a channel: the active one and those that are kept to open what they sealed.

use flumen_keystore::SecretKey;

/// Named keys, one of them active. Every one has a length that AES knows.
#[derive(Debug)]
pub struct Keys {
    pub(crate) active: usize,
    pub(crate) keys: Vec<(String, SecretKey)>,
}

/// Why keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// `encryption.activeKey` is not among the keys.
    #[error("the active key `{active}` is not among the configured keys ({known})")]
    NoActiveKey {
        /// The name given.
        active: String,
        /// The keys there are, separated by commas.
        known: String,
    },
    /// A key of another cipher.
    #[error("the key `{key}` has {bits} bits; AES takes 128, 192 or 256")]
    WrongLength {
        /// The key.
        key: String,
        /// Its length.
        bits: usize,
    },
}

impl Keys {
    /// The keys as they came from the key store.
    ///
    /// # Errors
    /// If the active key is not among them, or one is no AES key.
    pub fn new(active: &str, keys: Vec<(String, SecretKey)>) -> Result<Self, KeysError> {
        if let Some((name, key)) = keys.iter().find(|(_, key)| !matches!(key.bytes().len(), 16 | 24 | 32)) {
            return Err(KeysError::WrongLength { key: name.clone(), bits: key.bytes().len() * 8 });
        }
        match keys.iter().position(|(name, _)| name == active) {
            Some(active) => Ok(Self { active, keys }),
            None => Err(KeysError::NoActiveKey { active: active.to_owned(), known: known(&keys) }),
        }
    }

    /// Their names, separated by commas, for messages.
    pub(crate) fn known(&self) -> String {
        known(&self.keys)
    }
}

fn known(keys: &[(String, SecretKey)]) -> String {
    keys.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}
