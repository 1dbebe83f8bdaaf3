//! The deserializer: events with their positions, and what lies is refused.

use flumen_connect::DeserializerFactory as _;
use flumen_plugin::deserialize::DeserializerPlugin;
use flumen_plugin::spec::Kind;

use super::fixture::{bodies, host, spec};

fn plugin() -> DeserializerPlugin {
    DeserializerPlugin::new(host(), spec(Kind::Deserializer, &[]))
}

#[tokio::test]
async fn bytes_become_events_whatever_the_pieces_they_come_in() {
    let plugin = plugin();
    let stream = b"first\nsecond line\n\nlast";
    for piece in 1..=stream.len() {
        let mut decoder = plugin.open("app.log", 0).await.expect("it opens");
        let (mut seen, mut position) = (Vec::new(), 0);
        for bytes in stream.chunks(piece) {
            let decoded = decoder.decode(bytes, 100).await.expect("it decodes");
            assert!(decoded.position >= position);
            position = decoded.position;
            seen.extend(bodies(&decoded.batch));
            assert!(decoded.batch.iter().all(|event| event.header("file") == Some("app.log")));
        }
        let rest = decoder.finish(100).await.expect("it ends");
        seen.extend(bodies(&rest.batch));
        assert_eq!(
            (seen, rest.position),
            (vec!["first".into(), "second line".into(), String::new(), "last".into()], 23)
        );
    }
}

#[tokio::test]
async fn no_more_events_than_asked_for_and_the_rest_without_new_bytes() {
    let mut decoder = plugin().open("", 0).await.expect("it opens");
    let mut seen = Vec::new();
    let mut bytes: &[u8] = b"1\n2\n3\n4\n5\n";
    loop {
        let decoded = decoder.decode(bytes, 2).await.expect("it decodes");
        bytes = b"";
        seen.push((bodies(&decoded.batch).join(","), decoded.position));
        if decoded.batch.len() < 2 {
            break;
        }
    }
    assert_eq!(seen, [("1,2".into(), 4), ("3,4".into(), 8), ("5".into(), 10)]);
}

#[tokio::test]
async fn after_a_trap_reading_goes_on_at_the_position_answered_last() {
    let plugin = plugin();
    let stream = b"one\ntwo\ntrap\nthree\n";
    let mut decoder = plugin.open("f", 0).await.expect("it opens");
    let decoded = decoder.decode(stream, 2).await.expect("two lines");
    assert_eq!((bodies(&decoded.batch).join(","), decoded.position), ("one,two".into(), 8));
    let error = decoder.decode(b"", 2).await.expect_err("a trap").to_string();
    assert!(error.starts_with("deserializer a1.deserializer.p: trapped"), "{error}");
    decoder.decode(b"", 2).await.expect_err("this decoder is gone");

    // Whoever reads opens again there, here behind the poison.
    let mut decoder = plugin.open("f", 13).await.expect("it opens again");
    let decoded = decoder.decode(&stream[13..], 2).await.expect("it decodes");
    assert_eq!(decoded.batch.event(0).header("at"), Some("13"));
    assert_eq!((bodies(&decoded.batch).join(","), decoded.position), ("three".into(), 19));
}

#[tokio::test]
async fn positions_and_counts_that_lie_are_refused() {
    let plugin = plugin();
    for (line, said) in [
        ("ahead", "position 18446744073709551615 outside 104..=110"),
        ("back", "position 0 outside 104..=109"),
        ("many", "3 events, at most 2 may be answered"),
    ] {
        let mut decoder = plugin.open("f", 100).await.expect("it opens");
        assert_eq!(decoder.decode(b"one\n", 2).await.expect("a line").position, 104);
        let error = decoder.decode(format!("{line}\n").as_bytes(), 2).await.expect_err(line).to_string();
        assert!(error.contains(said), "{error}");
        decoder.decode(b"one\n", 2).await.expect_err("the instance is not trusted any more");
    }
}

#[tokio::test]
async fn an_invalid_stream_is_the_readers_to_decide_on() {
    let mut decoder = plugin().open("f", 0).await.expect("it opens");
    let error = decoder.decode(b"invalid\n", 10).await.expect_err("invalid").to_string();
    assert!(error.contains("an invalid line"), "{error}");
    let error = decoder.decode(&vec![b'x'; (1 << 20) + 1], 10).await.expect_err("too many bytes").to_string();
    assert!(error.contains("1048577 bytes at once, a plugin takes at most 1048576"), "{error}");
}
