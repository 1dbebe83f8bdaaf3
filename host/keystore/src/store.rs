//! A key store: named entries behind passwords.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{EntryKind, KeyStoreError};
use crate::key::{PrivateKey, SecretKey};
use crate::password::Password;
use crate::protect::{self, PBE_MD5_TRIPLE_DES, Refused};
use crate::reader::Reader;
use crate::{java, jks, pkcs12};

/// A store with a thousand keys has far less; a larger file is a wrong path.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A key store whose integrity has been checked. Keys stay protected until they are asked for, except those
/// of PKCS#12, which has one password for all.
pub struct KeyStore {
    entries: Vec<Entry>,
}

pub struct Entry {
    pub alias: String,
    pub content: Content,
}

pub enum Content {
    /// JCEKS: a `SealedObject` around a serialized key.
    SealedSecretKey { algorithm: String, parameters: Vec<u8>, sealed: Vec<u8> },
    /// JKS and JCEKS: an `EncryptedPrivateKeyInfo`.
    ProtectedPrivateKey { protected: Vec<u8>, chain: Vec<Vec<u8>> },
    /// PKCS#12.
    SecretKey(SecretKey),
    /// PKCS#12.
    PrivateKey(PrivateKey),
    /// DER of a trusted certificate.
    Certificate(Vec<u8>),
}

impl Content {
    fn kind(&self) -> EntryKind {
        match self {
            Self::SealedSecretKey { .. } | Self::SecretKey(_) => EntryKind::SecretKey,
            Self::ProtectedPrivateKey { .. } | Self::PrivateKey(_) => EntryKind::PrivateKey,
            Self::Certificate(_) => EntryKind::Certificate,
        }
    }
}

impl KeyStore {
    /// Reads a store file of any of the three formats and checks its integrity with the store password.
    ///
    /// # Errors
    /// If it cannot be read, is damaged or is no key store, or the password is wrong.
    pub fn open(path: &Path, password: &Password) -> Result<Self, KeyStoreError> {
        let io = |source| KeyStoreError::Io { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(io)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(KeyStoreError::TooLarge { bytes, max: FILE_BYTES_MAX });
        }
        Self::from_bytes(&std::fs::read(path).map_err(io)?, password)
    }

    /// As [`open`](Self::open), for a store in memory.
    ///
    /// # Errors
    /// If it is damaged or no key store, or the password is wrong.
    pub fn from_bytes(bytes: &[u8], password: &Password) -> Result<Self, KeyStoreError> {
        Self::read(bytes, Some(password))
    }

    /// As [`from_bytes`](Self::from_bytes), without a password, for stores that hold trusted certificates only: the
    /// integrity of JKS is not checked then, as in Java, and PKCS#12 must not be encrypted.
    ///
    /// # Errors
    /// If it is damaged, no key store, or needs a password.
    pub fn from_bytes_unchecked(bytes: &[u8]) -> Result<Self, KeyStoreError> {
        Self::read(bytes, None)
    }

