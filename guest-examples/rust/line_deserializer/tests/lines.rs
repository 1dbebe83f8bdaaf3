//! What `line_deserializer` makes of a stream, natively.

use flumen_plugin_sdk::deserializer::Deserializer;
use flumen_plugin_sdk::testing::{decode, options};
use line_deserializer::Lines;

const STREAM: &[u8] = b"one\n\ntwo\r\na long line of 26 letters.\nexactly10!\nno end";

fn bodies(pieces: usize, max: u32, from: u64) -> (Vec<String>, Vec<u64>) {
    let options = [("maxLineBytes", "10"), ("lineHeader", "at")];
    let decoded =
        decode::<Lines>(&options, STREAM[from as usize..].chunks(pieces), from, max).expect("decoded");
    let texts = decoded.events.iter().map(|event| {
        let at: usize = event.headers["at"].parse().expect("a number");
        assert_eq!(&STREAM[at..at + event.body.len()], event.body, "the header says where it stood");
        String::from_utf8_lossy(&event.body).into_owned()
    });
    (texts.collect(), decoded.positions)
}

#[test]
fn lines_come_out_however_the_stream_is_cut() {
    let wanted = ["one", "", "two\r", "a long lin", "e of 26 le", "tters.", "exactly10!", "no end"];
    for pieces in 1..STREAM.len() {
        for max in [1, 2, 3, 100] {
            assert_eq!(bodies(pieces, max, 0).0, wanted, "pieces of {pieces}, {max} events a call");
        }
    }
}

#[test]
fn reading_again_from_any_position_gives_the_rest() {
    let (all, positions) = bodies(7, 1, 0);
    for (done, position) in positions.iter().enumerate().filter(|(_, at)| **at < STREAM.len() as u64) {
        let (rest, _) = bodies(5, 3, *position);
        assert!(all.ends_with(&rest) && !rest.is_empty(), "call {done}, position {position}: {rest:?}");
    }
    assert_eq!(positions.last(), Some(&(STREAM.len() as u64)));
}

#[test]
fn a_line_of_no_length_is_refused() {
    let error = Lines::configure(&options(&[("maxLineBytes", "0")])).expect_err("refused");
    assert_eq!(error.key.as_deref(), Some("maxLineBytes"));
}
