//! The syslog sources with real senders: rsyslogd (`tests/services/rsyslog`), syslog-ng (`tests/services/syslog-ng`) and
//! `logger`.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "../../tls/tests/parties/mod.rs"]
mod parties;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use agent::Agent;

/// A daemon that forwards; it ends with this value, or with the process.
struct Sender {
    dir: PathBuf,
    child: Child,
}

impl Sender {
    /// Nothing, said aloud, where the daemon cannot be had. `stores`: for TLS, the authority and the own key.
    fn start(daemon: &str, port: u16, how: [&str; 3], stores: &[String]) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/services").join(daemon);
        let dir =
            tempfile::Builder::new().prefix("flumen-syslog-").tempdir_in("/tmp").expect("a folder").keep();
        let mut child = Command::new(script)
            .arg(&dir)
            .arg(port.to_string())
            .args(how)
            .args(stores)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("text");
        if first.trim() != "ready" {
            let status = child.wait().expect("ended");
            assert_eq!(status.code(), Some(77), "{daemon} did not start");
            eprintln!("SKIPPED, NOT TESTED: no {daemon} here, or none with TLS: tests/services/{daemon}");
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

async fn start(kind: &'static str, more: &[(&str, &str)]) -> (Agent, u16) {
    let port = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address").port();
    let text = port.to_string();
    let key = if kind == "multiport_syslogtcp" { "ports" } else { "port" };
    let options = [&[("host", "127.0.0.1"), (key, &text)], more].concat();
    let agent = Agent::start(kind, 1_000, &options);
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
        let (mut agent, port) = start(kind, &[]).await;
        let Some(sender) = Sender::start("rsyslog", port, how, &[]) else { return };
        if !says_three_texts(&sender, &agent, &format!("{kind} {how:?}")).await {
            return;
        }
        drop(sender);
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syslog_ng_is_understood_in_every_way_it_sends() {
    for (kind, how) in [
        ("syslogtcp", ["tcp", "rfc3164", "traditional"]),
        ("syslogtcp", ["tcp", "rfc5424", "traditional"]),
        ("syslogtcp", ["tcp", "rfc5424", "octet-counted"]),
        ("multiport_syslogtcp", ["tcp", "rfc5424", "octet-counted"]),
        ("syslogudp", ["udp", "rfc3164", "traditional"]),
        ("syslogudp", ["udp", "rfc5424", "traditional"]),
    ] {
        let (mut agent, port) = start(kind, &[]).await;
        let Some(sender) = Sender::start("syslog-ng", port, how, &[]) else { return };
        if !says_three_texts(&sender, &agent, &format!("{kind} {how:?}")).await {
            return;
        }
        drop(sender);
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_daemons_are_understood_over_tls_and_prove_who_they_are() {
    let folder = parties::Folder::new();
    let authority = folder.authority("ca");
    folder.signed("localhost", &authority, |_| {});
    folder.signed("client", &authority, |_| {});
    let [ca, server, client] = ["ca.crt", "localhost.pem", "client.pem"]
        .map(|name| folder.path(name).to_str().expect("UTF-8").to_owned());
    for (daemon, kind, how) in [
        ("rsyslog", "syslogtcp", ["tls", "rfc3164", "traditional"]),
        ("rsyslog", "syslogtcp", ["tls", "rfc5424", "octet-counted"]),
        ("rsyslog", "multiport_syslogtcp", ["tls", "rfc5424", "traditional"]),
        ("syslog-ng", "syslogtcp", ["tls", "rfc5424", "octet-counted"]),
        ("syslog-ng", "multiport_syslogtcp", ["tls", "rfc5424", "traditional"]),
    ] {
        let tls = [("ssl", "true"), ("keystore", &*server), ("client-auth", "need"), ("truststore", &*ca)];
        let (mut agent, port) = start(kind, &tls).await;
        let stores = [ca.clone(), client.clone()];
        let Some(sender) = Sender::start(daemon, port, how, &stores) else { continue };
        if !says_three_texts(&sender, &agent, &format!("{daemon} {kind} {how:?}")).await {
            return;
        }
        drop(sender);
        agent.stop().await;
    }
}

/// False if there is no logger.
async fn says_three_texts(sender: &Sender, agent: &Agent, how: &str) -> bool {
    let long = "x".repeat(900);
    let socket = sender.dir.join("log").display().to_string();
    let texts = ["plain message", "snowman \u{2603} \"quotes\" [brackets] 100%", long.as_str()];
    for text in texts {
        if !logger(&["-u", &socket, "--socket-errors=on", "-p", "local0.info", "-t", "app", text]) {
            return false;
        }
    }
    let found = events(agent, 3).await;
    for ([host, priority, status, body], text) in found.iter().zip(texts) {
        assert_eq!([host, priority, status], ["testhost", "134", ""], "{how}");
        assert!(body.starts_with("app") && body.ends_with(text), "{how}: {body}");
    }
    true
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
        let (mut agent, port) = start(kind, &[]).await;
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
