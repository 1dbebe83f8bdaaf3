//! The `thrift` sink against sources of ours and against peers that misbehave. Real Flume is in `thrift_java.rs`.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "sink_fixtures/mod.rs"]
mod fixtures;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use agent::{Agent, PATIENCE};
use fixtures::{batch, settings, sink, spec};
use flumen_config::Diagnostics;
use flumen_connect::wire::thrift::{Protocol, Reader, Type, Writer};
use flumen_connect::{Sink, SinkCounters};
use ports::free_port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn source(port: u16, more: &[(&str, &str)]) -> Agent {
    let text = port.to_string();
    let options = [&[("bind", "127.0.0.1"), ("port", text.as_str())], more].concat();
    let agent = Agent::start("thrift", 1_000, &options);
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    agent
}
fn sink_to(port: u16, more: &[(&str, &str)]) -> (Box<dyn Sink>, Arc<SinkCounters>) {
    let text = port.to_string();
    let mut sink = sink("thrift", &[&[("hostname", "127.0.0.1"), ("port", text.as_str())], more].concat());
    let counters = Arc::<SinkCounters>::default();
    sink.attach(counters.clone());
    (sink, counters)
}
fn connections(counters: &SinkCounters) -> [u64; 3] {
    [&counters.connection_created, &counters.connection_closed, &counters.connection_failed]
        .map(|count| count.load(Relaxed))
}

#[tokio::test]
async fn events_go_from_the_sink_to_the_source_in_both_protocols() {
    for protocol in ["compact", "binary"] {
        let port = free_port();
        let mut agent = source(port, &[("protocol", protocol)]).await;
        let (mut sink, counters) = sink_to(port, &[("protocol", protocol), ("batch-size", "3")]);
        assert_eq!(sink.batch_size(), 3);
        sink.open().await.expect("connected");
        let events = [batch(&["one", "two"], &[("k", "v")]), batch(&["three"], &[])];
        for _ in 0..2 {
            let delivery = sink.deliver(&events).await.expect("delivered");
            assert_eq!(delivery.dropped.total(), 0);
        }
        assert_eq!(agent.lines(6).await, ["one", "two", "three", "one", "two", "three"]);
        assert_eq!(agent.counters.append_batch_accepted.load(Relaxed), 2, "one call each");
        sink.close().await.expect("closed");
        assert_eq!(connections(&counters), [1, 1, 0]);
        agent.stop().await;
    }
}

#[tokio::test]
async fn what_the_source_has_no_room_for_stays_here_and_goes_later() {
    let port = free_port();
    let text = port.to_string();
    let mut agent = Agent::start("thrift", 2, &[("bind", "127.0.0.1"), ("port", &text)]);
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    let (mut sink, counters) = sink_to(port, &[]);
    let two = [batch(&["one", "two"], &[])];
    sink.deliver(&two).await.expect("delivered");
    let refused = sink.deliver(&two).await.expect_err("no room").to_string();
    assert_eq!(refused, "Failed to deliver events. Server returned status : FAILED");
    assert_eq!(agent.lines(2).await, ["one", "two"]);
    sink.deliver(&two).await.expect("delivered over a new connection");
    assert_eq!(connections(&counters), [2, 1, 0]);
    agent.stop().await;
}

#[tokio::test]
async fn a_source_that_comes_and_goes_costs_no_event() {
    let port = free_port();
    let (mut sink, counters) = sink_to(port, &[]);
    let down = sink.open().await.expect_err("nobody listens").to_string();
    assert!(down.contains(&format!("cannot connect to 127.0.0.1:{port}")), "{down}");
    let mut first = source(port, &[]).await;
    sink.open().await.expect("connected");
    sink.deliver(&[batch(&["one"], &[])]).await.expect("delivered");
    first.stop().await;
    let mut second = source(port, &[]).await;
    // The old connection is known to be closed before anything is sent over it, or the call fails.
    while sink.deliver(&[batch(&["two"], &[])]).await.is_err() {}
    assert_eq!(second.lines(1).await, ["two"]);
    assert_eq!(connections(&counters)[2], 1);
    second.stop().await;
}

#[tokio::test]
async fn a_batch_beyond_a_frame_goes_in_parts_and_an_event_beyond_it_is_dropped_and_counted() {
    let port = free_port();
    let mut agent = source(port, &[("frameBytesMax", "1000")]).await;
    let (mut sink, _) = sink_to(port, &[("frameBytesMax", "1000")]);
    let (long, huge) = ("x".repeat(600), "y".repeat(1_000));
    let events = [batch(&["a", &long, &huge], &[("k", "v")]), batch(&[&long, "b", &huge, "c"], &[])];
    let delivery = sink.deliver(&events).await.expect("delivered");
    assert_eq!(delivery.dropped.iter().collect::<Vec<_>>(), [("thrift: larger than frameBytesMax", 2)]);
    assert_eq!(agent.lines(5).await, ["a", &long, &long, "b", "c"]);
    assert_eq!(agent.counters.append_batch_accepted.load(Relaxed), 2);
    agent.stop().await;
}

