//! Whom we believe, by Java's rules where webpki's are others:
//!
//! * a certificate that lies in the trust store itself is believed, be it self-signed, of version 1, an authority's,
//!   or expired (then with a warning): that is how most of Flume's stores are made, with `keytool -genkeypair`;
//! * of those in the store only authorities can vouch for others (Java's `jdk.security.allowNonCaAnchor`);
//! * a certificate of version 1 that an authority of the store signed is believed;
//! * the common name is a host's name if the certificate has no other.
//!
//! Whatever is refused is refused in words that name the certificate. Signatures of the handshake are checked in any
//! case, also if everyone is believed.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use crate::certificate::{Facts, signed_part};
use crate::client::NameCheck;
use crate::error::TlsError;
use crate::said::say_once;

/// The certificates that are trusted.
pub(crate) struct Anchors {
    roots: Arc<RootCertStore>,
    own: HashSet<CertificateDer<'static>>,
    authorities: Vec<Facts>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Who the peer is, for messages.
#[derive(Clone, Copy)]
enum Peer {
    Server,
    Client,
}

impl Anchors {
    pub(crate) fn of(certificates: Vec<CertificateDer<'static>>, provider: &CryptoProvider) -> Self {
        let mut roots = RootCertStore::empty();
        let mut authorities = Vec::new();
        for certificate in &certificates {
            let Some(facts) = Facts::of(certificate).filter(Facts::is_authority) else { continue };
            if let Err(error) = roots.add(certificate.clone()) {
                tracing::debug!(%error, subject = facts.subject(), "a certificate cannot vouch for others");
            }
            authorities.push(facts);
        }
        let algorithms = provider.signature_verification_algorithms;
        Self { roots: Arc::new(roots), own: certificates.into_iter().collect(), authorities, algorithms }
    }

    /// The authorities of this machine, of which there are many: only their names and keys are kept.
    pub(crate) fn of_system(provider: &CryptoProvider) -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _unusable) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            return Err(TlsError::NoSystemTrust(why));
        }
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { roots: Arc::new(roots), own: HashSet::new(), authorities: Vec::new(), algorithms })
    }

    /// Whether the certificate itself lies in the trust store.
    fn has(&self, certificate: &CertificateDer<'_>, peer: Peer, now: UnixTime) -> bool {
        let is_own = self.own.contains(certificate);
        if let Some(facts) = is_own.then(|| Facts::of(certificate)).flatten()
            && !facts.is_valid_at(now)
        {
            say_once(format!("expired {}", facts.subject()), || {
                tracing::warn!(
                    "the {}'s certificate ({}) is not valid now (until {}); it is believed since the trust store has \
                     this very certificate, as in Java. Have it renewed",
                    peer.name(),
                    facts.subject(),
                    facts.not_after()
                );
            });
        }
        is_own
    }

    /// For certificates that webpki does not read: signed by an authority of the store, directly.
    fn vouch_for_version_1(
        &self,
        certificate: &CertificateDer<'_>,
        facts: &Facts,
        now: UnixTime,
    ) -> Result<(), Error> {
        if !facts.is_valid_at(now) {
            return Err(CertificateError::Expired.into());
        }
        let (Some(signed), Some((algorithm, signature))) = (signed_part(certificate), facts.signature())
        else {
            return Err(CertificateError::BadEncoding.into());
        };
        let is_signed_by = |issuer: &Facts| {
            self.algorithms.all.iter().any(|known| {
                known.signature_alg_id().as_ref() == algorithm
                    && issuer.key_algorithm().is_some_and(|key| key == known.public_key_alg_id().as_ref())
                    && known.verify_signature(issuer.public_key(), signed, signature).is_ok()
            })
        };
        let vouched =
            self.authorities.iter().any(|issuer| facts.is_issued_by(issuer) && is_signed_by(issuer));
        if vouched { Ok(()) } else { Err(CertificateError::UnknownIssuer.into()) }
    }

    fn tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Facts::of(certificate).filter(Facts::is_version_1) {
            Some(facts) => self.of_version_1(message, &facts, signature),
            None => verify_tls12_signature(message, certificate, signature, &self.algorithms),
        }
    }
    fn tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Facts::of(certificate).filter(Facts::is_version_1) {
            Some(facts) => self.of_version_1(message, &facts, signature),
            None => verify_tls13_signature(message, certificate, signature, &self.algorithms),
        }
    }
    fn of_version_1(
        &self,
        message: &[u8],
        facts: &Facts,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key_algorithm = facts.key_algorithm().unwrap_or_default();
        let of_scheme = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signature.scheme);
        let mut known = of_scheme.flat_map(|(_, algorithms)| algorithms.iter());
        let is_valid = known.any(|algorithm| {
            algorithm.public_key_alg_id().as_ref() == key_algorithm
                && algorithm.verify_signature(facts.public_key(), message, signature.signature()).is_ok()
        });
        if is_valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }
}

