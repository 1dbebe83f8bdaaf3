//! Where messages end, whatever the pieces in which they arrive.

use super::*;

fn bodies(found: &[Event]) -> Vec<String> {
    found.iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect()
}

/// Feeds the input in pieces of this size, as a connection would.
fn in_pieces(decoder: &mut Decoder, input: &[u8], size: usize) -> Vec<Event> {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for piece in input.chunks(size) {
        buffer.extend_from_slice(piece);
        found.extend(events(decoder.batches(&mut buffer, End::Open, NOW_MS)));
    }
    found.extend(events(decoder.batches(&mut buffer, End::Closed, NOW_MS)));
    assert!(buffer.is_empty());
    found
}

fn auto(input: &[u8]) -> Vec<String> {
    let whole = bodies(&in_pieces(&mut classic(&[("keepFields", "all")]), input, usize::MAX));
    for size in [1, 2, 3, 7] {
        assert_eq!(
            bodies(&in_pieces(&mut classic(&[("keepFields", "all")]), input, size)),
            whole,
            "in pieces of {size}"
        );
    }
    whole
}

#[test]
fn lengths_are_obeyed_where_a_sender_counts() {
    let counted =
        b"48 <134>Nov 22 15:32:38 testhost app: plain message18 <13>Oct two\nlines\n\n10 <14>short!";
    assert_eq!(
        auto(counted),
        ["<134>Nov 22 15:32:38 testhost app: plain message", "<13>Oct two\nlines", "<14>short!"]
    );
    // A line feed that the length includes is the end of a line all the same.
    assert_eq!(auto(b"11 <13>hello!\n9 <13>again"), ["<13>hello!", "<13>again"]);
}

#[test]
fn a_counted_message_has_its_headers_however_many_lines_it_has() {
    let input = b"33 <13>1 2003-10-11T22:14:15Z h a\nb\r";
    let found = shown(&feed(&mut classic(&[("framing", "octet-counting")]), input, End::Closed));
    assert!(found[0].contains("host=h") && found[0].ends_with("| a\nb"), "{found:?}");
}

#[test]
fn no_sender_of_lines_is_taken_for_one_that_counts() {
    for input in [
        &b"12 monkeys\n<13>a\n"[..],
        b"12 <13>hello\n<13>again\n",
        b"12 <13>hello\nplain\n",
        b"3 <13>x\n",
        b"9 <13>hello there\nx\n",
        b"100 <13>a line that is not as long\n<13>b\n",
        b"9999999999 <13>a\n",
        b"12 <13>a\n",
        b"12\n",
        b"12 ",
    ] {
        let lines: Vec<&str> = str::from_utf8(input).expect("text").lines().collect();
        let found = in_pieces(&mut classic(&[("keepFields", "all")]), input, usize::MAX);
        assert_eq!(bodies(&found), lines);
    }
}

#[test]
fn who_loses_count_finds_back_at_the_next_line() {
    let input = b"9 <13>hello<14>uncounted\n9 <13>again";
    let mut decoder = classic(&[("framing", "octet-counting"), ("keepFields", "all")]);
    assert_eq!(bodies(&feed(&mut decoder, input, End::Closed)), ["<13>hello", "<14>uncounted", "<13>again"]);
}

#[test]
fn a_counted_message_longer_than_an_event_is_cut_within_its_length() {
    let input = b"25 <13>Oct 11 22:14:15 abcde9 <13>after";
    for size in [1, 5, usize::MAX] {
        let mut decoder =
            classic(&[("eventSize", "10"), ("framing", "octet-counting"), ("keepFields", "all")]);
        let found = in_pieces(&mut decoder, input, size);
        assert_eq!(bodies(&found), ["<13>Oct 11", " 22:14:15 ", "abcde", "<13>after"], "in pieces of {size}");
        let status = |at: usize| found[at].0.get("flume.syslog.status").map(String::as_str);
        assert_eq!([status(0), status(1), status(3)], [Some("Incomplete"), Some("Invalid"), None]);
    }
    let mut decoder = classic(&[("framing", "octet-counting"), ("keepFields", "all")]);
    let found = in_pieces(&mut decoder, b"30 <13>cut off", 3);
    assert_eq!(found[0].0.get("flume.syslog.status").map(String::as_str), Some("Incomplete"));
    assert_eq!(bodies(&found), ["<13>cut off"]);
}

#[test]
fn a_length_that_nothing_follows_ends_with_the_stream() {
    // Found by the fuzzer: a length beyond `eventSize` stayed where it was.
    for length in ["30 ", "3000 "] {
        for size in [1, usize::MAX] {
            let input = format!("9 <13>hello{length}");
            let mut decoder =
                classic(&[("eventSize", "40"), ("framing", "octet-counting"), ("keepFields", "all")]);
            assert_eq!(bodies(&in_pieces(&mut decoder, input.as_bytes(), size)), ["<13>hello"]);
        }
    }
}

#[test]
fn the_last_message_needs_no_line_feed_and_empty_lines_are_none() {
    assert_eq!(auto(b"\n\r\n<13>a\r\n\n<13>b"), ["<13>a", "<13>b"]);
    let found = in_pieces(&mut strict(&[]), b"\n\n<13>1 - h a\n\r\n", 1);
    assert_eq!(bodies(&found), ["a"]);
}

#[test]
fn many_messages_of_one_read_come_in_bounded_batches() {
    let input = "<13>x\n".repeat(40_000);
    let mut buffer = BytesMut::from(input.as_bytes());
    let batches = classic(&[]).batches(&mut buffer, End::Open, NOW_MS);
    assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
    assert!(batches.iter().all(|batch| batch.iter().all(|event| event.body() == b"<13>x")));
}

#[test]
fn few_bytes_do_not_hold_the_buffer_and_many_are_not_copied() {
    let mut buffer = BytesMut::with_capacity(100_000);
    buffer.extend_from_slice(b"<13>x\n");
    let place = buffer.as_ptr();
    let small = classic(&[]).batches(&mut buffer, End::Open, NOW_MS);
    assert_ne!(small[0].arena().as_ptr(), place);
    buffer.extend_from_slice("<13>Oct 11 22:14:15 web1 message\n".repeat(1_000).as_bytes());
    let place = buffer.as_ptr();
    let large = classic(&[]).batches(&mut buffer, End::Open, NOW_MS);
    assert_eq!(large[0].arena().as_ptr(), place);
}
