//! Requests against real servers on this machine. `api.test` and the like are names of a resolver that does what
//! the test says.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use flumen_config::{Diagnostics, SourceText};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Empty, Full};
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::imports::{Registry, StateHome};
use crate::spec::{Kind, OnError, PluginSpec};
use crate::tenants::Tenants;

/// Answers in turn; the last for ever.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, SeqCst);
        let mut answers = self.answers.lock().expect("answers");
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(std::future::ready(answer.ok_or_else(|| io::Error::other("no such name"))))
    }
}

struct Plugin {
    script: Arc<Script>,
    egress: Arc<Egress>,
    _registry: Registry,
}

struct Setting<'a> {
    grants: &'a [String],
    answers: &'a [&'a [&'a str]],
    time: Duration,
    secret: Option<HttpSecret>,
    roots: RootCertStore,
    /// None: a tenant without ceilings.
    tenant: Option<Arc<Share>>,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        let time = Duration::from_secs(20);
        Self {
            grants: &[],
            answers: &[&["127.0.0.1"]],
            time,
            secret: None,
            roots: RootCertStore::empty(),
            tenant: None,
        }
    }
}

fn plugin(setting: Setting<'_>) -> Plugin {
    let answers = setting.answers.iter().map(|answer| answer.iter().map(|a| a.parse().expect(a)).collect());
    let script = Arc::new(Script { answers: Mutex::new(answers.collect()), asked: AtomicUsize::new(0) });
    let grants = Grants {
        http: setting.grants.iter().map(|text| HttpGrant::parse(text).expect(text)).collect(),
        secrets: setting.secret.into_iter().collect(),
        ..Grants::default()
    };
    let limits = Limits { batch_time_max: setting.time, memory_bytes_max: 1 << 20, ..Limits::default() };
    let spec = PluginSpec {
        path: "a1.sources.r1".into(),
        agent: "a1".into(),
        kind: Kind::Source,
        component: "none.wasm".into(),
        options: vec![],
        limits,
        grants: grants.clone(),
        on_error: OnError::Drop,
        instances: None,
    };
    let registry = Registry::new(StateHome::Memory).expect("registry");
    let services = registry.services(&spec).expect("services");
    let unlimited = || Shares::default().of(Tenants::default().of_agent("a1"));
    let share = setting.tenant.unwrap_or_else(unlimited);
    let network = Network::new(script.clone(), setting.roots);
    Plugin {
        script,
        egress: Arc::new(Egress::new(&network, services, share, &grants, &limits)),
        _registry: registry,
    }
}

impl Plugin {
    async fn send(&self, request: http::request::Builder) -> Result<Response<WasiBody>, Error> {
        let request =
            request.body(Empty::new().map_err(|never| match never {}).boxed_unsync()).expect("request");
        self.egress.clone().send(request, None).await
    }
    async fn get(&self, url: &str) -> Result<Response<WasiBody>, Error> {
        self.send(Request::get(url)).await
    }
    fn refused(&self, why: Refusal) -> u64 {
        self.egress.counts().refused.get(why.name()).copied().unwrap_or(0)
    }
}

/// A server that gives every connection the same bytes after it has seen a request's head, and says which heads
/// it saw.
struct Server {
    at: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

enum Then {
    Close,
    /// The piece again and again, with a pause.
    Repeat(&'static [u8], Duration),
}

async fn serve(listen: &str, answer: Vec<u8>, then: Then) -> Server {
    let listener = TcpListener::bind(listen).await.expect("listen");
    let at = listener.local_addr().expect("address");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (heads, then) = (seen.clone(), Arc::new(then));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (heads, answer, then) = (heads.clone(), answer.clone(), then.clone());
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                heads.lock().expect("heads").push(String::from_utf8_lossy(&head).to_ascii_lowercase());
                stream.write_all(&answer).await?;
                while let Then::Repeat(piece, pause) = &*then {
                    stream.write_all(piece).await?;
                    tokio::time::sleep(*pause).await;
                }
                io::Result::Ok(())
            });
        }
    });
    Server { at, seen }
}

async fn hello() -> Server {
    serve("127.0.0.1:0", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec(), Then::Close).await
}

async fn body(response: Response<WasiBody>) -> Result<Bytes, Error> {
    Ok(response.into_body().collect().await?.to_bytes())
}

fn named(port: u16) -> [String; 2] {
    [format!("api.test:{port}"), format!("127.0.0.1:{port}")]
}

