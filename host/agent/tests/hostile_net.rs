//! What clients of the network sources cannot do: use up the agent's memory, or keep others from being served.

mod harness;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use harness::wire::{AVRO, HTTP, Protocol, SYSLOG, THRIFT, wait_listening};
use harness::{Agent, Setup, until};
use ports::free_port;
use rustix::process::{Resource, getrlimit, setrlimit};

/// More than an agent needs, much less than what the clients below would like it to use.
const RSS_KIB_MAX: u64 = 150 * 1024;
/// What senders may make it use who send within the limits: requests under way of all clients together.
const PENDING_KIB_MAX: u64 = RSS_KIB_MAX + 256 * 1024;
/// A client that could not write for so long is not read from.
const BLOCKED_AFTER: Duration = Duration::from_secs(2);

struct Served {
    protocol: Protocol,
    agent: Agent,
    port: u16,
}

fn start(protocol: Protocol) -> Served {
    let port = free_port();
    let name = protocol.name;
    let agent = Setup::new(&format!(
        "
        a1.sources = r1
        a1.channels = c1
        a1.sinks = k1
        a1.sources.r1.type = {name}
        a1.sources.r1.bind = 127.0.0.1
        a1.sources.r1.host = 127.0.0.1
        a1.sources.r1.port = {port}
        a1.sources.r1.connectionsMax = 10100
        a1.sources.r1.pendingBytesMax = 268435456
        a1.sources.r1.bodiesBytesMax = 268435456
        a1.sources.r1.ServerConnector.idleTimeout = 600000
        a1.sources.r1.channels = c1
        a1.channels.c1.type = memory
        a1.channels.c1.capacity = 10000
        a1.sinks.k1.type = null
        a1.sinks.k1.channel = c1
        "
    ))
    .start();
    wait_listening(port);
    Served { protocol, agent, port }
}

impl Served {
    #[track_caller]
    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).expect("accepted")
    }
    /// A newcomer is served, memory is bounded, and nothing panicked.
    #[track_caller]
    fn assert_well(&self, kib_max: u64) {
        self.protocol.assert_serves(&self.agent, self.port);
        let kib = self.agent.rss_kib();
        eprintln!("{}: resident {kib} KiB of at most {kib_max}", self.protocol.name);
        assert!(kib < kib_max, "{}: {kib} KiB resident", self.protocol.name);
        let log = self.agent.log.text();
        assert!(!log.contains("panicked"), "{log}");
        self.agent.metrics().assert_balanced("a1");
    }
    #[track_caller]
    fn wait_open(&self, wanted: impl Fn(u64) -> bool) {
        self.agent.until("as many open connections", |m| wanted(m.count("SOURCE.r1", "OpenConnectionCount")));
    }
}

fn raise_file_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the own limit may be raised to its maximum");
    usize::try_from(limit.maximum.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}

/// Tests with thousands of connections take turns: their process has a limit of open files too.
static MANY: Mutex<()> = Mutex::new(());

/// Idle first, then with one request each.
fn ten_thousand_connections(protocol: Protocol, kib_max: u64) {
    let _turn = MANY.lock().unwrap_or_else(PoisonError::into_inner);
    let possible = raise_file_limit().saturating_sub(500).min(10_000);
    assert!(possible >= 1_000, "the limit of open files allows no test");
    if possible < 10_000 {
        eprintln!("ONLY {possible} CONNECTIONS: the hard limit of open files allows no more");
    }
    let served = start(protocol);
    let mut idle: Vec<TcpStream> = (0..possible).map(|_| served.connect()).collect();
    served.wait_open(|open| open >= possible as u64);
    served.assert_well(kib_max);
    let request = (protocol.request)();
    for stream in &mut idle {
        protocol.ask(stream, &request);
    }
    served.assert_well(kib_max);
    drop(idle);
    served.wait_open(|open| open == 0);
    served.assert_well(kib_max);
}

#[test]
fn ten_thousand_connections_of_avro_are_served_in_bounded_memory() {
    ten_thousand_connections(AVRO, RSS_KIB_MAX);
}

#[test]
fn ten_thousand_connections_of_thrift_are_served_in_bounded_memory() {
    ten_thousand_connections(THRIFT, RSS_KIB_MAX);
}

#[test]
fn ten_thousand_connections_of_syslog_are_served_in_bounded_memory() {
    ten_thousand_connections(SYSLOG, RSS_KIB_MAX);
}

#[test]
fn ten_thousand_connections_of_http_are_served_in_bounded_memory() {
    // The HTTP library keeps 20 KiB for a connection.
    ten_thousand_connections(HTTP, 2 * RSS_KIB_MAX);
}

/// Clients that begin a message of `claimed` bytes, send so many of it and no more. Gives their connections as soon as
/// each has sent all, is closed, or is not read from.
fn stalled_senders(served: &Served, clients: usize, claimed: u32, sent_bytes: usize) -> Vec<TcpStream> {
    let start = Arc::new((served.protocol.claim)(claimed));
    let senders: Vec<_> = (0..clients)
        .map(|_| {
            let (mut stream, start) = (served.connect(), start.clone());
            std::thread::spawn(move || {
                stream.set_write_timeout(Some(BLOCKED_AFTER)).expect("a timeout");
                let piece = vec![b'x'; 64 * 1024];
                let mut is_read = stream.write_all(&start).is_ok();
                for _ in 0..sent_bytes / piece.len() {
                    is_read = is_read && stream.write_all(&piece).is_ok();
                }
                stream
            })
        })
        .collect();
    senders.into_iter().map(|sender| sender.join().expect("no panic")).collect()
}

