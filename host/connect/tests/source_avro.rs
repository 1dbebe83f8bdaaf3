//! The avro source over real sockets: what clients get, what is stored, what the limits do.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "avro/client.rs"]
mod client;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use agent::{Agent, PATIENCE, until};
use client::{Client, call, event};
use flumen_config::{Diagnostics, Settings};
use flumen_connect::catalog::by_name;
use flumen_connect::sources;
use flumen_connect::wire::avro::protocol::{Method, Status};
use flumen_connect::wire::avro::requestor::Answer;
use flumen_connect::wire::deflate::{Deflated, Writing};
use ports::free_port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Running {
    agent: Agent,
    port: u16,
}

async fn start(capacity: usize, options: &[(&str, &str)]) -> Running {
    let port = free_port();
    let text = port.to_string();
    let mut all = vec![("bind", "127.0.0.1"), ("port", text.as_str())];
    all.extend_from_slice(options);
    let agent = Agent::start("avro", capacity, &all);
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it listens");
    Running { agent, port }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("connected")
    }
    async fn client(&self) -> Client {
        Client::new(Box::new(self.connect().await))
    }
    fn count(&self, what: fn(&flumen_connect::SourceCounters) -> &std::sync::atomic::AtomicU64) -> u64 {
        what(&self.agent.counters).load(Relaxed)
    }
}

const OK: Answer = Answer::Status(Status::Ok);
const FAILED: Answer = Answer::Status(Status::Failed);

#[tokio::test]
async fn batches_and_single_events_are_stored_and_answered_and_counted() {
    let mut running = start(100, &[]).await;
    let mut client = running.client().await;
    let events = [event(b"one", &[("k", "v")]), event(b"two", &[])];
    assert_eq!(client.call(Method::AppendBatch, &events).await, OK);
    assert_eq!(client.call(Method::Append, &events[..1]).await, OK);
    assert_eq!(client.call(Method::AppendBatch, &[]).await, OK);
    assert_eq!(running.count(|c| &c.open_connections), 1);
    drop(client);
    let batches = running.agent.batches().await;
    let stored: Vec<_> = batches.iter().flat_map(|b| b.iter()).map(|e| (e.body(), e.header("k"))).collect();
    assert_eq!(stored, [(&b"one"[..], Some("v")), (b"two", None), (b"one", Some("v"))]);
    let counters = [
        running.count(|c| &c.append_received),
        running.count(|c| &c.append_accepted),
        running.count(|c| &c.append_batch_received),
        running.count(|c| &c.append_batch_accepted),
        running.agent.received(),
        running.agent.accepted(),
    ];
    assert_eq!(counters, [1, 1, 2, 2, 3, 3]);
    running.agent.stop().await;
    assert_eq!(running.count(|c| &c.open_connections), 0);
}

