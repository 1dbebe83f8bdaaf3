//! Any bytes as the stream of an avro client: frames, handshakes, calls, events. However the stream is cut, the same
//! requests come of it, and nothing of ours panics or takes more memory than what has come.
#![no_main]

use flumen_connect::wire::avro::frame::{Frame, FrameError, FrameLimits, Framer};
use flumen_connect::wire::avro::protocol::Method;
use flumen_connect::wire::avro::requestor::Requestor;
use flumen_connect::wire::avro::responder::{Request, Session, put_answer};

const LIMITS: FrameLimits = FrameLimits { bytes_max: 1 << 16, buffers_max: 1000 };

fn frames(pieces: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
    let (mut framer, mut frames) = (Framer::new(LIMITS), Vec::new());
    for mut piece in pieces.iter().copied() {
        loop {
            match framer.feed(&mut piece) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(framer.held_bytes() <= 2 * LIMITS.bytes_max);
    }
    (frames, None)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&cut, stream)) = data.split_first() else { return };
    let cut = usize::from(cut) % (stream.len() + 1);
    let whole = frames(&[stream]);
    assert_eq!(whole, frames(&[&stream[..cut], &stream[cut..]]));
    let mut session = Session::default();
    let mut requestor = Requestor::default();
    for frame in whole.0 {
        // As an answer.
        let _any = requestor.answer(&frame.payload);
        // As a request.
        match session.request(&frame.payload) {
            Request::Done { handshake, outcome } => {
                put_answer(frame.serial, &handshake, &outcome, &mut Vec::new());
            }
            Request::Events { batches, .. } => {
                // What was read can be sent on, and is read as the same events.
                let mut call = Vec::new();
                Requestor::default().put_call(Method::AppendBatch, &batches, &mut call);
                let mut framer = Framer::new(FrameLimits { bytes_max: 1 << 24, buffers_max: 2 });
                let sent = framer.feed(&mut &call[..]).expect("within the limits").expect("whole");
                let Request::Events { batches: again, .. } = Session::default().request(&sent.payload) else {
                    panic!("our own call is not understood");
                };
                let bodies = |batches: &[flumen_event::Batch]| -> Vec<Vec<u8>> {
                    batches.iter().flat_map(|b| b.iter()).map(|e| e.body().to_vec()).collect()
                };
                assert_eq!(bodies(&batches), bodies(&again));
            }
        }
    }
});
