//! PKCS#12 stores (RFC 7292), read by the crate p12-keystore.
//!
//! It knows what `keytool` and `openssl` write: PBES2 with AES, and the older SHA-1 with 3DES or 40-bit RC2;
//! MACs of SHA-1 and SHA-2; it bounds iterations. Two things are Java's: one password opens store and keys,
//! and names are compared without regard to case. A certificate of a chain is found by its key's
//! `localKeyId`, then issuer by issuer.

use p12_keystore::error::Error;
use p12_keystore::secret::SecretKeyType;
use p12_keystore::{KeyStoreEntry, Pkcs12ImportPolicy};
use zeroize::Zeroizing;

use crate::error::KeyStoreError;
use crate::key::{PrivateKey, SecretKey};
use crate::password::Password;
use crate::store::{Content, Entry};

/// The entries of a store whose MAC has been checked.
pub fn read(bytes: &[u8], password: &Password) -> Result<Vec<Entry>, KeyStoreError> {
    let open =
        |policy| p12_keystore::KeyStore::from_pkcs12(bytes, password.expose(), policy).map_err(refused);
    let mut store = open(Pkcs12ImportPolicy::Relaxed)?;
    if store.entries_len() == 0 {
        // `openssl pkcs12 -export -nokeys` does not mark certificates as trusted. Java sees nothing in such a file;
        // but certificates alone can only be meant to be trusted.
        store = open(Pkcs12ImportPolicy::Raw)?;
    }
    let entries = store.entries().map(|(alias, entry)| Entry {
        alias: alias.clone(),
        content: match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => Content::PrivateKey(PrivateKey {
                pkcs8: Zeroizing::new(chain.key().as_der().to_vec()),
                chain: chain.certs().iter().map(|c| c.as_der().to_vec()).collect(),
            }),
            KeyStoreEntry::Certificate(certificate) => Content::Certificate(certificate.as_der().to_vec()),
            KeyStoreEntry::Secret(secret) => Content::SecretKey(SecretKey {
                algorithm: algorithm(secret.key_type()).to_owned(),
                bytes: Zeroizing::new(secret.key().to_vec()),
            }),
        },
    });
    Ok(entries.collect())
}

fn refused(error: Error) -> KeyStoreError {
    match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) | Error::InvalidPrivateKey => {
            KeyStoreError::WrongStorePassword
        }
        Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::UnsupportedContentType => {
            KeyStoreError::Unsupported { alias: String::new(), what: error.to_string() }
        }
        other => KeyStoreError::Malformed { at: 0, what: format!("PKCS#12: {other}") },
    }
}

fn algorithm(kind: SecretKeyType) -> &'static str {
    match kind {
        SecretKeyType::Aes => "AES",
        _ => "",
    }
}
