//! The files that keys and certificates lie in: JKS, JCEKS, PKCS12 or PEM, told apart by their first bytes.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use flumen_keystore::{EntryKind, KeyStore, KeyStoreError, Password, PrivateKey, open_encrypted_pkcs8};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::{StoreProblem, StoreRole, TlsError};
use crate::keys::Keys;
use crate::said::warn_of_validity;

/// A bundle of all authorities of the world has a few hundred KiB; a larger file is a wrong path.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a file is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Java's own. As Java's reader of it, PKCS12 is accepted in its place.
    Jks,
    /// Java's own with better protection.
    Jceks,
    /// RFC 7292: `keytool` since Java 9, `openssl pkcs12`. JKS is accepted in its place, as Java does.
    Pkcs12,
    /// Text: `-----BEGIN …`.
    Pem,
}

impl StoreKind {
    /// The kind of a type's name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            ("JKS", Self::Jks),
            ("JCEKS", Self::Jceks),
            ("PKCS12", Self::Pkcs12),
            ("P12", Self::Pkcs12),
            ("PFX", Self::Pkcs12),
            ("PEM", Self::Pem),
        ];
        all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }
    fn name(self) -> &'static str {
        match self {
            Self::Jks => "JKS",
            Self::Jceks => "JCEKS",
            Self::Pkcs12 => "PKCS12",
            Self::Pem => "PEM",
        }
    }
}

/// A store: where, with which password, and what it is said to be (or nothing: its content tells).
#[derive(Clone, Debug)]
pub struct StoreFile {
    /// The file.
    pub path: PathBuf,
    /// Its password.
    pub password: Option<Password>,
    /// Its type.
    pub kind: Option<StoreKind>,
    /// The key that holds the password in a configuration, for messages.
    pub password_key: &'static str,
}

/// A key and its certificates, as rustls takes them.
pub(crate) struct Identity {
    /// Its name in the store, for messages.
    pub alias: String,
    pub key: PrivateKeyDer<'static>,
    pub chain: Vec<CertificateDer<'static>>,
}

enum Content {
    Store(KeyStore),
    Pem(Vec<u8>),
}

impl StoreFile {
    /// All private keys, or the one of a name, ready for use.
    pub(crate) fn keys(&self, alias: Option<&str>, provider: &CryptoProvider) -> Result<Keys, TlsError> {
        let failed = |problem| self.failed(StoreRole::Key, problem);
        let identities = self.read_identities(alias).map_err(failed)?;
        if let [_, _, ..] = &identities[..] {
            let names: Vec<&str> = identities.iter().map(|identity| identity.alias.as_str()).collect();
            tracing::info!(
                "key store `{}` has several keys ({}): the first that suits the other side is used; \
                 `keystore-alias` chooses one",
                self.path.display(),
                names.join(", ")
            );
        }
        let keys = Keys::of(identities, provider).map_err(failed)?;
        for key in &keys.0 {
            key.cert.first().into_iter().for_each(|own| warn_of_validity(StoreRole::Key, &self.path, own));
        }
        Ok(keys)
    }

