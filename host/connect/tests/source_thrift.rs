//! The `thrift`, scribe and legacy sources with real sockets. Clients of real Flume are in `thrift_java.rs`.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use agent::{Agent, PATIENCE, until};
use flumen_connect::wire::thrift::client::{Calls, ClientError, Sent, ThriftClient, dial};
use flumen_connect::wire::thrift::{Protocol, Type, Writer};
use flumen_event::{Batch, BatchBuilder};
use ports::free_port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SCRIBE: &str = "org.apache.flume.source.scribe.ScribeSource";
const LEGACY: &str = "org.apache.flume.source.thriftLegacy.ThriftLegacySource";

/// Name and value of each header.
type Headers<'a> = Vec<(&'a str, &'a str)>;
/// Category and message of Scribe.
type Entry<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

async fn start(kind: &'static str, capacity: usize, more: &[(&str, &str)]) -> (Agent, u16) {
    let port = free_port();
    let text = port.to_string();
    let bind = if kind == LEGACY { "host" } else { "bind" };
    let options = [&[(bind, "127.0.0.1"), ("port", text.as_str())], more].concat();
    let agent = Agent::start(kind, capacity, &options);
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    (agent, port)
}
async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.expect("connected")
}
async fn client(port: u16, calls: Calls) -> ThriftClient {
    ThriftClient::over(dial("127.0.0.1", port, PATIENCE).await.expect("connected"), calls)
}
fn batch(events: &[(&str, &str, &[u8])]) -> Batch {
    let mut builder = BatchBuilder::default();
    events.iter().for_each(|(name, value, body)| builder.push(body, [(*name, *value)]).expect("fits"));
    builder.finish()
}
fn framed(protocol: Protocol, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut message = Vec::new();
    write(&mut Writer::new(protocol, &mut message));
    [&(message.len() as i32).to_be_bytes()[..], &message].concat()
}
async fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let reading = async {
        let length = stream.read_i32().await.expect("a length");
        let mut frame = vec![0; length as usize];
        stream.read_exact(&mut frame).await.expect("a frame");
        frame
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("an answer")
}
/// The peer has closed, and sent nothing before.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _reset = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
    rest.is_empty()
}