#[tokio::test]
async fn a_granted_request_is_answered_and_counted() {
    let server = hello().await;
    let grants = named(server.at.port());
    let plugin = plugin(Setting { grants: &grants, ..Setting::default() });
    let response = plugin.get(&format!("http://API.test:{}/a?b=c", server.at.port())).await.expect("answer");
    assert_eq!((response.status().as_u16(), body(response).await.expect("body")), (200, "hello".into()));
    assert!(server.seen.lock().expect("seen")[0].starts_with("get /a?b=c http/1.1\r\n"));
    let counts = plugin.egress.counts();
    assert_eq!((counts.allowed, counts.failed, counts.bytes_in, counts.refused.len()), (1, 0, 5, 0));
}

#[tokio::test]
async fn what_is_not_granted_is_refused_before_any_name_is_asked_for() {
    let server = hello().await;
    let port = server.at.port();
    let plugin = plugin(Setting {
        grants: &[format!("api.test:{port}"), "*.sub.test:80".into()],
        ..Setting::default()
    });
    for (url, why) in [
        (format!("http://other.test:{port}/"), Refusal::NotGranted),
        ("http://api.test/".to_owned(), Refusal::NotGranted),
        ("https://api.test/".to_owned(), Refusal::NotGranted),
        (format!("http://127.0.0.1:{port}/"), Refusal::NotGranted),
        (format!("http://[::1]:{port}/"), Refusal::NotGranted),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), Refusal::NotGranted),
        (format!("http://localhost:{port}/"), Refusal::NotGranted),
        (format!("http://127.1:{port}/"), Refusal::Malformed),
        (format!("http://2130706433:{port}/"), Refusal::Malformed),
        (format!("http://api.test.:{port}/"), Refusal::Malformed),
        (format!("http://api.test@127.0.0.1:{port}/"), Refusal::Malformed),
        (format!("http://x:y@api.test:{port}/"), Refusal::Malformed),
        ("http://sub.test/".to_owned(), Refusal::NotGranted),
        ("http://evilsub.test/".to_owned(), Refusal::NotGranted),
        ("http://*.sub.test/".to_owned(), Refusal::Malformed),
    ] {
        let before = plugin.refused(why);
        assert!(plugin.get(&url).await.is_err(), "{url}");
        assert_eq!(plugin.refused(why), before + 1, "{url}");
    }
    let tunnel = Request::builder().method("CONNECT").uri(format!("http://api.test:{port}/"));
    assert!(plugin.send(tunnel).await.is_err());
    let upgrade = Request::get(format!("http://api.test:{port}/")).header("upgrade", "websocket");
    assert!(plugin.send(upgrade).await.is_err());
    assert_eq!(plugin.refused(Refusal::Tunnel), 2);
    assert_eq!((plugin.script.asked.load(SeqCst), server.seen.lock().expect("seen").len()), (0, 0));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    let server = hello().await;
    let port = server.at.port();
    for address in [
        "127.0.0.1",
        "169.254.169.254",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "64:ff9b::7f00:1",
        "::1",
    ] {
        let plugin = plugin(Setting {
            grants: &[format!("api.test:{port}")],
            answers: &[&[address]],
            ..Setting::default()
        });
        let answer = plugin.get(&format!("http://api.test:{port}/")).await;
        assert!(matches!(answer, Err(Error::DestinationIpProhibited)), "{address}: {answer:?}");
        assert_eq!(plugin.refused(Refusal::Address), 1, "{address}");
    }
    assert_eq!(server.seen.lock().expect("seen").len(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gets_the_checked_address() {
    let checked = hello().await;
    let port = checked.at.port();
    let other = serve(&format!("127.0.0.2:{port}"), b"HTTP/1.1 500 no\r\n\r\n".to_vec(), Then::Close).await;
    let grants = named(port);
    let answers: &[&[&str]] = &[&["127.0.0.2", "127.0.0.1"], &["127.0.0.2"]];
    let plugin = plugin(Setting { grants: &grants, answers, ..Setting::default() });
    let response = plugin.get(&format!("http://api.test:{port}/")).await.expect("answer");
    assert_eq!(body(response).await.expect("body"), "hello");
    assert_eq!((plugin.script.asked.load(SeqCst), other.seen.lock().expect("seen").len()), (1, 0));
    assert!(plugin.get(&format!("http://api.test:{port}/")).await.is_err(), "now it has no checked address");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_following_it_is_another_request() {
    let inside = hello().await;
    let target = format!("http://127.0.0.1:{}/secret", inside.at.port());
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
    let server = serve("127.0.0.1:0", answer.into_bytes(), Then::Close).await;
    let grants = named(server.at.port());
    let plugin = plugin(Setting { grants: &grants, ..Setting::default() });
    let response = plugin.get(&format!("http://api.test:{}/", server.at.port())).await.expect("answer");
    assert_eq!(
        (response.status().as_u16(), response.headers()["location"].to_str().expect("text")),
        (302, &*target)
    );
    assert!(plugin.get(&target).await.is_err());
    assert_eq!((plugin.refused(Refusal::NotGranted), inside.seen.lock().expect("seen").len()), (1, 0));
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_time_of_the_request() {
    let drip = Then::Repeat(b"x", Duration::from_millis(20));
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
    let server = serve("127.0.0.1:0", head, drip).await;
    let grants = named(server.at.port());
    let plugin = plugin(Setting { grants: &grants, time: Duration::from_millis(400), ..Setting::default() });
    let started = std::time::Instant::now();
    let response = plugin.get(&format!("http://api.test:{}/", server.at.port())).await.expect("head");
    assert!(body(response).await.is_err());
    assert!(started.elapsed() >= Duration::from_millis(400));
    assert_eq!(plugin.egress.own.take_place().map(|_| ()), Some(()));
}

#[tokio::test]
async fn a_silent_server_costs_the_time_of_the_request_and_gives_the_place_back() {
    let server = serve("127.0.0.1:0", vec![], Then::Repeat(b"", Duration::from_millis(20))).await;
    let grants = named(server.at.port());
    let plugin = plugin(Setting { grants: &grants, time: Duration::from_millis(200), ..Setting::default() });
    let answer = plugin.get(&format!("http://api.test:{}/", server.at.port())).await;
    assert!(matches!(answer, Err(Error::ConnectionReadTimeout)), "{answer:?}");
    assert_eq!(plugin.egress.counts().failed, 1);
    // Closing the connection is a task's work: its place comes back soon, not at once.
    let free = || {
        let held: Vec<_> = std::iter::from_fn(|| plugin.egress.own.take_place()).collect();
        held.len() == OPEN_REQUESTS_MAX
    };
    while !free() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_endless_body_ends_at_the_plugins_memory() {
    let flood = Then::Repeat(&[b'x'; 16384], Duration::ZERO);
    let server = serve("127.0.0.1:0", b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), flood).await;
    let grants = named(server.at.port());
    let plugin = plugin(Setting { grants: &grants, ..Setting::default() });
    let response = plugin.get(&format!("http://api.test:{}/", server.at.port())).await.expect("head");
    let ended = body(response).await;
    assert!(matches!(ended, Err(Error::HttpResponseBodySize(Some(1_048_576)))), "{ended:?}");
    assert!(plugin.egress.counts().bytes_in < (1 << 20) + (1 << 19));
}

#[tokio::test]
async fn a_header_bomb_is_refused() {
    let many = (0..10_000).map(|n| format!("h{n}: v\r\n")).collect::<String>();
    let large = (0..20).map(|n| format!("h{n}: {}\r\n", "v".repeat(10_000))).collect::<String>();
    for bomb in [many, large] {
        let answer = format!("HTTP/1.1 200 OK\r\n{bomb}\r\n");
        let server = serve("127.0.0.1:0", answer.into_bytes(), Then::Close).await;
        let grants = named(server.at.port());
        let plugin = plugin(Setting { grants: &grants, ..Setting::default() });
        assert!(plugin.get(&format!("http://api.test:{}/", server.at.port())).await.is_err());
    }
}

#[tokio::test]
async fn only_so_many_requests_are_under_way() {
    let server = serve(
        "127.0.0.1:0",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_vec(),
        Then::Repeat(b"", Duration::from_millis(20)),
    )
    .await;
    let grants = named(server.at.port());
    let plugin = plugin(Setting { grants: &grants, ..Setting::default() });
    let url = format!("http://api.test:{}/", server.at.port());
    let mut open = Vec::new();
    for _ in 0..OPEN_REQUESTS_MAX {
        open.push(plugin.get(&url).await.expect("head"));
    }
    assert!(matches!(plugin.get(&url).await, Err(Error::ConnectionLimitReached)));
    assert_eq!(plugin.refused(Refusal::Busy), 1);
    open.clear();
    // Closing a connection is a task's work: its place comes back soon, not at once.
    while plugin.get(&url).await.is_err() {
        tokio::task::yield_now().await;
    }
}

fn secret(port: u16) -> HttpSecret {
    let destination = HttpGrant::parse(&format!("api.test:{port}")).expect("destination");
    HttpSecret {
        name: "token".into(),
        destination,
        header: "authorization".into(),
        value: "Bearer s3cret".into(),
    }
}

#[tokio::test]
async fn a_secret_replaces_what_the_guest_sent() {
    let server = hello().await;
    let port = server.at.port();
    let grants = named(port);
    let plugin = plugin(Setting { grants: &grants, secret: Some(secret(port)), ..Setting::default() });
    let request = Request::get(format!("http://api.test:{port}/")).header("authorization", "mine");
    plugin.send(request).await.expect("answer");
    plugin.get(&format!("http://127.0.0.1:{port}/")).await.expect("the same server, under another name");
    let seen = server.seen.lock().expect("seen").clone();
    assert!(seen[0].contains("authorization: bearer s3cret") && !seen[0].contains("mine"), "{}", seen[0]);
    assert!(!seen[1].contains("authorization"), "{}", seen[1]);
}

#[tokio::test]
async fn a_secret_does_not_go_over_an_open_connection() {
    // This machine's address towards others, which is no loopback address; nothing is sent to find it.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").expect("socket");
    let own = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr()).map(|at| at.ip());
    let Some(own) = own.ok().filter(|own| !own.is_loopback()) else {
        return println!("SKIPPED: this machine has no address but loopback");
    };
    let server = serve(&format!("{own}:0"), b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Then::Close).await;
    let port = server.at.port();
    let (grants, address) = ([format!("api.test:{port}"), format!("{own}:{port}")], own.to_string());
    let plugin = plugin(Setting {
        grants: &grants,
        answers: &[&[&address]],
        secret: Some(secret(port)),
        ..Setting::default()
    });
    assert!(plugin.get(&format!("http://api.test:{port}/")).await.is_err());
    assert_eq!((plugin.refused(Refusal::SecretInTheOpen), server.seen.lock().expect("seen").len()), (1, 0));
}

#[tokio::test]
async fn https_is_spoken_with_servers_whose_certificate_is_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["api.test".to_owned()]).expect("certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("server");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecure").await?;
            stream.shutdown().await?;
        }
        io::Result::Ok(())
    });
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("root");
    let grants = [format!("api.test:{port}"), format!("other.test:{port}"), format!("127.0.0.1:{port}")];
    let trusting = plugin(Setting { grants: &grants, roots, ..Setting::default() });
    let response = trusting.get(&format!("https://api.test:{port}/")).await.expect("answer");
    assert_eq!(body(response).await.expect("body"), "secure");
    let wrong_name = trusting.get(&format!("https://other.test:{port}/")).await;
    assert!(matches!(wrong_name, Err(Error::Tls(_))), "{wrong_name:?}");
    let stranger = plugin(Setting { grants: &grants, ..Setting::default() });
    let untrusted = stranger.get(&format!("https://api.test:{port}/")).await;
    assert!(matches!(untrusted, Err(Error::Tls(_))), "{untrusted:?}");
}

