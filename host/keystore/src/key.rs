//! Keys as they come out of a store.

use std::fmt;

use zeroize::Zeroizing;

/// A symmetric key. Wiped when dropped; `Debug` shows its length only.
#[derive(Clone)]
pub struct SecretKey {
    /// The algorithm that the store names: `AES`, `DESede`, `HmacSHA256`; empty if it names none.
    pub algorithm: String,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

impl SecretKey {
    /// A key that comes from elsewhere than a store.
    #[must_use]
    pub fn new(algorithm: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { algorithm: algorithm.into(), bytes: Zeroizing::new(bytes) }
    }
    /// The key itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, {} bits)", self.algorithm, self.bytes.len() * 8)
    }
}

/// A private key and the certificates that go with it. Wiped when dropped; `Debug` shows lengths only.
#[derive(Clone)]
pub struct PrivateKey {
    pub(crate) pkcs8: Zeroizing<Vec<u8>>,
    /// DER of X.509 certificates, the key's own first.
    pub chain: Vec<Vec<u8>>,
}

impl PrivateKey {
    /// The key as DER of PKCS#8 `PrivateKeyInfo` (RFC 5208).
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} bytes, {} certificates)", self.pkcs8.len(), self.chain.len())
    }
}