    fn read(bytes: &[u8], password: Option<&Password>) -> Result<Self, KeyStoreError> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(KeyStoreError::TooLarge { bytes: bytes.len() as u64, max: FILE_BYTES_MAX });
        }
        const DER_SEQUENCE: u8 = 0x30;
        let magic = bytes.first_chunk().map(|first| u32::from_be_bytes(*first));
        let entries = match magic {
            Some(jks::JKS_MAGIC | jks::JCEKS_MAGIC) => jks::read(bytes, password)?,
            Some(first) if first >> 24 == u32::from(DER_SEQUENCE) => {
                pkcs12::read(bytes, password.unwrap_or(&Password::new("")))?
            }
            _ => return Err(KeyStoreError::UnknownFormat),
        };
        Ok(Self { entries })
    }

    /// Names and kinds of all entries, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = (&str, EntryKind)> {
        self.entries.iter().map(|e| (e.alias.as_str(), e.content.kind()))
    }

    /// DER of all trusted certificates.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter_map(|e| match &e.content {
            Content::Certificate(der) => Some(der.as_slice()),
            _ => None,
        })
    }

    /// DER of the first certificate of each private key: those of the keys themselves, which Java trusts too where a
    /// store is used as a trust store.
    pub fn certificates_of_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.entries
            .iter()
            .filter_map(|e| match &e.content {
                Content::ProtectedPrivateKey { chain, .. } => chain.first(),
                Content::PrivateKey(key) => key.chain.first(),
                _ => None,
            })
            .map(Vec::as_slice)
    }

    /// A symmetric key. `password` is the key's own; in PKCS#12 it is not used.
    ///
    /// # Errors
    /// If there is no such entry, it is something else, or the password is wrong.
    pub fn secret_key(&self, alias: &str, password: &Password) -> Result<SecretKey, KeyStoreError> {
        let entry = self.find(alias)?;
        match &entry.content {
            Content::SecretKey(key) => Ok(key.clone()),
            Content::SealedSecretKey { algorithm, parameters, sealed } if algorithm == PBE_MD5_TRIPLE_DES => {
                let plain =
                    protect::open_sealed(parameters, sealed, password).map_err(|r| entry.refused(r))?;
                entry.unsealed(&plain)
            }
            Content::SealedSecretKey { algorithm, .. } => {
                Err(entry.refused(Refused::Unsupported(format!("sealing with {algorithm}"))))
            }
            _ => Err(entry.other_kind(EntryKind::SecretKey)),
        }
    }

    /// A private key with its chain. `password` is the key's own; in PKCS#12 it is not used.
    ///
    /// # Errors
    /// If there is no such entry, it is something else, or the password is wrong.
    pub fn private_key(&self, alias: &str, password: &Password) -> Result<PrivateKey, KeyStoreError> {
        let entry = self.find(alias)?;
        match &entry.content {
            Content::PrivateKey(key) => Ok(key.clone()),
            Content::ProtectedPrivateKey { protected, chain } => {
                let pkcs8 = protect::open_private_key(protected, password).map_err(|r| entry.refused(r))?;
                Ok(PrivateKey { pkcs8, chain: chain.clone() })
            }
            _ => Err(entry.other_kind(EntryKind::PrivateKey)),
        }
    }

    /// Java compares names without regard to case (and writes them in lower case).
    fn find(&self, alias: &str) -> Result<&Entry, KeyStoreError> {
        let lower = alias.to_lowercase();
        self.entries.iter().find(|e| e.alias.to_lowercase() == lower).ok_or_else(|| {
            KeyStoreError::MissingAlias {
                alias: alias.to_owned(),
                known: self.entries.iter().map(|e| e.alias.clone()).collect(),
            }
        })
    }
}

impl Entry {
    /// The key in the decrypted content of a sealed object: a `SecretKeySpec`, or the `KeyRep` that stands
    /// for the JDK's own key classes (DES, DESede). A wrong password that happens to leave a valid padding
    /// (one in 256) ends here.
    fn unsealed(&self, plain: &[u8]) -> Result<SecretKey, KeyStoreError> {
        let mut reader = Reader::new(plain);
        let key = match java::read_object(&mut reader) {
            Ok(key) if reader.is_at_end() => key,
            _ => return Err(self.refused(Refused::WrongPassword)),
        };
        let bytes = match &*key.class {
            "javax.crypto.spec.SecretKeySpec" => key.bytes("key"),
            "java.security.KeyRep" if key.text("format") == Some("RAW") => key.bytes("encoded"),
            other => return Err(self.refused(Refused::Unsupported(format!("a key of class {other}")))),
        };
        let bytes = bytes.ok_or_else(|| self.refused(Refused::Malformed("the key object has no key")))?;
        Ok(SecretKey {
            algorithm: key.text("algorithm").unwrap_or_default().to_owned(),
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    fn refused(&self, refused: Refused) -> KeyStoreError {
        let alias = self.alias.clone();
        match refused {
            Refused::WrongPassword => KeyStoreError::WrongKeyPassword { alias },
            Refused::Malformed(what) => {
                KeyStoreError::Malformed { at: 0, what: format!("entry `{alias}`: {what}") }
            }
            Refused::Unsupported(what) => KeyStoreError::Unsupported { alias, what },
        }
    }

    fn other_kind(&self, wanted: EntryKind) -> KeyStoreError {
        KeyStoreError::OtherKind { alias: self.alias.clone(), found: self.content.kind(), wanted }
    }
}

impl std::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padding_that_is_valid_by_chance_is_still_a_wrong_password() {
        let entry = Entry { alias: "key-0".into(), content: Content::Certificate(Vec::new()) };
        for garbage in [&b""[..], b"\x12\x34", b"\xAC\xED\x00\x05", b"\xAC\xED\x00\x05p", &[0x73; 40]] {
            let refused = entry.unsealed(garbage).expect_err("no key");
            assert!(matches!(refused, KeyStoreError::WrongKeyPassword { .. }), "{refused:?}");
        }
    }
}
