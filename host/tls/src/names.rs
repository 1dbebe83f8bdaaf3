//! Java's names of protocols and cipher suites, and which of them may be used.
//!
//! A name is one of three: one that we can do; one that Java knows and we refuse to do (old, broken, or without
//! forward secrecy); one that nobody knows, which is an error, since a misspelt name in a list that excludes
//! would leave the thing switched on.

use rustls::crypto::ring::cipher_suite as suites;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion};

/// What can be done, strongest first, as the client or server prefers it.
const SUITES: [(&str, SupportedCipherSuite); 9] = [
    ("TLS_AES_256_GCM_SHA384", suites::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", suites::TLS13_AES_128_GCM_SHA256),
    ("TLS_CHACHA20_POLY1305_SHA256", suites::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];
const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("TLSv1.3", &TLS13), ("TLSv1.2", &TLS12)];
/// Protocols that Java knows, and that nobody should speak any more (RFC 8996, RFC 7568).
const OLD_VERSIONS: [&str; 4] = ["TLSv1.1", "TLSv1", "SSLv3", "SSLv2Hello"];
/// Names of suites that Java knows and that are not made of the usual parts.
const ODD_SUITES: [&str; 3] =
    ["TLS_EMPTY_RENEGOTIATION_INFO_SCSV", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"];

/// The four lists of a component. Absent: everything is included, nothing excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Only these protocols.
    pub include_protocols: Option<Vec<String>>,
    /// Not these protocols.
    pub exclude_protocols: Vec<String>,
    /// Only these cipher suites.
    pub include_cipher_suites: Option<Vec<String>>,
    /// Not these cipher suites.
    pub exclude_cipher_suites: Vec<String>,
}

/// What may be agreed upon with a peer. Never empty.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) suites: Vec<SupportedCipherSuite>,
}

impl Limits {
    pub(crate) fn provider(&self) -> rustls::crypto::CryptoProvider {
        let mut provider = rustls::crypto::ring::default_provider();
        provider.cipher_suites.clone_from(&self.suites);
        provider
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { versions: VERSIONS.map(|(_, v)| v).to_vec(), suites: SUITES.map(|(_, s)| s).to_vec() }
    }
}

/// One of the four lists, under its key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameList {
    /// `include-protocols`
    IncludeProtocols,
    /// `exclude-protocols`
    ExcludeProtocols,
    /// `include-cipher-suites`
    IncludeCipherSuites,
    /// `exclude-cipher-suites`
    ExcludeCipherSuites,
}

/// Something about a name in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFinding {
    /// The list.
    pub list: NameList,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub help: String,
    /// Whether the component cannot run so.
    pub is_error: bool,
}

/// The names of all suites that can be done, for patterns to be compared with.
pub fn suite_names() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|(name, _)| *name)
}

pub(crate) fn suite_name(suite: CipherSuite) -> Option<&'static str> {
    SUITES.iter().find(|(_, s)| s.suite() == suite).map(|(name, _)| *name)
}

pub(crate) fn version_name(version: ProtocolVersion) -> Option<&'static str> {
    VERSIONS.iter().find(|(_, v)| v.version == version).map(|(name, _)| *name)
}

impl Names {
    /// What the lists leave, with everything there is to say about them; `None` after an error.
    pub fn limits(&self) -> (Option<Limits>, Vec<NameFinding>) {
        let mut findings = Vec::new();
        let mut look = |list: NameList, names: &[String]| {
            findings.extend(names.iter().filter_map(|name| finding(list, name)));
        };
        look(NameList::IncludeProtocols, self.include_protocols.as_deref().unwrap_or_default());
        look(NameList::ExcludeProtocols, &self.exclude_protocols);
        look(NameList::IncludeCipherSuites, self.include_cipher_suites.as_deref().unwrap_or_default());
        look(NameList::ExcludeCipherSuites, &self.exclude_cipher_suites);
        if findings.iter().any(|f| f.is_error) {
            return (None, findings);
        }
        let allowed = |name: &str, include: &Option<Vec<String>>, exclude: &[String]| {
            include.as_ref().is_none_or(|list| list.iter().any(|n| n == name))
                && !exclude.iter().any(|n| n == name)
        };
        let mut versions: Vec<_> = VERSIONS.to_vec();
        versions.retain(|(name, _)| allowed(name, &self.include_protocols, &self.exclude_protocols));
        let mut suites: Vec<_> = SUITES.to_vec();
        suites.retain(|(name, _)| allowed(name, &self.include_cipher_suites, &self.exclude_cipher_suites));
        if let Some(empty) = self.nothing_left(versions.is_empty(), suites.is_empty()) {
            findings.push(empty);
            return (None, findings);
        }
        let mut versions: Vec<_> = versions.into_iter().map(|(_, v)| v).collect();
        let mut suites: Vec<_> = suites.into_iter().map(|(_, s)| s).collect();
        // A protocol without a suite cannot be agreed upon, nor a suite without its protocol.
        versions.retain(|version| suites.iter().any(|suite| suite.version() == *version));
        suites.retain(|suite| versions.contains(&suite.version()));
        if versions.is_empty() {
            findings.push(NameFinding {
                list: NameList::IncludeCipherSuites,
                text: "none of the cipher suites that are left belongs to one of the protocols that are left"
                    .to_owned(),
                help: "suites of TLSv1.3 are those without `_WITH_` in their names; TLSv1.2 has the others"
                    .to_owned(),
                is_error: true,
            });
            return (None, findings);
        }
        (Some(Limits { versions, suites }), findings)
    }

