//! Clients of the network sources: the bytes that real ones send, and no more of the protocols than that.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{Agent, PATIENCE, until};

/// Reads one answer.
pub type ReadAnswer = fn(&mut TcpStream) -> Vec<u8>;

/// A protocol that a source speaks, as a hostile client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// The type of the source.
    pub name: &'static str,
    /// One request with one event, the first on its connection.
    pub request: fn() -> Vec<u8>,
    /// The same on a connection that has had one.
    pub next_request: fn() -> Vec<u8>,
    /// The bytes of its answer's beginning and how long all of it is; none where there are no answers.
    pub answer: Option<(&'static [u8], ReadAnswer)>,
    /// Begins a message that says it has so many bytes.
    pub claim: fn(u32) -> Vec<u8>,
}

pub const AVRO: Protocol = Protocol {
    name: "avro",
    request: || avro_request(true),
    next_request: || avro_request(false),
    answer: Some((b"\0\0\0\x01", avro_answer)),
    // One buffer of a request.
    claim: |bytes| [1u32, 1, bytes].map(u32::to_be_bytes).concat(),
};

pub const THRIFT: Protocol = Protocol {
    name: "thrift",
    request: thrift_request,
    next_request: thrift_request,
    answer: Some((b"\0\0\0", framed_answer)),
    claim: |bytes| {
        [&bytes.to_be_bytes()[..], b"\x82\x21\x01\x06append\x1c\x1b\x00\x18\xff\xff\xff\x04"].concat()
    },
};

pub const SYSLOG: Protocol = Protocol {
    name: "syslogtcp",
    request: || b"<13>Oct 11 22:14:15 web1 app: a line\n".to_vec(),
    next_request: || b"<13>Oct 11 22:14:15 web1 app: a line\n".to_vec(),
    answer: None,
    claim: |bytes| format!("{bytes} <13>1 2003-10-11T22:14:15.003Z web1 app - - - ").into_bytes(),
};

pub const HTTP: Protocol = Protocol {
    name: "http",
    request: http_request,
    next_request: http_request,
    answer: Some((b"HTTP/1.1 200", http_answer)),
    claim: |bytes| {
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\n\r\n[{{\"body\":\"").into_bytes()
    },
};

pub const ALL: [Protocol; 4] = [AVRO, THRIFT, SYSLOG, HTTP];

/// MD5 of the protocol as Flume's clients have it.
const AVRO_HASH: [u8; 16] =
    [0x86, 0xaa, 0xda, 0xe2, 0xc4, 0x54, 0x74, 0xc0, 0xfe, 0x93, 0xff, 0xd0, 0xf2, 0x35, 0x0a, 0x65];

/// `append` of an event with one header, as Flume's client writes it.
fn avro_request(with_handshake: bool) -> Vec<u8> {
    let mut head = Vec::new();
    if with_handshake {
        head = [&AVRO_HASH[..], &[0], &AVRO_HASH[..], &[2, 0]].concat();
    }
    head.extend_from_slice(b"\0\x0cappend");
    let event = b"\x02\x02k\x02v\0\x0ahello";
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_be_bytes();
    [&1u32.to_be_bytes()[..], &2u32.to_be_bytes(), &length(&head), &head, &length(event), event].concat()
}

fn avro_answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = read(stream, 8);
    let buffers = u32::from_be_bytes([answer[4], answer[5], answer[6], answer[7]]);
    for _ in 0..buffers {
        answer.extend(framed_answer(stream));
    }
    answer
}

fn framed_answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut frame = read(stream, 4);
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    frame.extend(read(stream, length as usize));
    frame
}

fn thrift_request() -> Vec<u8> {
    b"\0\0\0\x1b\x82\x21\x01\x06append\x1c\x1b\x01\x88\x01k\x01v\x18\x05hello\0\0".to_vec()
}

fn http_request() -> Vec<u8> {
    let body = r#"[{"headers":{"k":"v"},"body":"hello"}]"#;
    let length = body.len();
    format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn http_answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read(stream, 1));
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let length = length.map_or(0, |length| length.parse().expect("a number"));
    head.extend(read(stream, length));
    head
}

#[track_caller]
fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.read_exact(&mut bytes).expect("an answer");
    bytes
}

impl Protocol {
    /// Sends a request and reads its answer, which has to be the good one.
    #[track_caller]
    pub fn ask(&self, stream: &mut TcpStream, request: &[u8]) {
        stream.write_all(request).expect("the source reads");
        if let Some((good, answer)) = self.answer {
            let answer = answer(stream);
            assert!(answer.starts_with(good), "{}: {}", self.name, String::from_utf8_lossy(&answer));
        }
    }
    /// A new client is served.
    #[track_caller]
    pub fn assert_serves(&self, agent: &Agent, port: u16) {
        let accepted = |m: &super::Metrics| m.count("SOURCE.r1", "EventAcceptedCount");
        let before = accepted(&agent.metrics());
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("accepted");
        self.ask(&mut stream, &(self.request)());
        agent.until("the event is accepted", |m| accepted(m) > before);
    }
}

/// Waits until somebody listens.
#[track_caller]
pub fn wait_listening(port: u16) {
    until("a listener", || TcpStream::connect(("127.0.0.1", port)).ok());
}
