//! TLS of the network sources, also with certificates of the clients: who is served, and who is not.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "sink_fixtures/mod.rs"]
mod fixtures;
#[path = "../../tls/tests/parties/mod.rs"]
mod parties;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use agent::{Agent, PATIENCE};
use fixtures::{batch, sink};
use flumen_tls::Trust;
use parties::{Folder, pem};
use ports::free_port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// `ca.crt` vouches for `localhost.pem` and `client.pem`, nobody for `stranger.pem`.
fn stores() -> Folder {
    let folder = Folder::new();
    let authority = folder.authority("ca");
    folder.signed("localhost", &authority, |_| {});
    folder.signed("client", &authority, |_| {});
    folder.self_signed("stranger", |_| {});
    folder
}

struct Running {
    agent: Agent,
    port: u16,
}

async fn start(kind: &'static str, folder: &Folder, client_auth: &str) -> Running {
    let port = free_port();
    let (key, trust) = (file(folder, "localhost.pem"), file(folder, "ca.crt"));
    let text = port.to_string();
    let mut options = vec![("ssl", "true"), ("keystore", key.as_str()), ("keystore-type", "PEM")];
    options.extend([("client-auth", client_auth), ("truststore", &trust), ("truststore-type", "PEM")]);
    match kind {
        "multiport_syslogtcp" => options.extend([("host", "127.0.0.1"), ("ports", &text)]),
        _ => options.extend([("bind", "127.0.0.1"), ("port", &text)]),
    }
    let agent = Agent::start(kind, 100, &options);
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it listens");
    Running { agent, port }
}

fn file(folder: &Folder, name: &str) -> String {
    folder.path(name).to_str().expect("UTF-8").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_that_prove_who_they_are_are_served_and_no_others() {
    let folder = stores();
    let [ca, own, stranger, stranger_ca] =
        ["ca.crt", "client.pem", "stranger.pem", "stranger.crt"].map(|name| file(&folder, name));
    for kind in ["avro", "thrift"] {
        let mut running = start(kind, &folder, "need").await;
        let port = running.port.to_string();
        let trusting = [("ssl", "true"), ("truststore", ca.as_str()), ("truststore-type", "PEM")];
        let deliver = async |more: &[(&str, &str)], body: &str| {
            let common = [("hostname", "localhost"), ("port", &port), ("request-timeout", "5000")];
            let mut sink = sink(kind, &[&common[..], more].concat());
            sink.deliver(&[batch(&[body], &[])]).await.map(drop).map_err(|error| error.to_string())
        };
        for (who, options) in [
            ("one without TLS", vec![]),
            ("one without a certificate", trusting.to_vec()),
            ("a stranger", [&trusting[..], &[("keystore", &stranger)]].concat()),
        ] {
            deliver(&options, who).await.expect_err(who);
        }
        let distrusts = [("ssl", "true"), ("truststore", &stranger_ca), ("keystore", &own)];
        let refused = deliver(&distrusts, "it does not believe us").await.expect_err("refused");
        assert!(refused.contains("nobody in the trust store vouches"), "{kind}: {refused}");
        deliver(&[&trusting[..], &[("keystore", &own)]].concat(), "known").await.expect("served");
        assert_eq!(running.agent.lines(1).await, ["known"], "{kind}");
        running.agent.stop().await;
        assert_eq!((running.agent.received(), running.agent.accepted()), (1, 1), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_need_no_certificate_where_none_is_asked_for() {
    let folder = stores();
    let ca = file(&folder, "ca.crt");
    for (kind, client_auth) in [("avro", "none"), ("avro", "want"), ("thrift", "none"), ("thrift", "want")] {
        let mut running = start(kind, &folder, client_auth).await;
        let port = running.port.to_string();
        let options = [("hostname", "localhost"), ("port", &port), ("ssl", "true"), ("truststore", &ca)];
        let mut sink = sink(kind, &options);
        sink.deliver(&[batch(&["one", "two"], &[])]).await.expect("served");
        assert_eq!(running.agent.lines(2).await, ["one", "two"], "{kind} {client_auth}");
        sink.close().await.expect("closed");
        running.agent.stop().await;
    }
}

/// Sends over TLS and ends the connection; false if the source ends it instead.
async fn send(port: u16, folder: &Folder, keystore: Option<&str>, text: &[u8]) -> bool {
    let plan = flumen_tls::ClientTls {
        keystore: keystore.map(|name| pem(&folder.path(name))),
        ..parties::client(Trust::Store(pem(&folder.path("ca.crt"))))
    };
    let connector = plan.connector().expect("good stores");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
    let Ok(mut stream) = connector.connect("localhost", stream).await else { return false };
    let sent = async {
        stream.write_all(text).await?;
        stream.shutdown().await?;
        // With TLS 1.3 only now it is known what the source thinks of our certificate.
        stream.read_to_end(&mut Vec::new()).await
    };
    tokio::time::timeout(PATIENCE, sent).await.expect("in time").is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_messages_over_tls_become_events() {
    let folder = stores();
    let counted = |text: &str| format!("{} {text}", text.len());
    for kind in ["syslogtcp", "multiport_syslogtcp"] {
        let mut running = start(kind, &folder, "none").await;
        // A large one spans many records of TLS.
        let long = "x".repeat(2000);
        let lines: String = (0..1000).map(|n| format!("<13>1 - web1 {n} {long}\n")).collect();
        let sending = send(running.port, &folder, None, lines.as_bytes());
        let (came, sent) = tokio::join!(running.agent.lines(1000), sending);
        assert!(sent);
        assert_eq!(came, (0..1000).map(|n| format!("{n} {long}")).collect::<Vec<_>>(), "{kind}");
        let text = counted("<13>1 - web1 a\nb") + counted("<13>1 - web1 c").as_str();
        assert!(send(running.port, &folder, None, text.as_bytes()).await);
        assert_eq!(running.agent.lines(2).await, ["a\nb", "c"], "{kind}");
        // One without TLS is no reason to stop.
        let mut plain = TcpStream::connect(("127.0.0.1", running.port)).await.expect("connected");
        plain.write_all(b"<13>1 - web1 plain\n").await.expect("sent");
        let mut rest = Vec::new();
        let closed = plain.read_to_end(&mut rest);
        drop(tokio::time::timeout(PATIENCE, closed).await.expect("it is closed"));
        assert!(send(running.port, &folder, None, b"<13>1 - web1 last").await);
        assert_eq!(running.agent.lines(1).await, ["last"], "{kind}");
        running.agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_senders_that_prove_who_they_are_are_served_and_no_others() {
    let folder = stores();
    for kind in ["syslogtcp", "multiport_syslogtcp"] {
        let mut running = start(kind, &folder, "need").await;
        for (keystore, text) in [(None, "none"), (Some("stranger.pem"), "stranger")] {
            let text = format!("<13>1 - web1 {text}\n");
            assert!(!send(running.port, &folder, keystore, text.as_bytes()).await, "{kind} {keystore:?}");
        }
        assert!(send(running.port, &folder, Some("client.pem"), b"<13>1 - web1 known\n").await);
        assert_eq!(running.agent.lines(1).await, ["known"], "{kind}");
        running.agent.stop().await;
        assert_eq!(running.agent.received(), 1, "{kind}");
    }
}
