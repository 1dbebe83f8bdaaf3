//! What a certificate says of itself, where more is wanted than webpki tells.

use std::net::IpAddr;

use der::asn1::AnyRef;
use der::{Decode, Encode};
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::certificate::{Certificate, Version};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};

/// Names in messages are cut off here: whoever connects may send us any.
const NAME_CHARACTERS_MAX: usize = 200;

/// The parts of a certificate that are of use to us.
pub(crate) struct Facts {
    parsed: Certificate,
}

/// The names that a certificate is for.
#[derive(Default)]
pub(crate) struct Names {
    /// DNS names; with any, the common name does not count (RFC 6125, and Java).
    pub dns: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// The common name of the subject.
    pub common: Option<String>,
}

impl Facts {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        Certificate::from_der(certificate.as_ref()).ok().map(|parsed| Self { parsed })
    }

    pub(crate) fn subject(&self) -> String {
        printable(&self.parsed.tbs_certificate().subject().to_string())
    }
    pub(crate) fn issuer(&self) -> String {
        printable(&self.parsed.tbs_certificate().issuer().to_string())
    }
    /// Version 1 has no extensions; `openssl x509 -req` made such for long. webpki does not read them.
    pub(crate) fn is_version_1(&self) -> bool {
        self.parsed.tbs_certificate().version() == Version::V1
    }
    /// Whether it may sign others, by the rules of Java: version 1 says nothing about it.
    pub(crate) fn is_authority(&self) -> bool {
        self.is_version_1()
            || matches!(
                self.parsed.tbs_certificate().get_extension::<BasicConstraints>(),
                Ok(Some((_, constraints))) if constraints.ca
            )
    }
    pub(crate) fn is_issued_by(&self, issuer: &Self) -> bool {
        self.parsed.tbs_certificate().issuer() == issuer.parsed.tbs_certificate().subject()
    }
    pub(crate) fn not_before_s(&self) -> u64 {
        self.parsed.tbs_certificate().validity().not_before.to_unix_duration().as_secs()
    }
    pub(crate) fn not_after_s(&self) -> u64 {
        self.parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs()
    }
    /// As a person reads it: `2026-02-27T10:00:00Z`.
    pub(crate) fn not_after(&self) -> String {
        self.parsed.tbs_certificate().validity().not_after.to_string()
    }
    pub(crate) fn is_valid_at(&self, now: UnixTime) -> bool {
        (self.not_before_s()..=self.not_after_s()).contains(&now.as_secs())
    }
    /// The bits of its public key.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.parsed.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes()
    }
    /// What kind of key it is: the content of the `AlgorithmIdentifier`, as webpki compares it.
    pub(crate) fn key_algorithm(&self) -> Option<Vec<u8>> {
        content(&self.parsed.tbs_certificate().subject_public_key_info().algorithm.to_der().ok()?)
    }
    /// What its issuer signed with, likewise, and the signature.
    pub(crate) fn signature(&self) -> Option<(Vec<u8>, &[u8])> {
        let algorithm = content(&self.parsed.signature_algorithm().to_der().ok()?)?;
        Some((algorithm, self.parsed.signature().raw_bytes()))
    }

    pub(crate) fn names(&self) -> Names {
        let tbs = self.parsed.tbs_certificate();
        let mut names = Names { common: common_name(self), ..Names::default() };
        let alternatives = match tbs.get_extension::<SubjectAltName>() {
            Ok(found) => found.map(|(_, names)| names.0).unwrap_or_default(),
            // It has names that cannot be read: the common name must not stand in for them.
            Err(_) => return Names::default(),
        };
        for name in alternatives {
            match name {
                GeneralName::DnsName(name) => names.dns.push(name.as_str().to_owned()),
                GeneralName::IpAddress(octets) => {
                    let four = <[u8; 4]>::try_from(octets.as_bytes()).map(IpAddr::from);
                    let sixteen = <[u8; 16]>::try_from(octets.as_bytes()).map(IpAddr::from);
                    names.addresses.extend(four.or(sixteen));
                }
                _ => {}
            }
        }
        names
    }
}

fn common_name(facts: &Facts) -> Option<String> {
    let name = facts.parsed.tbs_certificate().subject().common_name().ok()??;
    Some(name.value().into_owned())
}

fn content(der: &[u8]) -> Option<Vec<u8>> {
    AnyRef::from_der(der).ok().map(|any| any.value().to_vec())
}

/// The signed part of a certificate, as its bytes lie.
pub(crate) fn signed_part<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    let whole = AnyRef::from_der(certificate.as_ref()).ok()?;
    let (_, rest) = AnyRef::from_der_partial(whole.value()).ok()?;
    whole.value().get(..whole.value().len() - rest.len())
}

impl Names {
    /// Whether they are those of a host, by Java's rules: an address has to stand there as an address; the common
    /// name counts if there is no DNS name; a star stands for one label, the first.
    pub(crate) fn are_of(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        if self.dns.is_empty() {
            return self.common.as_deref().is_some_and(|name| is_name_of(name, host));
        }
        self.dns.iter().any(|name| is_name_of(name, host))
    }
    /// All of them, for messages.
    pub(crate) fn list(&self) -> String {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        let mut all: Vec<String> = self.dns.iter().cloned().chain(addresses).collect();
        if self.dns.is_empty() {
            all.extend(self.common.clone());
        }
        if all.is_empty() { "no host".to_owned() } else { printable(&all.join(", ")) }
    }
}

fn is_name_of(name: &str, host: &str) -> bool {
    let (name, host) = (name.trim_end_matches('.'), host.trim_end_matches('.'));
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(parent) = name.strip_prefix("*.") else { return false };
    // A star for a whole top-level domain is nobody's.
    parent.contains('.')
        && !parent.contains('*')
        && host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
}

/// Text from a peer, for a log: no control characters, not too long.
pub(crate) fn printable(text: &str) -> String {
    let mut out: String = text.chars().take(NAME_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_hosts_as_java_matches_them() {
        let names = |dns: &[&str], common: &str| Names {
            dns: dns.iter().map(|n| (*n).to_owned()).collect(),
            addresses: vec!["10.0.0.1".parse().expect("an address")],
            common: Some(common.to_owned()),
        };
        let with_dns = names(&["a.example.org", "*.example.com"], "common");
        for host in ["a.example.org", "A.Example.org.", "x.example.com", "10.0.0.1"] {
            assert!(with_dns.are_of(host), "{host}");
        }
        for host in ["common", "x.y.example.com", "example.com", ".example.com", "10.0.0.2", "*.example.org"]
        {
            assert!(!with_dns.are_of(host), "{host}");
        }
        assert!(names(&[], "common").are_of("COMMON"));
        assert!(!names(&[], "10.0.0.9").are_of("10.0.0.9"), "an address is no common name");
        assert!(!names(&["*.com", "*"], "x").are_of("a.com"));
    }

    #[test]
    fn what_a_peer_calls_itself_cannot_forge_log_lines() {
        let shown = printable(&("a\nb\u{1b}[0m".to_owned() + &"x".repeat(500)));
        assert!(!shown.contains('\n') && !shown.contains('\u{1b}') && shown.chars().count() < 250, "{shown}");
    }
}
