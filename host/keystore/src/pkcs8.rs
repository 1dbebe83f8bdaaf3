//! Private keys that are encrypted one by one: `-----BEGIN ENCRYPTED PRIVATE KEY-----` (RFC 5958, RFC 8018).

use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Encode, Sequence};
use pkcs5::EncryptionScheme;
use pkcs5::pbes2::Kdf;
use zeroize::Zeroizing;

use crate::error::KeyStoreError;
use crate::password::Password;

/// What `openssl` writes is 2,048; more than this would be a way to keep us busy.
const ITERATIONS_MAX: u32 = 5_000_000;
/// Of scrypt, 128 × cost × block size: `openssl` takes 16 MiB.
const SCRYPT_BYTES_MAX: u64 = 256 << 20;
const SCRYPT_PARALLEL_MAX: u16 = 16;

#[derive(Sequence)]
struct EncryptedKey<'a> {
    scheme: AnyRef<'a>,
    content: &'a OctetStringRef,
}

/// The PKCS#8 key inside an `EncryptedPrivateKeyInfo`.
///
/// # Errors
/// If it is damaged, encrypted in a way that is not supported, or the password is wrong.
pub fn open_encrypted_pkcs8(der: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    let unsupported =
        |what: &str| KeyStoreError::Unsupported { alias: "PEM".to_owned(), what: what.to_owned() };
    let key = EncryptedKey::from_der(der).map_err(|error| KeyStoreError::Malformed {
        at: 0,
        what: format!("no EncryptedPrivateKeyInfo: {error}"),
    })?;
    let scheme = key.scheme.to_der().ok().and_then(|der| EncryptionScheme::try_from(&der[..]).ok());
    let parameters = match &scheme {
        Some(EncryptionScheme::Pbes2(parameters)) => parameters,
        _ => return Err(unsupported("its encryption (write it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc)")),
    };
    let is_believed = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => kdf.iteration_count <= ITERATIONS_MAX,
        Kdf::Scrypt(kdf) => {
            let bytes = 128_u64.saturating_mul(kdf.cost_parameter).saturating_mul(kdf.block_size.into());
            bytes <= SCRYPT_BYTES_MAX && kdf.parallelization <= SCRYPT_PARALLEL_MAX
        }
        _ => return Err(unsupported("its key derivation")),
    };
    if !is_believed {
        return Err(unsupported("a key derivation of such cost"));
    }
    let plain = parameters.decrypt(password.expose(), key.content.as_bytes()).map(Zeroizing::new);
    // A padding that is valid by chance leaves something that is no key.
    plain
        .ok()
        .filter(|plain| AnyRef::from_der(plain).is_ok())
        .ok_or(KeyStoreError::WrongKeyPassword { alias: "PEM".to_owned() })
}