    /// The trusted certificates; the certificates of private keys count too, as in Java.
    pub(crate) fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let trusted = self.read_trusted().map_err(|problem| self.failed(StoreRole::Trust, problem))?;
        trusted.iter().for_each(|one| warn_of_validity(StoreRole::Trust, &self.path, one));
        Ok(trusted)
    }

    fn failed(&self, role: StoreRole, problem: StoreProblem) -> TlsError {
        TlsError::Store { role, path: self.path.clone(), problem }
    }

    fn read_identities(&self, alias: Option<&str>) -> Result<Vec<Identity>, StoreProblem> {
        let store = match self.open()? {
            Content::Pem(text) => {
                return Ok(vec![pem_identity(&text, self.password.as_ref(), self.password_key)?]);
            }
            Content::Store(store) => store,
        };
        let password = self.password.clone().ok_or(StoreProblem::NoPassword(self.password_key))?;
        let names: Vec<&str> = store
            .entries()
            .filter(|(_, kind)| *kind == EntryKind::PrivateKey)
            .map(|(name, _)| name)
            .collect();
        if names.is_empty() {
            return Err(StoreProblem::NoPrivateKey(inventory(&store)));
        }
        let mut wanted = names.clone();
        if let Some(alias) = alias {
            wanted.retain(|name| name.eq_ignore_ascii_case(alias));
        }
        if wanted.is_empty() {
            let (alias, known) = (alias.unwrap_or_default().to_owned(), names.join(", "));
            return Err(StoreProblem::NoSuchKey { alias, known });
        }
        let read = |name: &str| {
            let key: PrivateKey = store.private_key(name, &password).map_err(StoreProblem::Store)?;
            Ok(Identity {
                alias: name.to_owned(),
                key: PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()).into(),
                chain: key.chain.into_iter().map(CertificateDer::from).collect(),
            })
        };
        wanted.into_iter().map(read).collect()
    }

    fn read_trusted(&self) -> Result<Vec<CertificateDer<'static>>, StoreProblem> {
        match self.open()? {
            Content::Pem(text) => pem_certificates(&text),
            Content::Store(store) => {
                let all = store.certificates().chain(store.certificates_of_keys());
                let found: Vec<_> = all.map(|der| CertificateDer::from(der.to_vec())).collect();
                if found.is_empty() { Err(StoreProblem::NoCertificate(inventory(&store))) } else { Ok(found) }
            }
        }
    }

    fn without_password(&self, bytes: &[u8]) -> Result<KeyStore, StoreProblem> {
        KeyStore::from_bytes_unchecked(bytes).map_err(|error| match error {
            KeyStoreError::WrongStorePassword => StoreProblem::NoPassword(self.password_key),
            other => StoreProblem::Store(other),
        })
    }

    fn open(&self) -> Result<Content, StoreProblem> {
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(StoreProblem::Io)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(StoreProblem::Io)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(StoreProblem::TooLarge { bytes: bytes.len() as u64, max: FILE_BYTES_MAX });
        }
        let is_pem = bytes.windows(11).any(|window| window == b"-----BEGIN ");
        match self.kind {
            Some(kind @ (StoreKind::Jks | StoreKind::Jceks | StoreKind::Pkcs12)) if is_pem => {
                Err(StoreProblem::OtherType { found: "PEM", wanted: kind.name() })
            }
            Some(StoreKind::Pem) if !is_pem => {
                Err(StoreProblem::Pem("there is no `-----BEGIN …` in it: this is no PEM file".to_owned()))
            }
            _ if is_pem => Ok(Content::Pem(bytes)),
            _ => {
                let store = match &self.password {
                    Some(password) => KeyStore::from_bytes(&bytes, password).map_err(StoreProblem::Store)?,
                    None => self.without_password(&bytes)?,
                };
                Ok(Content::Store(store))
            }
        }
    }
}

fn inventory(store: &KeyStore) -> String {
    let entries: Vec<String> = store.entries().map(|(alias, kind)| format!("{kind} `{alias}`")).collect();
    if entries.is_empty() { "nothing".to_owned() } else { entries.join(", ") }
}

fn pem_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, StoreProblem> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| StoreProblem::Pem(format!("a certificate is damaged: {error}")))?;
    if found.is_empty() { Err(StoreProblem::NoCertificate("no certificate".to_owned())) } else { Ok(found) }
}

fn pem_identity(
    text: &[u8],
    password: Option<&Password>,
    password_key: &'static str,
) -> Result<Identity, StoreProblem> {
    let chain = pem_certificates(text)?;
    let key = match encrypted_block(text) {
        Some(block) => {
            let password = password.ok_or(StoreProblem::NoPassword(password_key))?;
            let der = PrivatePkcs8KeyDer::from_pem_slice(block.as_bytes()).map_err(|error| {
                StoreProblem::Pem(format!("its encrypted private key is damaged: {error}"))
            })?;
            let plain =
                open_encrypted_pkcs8(der.secret_pkcs8_der(), password).map_err(StoreProblem::Store)?;
            PrivatePkcs8KeyDer::from(plain.to_vec()).into()
        }
        None => {
            PrivateKeyDer::from_pem_slice(text).map_err(|error| StoreProblem::Pem(no_key(text, &error)))?
        }
    };
    Ok(Identity { alias: "PEM".to_owned(), key, chain })
}

/// The block of an encrypted key, under the label of one that is not: the reader of PEM knows no other.
fn encrypted_block(text: &[u8]) -> Option<String> {
    const LABEL: &str = "ENCRYPTED PRIVATE KEY-----";
    let text = String::from_utf8_lossy(text);
    let start = text.find(&format!("-----BEGIN {LABEL}"))?;
    let length = text[start..].find(&format!("-----END {LABEL}"))? + "-----END ".len() + LABEL.len();
    Some(text[start..start + length].replace("ENCRYPTED PRIVATE KEY", "PRIVATE KEY"))
}

fn no_key(text: &[u8], error: &pem::Error) -> String {
    let text = String::from_utf8_lossy(text);
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return "its private key is encrypted in the old way of OpenSSL: write it anew with openssl pkcs8 -topk8".to_owned();
    }
    match error {
        pem::Error::NoItemsFound => {
            "there is no private key in it; put the key and the certificate chain into one file".to_owned()
        }
        other => format!("its private key is damaged: {other}"),
    }
}
