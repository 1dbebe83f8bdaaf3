//! An agent whose `http` source has a WebAssembly component as its handler: the fixture of the released WIT package,
//! which makes an event of each line, refuses what is posted to `/refuse` with 422, and traps at `/trap`.

mod harness;

use std::path::Path;
use std::process::{Command, Stdio};

use harness::http::post;
use harness::{Agent, Setup, last_count, lines_in, port_of};
use tempfile::TempDir;

const POSTED: &str = "
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = http
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.handler = handler.wasm
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = HOME/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = HEADER_AND_TEXT
";

fn start() -> (Agent, u16) {
    let home = TempDir::new().expect("a folder");
    std::fs::create_dir(home.path().join("out")).expect("made");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/0.1.0/fixtures/http_handler.wasm");
    std::fs::copy(fixture, home.path().join("handler.wasm")).expect("copied");
    let state = format!("-Dflumen.state={}", home.path().join("state").display());
    let agent = Setup::in_home(home, POSTED).args(&[&state]).start();
    let port = port_of(&agent.log.line("http source listens on"));
    (agent, port)
}

#[test]
fn requests_become_events_refusals_reach_the_client_and_a_trap_ends_nothing() {
    let (mut agent, port) = start();
    assert_eq!(post(port, "/logs", "one\ntwo\n").0, 200);
    let (status, _, text) = post(port, "/refuse", "x");
    assert_eq!((status, text.as_str()), (422, "not like this\n"));
    for _ in 0..2 {
        let (status, _, text) = post(port, "/trap", "x");
        assert_eq!((status, text.as_str()), (500, "the request could not be processed\n"));
    }
    assert_eq!(post(port, "/logs", "three").0, 200);
    agent.until("all is delivered", |m| m.count("AGENT.a1", "EventDeliveredCount") == 3);
    let metrics = agent.metrics();
    assert_eq!(metrics.count("SOURCE.r1", "EventReadFail"), 3);
    assert_eq!(metrics.count("SOURCE.r1", "AppendBatchAcceptedCount"), 2);
    metrics.assert_balanced("a1");
    let home = agent.home();
    let (code, log) = agent.stop();
    assert_eq!((code, last_count(&log, "received"), last_count(&log, "delivered")), (Some(0), 3, 3), "{log}");
    assert!(log.contains("a1.sources.r1.handler") && log.contains("wasm trap"), "{log}");
    let lines = lines_in(&home.join("out"));
    assert_eq!(lines.len(), 3);
    for (line, body) in lines.iter().zip(["one", "two", "three"]) {
        assert!(line.contains("path=/logs") && line.ends_with(&format!("}} {body}")), "{line}");
    }
}

#[test]
fn a_handler_that_fails_again_and_again_makes_clients_come_later() {
    let (mut agent, port) = start();
    let mut trapped = 0;
    let head = loop {
        match post(port, "/trap", "x") {
            (500, ..) => trapped += 1,
            (503, head, _) => break head,
            other => panic!("{other:?}"),
        }
        assert!(trapped < 100, "it is never left alone");
    };
    assert!(head.to_ascii_lowercase().contains("retry-after: 1"), "{head}");
    assert_eq!(agent.stop().0, Some(0));
}

#[test]
fn a_handler_that_is_not_there_is_found_at_the_check() {
    let home = TempDir::new().expect("a folder");
    std::fs::write(home.path().join("agent.conf"), POSTED.replace("HOME", "/tmp")).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    let check = command.args(["check", "agent.conf"]).current_dir(home.path()).stdin(Stdio::null());
    let done = check.output().expect("runs");
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!done.status.success());
    assert!(text.contains("agent.conf:8") && text.contains("handler.wasm"), "{text}");
}
