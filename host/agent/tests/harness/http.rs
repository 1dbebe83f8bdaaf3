//! Just enough HTTP to ask the monitor, and its JSON.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::PATIENCE;

/// One request; the status and the body.
#[track_caller]
pub fn request(method: &str, port: u16, path: &str) -> (u16, String) {
    let (status, _, body) = request_with_head(method, port, path);
    (status, body)
}

/// One request without a body; the status, the head and the body.
#[track_caller]
pub fn request_with_head(method: &str, port: u16, path: &str) -> (u16, String, String) {
    exchange(port, &format!("{method} {path}"), "")
}

/// One POST; the status, the head and the body.
#[track_caller]
pub fn post(port: u16, path: &str, body: &str) -> (u16, String, String) {
    exchange(port, &format!("POST {path}"), body)
}

#[track_caller]
fn exchange(port: u16, what: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let length = body.len();
    let head = format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}");
    write!(stream, "{head}\r\n\r\n{body}").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_owned(), body.to_owned())
}

/// Flume's JSON.
#[derive(Debug)]
pub struct Metrics(pub BTreeMap<String, BTreeMap<String, String>>);

impl Metrics {
    /// Fails if any value is not a string.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let all: BTreeMap<String, BTreeMap<String, Value>> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let group = |values: BTreeMap<String, Value>| {
            let text = |(name, value): (String, Value)| match value {
                Value::String(text) => (name, text),
                other => panic!("{name} is no string: {other}"),
            };
            values.into_iter().map(text).collect()
        };
        Self(all.into_iter().map(|(name, values)| (name, group(values))).collect())
    }
    #[track_caller]
    pub fn text(&self, group: &str, name: &str) -> &str {
        let group = self.0.get(group).unwrap_or_else(|| panic!("no {group}: {self:?}"));
        group.get(name).unwrap_or_else(|| panic!("no {name}: {group:?}"))
    }
    #[track_caller]
    pub fn count(&self, group: &str, name: &str) -> u64 {
        self.text(group, name).parse().expect("a number")
    }
    /// Asserts the ledger of an agent, from the agent's sums.
    #[track_caller]
    pub fn assert_balanced(&self, agent: &str) {
        let group = format!("AGENT.{agent}");
        let count = |name: &str| self.count(&group, name);
        assert_eq!(
            count("EventReceivedCount") + count("EventCopiedCount") + count("EventMadeCount"),
            count("EventDeliveredCount")
                + count("EventDroppedCount")
                + count("EventRejectedCount")
                + count("EventInChannelCount")
                + count("EventInDeadLetterFileCount"),
            "{self:?}"
        );
        assert_eq!(self.text(&group, "LedgerBalanced"), "true");
    }
}
