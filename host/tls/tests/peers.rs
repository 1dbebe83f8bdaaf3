//! Stores that the real keytool and openssl made, and handshakes with Java's TLS and with openssl.

mod parties;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use flumen_tls::{Acceptor, ClientAuth, ServerTls, StoreFile, StoreKind, Stream, TlsError, Trust};
use parties::{agree, client, client_refuses, only, server, store};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PASSWORD: Option<&str> = Some("changeit");

/// The folder of the stores, unless this machine lacks what makes them. They are made once for all tests: each of
/// thirty runs of keytool starts a JVM.
fn stores() -> Option<&'static Stores> {
    static STORES: OnceLock<Option<Stores>> = OnceLock::new();
    STORES.get_or_init(make).as_ref()
}

struct Stores {
    dir: PathBuf,
}

impl Stores {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn make() -> Option<Stores> {
    if ["keytool", "java", "openssl"].iter().any(|tool| Command::new(tool).arg("--help").output().is_err()) {
        eprintln!("SKIPPED: needs keytool, java and openssl on PATH");
        return None;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls-stores");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).expect("an old run's stores can be removed");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/make-stores");
    let made = Command::new(script).arg(&dir).output().expect("sh");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(Stores { dir })
}

fn peer(args: &[&str]) -> Command {
    let mut command = Command::new("java");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/Peer.java")).args(args);
    command.stdout(Stdio::piped());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// Answers one connection with the line that came, and says how the handshake went.
async fn echo(listener: TcpListener, acceptor: Acceptor) -> Result<(), TlsError> {
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut stream = acceptor.try_accept(stream).await?;
    let mut line = String::new();
    tokio::io::BufReader::new(&mut stream).read_line(&mut line).await.map_err(TlsError::Io)?;
    stream.write_all(line.as_bytes()).await.map_err(TlsError::Io)?;
    stream.shutdown().await.map_err(TlsError::Io)
}

/// Serves each plan on a port of its own, once.
async fn serve(plans: &[ServerTls]) -> (Vec<String>, Vec<tokio::task::JoinHandle<Result<(), TlsError>>>) {
    let (mut ports, mut tasks) = (Vec::new(), Vec::new());
    for plan in plans {
        // `localhost` may be either for Java.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        ports.push(listener.local_addr().expect("bound").port().to_string());
        tasks.push(tokio::spawn(echo(listener, plan.acceptor().expect("a good store"))));
    }
    (ports, tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_store_of_keytool_and_openssl_serves_and_java_shakes_hands_with_it() {
    let Some(folder) = stores() else { return };
    let of = |name: &str, password, kind| store(&folder.path(name), password, kind);
    let mut plans: Vec<ServerTls> = vec![
        server(of("rsa.jks", PASSWORD, Some(StoreKind::Jks))),
        server(of("ec.jks", PASSWORD, None)),
        // Java accepts PKCS12 where JKS is said, and so do we.
        server(of("ec.p12", PASSWORD, Some(StoreKind::Jks))),
        server(of("rsa.p12", PASSWORD, Some(StoreKind::Pkcs12))),
        server(of("openssl.p12", PASSWORD, None)),
        server(of("encrypted.pem", PASSWORD, Some(StoreKind::Pem))),
        server(of("plain.pem", None, None)),
        server(of("two.p12", PASSWORD, None)),
    ];
    plans.push(ServerTls { alias: Some("SECOND".to_owned()), ..server(of("two.p12", PASSWORD, None)) });
    plans.push(ServerTls { limits: only("TLSv1.2"), ..server(of("rsa.jks", PASSWORD, None)) });
    plans.push(ServerTls {
        client_auth: ClientAuth::Need(of("trust.jks", PASSWORD, None)),
        ..server(of("rsa.jks", PASSWORD, None))
    });

    // Our own client, with trust stores of both kinds, with and without a password.
    for (name, password) in [("trust.jks", PASSWORD), ("trust.jks", None), ("trust.p12", PASSWORD)] {
        for plan in &plans[..7] {
            agree(plan, &client(Trust::Store(of(name, password, None))), "localhost").await;
        }
    }
    agree(&plans[6], &client(Trust::Store(of("openssl-trust.p12", PASSWORD, None))), "localhost").await;
    // A key store is a trust store too: the certificate of its key counts.
    agree(&plans[0], &client(Trust::Store(of("rsa.jks", PASSWORD, None))), "localhost").await;

    let (ports, tasks) = serve(&plans).await;
    let (keys, trust) = (folder.path("client.p12"), folder.path("trust.jks"));
    let mut args = vec!["client", text(&keys), text(&trust), "changeit"];
    args.extend(ports.iter().map(String::as_str));
    let java = tokio::task::spawn_blocking({
        let mut command = peer(&args);
        move || command.output().expect("java")
    });
    let said = String::from_utf8(java.await.expect("java ran").stdout).expect("text");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), plans.len(), "{said}");
    for (at, line) in lines.iter().enumerate() {
        let protocol = if at == 9 { "TLSv1.2 TLS_ECDHE_RSA_WITH_" } else { "TLSv1.3 TLS_" };
        assert!(line.starts_with(protocol), "plan {at}: {line}");
    }
    for task in tasks {
        task.await.expect("served").expect("a handshake");
    }
}

/// A Java server and the port it prints.
struct Java {
    child: Child,
    port: u16,
    said: BufReader<std::process::ChildStdout>,
}

fn java_server(args: &[&str]) -> Java {
    let mut child = peer(args).spawn().expect("java");
    let mut said = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    Java { port: line.trim().parse().expect("a port"), child, said }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_java_server_that_wants_certificates_is_satisfied_and_one_without_ours_is_explained() {
    let Some(folder) = stores() else { return };
    let (keys, trust) = (folder.path("ec.jks"), folder.path("trust.jks"));
    let args = ["server", text(&keys), text(&trust), "changeit", "2"];
    let mut java = java_server(&args);
    let mut plan = client(Trust::Store(store(&trust, PASSWORD, None)));
    plan.limits = only("TLSv1.2");
    let connect = |connector: flumen_tls::Connector, port| async move {
        let stream = TcpStream::connect(("localhost", port)).await.expect("connected");
        let mut stream: Stream<TcpStream> = connector.connect("localhost", stream).await?;
        stream.write_all(b"hello\n").await.map_err(TlsError::Io)?;
        let mut line = String::new();
        tokio::io::BufReader::new(&mut stream).read_line(&mut line).await.map_err(TlsError::Io)?;
        Ok::<_, TlsError>((line, stream.agreed()))
    };
    let refused = connect(plan.connector().expect("ready"), java.port).await.expect_err("no certificate");
    assert!(
        refused.to_string().contains("certificate of ours") || refused.cause() == "handshake",
        "{refused}"
    );
    plan.keystore = Some(store(&folder.path("client.p12"), PASSWORD, None));
    let (line, agreed) = connect(plan.connector().expect("ready"), java.port).await.expect("a handshake");
    assert_eq!((line.as_str(), agreed.map(|(protocol, _)| protocol)), ("hello\n", Some("TLSv1.2")));
    let mut said = String::new();
    java.said.read_line(&mut said).expect("a line");
    java.said.read_line(&mut said).expect("a line");
    assert!(said.starts_with("failed: ") && said.contains("\nTLSv1.2 TLS_ECDHE_ECDSA_"), "{said}");
    java.child.wait().expect("java ends");
}

#[tokio::test]
async fn certificates_of_version_1_and_of_authorities_are_believed_as_in_java() {
    let Some(folder) = stores() else { return };
    let of = |name: &str| store(&folder.path(name), None, None);
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let mut version_1 = server(of("v1.pem"));
        version_1.limits = only(protocol);
        agree(&version_1, &client(Trust::Store(of("ca.crt"))), "localhost").await;
        agree(&version_1, &client(Trust::Store(of("v1.crt"))), "localhost").await;
        agree(&version_1, &client(Trust::All), "anyone").await;
        let text = client_refuses(&version_1, &client(Trust::Store(of("rsa.jks.crt"))), "localhost").await;
        assert!(text.contains("nobody in the trust store vouches"), "{text}");
    }
    let authority = server(of("ca.pem"));
    let text = client_refuses(&authority, &client(Trust::Store(of("v1.crt"))), "authority").await;
    assert!(text.contains("CN=authority"), "{text}");
    // The certificate of an authority, as `openssl req -x509` makes it, in the trust store itself.
    agree(&authority, &client(Trust::Store(of("ca.crt"))), "authority").await;
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_its_name_and_what_to_do() {
    let Some(folder) = stores() else { return };
    let of = |name: &str, password, kind| store(&folder.path(name), password, kind);
    let refused = |store: StoreFile| server(store).acceptor().expect_err("refused").to_string();
    for name in ["rsa.jks", "rsa.p12"] {
        let text = refused(of(name, Some("wrong"), None));
        assert!(text.contains(name) && text.contains("password of the key store is wrong"), "{text}");
        assert!(refused(of(name, None, None)).contains("set `keystore-password`"));
    }
    let text = refused(of("encrypted.pem", Some("wrong"), None));
    assert!(text.contains("password of the key `PEM` is wrong"), "{text}");
    assert!(refused(of("encrypted.pem", None, None)).contains("set `keystore-password`"));
    let text = refused(of("otherpass.jks", PASSWORD, None));
    assert!(text.contains("password of the key `server` is wrong"), "{text}");
    let text = refused(of("rsa.jks", PASSWORD, Some(StoreKind::Pem)));
    assert!(text.contains("this is no PEM file"), "{text}");
    let text = refused(of("plain.pem", PASSWORD, Some(StoreKind::Jks)));
    assert!(text.contains("it is a PEM store, not JKS: correct the type"), "{text}");
    let text = refused(of("trust.jks", PASSWORD, None));
    assert!(text.contains("no private key") && text.contains("trusted certificate `rsa.jks`"), "{text}");
    let text = refused(of("dsa.p12", PASSWORD, None));
    assert!(text.contains("`old`") && text.contains("DSA keys cannot be used"), "{text}");
    let text = refused(of("short.p12", PASSWORD, None));
    assert!(text.contains("from 2048") && text.contains("keytool -genkeypair"), "{text}");
    let plan = ServerTls { alias: Some("third".to_owned()), ..server(of("two.p12", PASSWORD, None)) };
    let text = plan.acceptor().expect_err("refused").to_string();
    assert!(text.contains("no private key `third`") && text.contains("first, second"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_shakes_hands_and_sees_the_whole_chain() {
    let Some(folder) = stores() else { return };
    let (ports, tasks) = serve(&[server(store(&folder.path("rsa.jks"), PASSWORD, None))]).await;
    let said = tokio::task::spawn_blocking(move || {
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-no_ign_eof", "-connect", &format!("127.0.0.1:{}", ports[0])])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut input = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut input, b"hello\n").expect("written");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        drop(input);
        child.wait().expect("openssl ends");
        line
    });
    assert_eq!(said.await.expect("openssl ran"), "hello\n");
    for task in tasks {
        task.await.expect("served").expect("a handshake");
    }
}
