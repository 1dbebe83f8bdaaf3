//! Real Flume 1.11 at the other end of the Thrift sources and sink: its client, its source, and Java clients of
//! Scribe and of Flume 0.9.
//!
//! Needs a JDK and the jars that `tests/bench/flume/flume-ng fetch` gets; without them it says so and does nothing.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "sink_fixtures/mod.rs"]
mod fixtures;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use agent::{Agent, PATIENCE, until};
use fixtures::{batch, sink};
use flumen_event::Batch;
use ports::free_port;

const SCRIBE: &str = "org.apache.flume.source.scribe.ScribeSource";
const LEGACY: &str = "org.apache.flume.source.thriftLegacy.ThriftLegacySource";
/// A JVM on a busy machine takes its time to start.
const JAVA_PATIENCE_S: u64 = 180;

/// The folder with Flume's jars.
fn jars() -> Option<PathBuf> {
    let cache = std::env::var_os("FLUME_CACHE").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
        cache.map(|cache| cache.join("flumen/flume-1.11.0"))
    })?;
    let has_java = Command::new("javac").arg("-version").output().is_ok_and(|output| output.status.success());
    if has_java && cache.join("complete").exists() {
        return Some(cache.join("lib"));
    }
    eprintln!("SKIPPED: no JDK, or no Flume: run tests/bench/flume/flume-ng fetch");
    None
}
/// Runs the Java clients; the lines they print.
async fn java(jars: &Path, arguments: &[&str]) -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/ThriftCalls.java");
    let mut command = tokio::process::Command::new("java");
    command.arg("-cp").arg(format!("{}/*", jars.display())).arg(source).args(arguments);
    command.kill_on_drop(true);
    let output = command.output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(JAVA_PATIENCE_S), output);
    let output = output.await.expect("it ends").expect("a JVM");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}
async fn start(kind: &'static str, capacity: usize, more: &[(&str, &str)]) -> (Agent, String) {
    let port = free_port().to_string();
    let bind = if kind == LEGACY { "host" } else { "bind" };
    let agent = Agent::start(kind, capacity, &[&[(bind, "127.0.0.1"), ("port", &*port)], more].concat());
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    (agent, port)
}
async fn events(agent: &Agent) -> Vec<(String, Vec<String>)> {
    let batches = agent.batches().await;
    let event = |event: flumen_event::EventRef<'_>| {
        let mut headers: Vec<String> = event.headers().map(|(k, v)| format!("{k}={v}")).collect();
        headers.sort();
        (String::from_utf8_lossy(event.body()).into_owned(), headers)
    };
    batches.iter().flat_map(Batch::iter).map(event).collect()
}

/// A key in a JKS store, and a trust store with its certificate, by keytool.
struct Stores(tempfile::TempDir);

const STORE_PASSWORD: &str = "flumen-secret";

