//! AES in GCM, by length of the key: ring's for 128 and 256 bits, which is about as quick as CTR (it seals and
//! authenticates in one pass), RustCrypto's for 192, which ring does not have.
//!
//! It is the same AES-GCM, byte for byte: tests/vectors.tsv pins both, short records and long.

use aes_gcm::aead::array::Array;
use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

pub(crate) const TAG_BYTES: usize = 16;

/// The cipher under one key. Nonces are the caller's: a record's number, used once with a key.
pub(crate) enum Gcm {
    Ring(Box<LessSafeKey>),
    Bits192(Box<AesGcm<aes::Aes192, U12>>),
}

/// A key of another length, content that is too long, or a tag that does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("AES-GCM refused")]
pub(crate) struct Refused;

impl From<ring::error::Unspecified> for Refused {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}
impl From<aes_gcm::Error> for Refused {
    fn from(_: aes_gcm::Error) -> Self {
        Self
    }
}

impl Gcm {
    pub(crate) fn new(key: &[u8]) -> Result<Self, Refused> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            24 => return Ok(Self::Bits192(Box::new(AesGcm::new_from_slice(key).map_err(|_| Refused)?))),
            _ => &AES_256_GCM,
        };
        Ok(Self::Ring(Box::new(LessSafeKey::new(UnboundKey::new(algorithm, key)?))))
    }

    /// Seals in place; returns the tag.
    pub(crate) fn seal(
        &self,
        record: u32,
        associated: &[u8],
        content: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], Refused> {
        match self {
            Self::Ring(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce(record));
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), content)?;
                tag.as_ref().try_into().map_err(|_| Refused)
            }
            Self::Bits192(aes) => {
                let tag = aes.encrypt_inout_detached(&Array(nonce(record)), associated, content.into())?;
                Ok(tag.0)
            }
        }
    }

    /// Opens in place. What is in `content` after a refusal is of no use.
    pub(crate) fn open(
        &self,
        record: u32,
        associated: &[u8],
        content: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), Refused> {
        match self {
            Self::Ring(key) => {
                let (nonce, tag) = (Nonce::assume_unique_for_key(nonce(record)), Tag::from(*tag));
                key.open_in_place_separate_tag(nonce, Aad::from(associated), tag, content, 0..)?;
            }
            Self::Bits192(aes) => {
                let (nonce, tag) = (Array(nonce(record)), Array(*tag));
                aes.decrypt_inout_detached(&nonce, associated, content.into(), &tag)?;
            }
        }
        Ok(())
    }
}

fn nonce(record: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&record.to_be_bytes());
    nonce
}
