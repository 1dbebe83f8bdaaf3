//! The keys, which are Flume's where Flume has them. Their doc comments are the manual.

use flumen_config::options::{Secret, Words};
use flumen_config::{OptionSpec, Options, join_options, options};

options! {
    /// The switch.
    pub(super) struct Switch {
        /// Speaks TLS. See TLS.md.
        "ssl" => ssl: bool = false,
    }
}

options! {
    /// Our own key.
    pub(super) struct KeyOptions {
        /// File with the private key and its certificate chain: JKS, PKCS12 or PEM. It is read when the component
        /// starts. Sources take `javax.net.ssl.keyStore` or `FLUME_SSL_KEYSTORE_PATH` if it is not set.
        "keystore" => keystore: Option<String>,
        /// Password of the key store, and of the key in it. PEM needs none, unless the key is encrypted. Sources
        /// take `javax.net.ssl.keyStorePassword` or `FLUME_SSL_KEYSTORE_PASSWORD` if it is not set.
        "keystore-password" => password: Option<Secret>,
        /// `JKS`, `PKCS12` or `PEM`; JKS and PKCS12 are accepted in each other's place, as Java does. Without it
        /// the content of the file tells. Sources take `javax.net.ssl.keyStoreType` or `FLUME_SSL_KEYSTORE_TYPE` if
        /// it is not set.
        "keystore-type" => kind: Option<String>,
        /// Name of the key to use, where the store has several. Without it the one that suits the other side is used.
        "keystore-alias" => alias: Option<String>,
    }
}

options! {
    /// Whom we believe.
    pub(super) struct TrustOptions {
        /// File with the certificates that are trusted: JKS, PKCS12 or PEM. If it is not set:
        /// `javax.net.ssl.trustStore` or `FLUME_SSL_TRUSTSTORE_PATH`.
        "truststore" => truststore: Option<String>,
        /// Password of the trust store. Without it the integrity of a JKS store is not checked, as in Java. If it is
        /// not set: `javax.net.ssl.trustStorePassword` or `FLUME_SSL_TRUSTSTORE_PASSWORD`.
        "truststore-password" => password: Option<Secret>,
        /// `JKS`, `PKCS12` or `PEM`. Without it the content of the file tells. If it is not set:
        /// `javax.net.ssl.trustStoreType` or `FLUME_SSL_TRUSTSTORE_TYPE`.
        "truststore-type" => kind: Option<String>,
    }
}

options! {
    /// What may be agreed upon.
    pub(super) struct NameOptions {
        /// Only these protocols, under Java's names: `TLSv1.3`, `TLSv1.2`. Older ones are not offered. If it is not
        /// set: `flume.ssl.include.protocols` or `FLUME_SSL_INCLUDE_PROTOCOLS`.
        "include-protocols" => include_protocols: Option<Words>,
        /// Not these protocols. `SSLv3` is always excluded. If it is not set: `flume.ssl.exclude.protocols` or
        /// `FLUME_SSL_EXCLUDE_PROTOCOLS`.
        "exclude-protocols" => exclude_protocols: Option<Words>,
        /// Only these cipher suites, under Java's names (or patterns of them). If it is not set:
        /// `flume.ssl.include.cipherSuites` or `FLUME_SSL_INCLUDE_CIPHERSUITES`.
        "include-cipher-suites" => include_cipher_suites: Option<Words>,
        /// Not these cipher suites. If it is not set: `flume.ssl.exclude.cipherSuites` or
        /// `FLUME_SSL_EXCLUDE_CIPHERSUITES`.
        "exclude-cipher-suites" => exclude_cipher_suites: Option<Words>,
    }
}

options! {
    /// Mutual TLS.
    pub(super) struct ClientAuthOptions {
        /// Mutual TLS: `none` asks clients for no certificate; `want` asks, and serves those without one too; `need`
        /// serves nobody without a certificate that the trust store vouches for. Flumen's own.
        "client-auth" => client_auth: String = "none".to_owned(),
    }
}

options! {
    /// How sure a client wants to be.
    pub(super) struct CheckOptions {
        /// Believes every certificate, whoever made it and for whatever host: hides the traffic from listeners, and
        /// does not keep impostors away.
        "trust-all-certs" => trust_all: bool = false,
        /// Whether the server's certificate must be one for the host that is connected to. Flume's avro sink checks
        /// that since 1.10, and did not before. Flumen's own.
        "verify-hostname" => verify_hostname: bool = true,
    }
}

options! {
    /// Older names of the http source.
    pub(super) struct DeprecatedOptions {
        /// Deprecated: `ssl`.
        "enableSSL" => enable_ssl: Option<bool>,
        /// Deprecated: `keystore-password`.
        "keystorePassword" => keystore_password: Option<Secret>,
        /// Deprecated: `exclude-protocols`.
        "excludeProtocols" => exclude_protocols: Option<Words>,
    }
}

/// The rows of sources that listen with TLS.
pub const SERVER_OPTIONS: &[OptionSpec] = join_options!(
    Switch::OPTIONS,
    KeyOptions::OPTIONS,
    NameOptions::OPTIONS,
    ClientAuthOptions::OPTIONS,
    TrustOptions::OPTIONS
);
/// The rows of the http source, which has older names too.
pub const HTTP_SERVER_OPTIONS: &[OptionSpec] = join_options!(SERVER_OPTIONS, DeprecatedOptions::OPTIONS);
/// The rows of clients whose address says that TLS is spoken (`https://…`).
pub const HTTPS_CLIENT_OPTIONS: &[OptionSpec] =
    join_options!(TrustOptions::OPTIONS, CheckOptions::OPTIONS, NameOptions::OPTIONS, KeyOptions::OPTIONS);
/// The rows of sinks that connect with TLS.
pub const CLIENT_OPTIONS: &[OptionSpec] = join_options!(Switch::OPTIONS, HTTPS_CLIENT_OPTIONS);