#[tokio::test]
async fn a_full_channel_is_answered_with_failed_and_the_events_stay_the_clients() {
    let running = start(3, &[]).await;
    let mut client = running.client().await;
    let two = [event(b"a", &[]), event(b"b", &[])];
    assert_eq!(client.call(Method::AppendBatch, &two).await, OK);
    assert_eq!(client.call(Method::AppendBatch, &two).await, FAILED);
    assert_eq!(client.call(Method::Append, &two[..1]).await, OK);
    assert_eq!(client.call(Method::Append, &two[..1]).await, FAILED);
    assert_eq!(running.agent.in_channel(), 3);
    assert_eq!((running.agent.accepted(), running.agent.rejected()), (3, 3));
    assert_eq!(running.count(|c| &c.append_batch_accepted), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = start(1000, &[]).await;
    let mut stream = running.connect().await;
    let mut client = Client::new(Box::new(tokio::io::empty()));
    let calls: Vec<u8> = (0..200u32)
        .flat_map(|n| client.put(Method::Append, &[event(n.to_string().as_bytes(), &[])]))
        .collect();
    let sending = calls.chunks(997).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (mut read, mut write) = stream.split();
    let send = async {
        for piece in sending {
            write.write_all(&piece).await.expect("taken");
        }
    };
    let receive = async {
        let mut serials = Vec::new();
        // The first carries the handshake of all of them: our client repeats it until it is answered.
        for _ in 0..200 {
            let mut answer = [0; 27];
            read.read_exact(&mut answer).await.expect("an answer");
            serials.push(u32::from_be_bytes([answer[0], answer[1], answer[2], answer[3]]));
            assert_eq!(answer[25..], [0, 0], "OK");
        }
        serials
    };
    let ((), serials) = tokio::join!(send, receive);
    assert_eq!(serials, (1..=200).collect::<Vec<u32>>());
    let bodies = running.agent.lines(200).await;
    assert_eq!(bodies, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn requests_in_any_pieces_are_understood() {
    let running = start(1000, &[]).await;
    let mut stream = running.connect().await;
    for byte in call(Method::AppendBatch, &[event(b"hello", &[("k", "v")]), event(b"x", &[])]) {
        stream.write_all(&[byte]).await.expect("taken");
        stream.flush().await.expect("sent");
        tokio::task::yield_now().await;
    }
    let mut answer = [0; 27];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(running.agent.lines(2).await, ["hello", "x"]);
}

#[tokio::test]
async fn a_large_batch_comes_whole() {
    let running = start(20_000, &[]).await;
    let mut client = running.client().await;
    let body = vec![b'x'; 2000];
    let events: Vec<_> = (0..10_000).map(|_| event(&body, &[("a", "b")])).collect();
    assert_eq!(client.call(Method::AppendBatch, &events).await, OK);
    assert_eq!(running.agent.in_channel(), 10_000);
}

#[tokio::test]
async fn compressed_and_plain_clients_use_one_port() {
    let running = start(100, &[("compression-type", "deflate")]).await;
    let deflated = Deflated::new(running.connect().await, Writing::Level(6), Vec::new());
    let mut compressed = Client::new(Box::new(deflated));
    let mut plain = running.client().await;
    for _ in 0..3 {
        assert_eq!(compressed.call(Method::AppendBatch, &[event(b"z", &[("k", "v")])]).await, OK);
        assert_eq!(plain.call(Method::AppendBatch, &[event(b"p", &[])]).await, OK);
    }
    assert_eq!(running.agent.lines(6).await, ["z", "p", "z", "p", "z", "p"]);
}

/// What the other side says before it closes.
async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset is an end as well.
    let _reset = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("it closes");
    all
}

#[tokio::test]
async fn what_the_source_does_not_speak_is_closed_and_counted() {
    let running = start(100, &[]).await;
    for start in [&b"\x16\x03\x01\x02\x00"[..], b"\x78\x9c\x00", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = running.connect().await;
        stream.write_all(start).await.expect("taken");
        assert_eq!(until_closed(&mut stream).await, b"");
    }
    until("all are counted", || running.count(|c| &c.event_read_fail) == 3).await;
    assert_eq!(running.client().await.call(Method::Append, &[event(b"x", &[])]).await, OK);
}

#[tokio::test]
async fn claims_of_two_gigabytes_are_closed_at_once_and_others_are_served() {
    let running = start(100, &[]).await;
    let mut client = running.client().await;
    for _ in 0..50 {
        let mut stream = running.connect().await;
        stream.write_all(b"\0\0\0\x01\0\0\0\x02\x7f\xff\xff\xff").await.expect("taken");
        assert_eq!(until_closed(&mut stream).await, b"");
    }
    assert_eq!(client.call(Method::Append, &[event(b"x", &[])]).await, OK);
    assert_eq!(running.count(|c| &c.event_read_fail), 50);
}

#[tokio::test]
async fn a_request_that_is_never_completed_is_closed_and_counted() {
    let running = start(100, &[("timeoutSeconds", "1")]).await;
    let mut stream = running.connect().await;
    stream.write_all(&call(Method::Append, &[event(b"x", &[])])[..20]).await.expect("taken");
    assert_eq!(until_closed(&mut stream).await, b"");
    until("it is counted", || running.count(|c| &c.event_read_fail) == 1).await;
}

#[tokio::test]
async fn a_client_that_never_reads_its_answers_is_closed_and_others_are_served() {
    let running = start(2_000_000, &[("timeoutSeconds", "1")]).await;
    let mut deaf = running.connect().await;
    let mut client = Client::new(Box::new(tokio::io::empty()));
    let calls: Vec<u8> = (0..20_000).flat_map(|_| client.put(Method::Append, &[event(b"x", &[])])).collect();
    let flood = tokio::spawn(async move { while deaf.write_all(&calls).await.is_ok() {} });
    let mut other = running.client().await;
    while running.count(|c| &c.event_read_fail) == 0 {
        assert_eq!(other.call(Method::Append, &[event(b"o", &[])]).await, OK);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::timeout(PATIENCE, flood).await.expect("it is closed").expect("no panic");
}

#[tokio::test]
async fn a_zip_bomb_is_refused_at_the_frames_limit() {
    let running = start(100, &[("compression-type", "deflate"), ("frameBytesMax", "1000000")]).await;
    let mut bomb = Deflated::new(running.connect().await, Writing::Level(9), Vec::new());
    // One buffer after the other of zeros, each within the limits, all together not.
    bomb.write_all(b"\0\0\0\x01\0\0\x10\0").await.expect("taken");
    let mut buffer = vec![0, 1, 0x86, 0xA0];
    buffer.resize(100_004, 0);
    for _ in 0..12 {
        if bomb.write_all(&buffer).await.is_err() || bomb.flush().await.is_err() {
            break;
        }
    }
    until("it is counted", || running.count(|c| &c.event_read_fail) == 1).await;
    assert_eq!(running.client().await.call(Method::Append, &[event(b"x", &[])]).await, OK);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let running = start(100, &[("connectionsMax", "2")]).await;
    let (mut one, mut two) = (running.client().await, running.client().await);
    assert_eq!(one.call(Method::Append, &[event(b"x", &[])]).await, OK);
    assert_eq!(two.call(Method::Append, &[event(b"x", &[])]).await, OK);
    assert_eq!(until_closed(&mut running.connect().await).await, b"");
    drop(one);
    until("there is room again", || running.count(|c| &c.open_connections) == 1).await;
    assert_eq!(running.client().await.call(Method::Append, &[event(b"x", &[])]).await, OK);
}

#[tokio::test]
async fn rules_keep_peers_away() {
    let rules = [("ipFilter", "true"), ("ipFilterRules", "deny:ip:127.0.0.1,allow:ip:*")];
    let running = start(100, &rules).await;
    assert_eq!(until_closed(&mut running.connect().await).await, b"");
    let rules = [("ipFilter", "true"), ("ipFilterRules", "allow:name:localhost,deny:ip:*")];
    let running = start(100, &rules).await;
    assert_eq!(running.client().await.call(Method::Append, &[event(b"x", &[])]).await, OK);
}

#[tokio::test]
async fn with_one_thread_all_are_served_one_after_the_other() {
    let running = start(1000, &[("threads", "1")]).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(running.client().await);
    }
    let calls = clients.into_iter().map(|mut client| async move {
        for _ in 0..10 {
            assert_eq!(client.call(Method::Append, &[event(b"x", &[])]).await, OK);
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(running.agent.accepted(), 200);
}

#[tokio::test]
async fn a_stop_answers_what_it_has_stored_and_stores_nothing_unanswered() {
    let mut running = start(1_000_000, &[]).await;
    let port = running.port;
    let sender = tokio::spawn(async move {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
        let mut client = Client::new(Box::new(stream));
        let mut answered = 0;
        while client.try_call(Method::Append, &[event(b"x", &[])]).await == Some(OK) {
            answered += 1;
        }
        answered
    });
    until("some are stored", || running.agent.in_channel() > 50).await;
    running.agent.stop().await;
    let answered = tokio::time::timeout(PATIENCE, sender).await.expect("it ends").expect("no panic");
    assert_eq!(running.agent.in_channel(), answered);
}

#[test]
fn mistakes_are_found_at_check() {
    let source = by_name(sources::TYPES, "avro").expect("a type");
    for (pairs, wanted) in [
        (&[("bind", "h")][..], "`port` is not set"),
        (&[("bind", "h"), ("port", "1"), ("ipFilter", "true")][..], "needs `ipFilterRules`"),
        (&[("bind", "h"), ("port", "1"), ("ipFilter", "true"), ("ipFilterRules", "x")][..], "is no rule"),
        (&[("bind", "h"), ("port", "1"), ("compression-type", "zip")][..], "neither `none` nor `deflate`"),
        (&[("bind", "h"), ("port", "1"), ("threads", "0")][..], "above 0"),
        (&[("bind", "h"), ("port", "1"), ("frameBytesMax", "9999999999")][..], "at most"),
    ] {
        let mut findings = Diagnostics::default();
        let settings = Settings::from_pairs("a1.sources.r1", pairs.iter().copied());
        assert!(!(source.spec.check)(&settings, &mut findings));
        assert!(findings.iter().any(|f| f.message.contains(wanted)), "{wanted}: {findings:?}");
    }
}