/// A peer that answers each call in this way, and counts its connections.
async fn peer(answer: impl Fn(i32) -> Option<Vec<u8>> + Send + 'static) -> u16 {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("bound");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Some(sequence) = call(&mut stream).await {
                let Some(bytes) = answer(sequence) else { break };
                stream.write_all(&bytes).await.expect("sent");
            }
        }
    });
    port
}
async fn call(stream: &mut TcpStream) -> Option<i32> {
    let length = stream.read_i32().await.ok()?;
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await.ok()?;
    Some(Reader::new(Protocol::Compact, &frame).head().expect("a call").sequence)
}
fn reply(kind: u8, sequence: i32, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut message = Vec::new();
    let mut writer = Writer::new(Protocol::Compact, &mut message);
    writer.head("appendBatch", kind, sequence);
    write(&mut writer);
    writer.stop();
    [&(message.len() as i32).to_be_bytes()[..], &message].concat()
}

#[tokio::test]
async fn only_ok_to_this_very_call_is_a_delivery() {
    type Answers = fn(i32) -> Option<Vec<u8>>;
    let cases: [(Answers, &str); 8] = [
        (|sequence| Some(with_status(sequence, 2)), "Server returned status : ERROR"),
        (|sequence| Some(with_status(sequence + 1, 0)), "belongs to call 2, and not to call 1"),
        (|sequence| Some(reply(2, sequence, |_| ())), "has no status"),
        (
            |sequence| {
                Some(reply(3, sequence, |writer| {
                    writer.field(0, 1, Type::Binary);
                    writer.binary(b"Internal error processing appendBatch");
                    writer.field(1, 2, Type::I32);
                    writer.i32(6);
                }))
            },
            "Internal error processing appendBatch (TApplicationException 6)",
        ),
        (|_| None, "closed the connection without an answer"),
        (|_| Some(b"\x7f\xff\xff\xff".to_vec()), "claims 2147483647 bytes"),
        (|_| Some(b"\0\0\0\x02\x82\x41".to_vec()), "cannot be read"),
        (|_| Some(b"\0\0\0\x04\x80\x01\0\x02".to_vec()), "same `protocol`"),
    ];
    for (answer, words) in cases {
        let (mut sink, counters) = sink_to(peer(answer).await, &[]);
        let failed = sink.deliver(&[batch(&["one"], &[])]).await.expect_err("no delivery").to_string();
        assert!(failed.contains(words), "{failed}");
        assert_eq!(connections(&counters), [1, 1, 0], "{words}");
    }
}
fn with_status(sequence: i32, code: i32) -> Vec<u8> {
    reply(2, sequence, move |writer| {
        writer.field(0, 0, Type::I32);
        writer.i32(code);
    })
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_given_up() {
    let silent = peer(|_| Some(Vec::new())).await;
    let (mut sink, _) = sink_to(silent, &[("request-timeout", "1000")]);
    let failed = sink.deliver(&[batch(&["one"], &[])]).await.expect_err("no answer").to_string();
    assert!(failed.contains("no answer within 1000 ms"), "{failed}");
}

#[tokio::test]
async fn the_connection_is_replaced_when_its_time_is_over() {
    for key in ["reset-connection-interval", "connection-reset-interval"] {
        let (mut sink, counters) =
            sink_to(peer(|sequence| Some(with_status(sequence, 0))).await, &[(key, "1")]);
        let events = [batch(&["one"], &[])];
        while counters.connection_created.load(Relaxed) < 2 {
            sink.deliver(&events).await.expect("delivered");
        }
        assert_eq!(counters.connection_closed.load(Relaxed), 1);
    }
}

#[test]
fn settings_that_cannot_work_are_said() {
    let findings = |more: &[(&str, &str)]| {
        let mut findings = Diagnostics::default();
        let all = [&[("hostname", "h"), ("port", "1")], more].concat();
        let is_good = (spec("thrift").check)(&settings(&all), &mut findings);
        (is_good, findings.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("; "))
    };
    assert_eq!(findings(&[]), (true, String::new()));
    let (is_good, text) = findings(&[("request-timeout", "500"), ("batch-size", "0")]);
    assert!(is_good && text.contains("20000 ms are used") && text.contains("batch-size"), "{text}");
    let (is_good, text) = findings(&[("kerberos", "true"), ("client-principal", "x")]);
    assert!(!is_good && text.contains("Kerberos is not supported"), "{text}");
    let (is_good, text) = findings(&[("protocol", "json")]);
    assert!(!is_good && text.contains("`compact` or `binary`"), "{text}");
}