/// Many say that two gigabytes come and send some; memory is not reserved for what is only claimed.
fn claims_of_two_gigabytes(protocol: Protocol) {
    let served = start(protocol);
    let clients = stalled_senders(&served, 200, i32::MAX as u32, 1 << 20);
    served.assert_well(RSS_KIB_MAX);
    drop(clients);
    served.assert_well(RSS_KIB_MAX);
}

/// Many begin large messages that are allowed, and stop before the end.
fn large_messages_without_an_end(protocol: Protocol) {
    let served = start(protocol);
    let clients = stalled_senders(&served, 100, 10 << 20, 9 << 20);
    served.assert_well(PENDING_KIB_MAX);
    drop(clients);
    served.assert_well(PENDING_KIB_MAX);
}

#[test]
fn claims_of_two_gigabytes_do_no_harm_to_avro() {
    claims_of_two_gigabytes(AVRO);
}

#[test]
fn claims_of_two_gigabytes_do_no_harm_to_thrift() {
    claims_of_two_gigabytes(THRIFT);
}

#[test]
fn claims_of_two_gigabytes_do_no_harm_to_syslog() {
    claims_of_two_gigabytes(SYSLOG);
}

#[test]
fn claims_of_two_gigabytes_do_no_harm_to_http() {
    claims_of_two_gigabytes(HTTP);
}

#[test]
fn large_messages_without_an_end_do_no_harm_to_avro() {
    large_messages_without_an_end(AVRO);
}

#[test]
fn large_messages_without_an_end_do_no_harm_to_thrift() {
    large_messages_without_an_end(THRIFT);
}

#[test]
fn large_messages_without_an_end_do_no_harm_to_syslog() {
    large_messages_without_an_end(SYSLOG);
}

#[test]
fn large_messages_without_an_end_do_no_harm_to_http() {
    large_messages_without_an_end(HTTP);
}

/// Writes for as long as it is read from; says once that it is not, and keeps the connection.
fn write_for_ever(mut stream: TcpStream, first: &[u8], next: &[u8], blocked: &AtomicUsize) {
    stream.set_write_timeout(Some(BLOCKED_AFTER)).expect("a timeout");
    let many = next.repeat(64 * 1024 / next.len());
    let mut said = false;
    let mut say = || {
        if !std::mem::replace(&mut said, true) {
            blocked.fetch_add(1, SeqCst);
        }
    };
    let mut rest = first;
    loop {
        match stream.write(rest) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => say(),
            // Closing a client that does not read is as good as not reading from it.
            Err(_) => return say(),
        }
        if rest.is_empty() {
            rest = &many;
        }
    }
}

fn clients_that_never_read(protocol: Protocol) {
    const CLIENTS: usize = 50;
    let served = start(protocol);
    let blocked = Arc::new(AtomicUsize::new(0));
    for _ in 0..CLIENTS {
        let (stream, blocked) = (served.connect(), blocked.clone());
        std::thread::spawn(move || {
            write_for_ever(stream, &(protocol.request)(), &(protocol.next_request)(), &blocked);
        });
    }
    until("all are blocked", || (blocked.load(SeqCst) == CLIENTS).then_some(()));
    served.assert_well(RSS_KIB_MAX);
}

#[test]
fn clients_of_avro_that_never_read_are_not_read_from() {
    clients_that_never_read(AVRO);
}

#[test]
fn clients_of_thrift_that_never_read_are_not_read_from() {
    clients_that_never_read(THRIFT);
}

#[test]
fn clients_of_http_that_never_read_are_not_read_from() {
    clients_that_never_read(HTTP);
}

/// A thousand clients that send a request byte by byte, in turns, and never come to its end.
fn slow_clients(protocol: Protocol) {
    const CLIENTS: usize = 1000;
    let _turn = MANY.lock().unwrap_or_else(PoisonError::into_inner);
    raise_file_limit();
    let served = start(protocol);
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| served.connect()).collect();
    let request = (protocol.request)();
    for byte in &request[..request.len() - 1] {
        for stream in &mut clients {
            // A source may end a connection that takes too long.
            let _closed = stream.write_all(&[*byte]);
        }
        served.protocol.assert_serves(&served.agent, served.port);
    }
    served.assert_well(RSS_KIB_MAX);
    // Who comes to the end after all is served, or was closed.
    if let Some(stream) = clients.first_mut() {
        let _closed = stream.write_all(&request[request.len() - 1..]);
    }
    served.assert_well(RSS_KIB_MAX);
}

#[test]
fn slow_clients_of_avro_do_not_keep_others_waiting() {
    slow_clients(AVRO);
}

#[test]
fn slow_clients_of_thrift_do_not_keep_others_waiting() {
    slow_clients(THRIFT);
}

#[test]
fn slow_clients_of_syslog_do_not_keep_others_waiting() {
    slow_clients(SYSLOG);
}

#[test]
fn slow_clients_of_http_do_not_keep_others_waiting() {
    slow_clients(HTTP);
}

#[test]
fn random_bytes_do_no_harm_to_any_of_them() {
    const SEED: u64 = 0x5EED_F1A4;
    println!("seed {SEED:#x}");
    for protocol in harness::wire::ALL {
        let served = start(protocol);
        let mut random = Random(SEED);
        for n in 0..300 {
            let mut stream = served.connect();
            let length = 1 + usize::from(random.bytes(1)[0]) * 64;
            let mut bytes = random.bytes(length);
            if n % 2 == 0 {
                // Begins as it should.
                bytes.splice(0..0, (protocol.request)().into_iter().take(length / 256));
            }
            let _closed_meanwhile = stream.write_all(&bytes);
        }
        served.wait_open(|open| open == 0);
        served.assert_well(RSS_KIB_MAX);
    }
}

/// Marsaglia's xorshift: the same bytes in each run.
struct Random(u64);

impl Random {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let next = |_| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u8
        };
        (0..count).map(next).collect()
    }
}
