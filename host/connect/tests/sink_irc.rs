//! The `irc` sink with a real ngircd, run by `tests/services/ngircd`; said aloud where there is none.

#[path = "sink_fixtures/mod.rs"]
mod fixtures;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fixtures::{batch, settings, sink, spec};
use flumen_config::Diagnostics;
use flumen_connect::{Sink, SinkCounters};
use flumen_event::BatchBuilder;
use ports::free_port;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader as AsyncReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Longer than anything here takes on a busy machine; the server alone lets through three lines a second.
const PATIENCE: Duration = Duration::from_secs(90);
const CHANNEL: &str = "#logs";

struct Server {
    port: u16,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Server {
    fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/services/ngircd");
        let dir = tempfile::Builder::new().prefix("flumen-irc-").tempdir().expect("a folder").keep();
        let port = free_port();
        let mut child = Command::new(script)
            .args([dir.as_os_str(), port.to_string().as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut server = Self { port, input, output, child };
        match server.output.next() {
            Some(line) => assert_eq!(line.expect("text"), "ready"),
            None => {
                let status = server.child.wait().expect("ended");
                assert_eq!(status.code(), Some(77), "the server did not start");
                eprintln!("SKIPPED: no ngircd here (Debian: apt-get install ngircd)");
                return None;
            }
        }
        Some(server)
    }
    fn tell(&mut self, command: &str) {
        writeln!(self.input.as_mut().expect("it lives"), "{command}").expect("it listens");
        self.output.next().expect("it answers").expect("text");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.input = None;
        drop(self.child.wait());
    }
}

/// A person in the channel.
struct Person {
    lines: tokio::io::Lines<AsyncReader<OwnedReadHalf>>,
    output: OwnedWriteHalf,
}

impl Person {
    async fn enter(port: u16, nick: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
        let (input, output) = stream.into_split();
        let mut person = Self { lines: AsyncReader::new(input).lines(), output };
        person.send(&format!("PASS flumen-secret\r\nNICK {nick}\r\nUSER {nick} 0 * :{nick}")).await;
        person.read_until(" 001 ").await;
        person.send(&format!("JOIN {CHANNEL}")).await;
        person.read_until(" 366 ").await;
        person
    }
    async fn send(&mut self, line: &str) {
        self.output.write_all(format!("{line}\r\n").as_bytes()).await.expect("sent");
    }
    async fn line(&mut self) -> String {
        loop {
            let read = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("a line comes");
            let line = read.expect("the connection stays").expect("the server stays");
            if let Some(token) = line.strip_prefix("PING ") {
                self.send(&format!("PONG {token}")).await;
            } else {
                return line;
            }
        }
    }
    async fn read_until(&mut self, words: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(words) {
                return line;
            }
        }
    }
    /// The next message that somebody says.
    async fn hears(&mut self) -> String {
        let line = self.read_until(" PRIVMSG #logs :").await;
        line.split_once(" PRIVMSG #logs :").expect("a message").1.to_owned()
    }
}

fn sink_to(port: u16, more: &[(&str, &str)]) -> (Box<dyn Sink>, Arc<SinkCounters>) {
    let port = port.to_string();
    let common = [
        ("hostname", "127.0.0.1"),
        ("port", &*port),
        ("nick", "flumen"),
        ("chan", "logs"),
        ("password", "flumen-secret"),
    ];
    let mut sink = sink("irc", &[&common, more].concat());
    let counters = Arc::<SinkCounters>::default();
    sink.attach(counters.clone());
    (sink, counters)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_said_in_the_channel_line_by_line_whatever_is_in_them() {
    let Some(server) = Server::start() else { return };
    let mut person = Person::enter(server.port, "person").await;
    let (mut sink, counters) =
        sink_to(server.port, &[("user", "agent"), ("name", "An Agent"), ("splitlines", "false")]);
    sink.open().await.expect("joined");
    let joined = person.read_until(" JOIN ").await;
    assert!(joined.starts_with(":flumen!~agent@"), "{joined}");

    let long = "é".repeat(700);
    let mut builder = BatchBuilder::default();
    let bodies: [&[u8]; 5] =
        [b"hello :world", b"evil\r\nQUIT :gone\0", b"", b"not utf8: \xFF\xFE", long.as_bytes()];
    for body in bodies {
        builder.push(body, []).expect("fits");
    }
    let delivery = sink.deliver(&[builder.finish()]).await.expect("said");
    assert_eq!(delivery.dropped.iter().collect::<Vec<_>>(), [("irc: nothing to say", 1)]);
    assert_eq!(person.hears().await, "hello :world");
    assert_eq!(person.hears().await, "evil  QUIT :gone");
    assert_eq!(person.hears().await, "not utf8: \u{FFFD}\u{FFFD}");
    let mut heard = String::new();
    while heard.chars().count() < 700 {
        heard.push_str(&person.hears().await);
    }
    assert_eq!(heard, long, "nothing was cut off on the way");
    assert_eq!(counters.connection_created.load(Relaxed), 1, "nobody threw us out");
    sink.close().await.expect("closed");
    person.read_until(" QUIT ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_splitlines_each_line_is_a_message_and_a_flood_is_let_through_at_the_servers_speed() {
    let Some(server) = Server::start() else { return };
    let mut person = Person::enter(server.port, "person").await;
    let (mut sink, counters) = sink_to(server.port, &[("splitlines", "true")]);
    sink.open().await.expect("joined");
    let lines: Vec<String> = (0..40).map(|number| format!("line {number}")).collect();
    let batches = [batch(&[lines.join("\n").as_str(), "a\r\n\r\nb\n"], &[])];
    // Side by side: the server throws out who does not answer its pings for as long as the flood takes.
    let heard = async {
        for line in lines.iter().map(String::as_str).chain(["a", "b"]) {
            assert_eq!(person.hears().await, line);
        }
    };
    let (said, ()) = tokio::join!(sink.deliver(&batches), heard);
    said.expect("said");
    assert_eq!(counters.connection_created.load(Relaxed), 1, "nobody threw us out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nick_in_use_a_wrong_password_and_no_server_are_said_and_can_be_tried_again() {
    let Some(server) = Server::start() else { return };
    let (mut wrong, _) = sink_to(server.port, &[("password", "wrong")]);
    let refused = wrong.open().await.expect_err("no way in").to_string();
    assert!(refused.contains("assword") || refused.contains("closed the connection"), "{refused}");

    let mut other = Person::enter(server.port, "flumen").await;
    let (mut sink, counters) = sink_to(server.port, &[]);
    let refused = sink.open().await.expect_err("in use").to_string();
    assert!(refused.contains("433") && refused.contains("choose another `nick`"), "{refused}");
    other.send("QUIT").await;
    other.read_until("ERROR").await;
    while sink.open().await.is_err() {}
    assert!(counters.connection_failed.load(Relaxed) >= 1);

    let (mut down, _) = sink_to(free_port(), &[]);
    let refused = down.open().await.expect_err("nobody listens").to_string();
    assert!(refused.contains("cannot connect to 127.0.0.1"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_kicked_or_silenced_loses_nothing() {
    let Some(server) = Server::start() else { return };
    let mut person = Person::enter(server.port, "person").await;
    let (mut sink, _) = sink_to(server.port, &[]);
    sink.open().await.expect("joined");
    person.read_until(" JOIN ").await;
    person.send(&format!("KICK {CHANNEL} flumen :out")).await;
    person.read_until(" KICK ").await;
    // It joins again. Should the kick arrive within the delivery, that fails, and the events come again.
    while sink.deliver(&[batch(&["after the kick"], &[])]).await.is_err() {}
    assert_eq!(person.hears().await, "after the kick");

    person.send(&format!("MODE {CHANNEL} +m")).await;
    person.read_until(" MODE ").await;
    let refused = sink.deliver(&[batch(&["silenced"], &[])]).await.expect_err("moderated").to_string();
    assert!(refused.contains("404") && refused.contains("PRIVMSG #logs"), "{refused}");
    person.send(&format!("MODE {CHANNEL} -m")).await;
    person.read_until(" MODE ").await;
    while sink.deliver(&[batch(&["heard"], &[])]).await.is_err() {}
    assert_eq!(person.hears().await, "heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_hears_every_event() {
    let Some(mut server) = Server::start() else { return };
    let (mut sink, counters) = sink_to(server.port, &[]);
    sink.open().await.expect("joined");
    sink.deliver(&[batch(&["before"], &[])]).await.expect("said");
    server.tell("kill");
    let failed = sink.deliver(&[batch(&["lost?"], &[])]).await;
    assert!(failed.is_err(), "nobody heard it");
    server.tell("start");
    let mut person = Person::enter(server.port, "person").await;
    while sink.deliver(&[batch(&["after"], &[])]).await.is_err() {}
    assert_eq!(person.hears().await, "after");
    assert!(counters.connection_created.load(Relaxed) >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_pings_are_answered_while_there_are_no_events() {
    let Some(server) = Server::start() else { return };
    let mut person = Person::enter(server.port, "person").await;
    let (mut sink, counters) = sink_to(server.port, &[]);
    sink.open().await.expect("joined");
    person.read_until(" JOIN ").await;
    // The server pings after 5 s of silence and waits 5 s for an answer; four pings to us are more than both.
    for _ in 0..4 {
        let read = tokio::time::timeout(PATIENCE, person.lines.next_line()).await.expect("a line comes");
        let line = read.expect("the connection stays").expect("the server stays");
        let token = line.strip_prefix("PING ").unwrap_or_else(|| panic!("nothing else happens: {line}"));
        person.send(&format!("PONG {token}")).await;
    }
    sink.deliver(&[batch(&["still here"], &[])]).await.expect("said");
    assert_eq!(person.hears().await, "still here");
    assert_eq!(counters.connection_created.load(Relaxed), 1);
}

#[test]
fn settings_that_would_be_commands_are_refused() {
    for (key, value) in [
        ("nick", "a b"),
        ("nick", "a\r\nQUIT"),
        ("chan", "a,b"),
        ("user", "a b"),
        ("name", "a\nb"),
        ("password", "a b"),
        ("splitchars", "["),
    ] {
        let mut pairs = vec![("hostname", "h"), ("nick", "n"), ("chan", "c"), ("splitlines", "true")];
        pairs.retain(|(known, _)| *known != key);
        pairs.push((key, value));
        let mut findings = Diagnostics::default();
        assert!(!(spec("irc").check)(&settings(&pairs), &mut findings), "{key} = {value}");
        assert!(findings.iter().any(|finding| finding.message.contains(key)), "{findings:?}");
    }
}
