//! The syslog sources with real sockets.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::Ordering::Relaxed;

use agent::{Agent, until};
use ports::free_port;

async fn start(kind: &'static str, capacity: usize, more: &[(&str, &str)]) -> (Agent, SocketAddr) {
    let port = free_port();
    let text = port.to_string();
    let key = if kind == "multiport_syslogtcp" { "ports" } else { "port" };
    let options = [&[("host", "127.0.0.1"), (key, text.as_str())], more].concat();
    let agent = Agent::start(kind, capacity, &options);
    tokio::time::timeout(agent::PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    (agent, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Connects and sends, from a thread of its own, as a full channel makes it wait.
fn send(to: SocketAddr, text: Vec<u8>) -> std::thread::JoinHandle<TcpStream> {
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(to).expect("connected");
        stream.write_all(&text).expect("sent");
        stream
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_become_events_with_headers() {
    let (mut agent, address) =
        start("syslogtcp", 100, &[("clientIPHeader", "from"), ("clientHostnameHeader", "name")]).await;
    let text =
        "<34>Oct 11 22:14:15 web1 su: failed\r\n<165>1 2003-10-11T22:14:15.003Z web2 app - no line feed";
    drop(send(address, text.into()).join().expect("sent"));
    let mut found = Vec::new();
    while found.len() < 2 {
        for batch in agent.batches().await {
            for event in batch.iter() {
                assert_eq!(event.header("from"), Some("127.0.0.1"));
                assert!(event.header("name").is_some_and(|name| !name.is_empty()));
                let header = |name| event.header(name).unwrap_or("").to_owned();
                let body = String::from_utf8_lossy(event.body()).into_owned();
                found.push([header("host"), header("priority"), header("version"), body]);
            }
        }
    }
    assert_eq!(found[0], ["web1", "34", "", "su: failed"]);
    assert_eq!(found[1], ["web2", "165", "1", "app - no line feed"]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_channel_makes_senders_wait_and_loses_nothing() {
    for (kind, more) in [("syslogtcp", &[][..]), ("multiport_syslogtcp", &[("batchSize", "7")])] {
        let (mut agent, address) = start(kind, 10, more).await;
        let text: String = (0..20_000).map(|n| format!("<13>1 - h {n}\n")).collect();
        let sending = send(address, text.into());
        let bodies = agent.lines(20_000).await;
        assert_eq!(bodies, (0..20_000).map(|n| n.to_string()).collect::<Vec<_>>());
        drop(sending.join().expect("sent"));
        agent.stop().await;
        assert_eq!((agent.received(), agent.accepted(), agent.dropped()), (20_000, 20_000, 0), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_closed_and_counted() {
    for kind in ["syslogtcp", "multiport_syslogtcp", "netcat"] {
        let mut options = vec![("connectionsMax", "2")];
        options.extend((kind == "netcat").then_some(("bind", "127.0.0.1")));
        let (mut agent, address) = start(kind, 100, &options).await;
        let open = [b"<13>1 - h one\n", b"<13>1 - h two\n"]
            .map(|text| send(address, text.to_vec()).join().expect("sent"));
        assert_eq!(agent.take(2).await.len(), 2);
        for closed in 1..=3 {
            let mut third = TcpStream::connect(address).expect("accepted by the kernel");
            let ended = tokio::task::spawn_blocking(move || std::io::Read::read(&mut third, &mut [0]));
            assert_eq!(ended.await.expect("no panic").unwrap_or(0), 0, "{kind}");
            assert_eq!(agent.counters.connections_refused.load(Relaxed), closed, "{kind}");
        }
        assert_eq!(agent.counters.open_connections.load(Relaxed), 2, "{kind}");
        drop(open);
        until("there is room again", || agent.counters.open_connections.load(Relaxed) == 0).await;
        drop(send(address, b"<13>1 - h three\n".to_vec()).join().expect("sent"));
        assert_eq!(agent.take(1).await.len(), 1);
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_ports_of_a_source_share_the_limit_of_connections() {
    let ports = [free_port(), free_port()];
    let text = format!("{} {}", ports[0], ports[1]);
    let options = [("host", "127.0.0.1"), ("ports", text.as_str()), ("connectionsMax", "1")];
    let mut agent = Agent::start("multiport_syslogtcp", 100, &options);
    tokio::time::timeout(agent::PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    let [first, second] = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let open = send(first, b"<13>1 - h one\n".to_vec()).join().expect("sent");
    assert_eq!(agent.lines(1).await, ["one"]);
    let mut other = TcpStream::connect(second).expect("accepted by the kernel");
    let ended = tokio::task::spawn_blocking(move || std::io::Read::read(&mut other, &mut [0]));
    assert_eq!(ended.await.expect("no panic").unwrap_or(0), 0);
    assert_eq!(agent.counters.connections_refused.load(Relaxed), 1);
    drop(open);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stop_leaves_behind_is_counted() {
    let (mut agent, address) = start("syslogtcp", 5, &[]).await;
    let open = send(address, b"<13>x\n".repeat(100)).join().expect("sent");
    until("the channel is full", || agent.in_channel() == 5).await;
    agent.stop().await;
    let stored = agent.accepted();
    assert_eq!((agent.received(), agent.dropped()), (100, 100 - stored));
    let (mut agent, address) = start("syslogtcp", 5, &[]).await;
    let half = send(address, b"<13>whole\n<13>ha".to_vec()).join().expect("sent");
    assert_eq!(agent.lines(1).await, ["<13>whole"]);
    agent.stop().await;
    assert_eq!(
        agent.counters.dropped.snapshot().keys().map(|cause| &**cause).collect::<Vec<_>>(),
        ["syslogtcp: the connection was ended by the stop within a message"]
    );
    drop((open, half));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_without_end_and_garbage_are_cut_and_others_are_served() {
    let (mut agent, address) = start("syslogtcp", 1_000_000, &[("eventSize", "1000")]).await;
    let endless = send(address, vec![b'x'; 3_000_500]);
    let garbage: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let garbage = send(address, garbage);
    let polite = send(address, b"<13>Oct 11 22:14:15 h hello\n".to_vec()).join().expect("sent");
    let open = [endless.join().expect("sent"), garbage.join().expect("sent"), polite];
    until("the endless line is cut", || agent.accepted() > 3000).await;
    let mut bodies = Vec::new();
    until("all is stored", || agent.in_channel() > 3000).await;
    drop(open);
    until("the connections end", || agent.counters.open_connections.load(Relaxed) == 0).await;
    for batch in agent.batches().await {
        bodies.extend(batch.iter().map(|event| event.body().to_vec()));
    }
    assert!(bodies.contains(&b"hello".to_vec()));
    assert!(bodies.iter().all(|body| body.len() <= 1000));
    assert_eq!(
        bodies
            .iter()
            .filter(|body| body.len() >= 500 && body.iter().all(|b| *b == b'x'))
            .map(Vec::len)
            .sum::<usize>(),
        3_000_500
    );
    agent.stop().await;
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_senders_that_say_half_a_message_cost_little_memory() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = files.maximum.unwrap_or(u64::MAX);
    let raised = rustix::process::Rlimit { current: Some(most), maximum: files.maximum };
    let _as_it_is = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
    // Both ends are in this process.
    let senders = 10_000.min((usize::try_from(most).unwrap_or(usize::MAX)).saturating_sub(500) / 2);
    if senders < 10_000 {
        eprintln!("only {senders} connections: the limit of open files is {most}");
    }
    // What is left of a message when its sender goes is an event, for which there is to be room.
    let (mut agent, address) = start("syslogtcp", 20_000, &[]).await;
    let before = resident_bytes();
    let mut open = Vec::new();
    for n in 0..senders {
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.write_all(b"<13>Oct 11 22:14:15 host and no").expect("sent");
        open.push(stream);
        if n % 500 == 499 {
            until("they are accepted", || agent.counters.open_connections.load(Relaxed) > n as u64).await;
        }
    }
    until("all are accepted", || agent.counters.open_connections.load(Relaxed) == senders as u64).await;
    let each = resident_bytes().saturating_sub(before) / senders;
    assert!(each < 16 * 1024, "{each} bytes for each connection");
    send(address, b"<13>others are served\n".to_vec()).join().expect("sent");
    assert_eq!(agent.lines(1).await, ["<13>others are served"]);
    drop(open);
    agent.stopper.stop();
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_port_has_its_header_and_charset_and_a_taken_one_does_not_matter() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let taken_port = taken.local_addr().expect("an address").port();
    let (one, two) = (free_port(), free_port());
    let ports = format!("{one} {two} {one}  {taken_port}");
    let charset = format!("charset.port.{two}");
    let options = [
        ("bind", "127.0.0.1"),
        ("ports", ports.as_str()),
        ("portHeader", "port"),
        (charset.as_str(), "ISO-8859-1"),
    ];
    let mut agent = Agent::start("multiport_syslogtcp", 100, &options);
    tokio::time::timeout(agent::PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    for port in [one, two] {
        send(([127, 0, 0, 1], port).into(), b"<13>1 - caf\xe9 m\n".to_vec()).join().expect("sent");
    }
    let mut found = Vec::new();
    while found.len() < 2 {
        for batch in agent.batches().await {
            let port = |event: flumen_event::EventRef<'_>| {
                event.header("port").map(|port| port.parse::<u16>().expect("a port"))
            };
            found.extend(batch.iter().map(|event| (port(event), event.header("host").map(str::to_owned))));
        }
    }
    found.sort();
    let mut expected = vec![(Some(one), None), (Some(two), Some("caf\u{e9}".to_owned()))];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(agent.counters.event_read_fail.load(Relaxed), 1, "the invalid one");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_without_any_port_fails() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("an address").port().to_string();
    for (kind, key) in [("syslogtcp", "port"), ("multiport_syslogtcp", "ports")] {
        let mut agent = Agent::start(kind, 5, &[("host", "127.0.0.1"), (key, &port)]);
        let ended = tokio::time::timeout(agent::PATIENCE, &mut agent.run).await.expect("it ends");
        let error = ended.expect("no panic").expect_err("in use").to_string();
        assert!(error.contains(&port), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_are_stored_in_order_and_counted_where_there_is_no_room() {
    let (mut agent, address) =
        start("syslogudp", 5, &[("clientIPHeader", "from"), ("clientHostnameHeader", "name")]).await;
    let client = UdpSocket::bind("127.0.0.1:0").expect("bound");
    client.send_to(b"\n", address).expect("sent");
    for n in 0..300 {
        client.send_to(format!("<13>Oct 11 22:14:15 h {n}\n").as_bytes(), address).expect("sent");
    }
    assert_eq!(agent.lines(300).await, (0..300).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(agent.counters.event_read_fail.load(Relaxed), 1, "the empty one");
    client.send_to(b"<13>Oct 11 22:14:15 h last", address).expect("sent");
    let batches = agent.batches().await;
    let event = batches[0].event(0);
    assert_eq!((event.header("from"), event.header("host")), (Some("127.0.0.1"), Some("h")));
    assert!(event.header("name").is_some());
    until("some are dropped", || {
        for _ in 0..20 {
            client.send_to(&[b'x'; 60_000], address).expect("sent");
        }
        agent.dropped() > 0
    })
    .await;
    let causes = agent.counters.dropped.snapshot();
    assert_eq!(causes.keys().map(|cause| &**cause).collect::<Vec<_>>(), ["syslogudp: channel full"]);
    agent.stop().await;
    assert_eq!(agent.received(), agent.accepted() + agent.dropped());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_sender_is_waited_for_and_a_broken_one_counted() {
    let (mut agent, address) = start("syslogtcp", 100, &[]).await;
    let mut slow = TcpStream::connect(address).expect("connected");
    for byte in b"<13>byte by byte\n" {
        slow.write_all(&[*byte]).expect("sent");
    }
    assert_eq!(agent.lines(1).await, ["<13>byte by byte"]);
    slow.write_all(b"<13>unfini").expect("sent");
    until("it is read", || agent.counters.open_connections.load(Relaxed) == 1).await;
    // With unread input at this end the kernel resets the connection; there is none, so it is asked to.
    socket2::SockRef::from(&slow).set_linger(Some(std::time::Duration::ZERO)).expect("set");
    drop(slow);
    until("it is noticed", || agent.counters.open_connections.load(Relaxed) == 0).await;
    assert!(agent.dropped() <= 1 && agent.received() == 1 + agent.dropped());
    agent.stop().await;
}

#[test]
fn mistakes_are_found_at_check() {
    for (kind, pairs, what) in [
        ("syslogtcp", &[][..], "`port` is not set"),
        ("syslogtcp", &[("port", "1"), ("clientIPHeader", "host")], "a header of this name"),
        (
            "syslogtcp",
            &[("port", "1"), ("clientIPHeader", "a"), ("clientHostnameHeader", "a")],
            "by `clientIPHeader`",
        ),
        ("syslogtcp", &[("port", "1"), ("format.regex", "(")], "`regex`"),
        ("syslogtcp", &[("port", "1"), ("format.search", "a")], "needs a `regex`"),
        ("syslogudp", &[("port", "1"), ("format.regex", "a"), ("format.search", "a")], "needs a `replace`"),
        ("syslogudp", &[("port", "1"), ("format.1.regex", "a"), ("format.1.dateFormat", "Q")], "`Q`"),
        ("syslogtcp", &[("port", "1"), ("format.regexp", "a")], "`format.regexp`"),
        ("syslogtcp", &[("port", "1"), ("framing", "x")], "neither `auto`"),
        ("multiport_syslogtcp", &[("ports", "1 x")], "`x` is not a whole number"),
        ("multiport_syslogtcp", &[("ports", " ")], "names no port"),
        ("multiport_syslogtcp", &[("ports", "1"), ("portHeader", "Priority")], "a header of this name"),
        ("multiport_syslogtcp", &[("ports", "1"), ("charset.port.1", "utf-9")], "utf-9"),
        ("multiport_syslogtcp", &[("ports", "1"), ("charset.default", "utf-9")], "utf-9"),
    ] {
        let settings = flumen_config::Settings::from_pairs("a1.sources.r1", pairs.iter().copied());
        let kind = flumen_connect::catalog::source(kind).expect("a known source");
        let mut findings = flumen_config::Diagnostics::default();
        assert!(!(kind.spec.check)(&settings, &mut findings), "{pairs:?}");
        let messages: Vec<_> = findings.iter().map(|finding| finding.message.clone()).collect();
        assert!(messages.iter().any(|message| message.contains(what)), "{what}: {messages:?}");
    }
}