    fn nothing_left(&self, no_version: bool, no_suite: bool) -> Option<NameFinding> {
        let (list, what, all) = if no_version {
            let list = if self.include_protocols.is_some() {
                NameList::IncludeProtocols
            } else {
                NameList::ExcludeProtocols
            };
            (list, "protocol", VERSIONS.map(|(name, _)| name).join(", "))
        } else if no_suite {
            let has_include = self.include_cipher_suites.is_some();
            let list =
                if has_include { NameList::IncludeCipherSuites } else { NameList::ExcludeCipherSuites };
            (list, "cipher suite", suite_names().collect::<Vec<_>>().join(", "))
        } else {
            return None;
        };
        Some(NameFinding {
            list,
            text: format!("no {what} is left that can be used"),
            help: format!("these can: {all}"),
            is_error: true,
        })
    }
}

fn finding(list: NameList, name: &str) -> Option<NameFinding> {
    let is_protocol = matches!(list, NameList::IncludeProtocols | NameList::ExcludeProtocols);
    let ours: Vec<&str> =
        if is_protocol { VERSIONS.map(|(n, _)| n).to_vec() } else { suite_names().collect() };
    if ours.contains(&name) {
        return None;
    }
    let javas = if is_protocol { OLD_VERSIONS.contains(&name) } else { is_suite_of_java(name) };
    let includes = matches!(list, NameList::IncludeProtocols | NameList::IncludeCipherSuites);
    match (javas, includes) {
        // What cannot be done is excluded already.
        (true, false) => None,
        (true, true) => Some(NameFinding {
            list,
            text: format!(
                "`{name}` is not offered: {}",
                if is_protocol { "it is broken" } else { why_not(name) }
            ),
            help: format!("take it out; these can be used: {}", ours.join(", ")),
            is_error: false,
        }),
        (false, _) => Some(NameFinding {
            list,
            text: format!("`{name}` is no {}", if is_protocol { "protocol" } else { "cipher suite" }),
            help: match ours.iter().find(|known| known.eq_ignore_ascii_case(name)) {
                Some(known) => format!("write `{known}`"),
                None => format!("these can be used: {}", ours.join(", ")),
            },
            is_error: true,
        }),
    }
}

fn why_not(suite: &str) -> &'static str {
    let has = |part: &str| suite.contains(part);
    if has("_NULL_") || has("_anon_") || has("_EXPORT_") || has("_DES") || has("_RC4_") {
        "it does not protect"
    } else if has("_CBC_") {
        "suites in CBC mode are attackable"
    } else if suite.starts_with("TLS_RSA_") || has("_ECDH_") {
        "it has no forward secrecy"
    } else {
        "the TLS library used here does not have it"
    }
}