#[tokio::test]
async fn what_is_answered_with_ok_is_in_the_channel_in_both_protocols() {
    for (word, protocol) in [("compact", Protocol::Compact), ("BINARY", Protocol::Binary)] {
        let (mut agent, port) = start("thrift", 100, &[("protocol", word)]).await;
        let mut client = client(port, Calls { protocol, ..Calls::default() }).await;
        let events = batch(&[("k", "v", b"one"), ("k", "w", b"two\xFF"), ("other", "", b"")]);
        client.append(events.event(0)).await.expect("stored");
        assert_eq!(client.append_batch(&[events]).await.expect("stored"), Sent::default());
        assert_eq!(client.append_batch(&[]).await.expect("nothing to store"), Sent::default());
        assert_eq!(agent.in_channel(), 4);
        let stored = agent.batches().await;
        let seen: Vec<_> = stored
            .iter()
            .flat_map(Batch::iter)
            .map(|event| (event.headers().collect::<Vec<_>>(), event.body()))
            .collect();
        let expected: Vec<(Headers<'_>, &[u8])> = vec![
            (vec![("k", "v")], b"one"),
            (vec![("k", "v")], b"one"),
            (vec![("k", "w")], b"two\xFF"),
            (vec![("other", "")], b""),
        ];
        assert_eq!(seen, expected);
        let counters = &agent.counters;
        let counts = [
            &counters.append_received,
            &counters.append_accepted,
            &counters.append_batch_received,
            &counters.append_batch_accepted,
            &counters.received,
            &counters.accepted,
            &counters.open_connections,
        ];
        assert_eq!(counts.map(|count| count.load(Relaxed)), [1, 1, 1, 1, 4, 4, 1]);
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_batch_without_room_is_answered_with_failed_and_stays_the_clients() {
    let (mut agent, port) = start("thrift", 3, &[]).await;
    let mut client = client(port, Calls::default()).await;
    let two = batch(&[("k", "v", b"one"), ("k", "v", b"two")]);
    client.append_batch(std::slice::from_ref(&two)).await.expect("stored");
    let refused = client.append_batch(std::slice::from_ref(&two)).await;
    assert!(matches!(refused, Err(ClientError::Refused(1))), "{refused:?}");
    assert_eq!((agent.in_channel(), agent.rejected()), (2, 2), "all or nothing");
    assert_eq!(agent.take(2).await.len(), 2);
    client.append_batch(&[two]).await.expect("the connection is as good as before");
    let counters = &agent.counters;
    assert_eq!(counters.append_batch_received.load(Relaxed), 3);
    assert_eq!(counters.append_batch_accepted.load(Relaxed), 2);
    assert_eq!(counters.channel_write_fail.load(Relaxed), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_call_that_cannot_be_understood_gets_libthrifts_exception_and_the_next_one_is_served() {
    let (mut agent, port) = start("thrift", 100, &[]).await;
    let mut stream = connect(port).await;
    let head = |name: &'static str, sequence: i32| {
        framed(Protocol::Compact, move |writer| {
            writer.head(name, 1, sequence);
            writer.stop();
        })
    };
    let incomplete = framed(Protocol::Compact, |writer| {
        writer.head("append", 1, 9);
        writer.field(0, 1, Type::Struct);
        writer.stop();
        writer.stop();
    });
    for (call, name, sequence, text, kind) in [
        (head("nothing", 5), "nothing", 5, "Invalid method name: 'nothing'", 1),
        (head("append", -3), "append", -3, "Internal error processing append", 6),
        (head("appendBatch", 4), "appendBatch", 4, "Internal error processing appendBatch", 6),
        (incomplete, "append", 9, "Required field 'headers' was not present! Struct: ThriftFlumeEvent", 7),
    ] {
        stream.write_all(&call).await.expect("sent");
        let expected = framed(Protocol::Compact, |writer| {
            writer.head(name, 3, sequence);
            writer.field(0, 1, Type::Binary);
            writer.binary(text.as_bytes());
            writer.field(1, 2, Type::I32);
            writer.i32(kind);
            writer.stop();
        });
        assert_eq!(answer(&mut stream).await, &expected[4..]);
    }
    assert_eq!(agent.counters.event_read_fail.load(Relaxed), 4);
    let mut client = ThriftClient::over(stream, Calls::default());
    client.append(batch(&[("k", "v", b"good")]).event(0)).await.expect("stored");
    assert_eq!(agent.lines(1).await, ["good"]);
    agent.stop().await;
}

#[tokio::test]
async fn bytes_that_are_not_thrift_end_their_connection_and_no_other() {
    let (mut agent, port) = start("thrift", 100, &[("frameBytesMax", "1000")]).await;
    let mut good = client(port, Calls::default()).await;
    let hostile: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x7f\xff\xff\xff\x82\x21\x01\x06append",
        b"\0\0\x03\xe9",
        b"\0\0\0\0",
        b"\0\0\0\x04junk",
        b"\0\0\0\x06\x80\x01\0\x01\0\0",
    ];
    for bytes in hostile {
        let mut stream = connect(port).await;
        stream.write_all(bytes).await.expect("sent");
        assert!(is_closed(&mut stream).await, "{bytes:?}");
    }
    good.append(batch(&[("k", "v", b"good")]).event(0)).await.expect("stored");
    until("the others are gone", || agent.counters.open_connections.load(Relaxed) == 1).await;
    assert_eq!(agent.counters.event_read_fail.load(Relaxed), hostile.len() as u64);
    assert_eq!(agent.received(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_within_a_call_brings_nothing_in() {
    let (mut agent, port) = start("thrift", 100, &[]).await;
    let mut stream = connect(port).await;
    let mut call = Vec::new();
    flumen_connect::wire::thrift::events::write_batch(
        Protocol::Compact,
        1,
        &[batch(&[("k", "v", b"half")])],
        &mut call,
    );
    stream.write_all(&call[..call.len() - 1]).await.expect("sent");
    drop(stream);
    until("it is gone", || agent.counters.event_read_fail.load(Relaxed) == 1).await;
    assert_eq!(agent.received(), 0);
    agent.stop().await;
}

#[tokio::test]
async fn clients_that_never_read_their_answers_do_not_keep_others_from_being_served() {
    let (mut agent, port) = start("thrift", 1_000, &[("threads", "2")]).await;
    // A method that is not there has the longest answer.
    let name = "n".repeat(200);
    let call = framed(Protocol::Compact, |writer| {
        writer.head(&name, 1, 1);
        writer.stop();
    });
    let calls = call.repeat(100);
    let mut never_read = Vec::new();
    for _ in 0..3 {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a socket");
        let mut stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await.expect("connected");
        // Until nothing is taken any more.
        while let Ok(sent) = tokio::time::timeout(Duration::from_millis(300), stream.write_all(&calls)).await
        {
            sent.expect("the connection stays");
        }
        never_read.push(stream);
    }
    let event = batch(&[("k", "v", b"x")]);
    let mut good = client(port, Calls::default()).await;
    for _ in 0..10 {
        good.append(event.event(0)).await.expect("stored");
    }
    agent.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let (mut agent, port) = start("thrift", 100, &[("connectionsMax", "1")]).await;
    let mut first = client(port, Calls::default()).await;
    first.append(batch(&[("k", "v", b"one")]).event(0)).await.expect("stored");
    assert!(is_closed(&mut connect(port).await).await);
    first.append(batch(&[("k", "v", b"two")]).event(0)).await.expect("stored");
    agent.stop().await;
}

#[tokio::test]
async fn a_stop_closes_connections_and_ends() {
    let (mut agent, port) = start("thrift", 100, &[]).await;
    let mut idle = connect(port).await;
    let mut half = connect(port).await;
    half.write_all(&[0, 0, 1]).await.expect("sent");
    until("they are open", || agent.counters.open_connections.load(Relaxed) == 2).await;
    agent.stop().await;
    assert!(is_closed(&mut idle).await && is_closed(&mut half).await);
}

#[test]
fn kerberos_is_refused_with_the_way_out() {
    use flumen_config::{Diagnostics, Settings};
    let types = flumen_connect::catalog::by_name(flumen_connect::sources::TYPES, "thrift").expect("known");
    let settings = |kerberos| {
        Settings::from_pairs(
            "a1.sources.r1",
            [("bind", "h"), ("port", "1"), ("kerberos", kerberos), ("agent-principal", "flume/_HOST@X")],
        )
    };
    let mut findings = Diagnostics::default();
    assert!(!(types.spec.check)(&settings("true"), &mut findings));
    let finding = findings.iter().next().expect("a finding");
    assert!(finding.message.contains("Kerberos is not supported"), "{finding:?}");
    assert!(finding.help.as_deref().is_some_and(|help| help.contains("client-auth = need")), "{finding:?}");
    let mut findings = Diagnostics::default();
    assert!((types.spec.check)(&settings("false"), &mut findings), "{findings:?}");
}

fn log_call(entries: &[Entry<'_>]) -> Vec<u8> {
    framed(Protocol::BinaryUnversioned, |writer| {
        writer.head("Log", 1, 3);
        writer.field(0, 1, Type::List);
        writer.list(Type::Struct, entries.len());
        for (category, message) in entries {
            for (id, value) in [(1, category), (2, message)] {
                if let Some(value) = value {
                    writer.field(0, id, Type::Binary);
                    writer.binary(value);
                }
            }
            writer.stop();
        }
        writer.stop();
    })
}
fn log_answer(code: i32) -> Vec<u8> {
    let answer = framed(Protocol::BinaryUnversioned, |writer| {
        writer.head("Log", 2, 3);
        writer.field(0, 0, Type::I32);
        writer.i32(code);
        writer.stop();
    });
    answer[4..].to_vec()
}

#[tokio::test]
async fn scribes_entries_are_events_with_their_category() {
    let (mut agent, port) = start(SCRIBE, 100, &[]).await;
    let mut stream = connect(port).await;
    let call =
        log_call(&[(Some(b"web"), Some(b"first\n")), (None, Some(b"\xFF")), (Some(b"db\xFF"), Some(b""))]);
    stream.write_all(&call).await.expect("sent");
    assert_eq!(answer(&mut stream).await, log_answer(0));
    let batches = agent.batches().await;
    let seen: Vec<_> =
        batches.iter().flat_map(Batch::iter).map(|e| (e.header("category"), e.body())).collect();
    let expected: [(Option<&str>, &[u8]); 3] =
        [(Some("web"), b"first\n"), (None, b"\xFF"), (Some("db\u{FFFD}"), b"")];
    assert_eq!(seen, expected);
    // A client that writes versions is understood, and answered without one, as Flume does.
    let versioned = framed(Protocol::Binary, |writer| {
        writer.head("Log", 1, 3);
        writer.field(0, 1, Type::List);
        writer.list(Type::Struct, 0);
        writer.stop();
    });
    stream.write_all(&versioned).await.expect("sent");
    assert_eq!(answer(&mut stream).await, log_answer(0));
    agent.stop().await;
}

#[tokio::test]
async fn scribes_clients_are_told_to_try_later_and_keep_their_entries() {
    let (mut agent, port) = start(SCRIBE, 2, &[]).await;
    let mut stream = connect(port).await;
    let one: Entry<'_> = (Some(b"web"), Some(b"m"));
    let no_list = framed(Protocol::BinaryUnversioned, |writer| {
        writer.head("Log", 1, 3);
        writer.stop();
    });
    for (call, code) in [
        (log_call(&[one, one]), 0),
        (log_call(&[one]), 1),
        (log_call(&[one, (Some(b"web"), None)]), 1),
        (no_list, 1),
    ] {
        stream.write_all(&call).await.expect("sent");
        assert_eq!(answer(&mut stream).await, log_answer(code));
    }
    assert_eq!((agent.in_channel(), agent.rejected()), (2, 1));
    agent.stop().await;
}

fn old_event(body: &[u8], host: &str, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(Protocol::Binary, &mut out);
    writer.head("append", 4, 1);
    writer.field(0, 1, Type::Struct);
    writer.field(0, 1, Type::I64);
    writer.i64(1_700_000_000_123);
    writer.field(1, 2, Type::I32);
    writer.i32(3);
    writer.field(2, 3, Type::Binary);
    writer.binary(body);
    writer.field(3, 4, Type::I64);
    writer.i64(42);
    writer.field(4, 5, Type::Binary);
    writer.binary(host.as_bytes());
    writer.field(5, 6, Type::Map);
    writer.map(Type::Binary, Type::Binary, fields.len());
    for (name, value) in fields {
        writer.binary(name.as_bytes());
        writer.binary(value);
    }
    writer.stop();
    writer.stop();
    out
}

#[tokio::test]
async fn old_events_are_events_with_their_parts_as_headers_however_they_are_split() {
    let (mut agent, port) = start(LEGACY, 100, &[]).await;
    let mut stream = connect(port).await;
    stream.set_nodelay(true).expect("a socket");
    let mut close = Vec::new();
    let mut writer = Writer::new(Protocol::Binary, &mut close);
    writer.head("close", 4, 2);
    writer.stop();
    let bytes = [
        old_event(b"one", "web1", &[("tag", b"a"), ("host", b"other")]),
        old_event(b"two", "web1", &[("FlumeOG", b"no")]),
        close,
        old_event(&[b'x'; 50_000], "web1", &[]),
    ]
    .concat();
    for piece in bytes.chunks(7_001) {
        stream.write_all(piece).await.expect("sent");
        tokio::task::yield_now().await;
    }
    let mut seen = Vec::new();
    while seen.len() < 3 {
        for batch in agent.batches().await {
            for event in batch.iter() {
                let mut headers: Vec<String> = event.headers().map(|(k, v)| format!("{k}={v}")).collect();
                headers.sort();
                seen.push((event.body().to_vec(), headers.join(" ")));
            }
        }
    }
    let expected = [
        (&b"one"[..], "FlumeOG=yes host=other nanos=42 pri=INFO tag=a timestamp=1700000000123"),
        (b"two", "FlumeOG=yes host=web1 nanos=42 pri=INFO timestamp=1700000000123"),
    ];
    for (seen, (body, headers)) in seen.iter().zip(expected) {
        assert_eq!((&seen.0[..], &*seen.1), (body, headers));
    }
    assert_eq!(seen[2].0.len(), 50_000);
    agent.stop().await;
}

#[tokio::test]
async fn old_senders_wait_while_there_is_no_room_and_nothing_is_lost() {
    let (mut agent, port) = start(LEGACY, 2, &[]).await;
    let mut stream = connect(port).await;
    for number in 0..10 {
        stream.write_all(&old_event(format!("{number}").as_bytes(), "h", &[])).await.expect("sent");
    }
    let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(agent.lines(10).await, expected);
    assert_eq!(agent.dropped(), 0);
    // What is waiting when the agent stops has nobody else who knows of it.
    for number in 0..5 {
        stream.write_all(&old_event(format!("{number}").as_bytes(), "h", &[])).await.expect("sent");
    }
    until("the channel is full", || agent.in_channel() == 2).await;
    agent.stop().await;
    assert_eq!(agent.received(), 10 + 2 + agent.dropped());
}

#[tokio::test]
async fn what_is_no_old_event_ends_its_connection() {
    let (mut agent, port) = start(LEGACY, 100, &[("max-message-bytes", "1000")]).await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &old_event(&[b'x'; 2_000], "h", &[]), &[0x82, 0x21, 1, 6]] {
        let mut stream = connect(port).await;
        stream.write_all(bytes).await.expect("sent");
        assert!(is_closed(&mut stream).await);
    }
    let mut stream = connect(port).await;
    stream.write_all(&old_event(b"good", "h", &[])).await.expect("sent");
    assert_eq!(agent.lines(1).await, ["good"]);
    // The client of Flume 0.9 waits for the answer to its goodbye; nothing here has a frame.
    let mut close = Vec::new();
    let mut writer = Writer::new(Protocol::Binary, &mut close);
    writer.head("close", 1, 6);
    writer.stop();
    stream.write_all(&close).await.expect("sent");
    let mut reply = [0; 18];
    stream.read_exact(&mut reply).await.expect("an answer");
    assert_eq!(&reply, b"\x80\x01\0\x02\0\0\0\x05close\0\0\0\x06\0");
    // A method that is not there is answered.
    let mut call = Vec::new();
    let mut writer = Writer::new(Protocol::Binary, &mut call);
    writer.head("what", 1, 7);
    writer.stop();
    stream.write_all(&call).await.expect("sent");
    stream.shutdown().await.expect("shut down");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.expect("an answer");
    assert!(reply.starts_with(b"\x80\x01\0\x03\0\0\0\x04what\0\0\0\x07"), "{reply:?}");
    agent.stop().await;
}
