//! The syslog sources with real senders: rsyslogd (`tests/services/rsyslog`) and `logger`.

#[path = "source_agent/mod.rs"]
mod agent;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use agent::Agent;

/// An rsyslogd that forwards; it ends with this value, or with the process.
struct Sender {
    dir: PathBuf,
    child: Child,
}

impl Sender {
    /// Nothing, said aloud, where there is no rsyslogd.
    fn start(port: u16, [protocol, format, framing]: [&str; 3]) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/services/rsyslog");
        let dir =
            tempfile::Builder::new().prefix("flumen-rsyslog-").tempdir_in("/tmp").expect("a folder").keep();
        let mut child = Command::new(script)
            .arg(&dir)
            .arg(port.to_string())
            .args([protocol, format, framing])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("text");
        if first.trim() != "ready" {
            let status = child.wait().expect("ended");
            assert_eq!(status.code(), Some(77), "rsyslogd did not start");
            eprintln!("SKIPPED: no rsyslogd here (Debian: apt-get install rsyslog)");
            drop(std::fs::remove_dir_all(&dir));
            return None;
        }
        Some(Self { dir, child })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

fn logger(arguments: &[&str]) -> bool {
    match Command::new("logger").args(arguments).status() {
        Ok(status) => {
            assert!(status.success(), "logger {arguments:?}");
            true
        }
        Err(_) => {
            eprintln!("SKIPPED: no logger here (Debian: apt-get install bsdutils)");
            false
        }
    }
}

async fn start(kind: &'static str) -> (Agent, u16) {
    let port = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address").port();
    let text = port.to_string();
    let key = if kind == "multiport_syslogtcp" { "ports" } else { "port" };
    let agent = Agent::start(kind, 1_000, &[("host", "127.0.0.1"), (key, &text)]);
    tokio::time::timeout(agent::PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    (agent, port)
}

/// Host, priority, status and body of so many events.
async fn events(agent: &Agent, count: usize) -> Vec<[String; 4]> {
    let mut found = Vec::new();
    while found.len() < count {
        for batch in agent.batches().await {
            found.extend(batch.iter().map(|event| {
                let header = |name| event.header(name).unwrap_or_default().to_owned();
                let priority = event.header("priority").or(event.header("Priority")).unwrap_or_default();
                assert!(event.header("timestamp").is_some(), "{:?}", String::from_utf8_lossy(event.body()));
                let body = String::from_utf8_lossy(event.body()).into_owned();
                [header("host"), priority.to_owned(), header("flume.syslog.status"), body]
            }));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsyslogd_is_understood_in_every_way_it_sends() {
    let long = "x".repeat(900);
    for (kind, how) in [
        ("syslogtcp", ["tcp", "rfc3164", "traditional"]),
        ("syslogtcp", ["tcp", "rfc5424", "traditional"]),
        ("syslogtcp", ["tcp", "rfc3164", "octet-counted"]),
        ("syslogtcp", ["tcp", "rfc5424", "octet-counted"]),
        ("multiport_syslogtcp", ["tcp", "rfc5424", "traditional"]),
        ("multiport_syslogtcp", ["tcp", "rfc3164", "octet-counted"]),
        ("syslogudp", ["udp", "rfc3164", "traditional"]),
        ("syslogudp", ["udp", "rfc5424", "traditional"]),
    ] {
        let (mut agent, port) = start(kind).await;
        let Some(sender) = Sender::start(port, how) else { return };
        let socket = sender.dir.join("log").display().to_string();
        let texts = ["plain message", "snowman \u{2603} \"quotes\" [brackets] 100%", long.as_str()];
        for text in texts {
            let arguments = ["-u", &socket, "--socket-errors=on", "-p", "local0.info", "-t", "app", text];
            if !logger(&arguments) {
                return;
            }
        }
        let found = events(&agent, 3).await;
        for ([host, priority, status, body], text) in found.iter().zip(texts) {
            assert_eq!([host, priority, status], ["testhost", "134", ""], "{kind} {how:?}");
            assert!(body.starts_with("app") && body.ends_with(text), "{kind} {how:?}: {body}");
        }
        drop(sender);
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logger_is_understood_in_every_way_it_sends() {
    for (kind, more) in [
        ("syslogtcp", &["--tcp", "--rfc3164"][..]),
        ("syslogtcp", &["--tcp", "--rfc5424"]),
        ("syslogtcp", &["--tcp", "--rfc5424", "--octet-count"]),
        ("syslogtcp", &["--tcp", "--rfc3164", "--octet-count"]),
        ("syslogudp", &["--udp", "--rfc3164"]),
        ("syslogudp", &["--udp", "--rfc5424"]),
    ] {
        let (mut agent, port) = start(kind).await;
        let port = port.to_string();
        let common = ["--server", "127.0.0.1", "--port", &port, "-p", "daemon.warning", "-t", "app"];
        if !logger(&[&common[..], more, &["hello from logger"]].concat()) {
            return;
        }
        let found = events(&agent, 1).await;
        let [_, priority, status, body] = &found[0];
        assert_eq!([priority, status], ["28", ""], "{more:?}");
        assert!(body.starts_with("app") && body.ends_with("hello from logger"), "{more:?}: {body}");
        agent.stop().await;
    }
}