impl Stores {
    fn make() -> Self {
        let stores = Self(tempfile::tempdir().expect("a folder"));
        let keytool = |arguments: &[&str]| {
            let output = Command::new("keytool")
                .args(arguments)
                .args(["-storepass", STORE_PASSWORD, "-alias", "k"])
                .output()
                .expect("keytool");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        };
        let (keys, trust, certificate) =
            (stores.path("keys"), stores.path("trust"), stores.path("certificate"));
        let made = ["-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=127.0.0.1"];
        let names = ["-ext", "san=ip:127.0.0.1,dns:localhost", "-validity", "3650"];
        keytool(
            &[&made[..], &names, &["-storetype", "JKS", "-keypass", STORE_PASSWORD, "-keystore", &keys]]
                .concat(),
        );
        keytool(&["-exportcert", "-keystore", &keys, "-file", &certificate]);
        keytool(&[
            "-importcert",
            "-noprompt",
            "-storetype",
            "JKS",
            "-keystore",
            &trust,
            "-file",
            &certificate,
        ]);
        stores
    }
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

async fn sdk_against(agent: (Agent, String), properties: &[&str]) {
    let jars = jars().expect("there");
    let (mut agent, port) = agent;
    let printed = java(&jars, &[&["sdk", &*port], properties].concat()).await;
    let refused = "refused: Failed to deliver events. Server returned status : FAILED";
    assert_eq!(printed, ["stored", refused, "done"]);
    let events = events(&agent).await;
    assert_eq!(events[0], ("single".to_owned(), vec!["k=v".to_owned(), "ümlaut=größe".to_owned()]));
    for number in 0..250 {
        assert_eq!(events[1 + number], (format!("event {number}"), vec![format!("n={number}")]));
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flumes_client_stores_events_in_both_protocols_and_learns_when_there_is_no_room() {
    if jars().is_none() {
        return;
    }
    for protocol in ["compact", "binary"] {
        let agent = start("thrift", 1_000, &[("protocol", protocol)]).await;
        sdk_against(agent, &[&format!("protocol={protocol}")]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flumes_client_stores_events_over_tls_in_both_protocols() {
    if jars().is_none() {
        return;
    }
    let stores = Stores::make();
    let (keys, trust) = (stores.path("keys"), stores.path("trust"));
    let tls = [("ssl", "true"), ("keystore", &*keys), ("keystore-password", STORE_PASSWORD)];
    for protocol in ["compact", "binary"] {
        let agent = start("thrift", 1_000, &[&[("protocol", protocol)], &tls[..]].concat()).await;
        let client = [
            &*format!("protocol={protocol}"),
            "ssl=true",
            &*format!("truststore={trust}"),
            &*format!("truststore-password={STORE_PASSWORD}"),
            "truststore-type=JKS",
        ];
        sdk_against(agent, &client).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_java_client_of_scribe_is_served() {
    let Some(jars) = jars() else { return };
    let (mut agent, port) = start(SCRIBE, 10, &[]).await;
    assert_eq!(java(&jars, &["scribe", &port]).await, ["OK", "TRY_LATER", "done"]);
    let events = events(&agent).await;
    assert_eq!(events.len(), 10);
    let expected = [("first", "category=web"), ("zweite größe", "category=db")];
    for (event, (body, header)) in events.iter().zip(expected.iter().cycle()) {
        assert_eq!(event, &((*body).to_owned(), vec![(*header).to_owned()]));
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_java_client_of_flume_09_is_served() {
    let Some(jars) = jars() else { return };
    let (mut agent, port) = start(LEGACY, 1_000, &[]).await;
    assert_eq!(java(&jars, &["legacy", &port]).await, ["done"]);
    until("all are here", || agent.in_channel() == 100).await;
    for (number, (body, headers)) in events(&agent).await.into_iter().enumerate() {
        assert_eq!(body, format!("old {number}"));
        let (timestamp, nanos) =
            (format!("timestamp={}", 1_700_000_000_000u64 + number as u64), format!("nanos={number}"));
        assert_eq!(headers, ["FlumeOG=yes", "host=web1", &nanos, "pri=WARN", "tag=größe", &timestamp]);
    }
    agent.stop().await;
}

/// A real Flume with a `thrift` source in front of a `file_roll` sink; it ends with this value.
struct Flume {
    child: Child,
    out: PathBuf,
    _dir: tempfile::TempDir,
}

impl Flume {
    fn start(port: u16, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("out");
        std::fs::create_dir(&out).expect("a folder");
        let conf = dir.path().join("flume.conf");
        let text = format!(
            "a1.sources = r1\na1.channels = c1\na1.sinks = k1\n\
             a1.sources.r1.type = thrift\na1.sources.r1.bind = 127.0.0.1\na1.sources.r1.port = {port}\n\
             a1.sources.r1.channels = c1\n{more}\
             a1.channels.c1.type = memory\na1.channels.c1.capacity = 10000\n\
             a1.channels.c1.transactionCapacity = 1000\n\
             a1.sinks.k1.type = file_roll\na1.sinks.k1.channel = c1\na1.sinks.k1.sink.rollInterval = 0\n\
             a1.sinks.k1.sink.serializer = HEADER_AND_TEXT\na1.sinks.k1.sink.directory = {}\n",
            out.display()
        );
        std::fs::write(&conf, text).expect("written");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench/flume/flume-ng");
        let child = Command::new(script)
            .args(["agent", "-n", "a1", "-f"])
            .arg(&conf)
            .env("FLUME_XMX", "256m")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { child, out, _dir: dir }
    }
    fn stored(&self) -> String {
        let files = std::fs::read_dir(&self.out).expect("a folder").flatten();
        files.map(|file| std::fs::read_to_string(file.path()).expect("text")).collect()
    }
}

impl Drop for Flume {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn sink_against_flume(source: &str, options: &[(&str, &str)]) {
    let port = free_port();
    let mut flume = Flume::start(port, source);
    let text = port.to_string();
    let mut sink = sink("thrift", &[&[("hostname", "127.0.0.1"), ("port", &*text)], options].concat());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(JAVA_PATIENCE_S);
    while let Err(error) = sink.open().await {
        assert!(std::time::Instant::now() < deadline, "{error}");
        assert!(flume.child.try_wait().expect("a child").is_none(), "Flume has ended");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for number in 0..10 {
        let bodies: Vec<String> = (0..100).map(|at| format!("event {}", number * 100 + at)).collect();
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        sink.deliver(&[batch(&bodies, &[("k", "v")])]).await.expect("delivered");
    }
    let expected: String = (0..1_000).map(|number| format!("{{k=v}} event {number}\n")).collect();
    until("Flume has written all", || flume.stored().len() >= expected.len()).await;
    assert_eq!(flume.stored(), expected);
    sink.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flumes_source_stores_what_our_sink_delivers_in_both_protocols() {
    if jars().is_none() {
        return;
    }
    for protocol in ["compact", "binary"] {
        let source = format!("a1.sources.r1.protocol = {protocol}\n");
        sink_against_flume(&source, &[("protocol", protocol)]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flumes_source_stores_what_our_sink_delivers_over_tls() {
    if jars().is_none() {
        return;
    }
    let stores = Stores::make();
    let source = format!(
        "a1.sources.r1.ssl = true\na1.sources.r1.keystore = {}\n\
         a1.sources.r1.keystore-password = {STORE_PASSWORD}\na1.sources.r1.keystore-type = JKS\n",
        stores.path("keys")
    );
    let trust = stores.path("trust");
    let tls = [("ssl", "true"), ("truststore", &*trust), ("truststore-password", STORE_PASSWORD)];
    sink_against_flume(&source, &tls).await;
}