/// Whether a name is made as Java's names of suites are: `TLS_<key exchange>_WITH_<cipher>_<digest>`.
fn is_suite_of_java(name: &str) -> bool {
    const EXCHANGES: &[&str] = &[
        "RSA",
        "DHE_RSA",
        "DHE_DSS",
        "DH_RSA",
        "DH_DSS",
        "DH_anon",
        "ECDH_ECDSA",
        "ECDH_RSA",
        "ECDH_anon",
        "ECDHE_ECDSA",
        "ECDHE_RSA",
        "KRB5",
        "KRB5_EXPORT",
        "RSA_EXPORT",
        "DHE_RSA_EXPORT",
        "DHE_DSS_EXPORT",
        "DH_anon_EXPORT",
        "PSK",
        "DHE_PSK",
        "RSA_PSK",
        "ECDHE_PSK",
    ];
    const CIPHERS: &[&str] = &[
        "NULL",
        "RC4_128",
        "RC4_40",
        "RC2_CBC_40",
        "DES_CBC",
        "DES_CBC_40",
        "DES40_CBC",
        "3DES_EDE_CBC",
        "IDEA_CBC",
        "SEED_CBC",
        "AES_128_CBC",
        "AES_256_CBC",
        "AES_128_GCM",
        "AES_256_GCM",
        "AES_128_CCM",
        "AES_256_CCM",
        "AES_128_CCM_8",
        "AES_256_CCM_8",
        "CAMELLIA_128_CBC",
        "CAMELLIA_256_CBC",
        "CAMELLIA_128_GCM",
        "CAMELLIA_256_GCM",
        "ARIA_128_GCM",
        "ARIA_256_GCM",
        "ARIA_128_CBC",
        "ARIA_256_CBC",
        "CHACHA20_POLY1305",
    ];
    const DIGESTS: &[&str] = &["MD5", "SHA", "SHA256", "SHA384"];
    if ODD_SUITES.contains(&name) {
        return true;
    }
    let Some(rest) = name.strip_prefix("TLS_").or_else(|| name.strip_prefix("SSL_")) else { return false };
    let Some((exchange, rest)) = rest.split_once("_WITH_") else { return false };
    // RFC 6655 names no digest for CCM.
    let is_cipher = CIPHERS.contains(&rest)
        || rest
            .rsplit_once('_')
            .is_some_and(|(cipher, digest)| CIPHERS.contains(&cipher) && DIGESTS.contains(&digest));
    EXCHANGES.contains(&exchange) && is_cipher
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }
    fn names_of(limits: &Limits) -> (Vec<&'static str>, Vec<&'static str>) {
        let versions = limits.versions.iter().filter_map(|v| version_name(v.version)).collect();
        (versions, limits.suites.iter().filter_map(|s| suite_name(s.suite())).collect())
    }

    #[test]
    fn without_lists_everything_that_is_sound_is_offered() {
        let (limits, findings) = Names::default().limits();
        let (versions, suites) = names_of(&limits.expect("limits"));
        assert_eq!((versions, suites.len(), findings.len()), (vec!["TLSv1.3", "TLSv1.2"], 9, 0));
    }

    #[test]
    fn lists_narrow_what_is_offered() {
        let names = Names {
            exclude_protocols: list("SSLv3 TLSv1 TLSv1.1 TLSv1.3"),
            include_cipher_suites: Some(list("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_AES_128_GCM_SHA256")),
            ..Names::default()
        };
        let (limits, findings) = names.limits();
        let (versions, suites) = names_of(&limits.expect("limits"));
        assert_eq!((versions, suites), (vec!["TLSv1.2"], vec!["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]));
        assert!(findings.is_empty(), "{findings:?}");
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_right_spelling() {
        let names = Names { exclude_protocols: list("tlsv1.2"), ..Names::default() };
        let (limits, findings) = names.limits();
        assert!(limits.is_none() && findings[0].is_error, "{findings:?}");
        assert_eq!(
            (findings[0].text.as_str(), findings[0].help.as_str()),
            ("`tlsv1.2` is no protocol", "write `TLSv1.2`")
        );
        let names = Names { include_cipher_suites: Some(list("TLS_RSA_WITH_ROT13_SHA")), ..Names::default() };
        assert!(names.limits().0.is_none());
    }

    #[test]
    fn what_java_knows_and_we_do_not_is_a_warning_while_something_is_left() {
        let names = Names { include_protocols: Some(list("TLSv1.1 TLSv1.2")), ..Names::default() };
        let (limits, findings) = names.limits();
        assert_eq!(names_of(&limits.expect("limits")).0, ["TLSv1.2"]);
        assert!(
            !findings[0].is_error && findings[0].text.contains("`TLSv1.1` is not offered"),
            "{findings:?}"
        );
        let names = Names { include_protocols: Some(list("TLSv1 TLSv1.1")), ..Names::default() };
        let (limits, findings) = names.limits();
        assert!(
            limits.is_none() && findings.last().is_some_and(|f| f.is_error && f.help.contains("TLSv1.2"))
        );
        let names =
            Names { include_cipher_suites: Some(list("TLS_RSA_WITH_AES_128_CBC_SHA")), ..Names::default() };
        assert!(names.limits().0.is_none());
    }

    #[test]
    fn protocols_and_suites_that_do_not_belong_together_are_an_error() {
        let names = Names {
            include_protocols: Some(list("TLSv1.3")),
            include_cipher_suites: Some(list("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")),
            ..Names::default()
        };
        let (limits, findings) = names.limits();
        assert!(limits.is_none() && findings[0].text.contains("none of the cipher suites"), "{findings:?}");
    }
}
