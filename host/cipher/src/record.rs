//! Sealing and opening records; the formats are drawn in the crate's head.

use std::sync::{Arc, Mutex, PoisonError};

use aes::cipher::{KeyIvInit, StreamCipher};
use flumen_channel::file::cipher::{CipherError, RecordCipher, RecordNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::gcm::{Gcm, TAG_BYTES};
use crate::keys::Keys;

/// Segments whose keys are kept ready: the one that is written and a few that are read.
const READY_MAX: usize = 8;

/// Which of the two ciphers seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `AESCTRNOPADDING`, Flume's: hides the content, does not authenticate it.
    Ctr,
    /// `AESGCMNOPADDING`, the better choice: a changed or moved record does not open.
    Gcm,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ctr, Self::Gcm];

    /// The name in configurations and in segment heads.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ctr => "AESCTRNOPADDING",
            Self::Gcm => "AESGCMNOPADDING",
        }
    }
    /// The mode of a name, without regard to case as in Flume.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name().eq_ignore_ascii_case(name))
    }
}

/// Seals with one mode and the active key; opens both modes with every key.
pub struct AesRecordCipher {
    mode: Mode,
    keys: Keys,
    /// Derived keys, the latest first: deriving one costs as much as sealing a kilobyte.
    ready: Mutex<Vec<(SegmentKey, Arc<Aes>)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct SegmentKey {
    mode: Mode,
    key: usize,
    segment: [u8; 16],
}

/// The cipher of one segment.
enum Aes {
    Ctr(Zeroizing<Vec<u8>>),
    Gcm(Gcm),
}

impl AesRecordCipher {
    /// A cipher that seals in this mode with the active one of these keys.
    #[must_use]
    pub fn new(mode: Mode, keys: Keys) -> Self {
        Self { mode, keys, ready: Mutex::default() }
    }

    fn segment(&self, wanted: SegmentKey) -> Result<Arc<Aes>, CipherError> {
        // A panic under the lock leaves a shorter list at worst.
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = ready.iter().position(|(key, _)| *key == wanted) {
            ready[..=at].rotate_right(1);
            return Ok(ready[0].1.clone());
        }
        let aes = Arc::new(self.derive(wanted)?);
        ready.truncate(READY_MAX - 1);
        ready.insert(0, (wanted, aes.clone()));
        Ok(aes)
    }

    fn derive(&self, wanted: SegmentKey) -> Result<Aes, CipherError> {
        let (name, key) = &self.keys.keys[wanted.key];
        let mut derived = Zeroizing::new(vec![0; key.bytes().len()]);
        Hkdf::<Sha256>::new(Some(&wanted.segment), key.bytes())
            .expand_multi_info(&[wanted.mode.name().as_bytes(), &[0], name.as_bytes()], &mut derived)
            .map_err(|error| CipherError::Failed(error.to_string()))?;
        Ok(match wanted.mode {
            Mode::Ctr => Aes::Ctr(derived),
            Mode::Gcm => {
                Aes::Gcm(Gcm::new(&derived).map_err(|error| CipherError::Failed(error.to_string()))?)
            }
        })
    }

    fn key_at(&self, name: &str) -> Result<usize, CipherError> {
        self.keys
            .keys
            .iter()
            .position(|(known, _)| known == name)
            .ok_or_else(|| CipherError::UnknownKey { key: name.to_owned(), known: self.keys.known() })
    }
}

impl RecordCipher for AesRecordCipher {
    fn active_key(&self) -> &str {
        &self.keys.keys[self.keys.active].0
    }
    fn name(&self) -> &str {
        self.mode.name()
    }
    fn check(&self, cipher: &str, key: &str) -> Result<(), CipherError> {
        mode_of(cipher)?;
        self.key_at(key).map(|_| ())
    }

    fn seal(&self, nonce: RecordNonce, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        self.seal_pieces(nonce, [plain, &[]], out)
    }
    fn seal_pieces(
        &self,
        nonce: RecordNonce,
        pieces: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) -> Result<(), CipherError> {
        let wanted = SegmentKey { mode: self.mode, key: self.keys.active, segment: nonce.segment };
        let aes = self.segment(wanted)?;
        let start = out.len();
        pieces.iter().for_each(|piece| out.extend_from_slice(piece));
        let content = &mut out[start..];
        let gcm = match &*aes {
            Aes::Ctr(key) => return apply_ctr(key, nonce.record, content),
            Aes::Gcm(gcm) => gcm,
        };
        let tag = gcm.seal(nonce.record, &associated(self.mode, self.active_key(), nonce), content);
        out.extend_from_slice(&tag.map_err(|error| CipherError::Failed(error.to_string()))?);
        Ok(())
    }

    fn open(
        &self,
        cipher: &str,
        key: &str,
        nonce: RecordNonce,
        sealed: &[u8],
    ) -> Result<Vec<u8>, CipherError> {
        let mode = mode_of(cipher)?;
        let aes = self.segment(SegmentKey { mode, key: self.key_at(key)?, segment: nonce.segment })?;
        let gcm = match &*aes {
            Aes::Ctr(key) => {
                let mut content = sealed.to_vec();
                apply_ctr(key, nonce.record, &mut content)?;
                return Ok(content);
            }
            Aes::Gcm(gcm) => gcm,
        };
        let refused =
            |cause: &str| CipherError::NotAuthentic { key: key.to_owned(), cause: cause.to_owned() };
        let Some((content, tag)) = sealed.split_last_chunk::<TAG_BYTES>() else {
            return Err(refused("it is shorter than its tag"));
        };
        let mut content = content.to_vec();
        gcm.open(nonce.record, &associated(mode, key, nonce), &mut content, tag)
            .map_err(|_| refused("the tag does not match"))?;
        Ok(content)
    }
}

fn mode_of(cipher: &str) -> Result<Mode, CipherError> {
    Mode::of(cipher)
        .ok_or_else(|| CipherError::Failed(format!("records sealed by {cipher} cannot be opened")))
}

/// What a sealed record is bound to besides its content.
fn associated(mode: Mode, key: &str, nonce: RecordNonce) -> Vec<u8> {
    [mode.name().as_bytes(), &[0], key.as_bytes(), &[0], &nonce.segment, &nonce.record.to_be_bytes()].concat()
}

fn apply_ctr(key: &[u8], record: u32, content: &mut [u8]) -> Result<(), CipherError> {
    let mut block = [0; 16];
    block[..4].copy_from_slice(&record.to_be_bytes());
    let failed = |error: &dyn std::fmt::Display| CipherError::Failed(error.to_string());
    match key.len() {
        16 => ctr::Ctr32BE::<aes::Aes128>::new_from_slices(key, &block)
            .map_err(|e| failed(&e))?
            .try_apply_keystream(content)
            .map_err(|e| failed(&e)),
        24 => ctr::Ctr32BE::<aes::Aes192>::new_from_slices(key, &block)
            .map_err(|e| failed(&e))?
            .try_apply_keystream(content)
            .map_err(|e| failed(&e)),
        _ => ctr::Ctr32BE::<aes::Aes256>::new_from_slices(key, &block)
            .map_err(|e| failed(&e))?
            .try_apply_keystream(content)
            .map_err(|e| failed(&e)),
    }
}
