//! A client of the protocol for tests, on the library's own codec: that the codec is right is proven by recorded
//! bytes and by real Flume.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;

use flumen_connect::wire::AnyWire;
use flumen_connect::wire::avro::frame::{FrameLimits, Framer};
use flumen_connect::wire::avro::protocol::Method;
use flumen_connect::wire::avro::requestor::{Answer, Requestor};
use flumen_event::{Batch, BatchBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longer than an answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn event(body: &[u8], headers: &[(&str, &str)]) -> Batch {
    let mut builder = BatchBuilder::default();
    builder.push(body, headers.iter().copied()).expect("fits");
    builder.finish()
}

/// The first call of a connection.
pub fn call(method: Method, events: &[Batch]) -> Vec<u8> {
    let mut out = Vec::new();
    Requestor::default().put_call(method, events, &mut out);
    out
}

pub struct Client {
    wire: AnyWire,
    requestor: Requestor,
    framer: Framer,
}

impl Client {
    pub fn new(wire: AnyWire) -> Self {
        let framer = Framer::new(FrameLimits { bytes_max: 1 << 20, buffers_max: 100 });
        Self { wire, requestor: Requestor::default(), framer }
    }
    /// The bytes of the next call.
    pub fn put(&mut self, method: Method, events: &[Batch]) -> Vec<u8> {
        let mut out = Vec::new();
        self.requestor.put_call(method, events, &mut out);
        out
    }
    pub async fn call(&mut self, method: Method, events: &[Batch]) -> Answer {
        self.try_call(method, events).await.expect("an answer")
    }
    /// None if the connection ends first.
    pub async fn try_call(&mut self, method: Method, events: &[Batch]) -> Option<Answer> {
        let call = self.put(method, events);
        self.wire.write_all(&call).await.ok()?;
        self.wire.flush().await.ok()?;
        let mut bytes = [0; 1000];
        loop {
            let read = tokio::time::timeout(PATIENCE, self.wire.read(&mut bytes)).await.expect("in time");
            let count = read.ok().filter(|count| *count > 0)?;
            if let Some(frame) = self.framer.feed(&mut &bytes[..count]).expect("small") {
                return Some(self.requestor.answer(&frame.payload).expect("an answer"));
            }
        }
    }
}
