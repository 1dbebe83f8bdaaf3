//! Why a store cannot be used, or a connection did not become a TLS connection.

use std::fmt;
use std::path::PathBuf;

use flumen_keystore::KeyStoreError;

/// What a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRole {
    /// Our own key and certificates.
    Key,
    /// Whom we believe.
    Trust,
}

impl fmt::Display for StoreRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key store",
            Self::Trust => "trust store",
        })
    }
}

/// What is wrong with a store. All are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum StoreProblem {
    /// It cannot be read.
    #[error("{0}")]
    Io(std::io::Error),
    /// Larger than any store.
    #[error("{bytes} bytes are not believed (at most {max} bytes)")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The reader of JKS and PKCS12 says no.
    #[error("{0}")]
    Store(KeyStoreError),
    /// The configured type is not what the file is.
    #[error("it is a {found} store, not {wanted}: correct the type, or leave it out")]
    OtherType {
        /// What it is.
        found: &'static str,
        /// What was configured.
        wanted: &'static str,
    },
    /// A PEM block is damaged, or there is none.
    #[error("{0}")]
    Pem(String),
    /// A store of this type needs a password.
    #[error("it needs a password: set `{0}`")]
    NoPassword(&'static str),
    /// No private key.
    #[error("there is no private key in it (it has: {0}); a server needs its key and certificate chain")]
    NoPrivateKey(String),
    /// No certificate.
    #[error("there is no trusted certificate in it (it has: {0})")]
    NoCertificate(String),
    /// The configured name of a key is not there.
    #[error("it has no private key `{alias}` (it has: {known})")]
    NoSuchKey {
        /// The name.
        alias: String,
        /// What is there.
        known: String,
    },
    /// A key that TLS cannot use.
    #[error("the key `{alias}` cannot be used: {why}")]
    BadKey {
        /// The key.
        alias: String,
        /// Why, and what to do.
        why: String,
    },
}

/// Why there is no TLS here.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A store cannot be used.
    #[error("{role} `{path}`: {problem}")]
    Store {
        /// What it is for.
        role: StoreRole,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: StoreProblem,
    },
    /// No trust store is configured and the machine has none.
    #[error(
        "there is no trust store: this machine has no certificates of authorities{0}; set `truststore`, or install ca-certificates"
    )]
    NoSystemTrust(String),
    /// The library refuses the configuration.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
    /// The host cannot be the name of a server.
    #[error("`{0}` is neither a host name nor an address")]
    BadHost(String),
    /// The peer took too long.
    #[error("the TLS handshake was not done within {0} s")]
    Slow(u64),
    /// What the peer sent was no TLS.
    #[error("what came is not TLS: the other side speaks plainly; switch `ssl` on there, or off here")]
    PlainText,
    /// The peer went away.
    #[error(
        "the other side closed the connection during the TLS handshake: does it speak TLS there, and does it trust our certificate?"
    )]
    Closed,
    /// The connection broke.
    #[error("the connection broke during the TLS handshake: {0}")]
    Io(std::io::Error),
    /// The peers could not agree, or one did not believe the other.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

impl TlsError {
    /// What a failed handshake means.
    pub(crate) fn of_handshake(error: std::io::Error) -> Self {
        use rustls::{Error, InvalidMessage};
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Self::PlainText,
            Some(other) => Self::Handshake(in_words(other)),
            None if error.kind() == std::io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(error),
        }
    }

    /// The kind of failure, for counting alike ones.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Store { .. } => "store",
            Self::NoSystemTrust(_) => "no trust store",
            Self::Setup(_) => "setup",
            Self::BadHost(_) => "host name",
            Self::Slow(_) => "slow handshake",
            Self::PlainText => "plain text",
            Self::Closed => "closed",
            Self::Io(_) => "connection broken",
            Self::Handshake(_) => "handshake",
        }
    }
}

/// What rustls says, for people who operate the two sides.
fn in_words(error: &rustls::Error) -> String {
    use rustls::AlertDescription as Alert;
    use rustls::{CertificateError, Error};
    match error {
        Error::AlertReceived(alert) => {
            let advice = match alert {
                Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown => {
                    ": it does not believe our certificate; import it, or its issuer's, into the trust store there"
                }
                Alert::CertificateExpired => ": our certificate has expired; have it renewed",
                Alert::CertificateRequired | Alert::AccessDenied => {
                    ": it wants a certificate of ours; set `keystore`"
                }
                Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity => {
                    ": no protocol or cipher suite is common to both sides, or it wants a certificate of ours"
                }
                Alert::UnrecognisedName => ": it does not know itself by that host name",
                _ => "",
            };
            format!("the other side refused ({alert:?}){advice}")
        }
        Error::PeerIncompatible(why) => format!(
            "no protocol, cipher suite or signature is common to both sides ({why:?}); TLSv1.2 and TLSv1.3 are spoken \
             here, unless the options exclude one"
        ),
        Error::NoCertificatesPresented => {
            "the other side showed no certificate, and `client-auth = need`".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Other(why)) => why.to_string(),
        Error::InvalidMessage(why) => format!("what came is damaged, or no TLS ({why:?})"),
        other => other.to_string(),
    }
}
