//! Sun's two ways of protecting keys in JKS and JCEKS stores.
//!
//! ```text
//! JKS (OID 1.3.6.1.4.1.42.2.17.1.1), sun.security.provider.KeyProtector
//!   salt 20 │ key ⊕ stream │ SHA-1(password ‖ key) 20      stream: s0 = salt, s(n+1) = SHA-1(password ‖ s(n))
//! JCEKS (OID 1.3.6.1.4.1.42.2.19.1), PBEWithMD5AndTripleDES, com.sun.crypto.provider.PBES1Core
//!   each half of the salt: h = MD5(h ‖ password), iterations times; the two results are 24 bytes of key
//!   and 8 of IV for DES-EDE3 in CBC mode
//! ```
//! Passwords are UTF-16 in the first, ASCII in the second.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Sequence};
use md5::{Digest, Md5};
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::password::Password;

/// The name of JCEKS' algorithm in sealed objects.
pub const PBE_MD5_TRIPLE_DES: &str = "PBEWithMD5AndTripleDES";
const OID_JKS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");
const OID_JCEKS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.19.1");
const SHA1_BYTES: usize = 20;
/// The JDK's own limit (`jdk.jceks.iterationCount`): more would be a way to keep us busy.
const ITERATIONS_MAX: u32 = 5_000_000;

/// Why something protected stays so.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// What came out is not what went in.
    WrongPassword,
    /// The structure is wrong.
    Malformed(&'static str),
    /// An algorithm that is not one of the two.
    Unsupported(String),
}

#[derive(Sequence)]
struct Algorithm<'a> {
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct EncryptedPrivateKeyInfo<'a> {
    algorithm: Algorithm<'a>,
    content: &'a OctetStringRef,
}

#[derive(Sequence)]
struct PbeParameters<'a> {
    salt: &'a OctetStringRef,
    iterations: u32,
}

/// The PKCS#8 key inside a protected one.
pub fn open_private_key(protected: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let info = EncryptedPrivateKeyInfo::from_der(protected)
        .map_err(|_| Refused::Malformed("the protected key is no EncryptedPrivateKeyInfo"))?;
    match info.algorithm.oid {
        OID_JKS => open_jks(info.content.as_bytes(), password),
        OID_JCEKS => {
            let parameters = info.algorithm.parameters.as_ref();
            let parameters = parameters.and_then(|p| p.decode_as::<PbeParameters<'_>>().ok());
            let parameters =
                parameters.ok_or(Refused::Malformed("the key's protection has no parameters"))?;
            open_pbe(&parameters, info.content.as_bytes(), password)
        }
        other => Err(Refused::Unsupported(format!("key protection {other}"))),
    }
}

/// The content of a sealed object whose parameters are given as DER.
pub fn open_sealed(
    parameters: &[u8],
    content: &[u8],
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let parameters = PbeParameters::from_der(parameters)
        .map_err(|_| Refused::Malformed("the sealed object's parameters are not salt and iterations"))?;
    open_pbe(&parameters, content, password)
}

fn open_jks(content: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let Some(key_bytes) = content.len().checked_sub(2 * SHA1_BYTES) else {
        return Err(Refused::Malformed("the protected key is too short"));
    };
    let (salt, rest) = content.split_at(SHA1_BYTES);
    let (hidden, check) = rest.split_at(key_bytes);
    let password = password.utf16_be();
    let digest = |tail: &[u8]| -> [u8; SHA1_BYTES] {
        Sha1::new().chain_update(&password[..]).chain_update(tail).finalize().into()
    };
    let mut key = Zeroizing::new(Vec::with_capacity(key_bytes));
    let mut stream = digest(salt);
    for chunk in hidden.chunks(SHA1_BYTES) {
        key.extend(chunk.iter().zip(stream).map(|(hidden, stream)| hidden ^ stream));
        stream = digest(&stream);
    }
    if digest(&key)[..] == *check { Ok(key) } else { Err(Refused::WrongPassword) }
}

fn open_pbe(
    parameters: &PbeParameters<'_>,
    content: &[u8],
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let salt: [u8; 8] =
        parameters.salt.as_bytes().try_into().map_err(|_| Refused::Malformed("the salt has not 8 bytes"))?;
    if !(1..=ITERATIONS_MAX).contains(&parameters.iterations) {
        return Err(Refused::Malformed("the number of iterations is not between 1 and 5,000,000"));
    }
    // The JDK refuses such passwords when a key is stored, so none can be right.
    let password = password.ascii().ok_or(Refused::WrongPassword)?;
    let derived = derive(salt, parameters.iterations, password);
    let (key, iv) = derived.split_at(24);
    let cipher = cbc::Decryptor::<des::TdesEde3>::new_from_slices(key, iv)
        .map_err(|_| Refused::Malformed("the derived key has the wrong length"))?;
    let plain = cipher.decrypt_padded_vec::<Pkcs7>(content).map_err(|_| Refused::WrongPassword)?;
    Ok(Zeroizing::new(plain))
}

fn derive(mut salt: [u8; 8], iterations: u32, password: &[u8]) -> Zeroizing<[u8; 32]> {
    if salt[..4] == salt[4..] {
        // PBES1Core means to reverse the first half when both are the same. What it does is this, and since
        // stores are written with it, it is the format.
        for i in 0..2 {
            let kept = salt[i];
            salt[i] = salt[3 - i];
            salt[2] = kept;
        }
    }
    let mut derived = Zeroizing::new([0; 32]);
    for (half, out) in salt.chunks(4).zip(derived.chunks_mut(16)) {
        let mut hash: [u8; 16] = Md5::new().chain_update(half).chain_update(password).finalize().into();
        for _ in 1..iterations {
            hash = Md5::new().chain_update(hash).chain_update(password).finalize().into();
        }
        out.copy_from_slice(&hash);
    }
    derived
}