#[tokio::test]
async fn bytes_of_requests_are_counted_and_paced() {
    let server = hello().await;
    let grants = named(server.at.port());
    let plugin = plugin(Setting { grants: &grants, ..Setting::default() });
    let content = Full::new(Bytes::from(vec![7; 100_000])).map_err(|never| match never {}).boxed_unsync();
    let request =
        Request::post(format!("http://api.test:{}/", server.at.port())).body(content).expect("request");
    plugin.egress.clone().send(request, None).await.expect("answer");
    assert_eq!(plugin.egress.counts().bytes_out, 100_000);
    let share = Share::of_plugin();
    assert_eq!(share.spend(share::Way::In, BYTES_PER_SECOND_MAX as usize), Duration::ZERO);
    let wait = share.spend(share::Way::In, 2 * BYTES_PER_SECOND_MAX as usize);
    assert!(wait > Duration::from_millis(900) && wait <= Duration::from_secs(1), "{wait:?}");
}

#[tokio::test]
async fn the_bytes_per_second_of_a_tenant_are_those_of_all_its_plugins_together() {
    let server = hello().await;
    let grants = named(server.at.port());
    let text = "[tenant.t]\nagents = [\"a1\"]\negress_bytes_per_second_max = 50_000\n";
    let mut findings = Diagnostics::default();
    let tenants = Tenants::read(&SourceText::new("t.toml", text), &mut findings).expect("a good file");
    let shares = Shares::default();
    let plugin = || {
        let tenant = Some(shares.of(tenants.of_agent("a1")));
        plugin(Setting { grants: &grants, tenant, ..Setting::default() })
    };
    let (first, second) = (plugin(), plugin());
    // Two seconds of it may go at once.
    let content = Full::new(Bytes::from(vec![7; 100_000])).map_err(|never| match never {}).boxed_unsync();
    let request =
        Request::post(format!("http://api.test:{}/", server.at.port())).body(content).expect("request");
    first.egress.clone().send(request, None).await.expect("answer");
    let other = &second.egress;
    assert_eq!((other.own.counts().bytes_out, other.tenant.counts().bytes_out), (0, 100_000));
    assert_eq!(other.own.spend(share::Way::Out, 1000), Duration::ZERO, "its own rate is far");
    let wait = other.tenant.spend(share::Way::Out, 500_000);
    assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(10), "{wait:?}");
}
