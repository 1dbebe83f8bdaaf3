//! What the Avro protocol costs per event, without sockets: a frame of Flume's client cut, read and answered, and a
//! batch written as a call. `cargo bench -p flumen-connect --bench avro`; divan prints the rate in events.

use bytes::Bytes;
use divan::counter::ItemsCount;
use flumen_connect::wire::avro::frame::{FrameLimits, Framer, put_buffer, put_head};
use flumen_connect::wire::avro::protocol::{Method, Status};
use flumen_connect::wire::avro::requestor::Requestor;
use flumen_connect::wire::avro::responder::{Outcome, Request, Session, put_answer};
use flumen_event::{Batch, BatchBuilder};

fn main() {
    divan::main();
}

/// Flume's client cuts its requests into buffers of this size.
const BUFFER: usize = 8192;
const LIMITS: FrameLimits = FrameLimits { bytes_max: 64 << 20, buffers_max: 100_000 };

fn batch(events: usize, headers: usize) -> Batch {
    let mut builder = BatchBuilder::default();
    let body = [b'x'; 200];
    for n in 0..events {
        // The first differs from event to event, the others do not.
        let own = n.to_string();
        let all = [("number", own.as_str()), ("host", "web1.example.com"), ("datacenter", "north-1")];
        builder.push(&body, all[..headers].iter().copied()).expect("fits");
    }
    builder.finish()
}

/// The second request of a connection, cut as Java cuts it.
fn request(events: usize, headers: usize) -> (Session, Vec<u8>) {
    let mut session = Session::default();
    let mut requestor = Requestor::default();
    let payload_of = |call: &[u8]| -> Bytes {
        Framer::new(LIMITS).feed(&mut &call[..]).expect("within the limits").expect("whole").payload
    };
    let mut first = Vec::new();
    requestor.put_call(Method::AppendBatch, &[], &mut first);
    let Request::Events { handshake, .. } = session.request(&payload_of(&first)) else { panic!("a call") };
    let mut answer = Vec::new();
    put_answer(1, &handshake, &Outcome::Status(Status::Ok), &mut answer);
    requestor.answer(&payload_of(&answer)).expect("an answer");
    let mut second = Vec::new();
    requestor.put_call(Method::AppendBatch, &[batch(events, headers)], &mut second);
    let payload = payload_of(&second);
    let mut cut = Vec::new();
    put_head(2, payload.len().div_ceil(BUFFER) as u32, &mut cut);
    payload.chunks(BUFFER).for_each(|buffer| put_buffer(buffer, &mut cut));
    (session, cut)
}

#[divan::bench(args = [(100, 0), (100, 3), (1000, 0), (1000, 3)])]
fn receive(bencher: divan::Bencher<'_, '_>, (events, headers): (usize, usize)) {
    let (mut session, stream) = request(events, headers);
    let mut framer = Framer::new(LIMITS);
    bencher.counter(ItemsCount::new(events)).bench_local(|| {
        let frame = framer.feed(&mut &stream[..]).expect("within the limits").expect("whole");
        let Request::Events { batches, handshake, .. } = session.request(&frame.payload) else {
            panic!("a call")
        };
        let mut answer = Vec::new();
        put_answer(frame.serial, &handshake, &Outcome::Status(Status::Ok), &mut answer);
        (batches, answer)
    });
}

#[divan::bench(args = [(100, 0), (100, 3), (1000, 0), (1000, 3)])]
fn send(bencher: divan::Bencher<'_, '_>, (events, headers): (usize, usize)) {
    let batch = batch(events, headers);
    let mut requestor = Requestor::default();
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(events)).bench_local(|| {
        out.clear();
        requestor.put_call(Method::AppendBatch, std::slice::from_ref(&batch), &mut out);
        out.len()
    });
}
