//! What clients of a netcat source cannot do: use up its memory, or keep others from being served.

mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use harness::{Agent, Client, PATIENCE, Setup, until};
use rustix::process::{Resource, getrlimit, setrlimit};

/// More than an agent needs, much less than what the clients below would like it to use.
const RSS_KIB_MAX: u64 = 100 * 1024;
/// A client that could not write for so long is not read from.
const BLOCKED_AFTER: Duration = Duration::from_secs(2);

fn start(options: &str) -> Agent {
    Setup::new(&format!(
        "
        a1.sources = r1
        a1.channels = c1
        a1.sinks = k1
        a1.sources.r1.type = netcat
        a1.sources.r1.bind = 127.0.0.1
        a1.sources.r1.port = 0
        a1.sources.r1.channels = c1
        {options}
        a1.channels.c1.type = memory
        a1.channels.c1.capacity = 10000
        a1.sinks.k1.type = null
        a1.sinks.k1.channel = c1
        "
    ))
    .start()
}

#[track_caller]
fn assert_serves(agent: &Agent, client: &mut Client) {
    assert_eq!(client.say("a line of somebody else").as_deref(), Some("OK"));
    let mut newcomer = agent.client();
    assert_eq!(newcomer.say("a line of a newcomer").as_deref(), Some("OK"));
}

#[track_caller]
fn assert_small(agent: &Agent, kib_max: u64) {
    let kib = agent.rss_kib();
    println!("resident: {kib} KiB of at most {kib_max}");
    assert!(kib < kib_max, "{kib} KiB resident");
}

fn endless_line(agent: &Agent) {
    let mut stream = TcpStream::connect(("127.0.0.1", agent.port())).expect("listens");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        if stream.write_all(&piece).is_err() {
            return;
        }
        assert_small(agent, RSS_KIB_MAX);
    }
    panic!("200 MiB of one line were read");
}

#[test]
fn a_line_without_an_end_is_cut_off_at_the_limit_in_bounded_memory() {
    for options in ["", "a1.sources.r1.max-line-length = 1000000"] {
        let agent = start(options);
        let mut other = agent.client();
        endless_line(&agent);
        assert_serves(&agent, &mut other);
        assert_small(&agent, RSS_KIB_MAX);
        let metrics = agent.metrics();
        metrics.assert_balanced("a1");
        assert_eq!(metrics.count("SOURCE.r1", "EventReadFail"), 1);
    }
}

fn raise_file_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the own limit may be raised to its maximum");
    usize::try_from(limit.maximum.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}

#[test]
fn ten_thousand_idle_connections_cost_less_than_60_mib() {
    let possible = raise_file_limit().saturating_sub(500).min(10_000);
    assert!(possible >= 1_000, "the limit of open files allows no test");
    if possible < 10_000 {
        println!("ONLY {possible} CONNECTIONS: the hard limit of open files allows no more");
    }
    let agent = start("");
    let mut other = agent.client();
    assert_serves(&agent, &mut other);
    let mut idle = Vec::new();
    for _ in 0..possible {
        idle.push(TcpStream::connect(("127.0.0.1", agent.port())).expect("accepted"));
    }
    let is_open =
        |n: usize| move |m: &harness::Metrics| m.count("SOURCE.r1", "OpenConnectionCount") == n as u64;
    agent.until("all are open", is_open(possible + 1));
    assert_serves(&agent, &mut other);
    assert_small(&agent, 60 * 1024);
    // Having sent something makes no lasting difference.
    for stream in &mut idle {
        stream.write_all(b"one line\n").expect("sent");
    }
    for stream in &mut idle {
        stream.read_exact(&mut [0; 3]).expect("OK");
    }
    assert_serves(&agent, &mut other);
    assert_small(&agent, 60 * 1024);
    drop(idle);
    agent.until("all are closed", is_open(1)).assert_balanced("a1");
}

#[test]
fn broken_connections_leave_nothing_behind() {
    let agent = start("");
    let mut other = agent.client();
    for n in 0..1000 {
        let mut stream = TcpStream::connect(("127.0.0.1", agent.port())).expect("accepted");
        match n % 4 {
            0 => {}
            1 => stream.write_all(b"not finished").expect("sent"),
            2 => {
                stream.write_all(b"finished\nnot finished").expect("sent");
                stream.shutdown(Shutdown::Write).expect("half closed");
            }
            _ => {
                let _reset_meanwhile = stream.write_all(b"a\nb\nc");
                let at_once = Some(Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(&stream, at_once).expect("a reset instead of an end");
            }
        }
        if n % 100 == 0 {
            assert_serves(&agent, &mut other);
        }
    }
    let metrics = agent.until("all are closed", |m| m.count("SOURCE.r1", "OpenConnectionCount") == 1);
    metrics.assert_balanced("a1");
    assert_serves(&agent, &mut other);
    assert_small(&agent, RSS_KIB_MAX);
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

#[test]
fn random_bytes_do_no_harm() {
    const SEED: u64 = 0x5EED_F1A3;
    println!("seed {SEED:#x}");
    for encoding in ["utf-8", "ISO-8859-1", "UTF-16", "GBK"] {
        let agent = start(&format!("a1.sources.r1.encoding = {encoding}"));
        let mut random = Random(SEED);
        for _ in 0..200 {
            let mut stream = TcpStream::connect(("127.0.0.1", agent.port())).expect("accepted");
            let length = 1 + usize::from(random.bytes(1)[0]) * 64;
            // A line that is too long ends the connection before all is sent.
            let _closed_meanwhile = stream.write_all(&random.bytes(length));
        }
        agent.until("all are closed", |m| m.count("SOURCE.r1", "OpenConnectionCount") == 0);
        agent.metrics().assert_balanced("a1");
        let mut client = agent.client();
        if encoding != "UTF-16" {
            assert_serves(&agent, &mut client);
        }
        assert_small(&agent, RSS_KIB_MAX);
        assert!(!agent.log.text().contains("panicked"), "{}", agent.log.text());
    }
}

/// Writes for as long as it is read from; says once that it is not, and keeps the connection.
fn write_for_ever(port: u16, text: &[u8], blocked: &AtomicUsize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("accepted");
    stream.set_write_timeout(Some(BLOCKED_AFTER)).expect("a timeout");
    let mut said = false;
    loop {
        match stream.write(text) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !said {
                    blocked.fetch_add(1, SeqCst);
                }
                said = true;
            }
            Err(_) => return,
        }
    }
}

#[test]
fn clients_that_never_read_their_answers_are_not_read_from() {
    const CLIENTS: usize = 50;
    for text in ["a line of text, as usual\n".repeat(4096), "\n".repeat(1 << 17)] {
        let agent = start("");
        let mut other = agent.client();
        let blocked = Arc::new(AtomicUsize::new(0));
        let (port, text) = (agent.port(), Arc::new(text));
        for _ in 0..CLIENTS {
            let (blocked, text) = (blocked.clone(), text.clone());
            std::thread::spawn(move || write_for_ever(port, text.as_bytes(), &blocked));
        }
        until("all are blocked", || (blocked.load(SeqCst) == CLIENTS).then_some(()));
        assert_serves(&agent, &mut other);
        assert_small(&agent, RSS_KIB_MAX);
        agent.metrics().assert_balanced("a1");
    }
}