impl std::fmt::Debug for Anchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Anchors({} authorities, {} certificates)", self.roots.len(), self.own.len())
    }
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// A refusal in people's words; the peer is told `certificate_unknown`, as Java does.
#[derive(Debug)]
struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Refusal {}

fn refusal(text: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refusal(text)))))
}

fn explain(error: Error, peer: Peer, certificate: &CertificateDer<'_>) -> Error {
    use CertificateError as C;
    let Error::InvalidCertificate(found) = &error else { return error };
    let who = peer.name();
    let Some(facts) = Facts::of(certificate) else {
        return refusal(format!("the {who}'s certificate cannot be read"));
    };
    let which = format!("the {who}'s certificate ({}, issued by {})", facts.subject(), facts.issuer());
    refusal(match found {
        C::Expired | C::ExpiredContext { .. } if facts.is_valid_at(UnixTime::now()) => {
            format!("a certificate above {which} has expired: have it renewed")
        }
        C::Expired | C::ExpiredContext { .. } => {
            format!("{which} expired on {}: have it renewed", facts.not_after())
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            format!("{which} is not valid yet: is the clock of this host right?")
        }
        C::UnknownIssuer => format!(
            "nobody in the trust store vouches for {which}: import it, or its issuer's, with keytool -importcert"
        ),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            format!("{which} is not for {who}s (its extended key usage says so)")
        }
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => format!(
            "{which} is that of an authority: import this very certificate into the trust store, or give the {who} \
             one of its own"
        ),
        C::UnsupportedSignatureAlgorithmContext { .. } => {
            format!("{which} is signed in a way that is not safe any more (SHA-1, or a short key)")
        }
        other => format!("{which} is refused: {other}"),
    })
}

/// Whose word a client takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Believe {
    /// Anyone's who has the key of the certificate that he shows.
    Everyone,
    /// That of the trusted.
    Trusted(NameCheck),
}

/// What a client makes of a server's certificate.
#[derive(Debug)]
pub(crate) struct ServerCheck {
    pub anchors: Anchors,
    pub believe: Believe,
}

/// Both traits of rustls have these methods, and to signatures it is the same who makes them.
macro_rules! signatures_by_anchors {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.anchors.tls12(message, certificate, signature)
        }
        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.anchors.tls13(message, certificate, signature)
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.anchors.algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Believe::Trusted(name_check) = self.believe else { return Ok(ServerCertVerified::assertion()) };
        let anchors = &self.anchors;
        if !anchors.has(own, Peer::Server, now) {
            let checked = match Facts::of(own).filter(Facts::is_version_1) {
                Some(facts) => anchors.vouch_for_version_1(own, &facts, now),
                None => ParsedCertificate::try_from(own).and_then(|parsed| {
                    let algorithms = anchors.algorithms.all;
                    verify_server_cert_signed_by_trust_anchor(
                        &parsed,
                        &anchors.roots,
                        intermediates,
                        now,
                        algorithms,
                    )
                }),
            };
            checked.map_err(|error| explain(error, Peer::Server, own))?;
        }
        let host = host.to_str();
        let names = Facts::of(own).map(|facts| facts.names()).unwrap_or_default();
        if name_check == NameCheck::On && !names.are_of(&host) {
            return Err(refusal(format!(
                "the server's certificate is for {}, not for {host}: connect by one of its names, or set \
                 `verify-hostname = false`",
                names.list()
            )));
        }
        Ok(ServerCertVerified::assertion())
    }

    signatures_by_anchors!();
}

/// What a server makes of a client's certificate.
#[derive(Debug)]
pub(crate) struct ClientCheck {
    anchors: Anchors,
    /// Chains of authorities; `None` if the store has no authority.
    chains: Option<Arc<dyn ClientCertVerifier>>,
    is_needed: bool,
}

impl ClientCheck {
    pub(crate) fn new(
        certificates: Vec<CertificateDer<'static>>,
        is_needed: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let anchors = Anchors::of(certificates, &provider);
        let chains = match anchors.roots.is_empty() {
            true => None,
            false => {
                let built =
                    WebPkiClientVerifier::builder_with_provider(anchors.roots.clone(), provider).build();
                Some(built.map_err(|error| TlsError::Setup(error.to_string()))?)
            }
        };
        Ok(Self { anchors, chains, is_needed })
    }
}

impl ClientCertVerifier for ClientCheck {
    fn client_auth_mandatory(&self) -> bool {
        self.is_needed
    }
    /// None: a client whose self-signed certificate is in the store would find its issuer in no list.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.anchors.has(own, Peer::Client, now) {
            return Ok(ClientCertVerified::assertion());
        }
        let checked = match (Facts::of(own).filter(Facts::is_version_1), &self.chains) {
            (Some(facts), _) => self.anchors.vouch_for_version_1(own, &facts, now),
            (None, Some(chains)) => chains.verify_client_cert(own, intermediates, now).map(|_| ()),
            (None, None) => Err(CertificateError::UnknownIssuer.into()),
        };
        checked.map(|()| ClientCertVerified::assertion()).map_err(|error| explain(error, Peer::Client, own))
    }
    signatures_by_anchors!();
}
