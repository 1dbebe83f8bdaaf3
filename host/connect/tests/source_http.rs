//! `http` with real sockets and a real client: curl. What a client does not do by itself is written by hand.

#[path = "source_agent/mod.rs"]
mod agent;
#[path = "../../../tests/harness/ports.rs"]
mod ports;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use agent::{Agent, PATIENCE, until};
use ports::free_port;
use tempfile::TempDir;

const TWO: &str = r#"[{"headers":{"a":"1"},"body":"one"},{"headers":{"a":"2"},"body":"two"}]"#;

async fn start(capacity: usize, more: &[(&str, &str)]) -> (Agent, u16) {
    let port = free_port();
    let text = port.to_string();
    let options = [&[("bind", "127.0.0.1"), ("port", text.as_str())], more].concat();
    let agent = Agent::start("http", capacity, &options);
    tokio::time::timeout(PATIENCE, agent.ready.notified()).await.expect("it gets ready");
    (agent, port)
}

/// curl with these arguments: what it prints, with the status behind it.
async fn curl(arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let run = move || {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "30", "-w", "%{http_code}"])
            .args(&arguments)
            .output()
            .expect("curl is installed");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        String::from_utf8_lossy(&output.stdout).into_owned() + &errors
    };
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

/// Bytes sent as they are; all that comes back until the server closes.
async fn raw(port: u16, bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let run = move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // A server that refuses what it has seen of a request may close before all of it is sent.
        let _closed = stream.write_all(&bytes);
        let mut all = Vec::new();
        // A reset after the answer is an end as well.
        let _end = stream.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    };
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

