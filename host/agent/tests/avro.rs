//! `flumen avro-client`, and two agents that feed each other.

mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::{Agent, Setup, lines_in, port_of, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

const RECEIVER: &str = "
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = avro
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = HOME/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = HEADER_AND_TEXT
";

fn receiver() -> Agent {
    let setup = Setup::new(RECEIVER);
    std::fs::create_dir(setup.home().join("out")).expect("made");
    setup.start()
}
fn port(agent: &Agent) -> String {
    port_of(&agent.log.line("Avro source listens on [")).to_string()
}
/// Status, standard output and standard error.
fn client(home: &Path, args: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    std::fs::write(home.join("stdin"), input).expect("written");
    let stdin = std::fs::File::open(home.join("stdin")).expect("there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    command.arg("avro-client").args(args).current_dir(home).stdin(Stdio::from(stdin));
    let output = command.output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
#[track_caller]
fn assert_lines(agent: &Agent, wanted: &[&str]) {
    let out = agent.home().join("out");
    let came = until("the lines", || Some(lines_in(&out)).filter(|lines| lines.len() >= wanted.len()));
    assert_eq!(came, wanted);
}

#[test]
fn avro_client_sends_a_file_a_folder_and_its_input_and_is_silent() {
    let agent = receiver();
    let port = port(&agent);
    let home = TempDir::new().expect("a directory");
    std::fs::write(home.path().join("headers"), "color = blue\nshape=round\n").expect("written");
    std::fs::write(home.path().join("file"), "one\ntwo\r\nthree").expect("written");
    std::fs::create_dir(home.path().join("folder")).expect("made");
    std::fs::write(home.path().join("folder/a"), "four\n").expect("written");
    let target = ["-H", "127.0.0.1", "-p", port.as_str()];
    let silent = (Some(0), String::new(), String::new());
    let file = [&target[..], &["-F", "file", "-R", "headers"]].concat();
    assert_eq!(client(home.path(), &file, b""), silent);
    let folder = [&target[..], &["--dirname", "folder"]].concat();
    assert_eq!(client(home.path(), &folder, b""), silent);
    assert!(home.path().join("folder/a.COMPLETED").exists());
    assert_eq!(client(home.path(), &folder, b""), silent, "there is nothing to send any more");
    let properties = format!(
        "client.type = default_failover\nhosts = a b\nhosts.a = 127.0.0.1:1\nhosts.b = 127.0.0.1:{port}\n"
    );
    std::fs::write(home.path().join("rpc"), properties).expect("written");
    let (status, _, said) = client(home.path(), &["-P", "rpc"], b"five\nsix");
    assert_eq!(status, Some(0), "{said}");
    let blue = "{color=blue, shape=round}";
    let [one, two, three] = ["one", "two", "three"].map(|text| format!("{blue} {text}"));
    assert_lines(&agent, &[&one, &two, &three, "{} four", "{} five", "{} six"]);
}

#[test]
fn avro_client_speaks_thrift_if_its_properties_say_so() {
    let setup =
        Setup::new(&RECEIVER.replace("type = avro", "type = thrift\na1.sources.r1.protocol = binary"));
    std::fs::create_dir(setup.home().join("out")).expect("made");
    let agent = setup.start();
    let port = port_of(&agent.log.line("thrift source listens"));
    let home = TempDir::new().expect("a directory");
    let properties = format!(
        "client.type = thrift\nhosts = a\nhosts.a = 127.0.0.1:{port}\nprotocol = binary\nbatch-size = 2\nmaxConnections = 5\n"
    );
    std::fs::write(home.path().join("rpc"), &properties).expect("written");
    std::fs::write(home.path().join("headers"), "color = blue\n").expect("written");
    let (status, out, said) = client(home.path(), &["-P", "rpc", "-R", "headers"], b"one\ntwo\nthree");
    assert_eq!((status, out, said), (Some(0), String::new(), String::new()));
    assert_lines(&agent, &["{color=blue} one", "{color=blue} two", "{color=blue} three"]);
    assert_eq!(agent.metrics().count("SOURCE.r1", "AppendBatchAcceptedCount"), 2);
    // The source takes it for the length of a frame, and ends the connection.
    std::fs::write(home.path().join("rpc"), properties.replace("binary", "compact")).expect("written");
    let (status, _, said) = client(home.path(), &["-P", "rpc"], b"one");
    assert_eq!(status, Some(1));
    assert!(said.contains(&format!("events for 127.0.0.1:{port} were not accepted")), "{said}");
    assert!(said.contains("the same `protocol`"), "{said}");
}

#[test]
fn avro_client_ends_with_1_and_the_reason() {
    let home = TempDir::new().expect("a directory");
    std::fs::write(home.path().join("bad"), "hosts = a\nclient.type = mine\n").expect("written");
    for (args, wanted) in [
        (&["-H", "127.0.0.1", "-p", "1"][..], "cannot connect to 127.0.0.1:1"),
        (&["-H", "127.0.0.1"], "You must specify a port to connect to with --port"),
        (&["-p", "1"], "You must specify a hostname to connect to with --host"),
        (&[], "Either --rpcProps or both --host and --port must be specified."),
        (&["-H", "h", "-p", "1", "-F", "x", "--dirname", "y"], "cannot be used simultaneously"),
        (&["-H", "127.0.0.1", "-p", "1", "-F", "missing"], "cannot open missing"),
        (&["-H", "127.0.0.1", "-p", "1", "-R", "missing"], "cannot read missing"),
        (&["-P", "bad"], "bad:2"),
        (&["-P", "missing"], "cannot read missing"),
    ] {
        let (status, _, said) = client(home.path(), args, b"line\n");
        assert_eq!(status, Some(1), "{args:?}: {said}");
        assert!(said.contains(wanted), "{args:?}: {said}");
    }
}

#[test]
fn events_go_from_agent_to_agent_with_their_headers() {
    let last = receiver();
    let first = RECEIVER
        .replace("type = avro", "type = seq")
        .replace("r1.channels", "r1.totalEvents = 5000\na1.sources.r1.batchSize = 100\na1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = static\na1.sources.r1.interceptors.i1.key = hop\na1.sources.r1.interceptors.i1.value = first\na1.sources.r1.channels")
        .replace("type = file_roll", &format!("type = avro\na1.sinks.k1.hostname = 127.0.0.1\na1.sinks.k1.port = {}", port(&last)));
    let first = Setup::new(&first).start();
    let out = last.home().join("out");
    let came = until("all events", || Some(lines_in(&out)).filter(|lines| lines.len() >= 5000));
    let wanted: Vec<String> = (0..5000).map(|n| format!("{{hop=first}} {n}")).collect();
    assert_eq!(came, wanted);
    drop(first);
}

/// A request of 100 events with 200 bytes and two headers each, as Flume's client writes it.
fn request(serial: u32) -> Vec<u8> {
    const HASH: [u8; 16] = *b"\x86\xaa\xda\xe2\xc4\x54\x74\xc0\xfe\x93\xff\xd0\xf2\x35\x0a\x65";
    let handshake = if serial == 1 { [&HASH[..], b"\0", &HASH, b"\x02\0"].concat() } else { Vec::new() };
    let head = [&handshake[..], b"\0\x16appendBatch"].concat();
    let event = [&b"\x04\x02a\x02b\x02c\x02d\0\x90\x03"[..], &[b'x'; 200]].concat();
    let events = [&b"\xc8\x01"[..], &event.repeat(100), b"\0"].concat();
    let buffer = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    [&serial.to_be_bytes()[..], &2u32.to_be_bytes(), &buffer(&head), &buffer(&events)].concat()
}

#[test]
fn a_thousand_connections_are_all_served_in_little_memory() {
    const CLIENTS: usize = 1000;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("allowed");
    let config = RECEIVER.replace("type = file_roll", "type = null\na1.sinks.k1.batchSize = 100");
    let agent = Setup::new(&config).start();
    let port: u16 = port(&agent).parse().expect("a number");
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(connect).collect();
    for serial in 1..=5 {
        let request = request(serial);
        // All at once; and then each has its answer, whatever the others do.
        clients.iter_mut().for_each(|client| client.write_all(&request).expect("taken"));
        for client in &mut clients {
            let mut answer = vec![0; if serial == 1 { 27 } else { 23 }];
            client.read_exact(&mut answer).expect("an answer");
            assert_eq!(answer[answer.len() - 2..], [0, 0], "OK");
        }
    }
    let metrics = agent.metrics();
    assert_eq!(metrics.count("SOURCE.r1", "OpenConnectionCount"), CLIENTS as u64);
    assert_eq!(metrics.count("SOURCE.r1", "EventAcceptedCount"), 500_000);
    assert!(agent.rss_kib() < 100 * 1024, "{} KiB", agent.rss_kib());
}
