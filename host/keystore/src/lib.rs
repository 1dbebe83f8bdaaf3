//! Reads the key stores that `keytool` writes: JCEKS, JKS and PKCS#12.
//!
//! ```text
//! file ──▶ KeyStore::open(path, store password)       format by its first bytes; integrity checked as a whole
//!            ├─ secret_key(alias, key password)        AES keys of the file channel
//!            ├─ private_key(alias, key password)       PKCS#8 and its certificate chain, for TLS
//!            └─ certificates()                         trusted certificates, for TLS
//! ```
//!
//! Invariants: nothing is believed before it is measured against the file (no length in a file makes us
//! allocate); a store whose integrity digest does not match gives no entry; keys are wiped from memory when
//! they are dropped, and never printed. Read-only: stores are made with `keytool`.
//! [`jks`] holds the bytes of JKS and JCEKS, [`java`] of the serialized Java objects in JCEKS, [`protect`] of
//! Sun's two ways of protecting keys. PKCS#12 is left to the crate p12-keystore ([`pkcs12`]).

mod error;
mod files;
mod java;
mod jks;
mod key;
mod password;
mod pkcs12;
mod pkcs8;
mod protect;
mod reader;
mod store;

pub use error::{EntryKind, KeyStoreError};
pub use files::{KeyFiles, KeyFilesError};
pub use key::{PrivateKey, SecretKey};
pub use password::{Password, PasswordError};
pub use pkcs8::open_encrypted_pkcs8;
pub use store::KeyStore;
