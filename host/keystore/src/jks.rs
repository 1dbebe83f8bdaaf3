//! The bytes of JKS and JCEKS stores (sun.security.provider.JavaKeyStore, com.sun.crypto.provider.JceKeyStore).
//!
//! ```text
//! magic FEEDFEED (JKS) or CECECECE (JCEKS) │ version 1 or 2 │ number of entries
//! entry: tag │ alias utf │ date 8 │
//!   1 private key   block: EncryptedPrivateKeyInfo │ number of certificates │ certificate…
//!   2 certificate   [type utf, from version 2] block: DER
//!   3 secret key    a serialized SealedObject (JCEKS only); nothing says how long it is
//! SHA-1(password in UTF-16 ‖ "Mighty Aphrodite" ‖ everything before), 20 bytes
//! ```

use sha1::{Digest, Sha1};

use crate::error::KeyStoreError;
use crate::java;
use crate::password::Password;
use crate::reader::Reader;
use crate::store::{Content, Entry};

pub const JKS_MAGIC: u32 = 0xFEED_FEED;
pub const JCEKS_MAGIC: u32 = 0xCECE_CECE;
const DIGEST_BYTES: usize = 20;
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// The entries of a store whose integrity has been checked; without a password it cannot be, as in Java, and only
/// what needs no secret is of use then.
pub fn read(bytes: &[u8], password: Option<&Password>) -> Result<Vec<Entry>, KeyStoreError> {
    let Some(content_bytes) = bytes.len().checked_sub(DIGEST_BYTES) else {
        return Err(KeyStoreError::Truncated { at: 0, wanted: DIGEST_BYTES, left: bytes.len() });
    };
    let (content, digest) = bytes.split_at(content_bytes);
    let Some(password) = password else { return entries(content) };
    let sealed =
        Sha1::new().chain_update(&password.utf16_be()[..]).chain_update(WHITENER).chain_update(content);
    let intact = sealed.finalize()[..] == *digest;
    // A file that is cut off fails the digest too, but the structure can say so more plainly.
    match entries(content) {
        Ok(entries) if intact => Ok(entries),
        Err(error) if intact || matches!(error, KeyStoreError::Truncated { .. }) => Err(error),
        Ok(_) | Err(_) => Err(KeyStoreError::WrongStorePassword),
    }
}

fn entries(content: &[u8]) -> Result<Vec<Entry>, KeyStoreError> {
    let mut reader = Reader::new(content);
    let is_jceks = reader.u32()? == JCEKS_MAGIC;
    let version = reader.u32()?;
    if !(1..=2).contains(&version) {
        return Err(reader.malformed(format!("version {version} of the format is not known")));
    }
    let count = reader.u32()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let tag = reader.u32()?;
        let alias = reader.utf()?;
        reader.u64()?;
        let content = match tag {
            1 => private_key(&mut reader, version)?,
            2 => Content::Certificate(certificate(&mut reader, version)?),
            3 if is_jceks => secret_key(&mut reader)?,
            other => return Err(reader.malformed(format!("entry `{alias}` is of kind {other}"))),
        };
        entries.push(Entry { alias, content });
    }
    if !reader.is_at_end() {
        return Err(reader.malformed("something stands behind the last entry"));
    }
    Ok(entries)
}

fn private_key(reader: &mut Reader<'_>, version: u32) -> Result<Content, KeyStoreError> {
    let protected = reader.block()?.to_vec();
    let count = reader.u32()?;
    let mut chain = Vec::new();
    for _ in 0..count {
        chain.push(certificate(reader, version)?);
    }
    Ok(Content::ProtectedPrivateKey { protected, chain })
}

fn certificate(reader: &mut Reader<'_>, version: u32) -> Result<Vec<u8>, KeyStoreError> {
    if version == 2 {
        let kind = reader.utf()?;
        if kind != "X.509" && kind != "X509" {
            return Err(reader.malformed(format!("a certificate is of type {kind}")));
        }
    }
    Ok(reader.block()?.to_vec())
}

fn secret_key(reader: &mut Reader<'_>) -> Result<Content, KeyStoreError> {
    let sealed = java::read_object(reader)?;
    let missing = |what: &str| reader.malformed(format!("{} without {what}", sealed.class));
    Ok(Content::SealedSecretKey {
        algorithm: sealed.text("sealAlg").ok_or_else(|| missing("sealAlg"))?.to_owned(),
        parameters: sealed.bytes("encodedParams").ok_or_else(|| missing("encodedParams"))?.to_vec(),
        sealed: sealed.bytes("encryptedContent").ok_or_else(|| missing("encryptedContent"))?.to_vec(),
    })
}
