//! Two sides with certificates made for the test.
#![allow(dead_code, reason = "each test file uses some")]

use std::path::{Path, PathBuf};

use flumen_tls::{
    ClientAuth, ClientTls, Limits, NameCheck, Names, Password, ServerTls, StoreFile, StoreKind, Stream,
    TlsError, Trust,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub fn store(path: &Path, password: Option<&str>, kind: Option<StoreKind>) -> StoreFile {
    StoreFile {
        path: path.to_owned(),
        password: password.map(Password::new),
        kind,
        password_key: "keystore-password",
    }
}

pub fn pem(path: &Path) -> StoreFile {
    store(path, None, None)
}

pub fn server(keystore: StoreFile) -> ServerTls {
    ServerTls { keystore, alias: None, client_auth: ClientAuth::None, limits: Limits::default() }
}

pub fn client(trust: Trust) -> ClientTls {
    ClientTls { trust, name_check: NameCheck::On, keystore: None, alias: None, limits: Limits::default() }
}

pub fn only(protocol: &str) -> Limits {
    let names = Names { include_protocols: Some(vec![protocol.to_owned()]), ..Names::default() };
    names.limits().0.expect("a protocol that can be spoken")
}

pub fn only_suite(suite: &str) -> Limits {
    let names = Names { include_cipher_suites: Some(vec![suite.to_owned()]), ..Names::default() };
    names.limits().0.expect("a suite that can be used")
}

/// Both ends of a handshake in memory, with the name `host` dialled.
pub async fn shake(
    server: &ServerTls,
    client: &ClientTls,
    host: &str,
) -> (Result<Stream<DuplexStream>, TlsError>, Result<Stream<DuplexStream>, TlsError>) {
    let acceptor = server.acceptor().expect("a good key store");
    let connector = client.connector().expect("a good trust store");
    let (near, far) = tokio::io::duplex(1 << 16);
    let accept = async {
        let mut stream = acceptor.try_accept(near).await?;
        // With TLSv1.3 a client is done before the server has looked at its certificate.
        stream.write_all(b"welcome").await.expect("written");
        stream.flush().await.expect("sent");
        Ok(stream)
    };
    let connect = async {
        let mut stream = connector.connect(host, far).await?;
        let mut word = [0; 7];
        stream.read_exact(&mut word).await.map_err(TlsError::Io)?;
        assert_eq!(&word, b"welcome");
        Ok(stream)
    };
    tokio::join!(accept, connect)
}

/// Both ends agree.
pub async fn agree(server: &ServerTls, client: &ClientTls, host: &str) -> (&'static str, &'static str) {
    let (accepted, connected) = shake(server, client, host).await;
    let connected = connected.expect("the client is satisfied");
    assert_eq!(accepted.expect("the server is satisfied").agreed(), connected.agreed());
    connected.agreed().expect("a protocol and a suite")
}

/// What the client says when it refuses.
pub async fn client_refuses(server: &ServerTls, client: &ClientTls, host: &str) -> String {
    shake(server, client, host).await.1.expect_err("a refusal").to_string()
}

/// A folder with files in it, and who vouches for whom.
pub struct Folder {
    pub dir: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder") }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        path
    }
    /// A self-signed certificate with its key: `<name>.pem`; the certificate alone: `<name>.crt`.
    pub fn self_signed(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let (params, key) = parts(name, change);
        let certificate = params.self_signed(&key).expect("signed");
        self.write(&format!("{name}.crt"), &certificate.pem());
        self.write(&format!("{name}.pem"), &(key.serialize_pem() + &certificate.pem()));
    }
    /// An authority: its certificate is `<name>.crt`.
    pub fn authority(&self, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let (mut params, key) = parts(name, |_| {});
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
        self.write(&format!("{name}.crt"), &issuer.pem());
        issuer
    }
    /// A certificate of an authority with its key: `<name>.pem`.
    pub fn signed(
        &self,
        name: &str,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        change: impl FnOnce(&mut CertificateParams),
    ) {
        let (params, key) = parts(name, change);
        let certificate = params.signed_by(&key, issuer).expect("signed");
        self.write(&format!("{name}.pem"), &(key.serialize_pem() + &certificate.pem()));
    }
}

fn parts(name: &str, change: impl FnOnce(&mut CertificateParams)) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    change(&mut params);
    (params, KeyPair::generate().expect("a key"))
}
