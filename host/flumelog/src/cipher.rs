//! Flume's encryption of records: AES in counter mode with one first block for a whole log, so that every
//! record of a log is XORed with the same stream. That is weak (two records of a log give away the XOR of
//! their contents), and a reason to import; our own ciphers do not share it.

use aes::cipher::{KeyIvInit, StreamCipher};
use flumen_keystore::SecretKey;

use crate::meta::Encryption;

/// What Flume names its only cipher.
pub const FLUMES_CIPHER: &str = "AESCTRNOPADDING";

/// Opens the records of one log.
pub struct LogCipher {
    key: SecretKey,
    first_block: [u8; 16],
}

impl LogCipher {
    /// `None` if key or first block have a size that AES does not know.
    pub fn new(encryption: &Encryption, key: &SecretKey) -> Option<Self> {
        let first_block = encryption.first_block.as_slice().try_into().ok()?;
        matches!(key.bytes().len(), 16 | 24 | 32).then(|| Self { key: key.clone(), first_block })
    }

    /// Decrypts a record, or the beginning of one, in place.
    pub fn open(&self, bytes: &mut [u8]) {
        fn apply<C: KeyIvInit + StreamCipher>(key: &[u8], block: &[u8; 16], bytes: &mut [u8]) {
            // Sizes were checked when this was made, and the stream is longer than any file.
            if let Ok(mut cipher) = C::new_from_slices(key, block) {
                cipher.apply_keystream(bytes);
            }
        }
        let key = self.key.bytes();
        match key.len() {
            16 => apply::<ctr::Ctr128BE<aes::Aes128>>(key, &self.first_block, bytes),
            24 => apply::<ctr::Ctr128BE<aes::Aes192>>(key, &self.first_block, bytes),
            _ => apply::<ctr::Ctr128BE<aes::Aes256>>(key, &self.first_block, bytes),
        }
    }
}
