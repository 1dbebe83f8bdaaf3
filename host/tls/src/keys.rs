//! Our own keys: from what a store holds to what rustls signs with.

use std::sync::Arc;

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Tag, TagNumber, Tagged};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureScheme};

use crate::certificate::Facts;
use crate::error::StoreProblem;
use crate::store::Identity;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

/// The keys of a store, in its order. Of several the first that suits the other side is used; Java's choice among
/// them is arbitrary.
#[derive(Debug)]
pub(crate) struct Keys(pub Vec<Arc<CertifiedKey>>);

impl Keys {
    pub(crate) fn of(identities: Vec<Identity>, provider: &CryptoProvider) -> Result<Self, StoreProblem> {
        let mut keys = Vec::new();
        let mut refused = None;
        for identity in identities {
            match certified(&identity, provider) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(why) => refused = Some(StoreProblem::BadKey { alias: identity.alias, why }),
            }
        }
        match refused {
            Some(problem) if keys.is_empty() => Err(problem),
            Some(problem) => {
                tracing::warn!("of several keys one is left out: {problem}");
                Ok(Self(keys))
            }
            None => Ok(Self(keys)),
        }
    }

    fn suiting(&self, schemes: &[SignatureScheme]) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        self.0.iter().filter(|key| key.key.choose_scheme(schemes).is_some())
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let named = hello.server_name().and_then(|host| {
            let is_for_host = |key: &&Arc<CertifiedKey>| {
                let facts = key.cert.first().and_then(Facts::of);
                facts.is_some_and(|facts| facts.names().are_of(host))
            };
            self.suiting(schemes).find(is_for_host)
        });
        named.or_else(|| self.suiting(schemes).next()).cloned()
    }
}

impl rustls::client::ResolvesClientCert for Keys {
    fn resolve(&self, _authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.suiting(schemes).next().cloned()
    }
    fn has_certs(&self) -> bool {
        true
    }
}

/// A key with its certificate in front of the others. PEM files have them in any order.
fn certified(identity: &Identity, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    if identity.chain.is_empty() {
        return Err("no certificate belongs to it".to_owned());
    }
    let mut refused = None;
    for first in 0..identity.chain.len() {
        let mut chain = identity.chain.clone();
        chain[..=first].rotate_right(1);
        match with_first(&identity.key, chain, provider) {
            Ok(key) => return Ok(key),
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    Err(refused.unwrap_or_default())
}

fn with_first(
    key: &PrivateKeyDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let key = complete(key, &chain[0]).unwrap_or_else(|| key.clone_key());
    let reason = why_unusable(&key);
    let loaded = provider.key_provider.load_private_key(key);
    let loaded = loaded.map_err(|error| reason.unwrap_or_else(|| error.to_string()))?;
    let certified = CertifiedKey::new(chain, loaded);
    // A certificate of version 1 cannot be compared; the handshake will.
    match certified.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err("the certificate is not that of the key".to_owned())
        }
        _ => Ok(certified),
    }
}

fn algorithm(pkcs8: &[u8]) -> Option<(ObjectIdentifier, AnyRef<'_>, AnyRef<'_>)> {
    let [_version, algorithm, key, ..] = parts(AnyRef::from_der(pkcs8).ok()?.value())?[..] else {
        return None;
    };
    let oid = *parts(algorithm.value())?.first()?;
    Some((oid.decode_as().ok()?, algorithm, key))
}

/// Says in people's words what ring says of keys that it does not take.
fn why_unusable(key: &PrivateKeyDer<'_>) -> Option<String> {
    let advice = "make one that can: keytool -genkeypair -keyalg RSA -keysize 2048, or -keyalg EC -groupname secp256r1";
    let PrivateKeyDer::Pkcs8(der) = key else { return None };
    let (oid, ..) = algorithm(der.secret_pkcs8_der())?;
    let what = match oid {
        DSA => "DSA keys cannot be used for TLS any more",
        RSA => "RSA keys must have from 2048 to 8192 bits",
        EC => "EC keys must be on the curve secp256r1 or secp384r1",
        _ => return Some(format!("keys of the algorithm {oid} cannot be used for TLS here; {advice}")),
    };
    Some(format!("{what}; {advice}"))
}

/// An EC key as Java writes it lacks its public half, which ring wants to see; the certificate has it.
///
/// ```text
/// PrivateKeyInfo 30 │ version 0 │ algorithm │ 04 octets: 30 │ version 1 │ 04 scalar │ [0] curve? │ [1] point?
/// ```
fn complete(key: &PrivateKeyDer<'_>, own: &CertificateDer<'_>) -> Option<PrivateKeyDer<'static>> {
    let PrivateKeyDer::Pkcs8(der) = key else { return None };
    let (oid, algorithm, inner) = algorithm(der.secret_pkcs8_der())?;
    if oid != EC {
        return None;
    }
    let fields = parts(AnyRef::from_der(inner.value()).ok()?.value())?;
    const POINT: u8 = 0xA1;
    let point = Tag::ContextSpecific { constructed: true, number: TagNumber(1) };
    if fields.iter().any(|field| field.tag() == point) {
        return None;
    }
    let scalar = fields.get(1)?.value();
    let point = [&[0], Facts::of(own)?.public_key()].concat();
    let key = tlv(0x30, &[tlv(0x02, &[1]), tlv(0x04, scalar), tlv(POINT, &tlv(0x03, &point))].concat());
    let info = [tlv(0x02, &[0]), tlv(0x30, algorithm.value()), tlv(0x04, &key)].concat();
    Some(PrivatePkcs8KeyDer::from(tlv(0x30, &info)).into())
}

/// The objects in a sequence. A private key has a handful.
fn parts(mut bytes: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    const PARTS_MAX: usize = 16;
    let mut parts = Vec::new();
    while !bytes.is_empty() && parts.len() < PARTS_MAX {
        let (part, rest) = AnyRef::from_der_partial(bytes).ok()?;
        parts.push(part);
        bytes = rest;
    }
    Some(parts)
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let mut out = match len {
        0..0x80 => vec![tag, len as u8],
        0x80..0x100 => vec![tag, 0x81, len as u8],
        _ => vec![tag, 0x82, (len >> 8) as u8, len as u8],
    };
    out.extend_from_slice(content);
    out
}
