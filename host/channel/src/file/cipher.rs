//! What the log asks of encryption: to seal the payload of a record, and to open it again.
//!
//! ```text
//! segment head   key name, 16 random bytes ──┐
//! record head    its first event's number ──────┴──▶ RecordNonce      both stored in the clear
//! record         sealed payload                                   CRC32C over the sealed bytes
//! ```
//!
//! A segment is sealed with one key: the one that was active when the segment was made. A key that became active
//! later seals the segments made from then on; the old ones need theirs until they are drained. Numbers that
//! records carry (how many events, how many bytes, when) are not secret; bodies and headers are.

/// Names one record for ever, so that no two are sealed alike with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordNonce {
    /// Random bytes of the segment, drawn when it was made: a directory that is deleted and made again does not
    /// repeat them.
    pub segment: [u8; 16],
    /// The number of the record's first event in its segment. It is never used twice, also not after a failed write.
    pub record: u32,
}

/// A payload could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// The key is not among those configured. List it (`encryption.keyProvider.keys`) until its segments are drained.
    #[error("the key `{key}` is not among the configured keys ({known})")]
    UnknownKey {
        /// The key that is missing.
        key: String,
        /// Those there are, separated by commas.
        known: String,
    },
    /// The payload was not sealed with this key, or was changed since.
    #[error("the payload does not open with the key `{key}`: {cause}")]
    NotAuthentic {
        /// The key.
        key: String,
        /// What the cipher said.
        cause: String,
    },
    /// The cipher cannot be used, for a reason that lies outside of the record.
    #[error("the cipher failed: {0}")]
    Failed(String),
}

/// Seals and opens the payload of records. Called from several threads at once, off the runtime.
pub trait RecordCipher: Send + Sync {
    /// Name of the key that new segments are sealed with. Does not change while the channel lives.
    fn active_key(&self) -> &str;
    /// How a stored record names the cipher: `AESCTRNOPADDING` for example. Stored in the segment's head, so that
    /// a changed `encryption.cipherProvider` is a clear error and not garbage.
    fn name(&self) -> &str;
    /// Whether records that were sealed by the cipher of this name with the key of this name could be opened. Asked
    /// for every segment when the channel is opened: a missing key must not be found out in the middle of it.
    ///
    /// # Errors
    /// [`CipherError::UnknownKey`], or [`CipherError::Failed`] for another cipher.
    fn check(&self, cipher: &str, key: &str) -> Result<(), CipherError>;
    /// Appends the sealed form of `plain` to `out`, which may hold bytes already.
    ///
    /// # Errors
    /// If the cipher cannot be used; `out` is then of no use.
    fn seal(&self, nonce: RecordNonce, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError>;
    /// The same of a payload in two pieces.
    ///
    /// # Errors
    /// As for [`seal`](Self::seal).
    fn seal_pieces(
        &self,
        nonce: RecordNonce,
        pieces: [&[u8]; 2],
        out: &mut Vec<u8>,
    ) -> Result<(), CipherError> {
        self.seal(nonce, &pieces.concat(), out)
    }
    /// Opens what [`seal`](Self::seal) made with the key of this name under the same nonce.
    ///
    /// # Errors
    /// If the key is not known, or the bytes are not what was sealed (a cipher without authentication cannot tell).
    fn open(
        &self,
        cipher: &str,
        key: &str,
        nonce: RecordNonce,
        sealed: &[u8],
    ) -> Result<Vec<u8>, CipherError>;
}