fn post(body: &str, headers: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_stored_before_200_is_answered() {
    let (mut agent, port) = start(100, &[]).await;
    let url = format!("http://127.0.0.1:{port}/any/path?x=1");
    assert_eq!(curl(&["-d", TWO, &url]).await, "200");
    assert_eq!(agent.in_channel(), 2);
    let batches = agent.batches().await;
    assert_eq!((batches[0].event(1).body(), batches[0].event(1).header("a")), (&b"two"[..], Some("2")));
    assert_eq!(curl(&["-d", "[]", &url]).await, "200");
    assert_eq!((agent.received(), agent.accepted()), (2, 2));
    agent.stop().await;
}

// Statuses recorded from Flume 1.11.
#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_flumes() {
    let (mut agent, port) = start(100, &[]).await;
    let url = format!("http://127.0.0.1:{port}/");
    for (method, expected) in [
        ("GET", 200),
        ("PUT", 405),
        ("DELETE", 405),
        ("TRACE", 403),
        ("OPTIONS", 403),
        ("PATCH", 501),
        ("FOO", 501),
    ] {
        let answer = curl(&["-X", method, "-d", r#"[{"body":"m"}]"#, "-o", "/dev/null", &url]).await;
        assert_eq!(answer, expected.to_string(), "{method}");
    }
    for (body, expected) in [("{", "400"), ("", "500"), ("null", "500"), ("[null]", "500"), ("{}", "400")] {
        assert_eq!(curl(&["-d", body, "-o", "/dev/null", &url]).await, expected, "{body}");
    }
    assert_eq!(curl(&["-o", "/dev/null", &url]).await, "500", "GET without a body");
    let latin = "Content-Type: application/json; charset=latin1";
    assert_eq!(curl(&["-H", latin, "-d", "[]", "-o", "/dev/null", &url]).await, "500");
    let told = curl(&["-d", "[{\"body\":\"x\"},", &url]).await;
    assert!(
        told.starts_with("Bad request from client. Request has invalid JSON Syntax. Near byte"),
        "{told}"
    );
    assert_eq!(agent.lines(1).await, ["m"]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_chunks_and_expectations_are_served() {
    let (mut agent, port) = start(100, &[]).await;
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(curl(&["--http1.0", "-d", r#"[{"body":"ten"}]"#, &url]).await, "200");
    let chunked = ["-H", "Transfer-Encoding: chunked", "-d", r#"[{"body":"chunks"}]"#, &url];
    assert_eq!(curl(&chunked).await, "200");
    let expecting = ["-H", "Expect: 100-continue", "-d", r#"[{"body":"expected"}]"#, &url];
    assert_eq!(curl(&expecting).await, "200");
    let answers = raw(port, post("[]", "Expect: 100-continue\r\nConnection: close\r\n")).await;
    assert!(answers.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), "{answers}");
    assert_eq!(agent.lines(3).await, ["ten", "chunks", "expected"]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_together_are_answered_in_order() {
    let (mut agent, port) = start(100, &[]).await;
    let mut all: String = (0..20).map(|n| post(&format!(r#"[{{"body":"{n}"}}]"#), "")).collect();
    all += &post("{", "Connection: close\r\n");
    let answers = raw(port, all).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 20, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 400").count(), 1, "{answers}");
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(agent.lines(20).await, expected);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_ends_its_side_still_gets_its_answer() {
    let (mut agent, port) = start(100, &[]).await;
    let run = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.write_all(post(TWO, "").as_bytes()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("half closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    });
    assert_eq!(status(&run.await.expect("no panic")), 200);
    assert_eq!(agent.lines(2).await, ["one", "two"]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_are_unpacked_and_bombs_are_not() {
    let home = TempDir::new().expect("a directory");
    let (mut agent, port) = start(100, &[("bodyBytesMax", "1000000")]).await;
    let url = format!("http://127.0.0.1:{port}/");
    let send = async |name: &str, encoding: &str, packed: Vec<u8>| {
        let path = home.path().join(name);
        std::fs::write(&path, packed).expect("written");
        let data = format!("@{}", path.display());
        let header = format!("Content-Encoding: {encoding}");
        curl(&["-H", &header, "--data-binary", &data, "-o", "/dev/null", &url]).await
    };
    assert_eq!(send("gzip", "gzip", gzip(TWO.as_bytes())).await, "200");
    assert_eq!(send("zstd", "zstd", zstd::encode_all(TWO.as_bytes(), 1).expect("memory")).await, "200");
    assert_eq!(send("br", "br", TWO.into()).await, "415");
    assert_eq!(send("no-gzip", "gzip", TWO.into()).await, "400");
    assert_eq!(send("bomb", "gzip", gzip(&vec![b' '; 50_000_000])).await, "413");
    assert_eq!(agent.in_channel(), 4);
    agent.stop().await;
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let (mut agent, port) = start(100, &[("bodyBytesMax", "1000"), ("bodiesBytesMax", "2000000")]).await;
    // Only the head is sent: the answer comes at once.
    let answer = raw(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n").await;
    assert_eq!(status(&answer), 413, "{answer}");
    let endless = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{}",
        "x".repeat(2000)
    );
    assert_eq!(status(&raw(port, endless).await), 413);
    let head = format!("X: {}\r\nConnection: close\r\n", "a".repeat(9000));
    assert_eq!(status(&raw(port, post("[]", &head)).await), 431);
    let large = format!("X: {}\r\n", "a".repeat(1_000_000));
    let answer = raw(port, post("[]", &large)).await;
    assert!(answer.is_empty() || status(&answer) == 431, "{answer}");
    assert_eq!(agent.in_channel(), 0);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_channel_is_503_and_the_events_stay_the_clients() {
    let (mut agent, port) = start(3, &[]).await;
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(curl(&["-d", TWO, &url]).await, "200");
    let answer = curl(&["-i", "-d", TWO, &url]).await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: 1"), "{answer}");
    assert!(answer.contains("Error appending event to channel. Channel might be full. "), "{answer}");
    assert_eq!((agent.in_channel(), agent.rejected()), (2, 2));
    agent.lines(2).await;
    assert_eq!(curl(&["-d", TWO, &url]).await, "200");
    assert_eq!((agent.received(), agent.accepted()), (6, 4));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_clients_are_ended_and_others_are_served() {
    let (mut agent, port) = start(100, &[("ServerConnector.idleTimeout", "300")]).await;
    let silent: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("connected")).collect();
    let mut half_head = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    half_head.write_all(b"POST / HTTP/1.1\r\nHost:").expect("sent");
    let mut half_body = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    half_body.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{").expect("sent");
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(curl(&["-d", TWO, &url]).await, "200");
    let run = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        half_body.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        half_body.read_to_string(&mut answer).expect("answered and closed");
        for mut stream in silent.into_iter().chain([half_head]) {
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let mut rest = Vec::new();
            let _end = stream.read_to_end(&mut rest);
        }
        answer
    });
    let answer = run.await.expect("no panic");
    assert_eq!(status(&answer), 408, "{answer}");
    until("all are closed", || agent.counters.open_connections.load(Relaxed) == 0).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_ended() {
    let (mut agent, port) = start(100, &[("ServerConnector.idleTimeout", "300")]).await;
    let ended = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        // The kernel would take megabytes of answers first.
        socket2::SockRef::from(&stream).set_recv_buffer_size(4096).expect("a small buffer");
        let requests = post("{", "").repeat(1000);
        let since = Instant::now();
        // Ends when the server gives up the connection whose answers nobody takes.
        while stream.write_all(requests.as_bytes()).is_ok() {
            assert!(since.elapsed() < 10 * PATIENCE, "the connection is still there");
        }
    });
    ended.await.expect("no panic");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed() {
    let (mut agent, port) = start(100, &[("connectionsMax", "2")]).await;
    let held: Vec<TcpStream> =
        (0..2).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("connected")).collect();
    until("both are open", || agent.counters.open_connections.load(Relaxed) == 2).await;
    assert_eq!(raw(port, post("[]", "")).await, "");
    drop(held);
    until("both are closed", || agent.counters.open_connections.load(Relaxed) == 0).await;
    assert_eq!(status(&raw(port, post("[]", "Connection: close\r\n")).await), 200);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_way_is_finished_when_the_source_stops() {
    let (mut agent, port) = start(100, &[]).await;
    let body = r#"[{"body":"last"}]"#;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let expects = "Expect: 100-continue";
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{expects}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).expect("sent");
    let mut goes_on = [0; 25];
    stream.read_exact(&mut goes_on).expect("the server waits for the body");
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let idle = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    agent.stopper.stop();
    // Nobody listens any more.
    until("the port is free", || TcpStream::connect(("127.0.0.1", port)).is_err()).await;
    let run = tokio::task::spawn_blocking(move || {
        stream.write_all(body.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered and closed");
        answer
    });
    let answer = run.await.expect("no panic");
    assert_eq!(status(&answer), 200, "{answer}");
    drop(idle);
    assert_eq!(agent.lines(1).await, ["last"]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_and_their_parameters_become_events() {
    let (mut agent, port) = start(
        100,
        &[("handler", "org.apache.flume.source.http.BLOBHandler"), ("handler.mandatoryParameters", "a,b")],
    )
    .await;
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(curl(&["-d", "x", "-o", "/dev/null", &format!("{url}?a=1")]).await, "500");
    assert_eq!(curl(&["--data-binary", "two\nlines", &format!("{url}?b=%C3%A9&a=1&a=2")]).await, "200");
    let batches = agent.batches().await;
    let event = batches[0].event(0);
    assert_eq!(event.body(), b"two\nlines");
    assert_eq!((event.header("a"), event.header("b")), (Some("1"), Some("é")));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_headers_and_long_blobs_are_cut() {
    let handler =
        [("handler", "org.apache.flume.sink.solr.morphline.BlobHandler"), ("handler.maxBlobLength", "10")];
    let (mut agent, port) = start(100, &handler).await;
    let url = format!("http://127.0.0.1:{port}/?q=1");
    // curl says that what it sends is a form, unless it is told otherwise.
    assert_eq!(curl(&["-d", "a=1&b=two+words", &url]).await, "200");
    assert_eq!(curl(&["-H", "Content-Type: text/plain", "-d", "0123456789ABC", &url]).await, "200");
    let batches = agent.batches().await;
    let events: Vec<_> = batches.iter().flat_map(flumen_event::Batch::iter).collect();
    assert_eq!((events[0].body(), events[0].header("b")), (&b""[..], Some("two words")));
    assert_eq!(events[0].header("Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((events[1].body(), events[1].header("q")), (&b"0123456789"[..], Some("1")));
    assert_eq!(events[1].header("Content-Type"), Some("text/plain"));
    agent.stop().await;
}

/// A certificate for localhost, its key in front of it.
fn pem(folder: &Path) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (both, public) = (folder.join("server.pem"), folder.join("ca.pem"));
    std::fs::write(&both, made.signing_key.serialize_pem() + &made.cert.pem()).expect("written");
    std::fs::write(&public, made.cert.pem()).expect("written");
    (both.to_str().expect("UTF-8").to_owned(), public.to_str().expect("UTF-8").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_also_under_the_older_names_of_its_keys() {
    let home = TempDir::new().expect("a directory");
    let (both, public) = pem(home.path());
    for key in ["ssl", "enableSSL"] {
        let options = [(key, "true"), ("keystore", both.as_str()), ("keystore-type", "PEM")];
        let (mut agent, port) = start(100, &options).await;
        let url = format!("https://localhost:{port}/");
        assert_eq!(curl(&["--cacert", &public, "-d", TWO, &url]).await, "200");
        let old = curl(&["--cacert", &public, "--tls-max", "1.1", "-d", TWO, &url]).await;
        assert!(old.starts_with("000"), "{old}");
        assert_eq!(agent.in_channel(), 2);
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_lose_nothing() {
    let wrk = Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if wrk.is_err() {
        eprintln!("SKIPPED, NOT TESTED: wrk is not installed");
        return;
    }
    let home = TempDir::new().expect("a directory");
    let script = home.path().join("post.lua");
    std::fs::write(
        &script,
        format!("wrk.method = 'POST'\nwrk.body = [=[{TWO}]=]\nfunction done(s, l, r) print('DONE ' .. s.requests .. ' ' .. s.errors.status) end\n"),
    )
    .expect("written");
    let (mut agent, port) = start(1_000_000, &[("QueuedThreadPool.maxThreads", "3")]).await;
    let run = tokio::task::spawn_blocking(move || {
        let url = format!("http://127.0.0.1:{port}/");
        let output = Command::new("wrk").args(["-t1", "-c20", "-d1s", "-s"]).arg(&script).arg(&url).output();
        String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned()
    });
    let report = run.await.expect("no panic");
    let counts = report.lines().find_map(|line| line.strip_prefix("DONE ")).expect(&report);
    let counts: Vec<usize> = counts.split(' ').map(|n| n.parse().expect("a number")).collect();
    assert!(counts[0] > 0 && counts[1] == 0, "{report}");
    // wrk leaves requests behind at its end that were answered, or are.
    let stored = agent.in_channel();
    assert!((counts[0] * 2..=(counts[0] + 20) * 2).contains(&stored), "{report}: {stored} events");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_slow_bodies_do_not_take_more_than_their_room() {
    let (mut agent, port) = start(100, &[("bodiesBytesMax", "3000000")]).await;
    let piece = vec![b' '; 100_000];
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n[";
    let run = tokio::task::spawn_blocking(move || {
        let mut streams = Vec::new();
        let mut refused = 0;
        for _ in 0..200 {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
            stream.write_all(head.as_bytes()).expect("sent");
            // A server that has refused may have closed already.
            let _refused = stream.write_all(&piece);
            streams.push(stream);
        }
        for stream in &mut streams {
            stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
            let mut answer = [0; 12];
            refused += usize::from(stream.read(&mut answer).is_ok_and(|n| n == 12 && &answer[9..] == b"503"));
        }
        refused
    });
    let refused = run.await.expect("no panic");
    assert!(refused > 150, "only {refused} were refused");
    // There is room for others again once these are gone.
    let url = format!("http://127.0.0.1:{port}/");
    until("the room is given back", || agent.counters.open_connections.load(Relaxed) == 0).await;
    assert_eq!(curl(&["-d", TWO, &url]).await, "200");
    agent.stop().await;
}
