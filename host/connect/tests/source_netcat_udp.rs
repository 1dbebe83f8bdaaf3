//! `netcatudp` with real sockets.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::net::UdpSocket;
use std::sync::atomic::Ordering::Relaxed;

use agent::{Agent, until};
use ports::free_port;

async fn start(bind: &str, capacity: usize, more: &[(&str, &str)]) -> (Agent, UdpSocket) {
    let port = free_port();
    let text = port.to_string();
    let options = [&[("bind", bind), ("port", text.as_str())], more].concat();
    let agent = Agent::start("netcatudp", capacity, &options);
    tokio::time::timeout(agent::PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    let client = UdpSocket::bind((bind, 0)).expect("bound");
    client.connect((bind, port)).expect("connected");
    (agent, client)
}

#[tokio::test]
async fn a_datagram_is_an_event_up_to_its_first_line_feed() {
    let (mut agent, client) = start("127.0.0.1", 100, &[]).await;
    for datagram in [&b"one\n"[..], b"two words\nthree\n", b"no end", b"", b"\xFF\xFE\r\n"] {
        client.send(datagram).expect("sent");
    }
    let expected: Vec<&[u8]> = vec![b"one", b"two words", b"no end", b"", b"\xFF\xFE\r"];
    assert_eq!(agent.take(5).await, expected);
    agent.stop().await;
}

#[tokio::test]
async fn the_largest_datagram_arrives_whole() {
    let (mut agent, client) = start("127.0.0.1", 100, &[]).await;
    client.send(&[b'x'; 65_507]).expect("sent");
    assert_eq!(agent.take(1).await, [[b'x'; 65_507]]);
    agent.stop().await;
}

#[tokio::test]
async fn the_sender_is_in_the_header_only_if_one_is_named() {
    let (mut agent, client) = start("127.0.0.1", 100, &[("remoteAddress", "from")]).await;
    let port = client.local_addr().expect("an address").port();
    client.send(b"x").expect("sent");
    let batches = agent.batches().await;
    assert_eq!(batches[0].event(0).header("from"), Some(format!("/127.0.0.1:{port}").as_str()));
    agent.stop().await;

    let (mut agent, client) = start("127.0.0.1", 100, &[]).await;
    client.send(b"x").expect("sent");
    assert!(agent.batches().await[0].headers().is_empty());
    agent.stop().await;
}

#[tokio::test]
async fn many_senders_keep_their_own_addresses() {
    let (mut agent, client) = start("127.0.0.1", 1_000, &[("remoteAddress", "from")]).await;
    let target = client.peer_addr().expect("connected");
    for _ in 0..50 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let own = format!("/{}", socket.local_addr().expect("an address"));
        socket.send_to(own.as_bytes(), target).expect("sent");
    }
    let mut seen = 0;
    while seen < 50 {
        for batch in agent.batches().await {
            for event in batch.iter() {
                assert_eq!(event.header("from").map(str::as_bytes), Some(event.body()));
                seen += 1;
            }
        }
    }
    agent.stop().await;
}

#[tokio::test]
async fn ipv6_works() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("no IPv6 on this machine");
        return;
    }
    let (mut agent, client) = start("::1", 100, &[("remoteAddress", "from")]).await;
    client.send(b"six").expect("sent");
    let batches = agent.batches().await;
    assert_eq!(batches[0].event(0).body(), b"six");
    let from = batches[0].event(0).header("from").expect("set").to_owned();
    assert!(from.starts_with("/[0:0:0:0:0:0:0:1]:"), "{from}");
    agent.stop().await;
}

#[tokio::test]
async fn a_full_channel_keeps_datagrams_waiting_and_in_order() {
    let (mut agent, client) = start("127.0.0.1", 5, &[]).await;
    for n in 0..500 {
        client.send(format!("{n}\n").as_bytes()).expect("sent");
    }
    let bodies = agent.lines(500).await;
    assert_eq!(bodies, (0..500).map(|n| n.to_string()).collect::<Vec<_>>());
    agent.stop().await;
    assert_eq!((agent.received(), agent.dropped()), (500, 0));
}

#[tokio::test]
async fn beyond_the_bound_datagrams_are_dropped_and_counted() {
    let (mut agent, client) = start("127.0.0.1", 5, &[]).await;
    let mut sent = 0u64;
    // More than the bound of 16 MiB in all, at a rate at which the kernel drops none.
    until("some are dropped", || {
        for _ in 0..20 {
            client.send(&[b'x'; 60_000]).expect("sent");
            sent += 1;
        }
        agent.dropped() > 0
    })
    .await;
    assert_eq!(
        agent.counters.dropped.snapshot().keys().map(|k| &**k).collect::<Vec<_>>(),
        ["netcatudp: channel full"]
    );
    agent.stop().await;
    assert_eq!(agent.received(), agent.accepted() + agent.dropped());
    assert!(agent.received() <= sent && agent.in_channel() == 5);
}

/// On the test's own thread: while it sends, nobody reads.
#[tokio::test]
async fn what_the_kernel_loses_is_counted_too() {
    for kind in ["netcatudp", "syslogudp"] {
        let port = free_port();
        let mut agent = Agent::start(kind, 100_000, &[("bind", "127.0.0.1"), ("port", &port.to_string())]);
        tokio::time::timeout(agent::PATIENCE, agent.ready.notified()).await.expect("it gets ready");
        let client = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let sent = 40_000;
        for _ in 0..sent {
            client.send_to(b"<13>Oct 11 22:14:15 h text", ("127.0.0.1", port)).expect("sent");
        }
        let lost = || agent.counters.datagrams_lost.load(Relaxed);
        until("all are counted", || agent.received() + lost() == sent).await;
        assert!(lost() > 0, "{kind}: the kernel kept them all");
        agent.stop().await;
        assert_eq!(agent.received(), agent.accepted(), "{kind}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("an address").port().to_string();
    let mut agent = Agent::start("netcatudp", 5, &[("bind", "127.0.0.1"), ("port", &port)]);
    let ended = tokio::time::timeout(agent::PATIENCE, &mut agent.run).await.expect("it ends");
    let error = ended.expect("no panic").expect_err("in use").to_string();
    assert!(error.contains(&port), "{error}");
}
