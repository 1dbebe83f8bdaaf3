//! The ciphers that records of a durable channel are sealed with.
//!
//! ```text
//! key (16, 24 or 32 bytes, from the key store)
//!   └─ HKDF-SHA-256, salt = the segment's 16 random bytes, info = cipher name ‖ 00 ‖ key name
//!        └─ key of the segment, as long as the key
//!             AESCTRNOPADDING    counter block = record 4 │ 0 8 │ block 4     sealed = plain ⊕ stream
//!             AESGCMNOPADDING    nonce = record 4 │ 0 8                       sealed = plain ⊕ stream │ tag 16
//!                                associated: cipher name ‖ 00 ‖ key name ‖ 00 ‖ segment 16 ‖ record 4
//! ```
//!
//! Invariants: no counter block is used twice with one key. Segments have keys of their own, a record's number
//! is used once in its segment ([`RecordNonce`]), and a record has at most 2³² blocks.
//!
//! `AESCTRNOPADDING` is what Flume has, by Flume's name: it hides the content and nothing else. Whoever can
//! write to the disk can flip bits of a body; the record's CRC is no protection against that, as anybody can
//! compute it. `AESGCMNOPADDING` is ours and the better choice: a record that was changed, moved to another
//! place, or comes from another segment does not open. Both open what the other has sealed, so the setting
//! can be changed while events wait. Keys rotate likewise: the active one seals, all that are listed open.

mod gcm;
mod keys;
mod record;

pub use keys::{Keys, KeysError};
pub use record::{AesRecordCipher, Mode};
