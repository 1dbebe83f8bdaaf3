//! The avro sink against the avro source, and against servers that misbehave.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "avro/client.rs"]
mod client;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use agent::{Agent, PATIENCE};
use client::event;
use flumen_config::{Diagnostics, Settings};
use flumen_connect::catalog::by_name;
use flumen_connect::wire::avro::frame::{FrameLimits, Framer};
use flumen_connect::wire::avro::protocol::Status;
use flumen_connect::wire::avro::responder::{Outcome, Request, Session, put_answer};
use flumen_connect::{Sink, SinkCounters, sinks};
use flumen_event::Batch;
use ports::free_port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

struct Running {
    sink: Box<dyn Sink>,
    counters: Arc<SinkCounters>,
}

fn sink(port: u16, options: &[(&str, &str)]) -> Running {
    let port = port.to_string();
    let mut pairs = vec![("hostname", "127.0.0.1"), ("port", port.as_str())];
    pairs.extend_from_slice(options);
    let settings = Settings::from_pairs("a1.sinks.k1", pairs);
    let kind = by_name(sinks::TYPES, "avro").expect("a type");
    let mut sink = (kind.build)(&settings).unwrap_or_else(|d| panic!("{d:?}"));
    let counters = Arc::<SinkCounters>::default();
    sink.attach(counters.clone());
    Running { sink, counters }
}

impl Running {
    async fn deliver(&mut self, events: &[Batch]) -> Result<(), String> {
        let delivery = self.sink.deliver(events).await.map_err(|error| error.to_string())?;
        assert_eq!(delivery.dropped.total(), 0);
        Ok(())
    }
    /// Created, closed, failed.
    fn connections(&self) -> [u64; 3] {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let c = &self.counters;
        [get(&c.connection_created), get(&c.connection_closed), get(&c.connection_failed)]
    }
}

async fn source(port: u16, capacity: usize, options: &[(&str, &str)]) -> Agent {
    let port = port.to_string();
    let mut all = vec![("bind", "127.0.0.1"), ("port", port.as_str())];
    all.extend_from_slice(options);
    let agent = Agent::start("avro", capacity, &all);
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it listens");
    agent
}

#[tokio::test]
async fn events_arrive_with_their_headers_in_order_plain_and_compressed() {
    for options in [&[][..], &[("compression-type", "deflate"), ("compression-level", "9")][..]] {
        let port = free_port();
        let agent = source(port, 100, &options[..options.len().min(1)]).await;
        let mut running = sink(port, options);
        running.sink.open().await.expect("connected");
        let events =
            [event(b"one", &[("k", "v"), ("é", "ü")]), event(b"two", &[]), event(b"", &[("k", "w")])];
        running.deliver(&events).await.expect("accepted");
        running.deliver(&events[..1]).await.expect("accepted");
        let batches = agent.batches().await;
        let got: Vec<_> = batches.iter().flat_map(|b| b.iter()).map(|e| (e.body(), e.header("k"))).collect();
        let wanted: [(&[u8], _); 4] =
            [(b"one", Some("v")), (b"two", None), (b"", Some("w")), (b"one", Some("v"))];
        assert_eq!(got, wanted);
        assert_eq!(batches[0].event(0).header("é"), Some("ü"));
        running.sink.close().await.expect("closed");
        assert_eq!(running.connections(), [1, 1, 0]);
    }
}

#[tokio::test]
async fn what_is_refused_is_an_error_and_the_next_attempt_takes_a_new_connection() {
    let port = free_port();
    let agent = source(port, 2, &[]).await;
    let mut running = sink(port, &[]);
    let events = [event(b"a", &[]), event(b"b", &[])];
    running.deliver(&events).await.expect("accepted");
    let error = running.deliver(&events).await.expect_err("full");
    assert!(error.contains("FAILED"), "{error}");
    assert_eq!(agent.take(2).await.len(), 2);
    running.deliver(&events).await.expect("accepted again");
    assert_eq!(running.connections(), [2, 1, 0]);
}

#[tokio::test]
async fn nobody_there_is_an_error_that_names_the_target_and_heals() {
    let port = free_port();
    let mut running = sink(port, &[]);
    let error = running.sink.open().await.expect_err("nobody listens").to_string();
    assert!(error.contains(&format!("cannot connect to 127.0.0.1:{port}")), "{error}");
    assert_eq!(running.connections(), [0, 0, 1]);
    let agent = source(port, 10, &[]).await;
    running.deliver(&[event(b"x", &[])]).await.expect("accepted");
    assert_eq!(agent.lines(1).await, ["x"]);
}

