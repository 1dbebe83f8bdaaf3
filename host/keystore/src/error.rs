//! Why a key store, or a key in it, could not be read.

use std::fmt;
use std::path::PathBuf;

/// What an entry of a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A symmetric key (`keytool -genseckey`).
    SecretKey,
    /// A private key with its certificate chain (`keytool -genkeypair`).
    PrivateKey,
    /// A trusted certificate (`keytool -importcert`).
    Certificate,
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretKey => "secret key",
            Self::PrivateKey => "private key",
            Self::Certificate => "trusted certificate",
        })
    }
}

/// Why a key store, or a key in it, could not be read. All are for the operator to mend: stop, do not retry.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The file could not be read.
    #[error("key store `{path}` cannot be read: {source}")]
    Io {
        /// The store.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than any key store.
    #[error("a key store of {bytes} bytes is not believed (at most {max} bytes)")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// Neither JCEKS nor JKS nor PKCS#12.
    #[error("this is no key store of the types JCEKS, JKS or PKCS12")]
    UnknownFormat,
    /// The file ends inside of something.
    #[error("the key store is cut off: {wanted} more bytes were announced at byte {at}, {left} are there")]
    Truncated {
        /// Where, in bytes from the start of the store (or of the object inside it).
        at: usize,
        /// Bytes announced.
        wanted: usize,
        /// Bytes left.
        left: usize,
    },
    /// The file says something that no key store says.
    #[error("the key store is damaged at byte {at}: {what}")]
    Malformed {
        /// Where, in bytes from the start of the store (or of the object inside it).
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// The integrity digest does not match. A wrong password and a changed file cannot be told apart.
    #[error("the password of the key store is wrong, or the file was changed")]
    WrongStorePassword,
    /// The key could not be unlocked.
    #[error("the password of the key `{alias}` is wrong, or its entry was changed")]
    WrongKeyPassword {
        /// The key.
        alias: String,
    },
    /// There is no such entry.
    #[error("the key store has no entry `{alias}` (it has: {})", list(.known))]
    MissingAlias {
        /// The entry asked for.
        alias: String,
        /// The entries that are there.
        known: Vec<String>,
    },
    /// The entry is something else.
    #[error("the entry `{alias}` is a {found}, not a {wanted}")]
    OtherKind {
        /// The entry.
        alias: String,
        /// What it is.
        found: EntryKind,
        /// What was asked for.
        wanted: EntryKind,
    },
    /// A way of protecting or encoding keys that `keytool` does not use.
    #[error("the entry `{alias}` cannot be read: {what} is not supported")]
    Unsupported {
        /// The entry, or nothing for the store itself.
        alias: String,
        /// The algorithm or class.
        what: String,
    },
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
}