#[tokio::test]
async fn a_restart_of_the_other_side_between_batches_is_no_failure() {
    let port = free_port();
    let mut agent = source(port, 10, &[]).await;
    let mut running = sink(port, &[]);
    running.deliver(&[event(b"x", &[])]).await.expect("accepted");
    agent.stop().await;
    let agent = source(port, 10, &[]).await;
    running.deliver(&[event(b"y", &[])]).await.expect("accepted");
    assert_eq!(agent.lines(1).await, ["y"]);
    assert_eq!(running.connections(), [2, 1, 0]);
}

#[tokio::test]
async fn a_batch_of_many_bytes_goes_in_several_requests() {
    let port = free_port();
    let agent = source(port, 100_000, &[("frameBytesMax", "20000000")]).await;
    let mut running = sink(port, &[]);
    let body = vec![b'x'; 1 << 20];
    let events: Vec<Batch> = (0..50).map(|_| event(&body, &[("k", "v")])).collect();
    running.deliver(&events).await.expect("accepted");
    assert_eq!(agent.in_channel(), 50);
    // Headers count as well.
    let long = "v".repeat(1 << 20);
    let events: Vec<Batch> = (0..30).map(|_| event(b"", &[("k", long.as_str())])).collect();
    running.deliver(&events).await.expect("accepted");
    assert_eq!(agent.in_channel(), 80);
}

/// A server that answers every request with what `answer` makes of its serial; an empty answer closes.
async fn server(answer: impl Fn(u32) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut framer = Framer::new(FrameLimits { bytes_max: 1 << 20, buffers_max: 100 });
            let mut bytes = [0; 4096];
            'connection: while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                let mut input = &bytes[..count];
                while let Some(frame) = framer.feed(&mut input).expect("small") {
                    let answer = answer(frame.serial);
                    if answer.is_empty() || stream.write_all(&answer).await.is_err() {
                        break 'connection;
                    }
                }
            }
        }
    });
    port
}

async fn error_of(options: &[(&str, &str)], answer: impl Fn(u32) -> Vec<u8> + Send + 'static) -> String {
    let mut running = sink(server(answer).await, options);
    running.deliver(&[event(b"x", &[])]).await.expect_err("no OK")
}

fn outcome(serial: u32, outcome: &Outcome) -> Vec<u8> {
    // Any call, to have the handshake in front.
    let Request::Events { handshake, .. } = session_of_flume() else { panic!("events") };
    let mut out = Vec::new();
    put_answer(serial, &handshake, outcome, &mut out);
    out
}
fn session_of_flume() -> Request {
    let call = client::call(flumen_connect::wire::avro::protocol::Method::AppendBatch, &[]);
    let mut framer = Framer::new(FrameLimits { bytes_max: 1 << 20, buffers_max: 100 });
    let frame = framer.feed(&mut &call[..]).expect("small").expect("whole");
    Session::default().request(&frame.payload)
}

#[tokio::test]
async fn whatever_is_not_ok_is_an_error_with_the_answer() {
    let failed = error_of(&[], |serial| outcome(serial, &Outcome::Status(Status::Failed))).await;
    assert!(failed.contains("FAILED"), "{failed}");
    let unknown = error_of(&[], |serial| outcome(serial, &Outcome::Status(Status::Unknown))).await;
    assert!(unknown.contains("UNKNOWN"), "{unknown}");
    let exception =
        error_of(&[], |serial| outcome(serial, &Outcome::Exception("java.lang.X: y".into()))).await;
    assert!(exception.contains("java.lang.X: y"), "{exception}");
    let closed = error_of(&[], |_| Vec::new()).await;
    assert!(closed.contains("closed the connection without an answer"), "{closed}");
    let garbage = error_of(&[], |_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    assert!(garbage.contains("does not answer as an avro source does"), "{garbage}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_ends_at_the_request_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let mut running = sink(port, &[("request-timeout", "1000")]);
    let error = running.deliver(&[event(b"x", &[])]).await.expect_err("nobody answers");
    assert!(error.contains("did not answer within 1s (request-timeout)"), "{error}");
    assert_eq!(running.connections(), [1, 1, 0]);
}

#[test]
fn short_timeouts_are_warned_of_and_bad_levels_refused() {
    let kind = by_name(sinks::TYPES, "avro").expect("a type");
    let check = |pairs: &[(&str, &str)]| {
        let all = [&[("hostname", "h"), ("port", "1")][..], pairs].concat();
        let mut findings = Diagnostics::default();
        let good = (kind.spec.check)(&Settings::from_pairs("a1.sinks.k1", all), &mut findings);
        (good, findings.iter().map(|f| f.message.clone()).collect::<Vec<_>>())
    };
    let (good, findings) = check(&[("connect-timeout", "10"), ("request-timeout", "999")]);
    assert!(good && findings.len() == 2 && findings[0].contains("the default 20000"), "{findings:?}");
    let (good, findings) = check(&[("compression-type", "deflate"), ("compression-level", "10")]);
    assert!(!good && findings[0].contains("0 to 9"), "{findings:?}");
}
