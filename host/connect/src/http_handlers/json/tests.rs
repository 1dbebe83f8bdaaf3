use std::fmt::Write;

use super::*;

const VECTORS: &str = include_str!("vectors.tsv");

fn unescaped(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
        } else if tail[0] == b'\\' {
            out.push(b'\\');
            rest = &tail[1..];
        } else {
            let digits = str::from_utf8(&tail[1..3]).expect("ASCII");
            out.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            rest = &tail[3..];
        }
    }
    out
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}").expect("a string takes all"),
        }
    }
    out
}

fn post(content_type: Option<&str>, body: impl Into<Bytes>) -> HttpRequest {
    let headers = content_type.map(|text| ("content-type".to_owned(), text.to_owned()));
    HttpRequest {
        method: "POST".into(),
        path: "/".into(),
        headers: headers.into_iter().collect(),
        body: body.into(),
    }
}

/// The answer in the words of the vectors.
async fn answer(charset: &str, body: &[u8]) -> String {
    let content_type = format!("application/json; charset={charset}");
    let content_type = (charset != "-").then_some(content_type.as_str());
    match JsonHandler.handle(post(content_type, body.to_vec())).await {
        Err(refusal) => refusal.status.to_string(),
        Ok(batch) => {
            let mut out = "ok".to_owned();
            for event in batch.iter() {
                out.push('\t');
                out.push_str(&escaped(event.body()));
                let mut headers: Vec<_> = event.headers().collect();
                headers.sort_unstable();
                for (name, value) in headers {
                    write!(out, "|{}={}", escaped(name.as_bytes()), escaped(value.as_bytes()))
                        .expect("a string");
                }
            }
            out
        }
    }
}

#[tokio::test]
async fn every_recorded_answer_of_flumes_json_handler_is_ours() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(4, '\t');
        let mut next = || fields.next().expect("four fields");
        let (charset, text, _, expected) = (next(), next(), next(), next());
        if charset == "UTF8" {
            // Jetty gives the handler `utf-8` for this name.
            continue;
        }
        if text.contains(r#"\xd8=\x00""#) {
            // Java's decoder takes the character behind half a pair away with it; ours leaves it.
            continue;
        }
        count += 1;
        // A null has no place in a batch: the header is absent.
        let mut expected = expected.to_owned();
        while let Some(at) = expected.find("=<null>") {
            let start = expected[..at].rfind('|').expect("a header");
            expected.replace_range(start..at + "=<null>".len(), "");
        }
        let expected = if expected.starts_with("500") { "500".to_owned() } else { expected };
        let ours = answer(charset, &unescaped(text)).await;
        if ours != expected {
            wrong.push(format!("{charset} {text}\n    Flume: {expected}\n    ours:  {ours}"));
        }
    }
    assert!(count > 500, "only {count} vectors");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn charsets_are_those_that_jetty_and_the_handler_know() {
    let body = br#"[{"body":"x"}]"#;
    for name in ["utf-8", "UTF8", "\"utf-8\"", ""] {
        assert_eq!(answer(name, body).await, "ok\tx", "{name}");
    }
    for name in ["latin1", "us-ascii", "utf-16be", "utf32", "nonsense"] {
        assert_eq!(answer(name, body).await, "500", "{name}");
    }
    // Without a charset Flume reads most content types as ISO-8859-1, against its own manual.
    let batch = JsonHandler.handle(post(Some("text/plain"), "[{\"body\":\"é\"}]")).await.expect("events");
    assert_eq!(batch.event(0).body(), "é".as_bytes());
}

#[test]
fn bodies_and_headers_are_places_in_the_request() {
    let text = Bytes::from(format!(
        r#"[{{"headers":{{"host":"h1","seq":"1"}},"body":"{0}"}},{{"headers":{{"host":"h1","seq":"2"}},"body":"{0}"}}]"#,
        "x".repeat(200)
    ));
    let batch = read(&text).expect("events");
    assert_eq!(batch.arena().as_ptr(), text.as_ptr());
    let columns: Vec<_> = batch.headers().columns().collect();
    assert!(matches!(columns[0].1, flumen_event::Column::Constant(host) if &**host == "h1"));
    assert!(
        matches!(columns[1].1, flumen_event::Column::Each { text: of, .. } if of.as_ptr() == text.as_ptr())
    );
}

#[test]
fn an_escape_costs_one_copy_and_moves_nothing_else() {
    let text = Bytes::from_static(br#"[{"body":"a\tb"},{"body":"plain"},{"body":"\u00e9\ud83d\ude00!"}]"#);
    let batch = read(&text).expect("events");
    let bodies: Vec<_> =
        batch.iter().map(|event| String::from_utf8_lossy(event.body()).into_owned()).collect();
    assert_eq!(bodies, ["a\tb", "plain", "é😀!"]);
    assert_eq!(batch.arena().len(), text.len());
}

#[test]
fn a_request_of_little_else_than_syntax_is_not_kept() {
    let filler = format!(r#"{{"other":"{}","headers":{{"a":"b"}},"body":"x"}}"#, "z".repeat(5000));
    let batch = read(&Bytes::from(format!("[{filler},{filler}]"))).expect("events");
    assert!(batch.held_bytes() < 500, "{}", batch.held_bytes());
    assert_eq!((batch.event(1).body(), batch.event(1).header("a")), (&b"x"[..], Some("b")));
}

#[test]
fn deep_nesting_and_many_names_are_bounded() {
    let deep = format!(r#"[{{"x":{}{},"body":"x"}}]"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read(&deep.into()).expect("events").len(), 1);
    let open = Bytes::from("[".repeat(1_000_000));
    assert!(matches!(read(&open), Err(Fault::Syntax { .. })));
    let names: Vec<String> = (0..5000).map(|n| format!(r#""h{n}":1"#)).collect();
    let diverse = format!(r#"[{{"headers":{{{}}}}}]"#, names.join(","));
    assert_eq!(read(&diverse.into()).err(), Some(Fault::TooDiverse));
}

/// What an event may be written like.
fn event() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let string =
        prop::sample::select(vec![r#""""#, r#""x""#, r#""longer""#, r#""a\tb""#, r#""\u00e9\"""#, r#""\x""#]);
    let other = prop::sample::select(vec![
        "'x'",
        "x",
        "1",
        "true",
        "TRUE",
        "null",
        "[]",
        r#"{"body":"inner"}"#,
        r#"["k","v"]"#,
    ]);
    let text = prop_oneof![3 => string, 1 => other];
    let headers = prop_oneof![
        4 => (text.clone(), text.clone()).prop_map(|(a, b)| format!(r#"{{"a":{a},"b":{b}}}"#)),
        2 => text.clone().prop_map(|a| format!(r#"{{ "\u0061" = {a} }}"#)),
        1 => text.clone().prop_map(|a| format!(r#"{{"a":{a},"a":"again"}}"#)),
        1 => text.clone().prop_map(|a| format!(r#"[["a",{a}]]"#)),
        1 => text.clone().prop_map(str::to_owned),
    ];
    prop_oneof![
        4 => (headers.clone(), text.clone()).prop_map(|(h, t)| format!(r#"{{"headers":{h},"body":{t}}}"#)),
        2 => (headers.clone(), text.clone()).prop_map(|(h, t)| format!(r#"{{"body": {t}, "headers": {h} }}"#)),
        1 => (text.clone(), text.clone()).prop_map(|(a, b)| format!(r#"{{"body":{a},"body":{b}}}"#)),
        1 => (text.clone(), text.clone()).prop_map(|(a, b)| format!(r#"{{"other":{a},"body":{b}}}"#)),
        2 => (headers.clone(), headers).prop_map(|(a, b)| format!(r#"{{"headers":{a},"headers":{b}}}"#)),
        1 => text.prop_map(|t| format!("{{body /* \" */:{t}}}")),
        1 => Just("{}".to_owned()),
    ]
}

/// Headers and body of an event.
type Row = (Vec<(String, String)>, Vec<u8>);

/// The events; a fault without its place.
fn rows(text: String) -> Result<Vec<Row>, String> {
    let batch = read(&text.into()).map_err(|fault| match fault {
        Fault::Syntax { what, .. } => what.to_owned(),
        other => format!("{other:?}"),
    })?;
    let row = |event: flumen_event::EventRef<'_>| {
        let headers = event.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut headers: Vec<_> = headers.collect();
        headers.sort_unstable();
        (headers, event.body().to_vec())
    };
    Ok(batch.iter().map(row).collect())
}

#[test]
fn the_last_of_several_headers_and_bodies_counts_however_often_it_is_so() {
    let event = r#"{"headers":{"a":"1"},"body":"first","headers":{"b":"2"},"body":"last"}"#;
    let row = (vec![("b".to_owned(), "2".to_owned())], b"last".to_vec());
    assert_eq!(rows(format!("[{event},{event},{event}]")), Ok(vec![row; 3]));
}

proptest::proptest! {
    #[test]
    fn an_event_is_read_the_same_whatever_stands_before_it(
        events in proptest::collection::vec(event(), 1..8),
        repeats in 1usize..3,
    ) {
        let events: Vec<_> = events.iter().flat_map(|event| std::iter::repeat_n(event.as_str(), repeats)).collect();
        let alone: Result<Vec<_>, _> = events.iter().map(|event| rows(format!("[{event}]"))).collect();
        let together = rows(format!("[{}]", events.join(",")));
        proptest::prop_assert_eq!(together, alone.map(|rows| rows.concat()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let text = as_java_reads(&bytes).into_owned();
        let _either = read(&text.into());
    }
    #[test]
    fn what_other_writers_write_is_read(bodies in proptest::collection::vec(".*", 0..20), value in ".*") {
        let events = bodies.iter().map(|body| serde_json::json!({"headers": {"k": value}, "body": body}));
        let events: Vec<_> = events.collect();
        let text = serde_json::to_string(&events).expect("JSON");
        let batch = read(&Bytes::from(text)).expect("events");
        let read: Vec<_> = batch.iter().map(|event| event.body().to_vec()).collect();
        let written: Vec<_> = bodies.iter().map(|body| body.as_bytes().to_vec()).collect();
        proptest::prop_assert_eq!(read, written);
        for event in batch.iter() {
            proptest::prop_assert_eq!(event.header("k"), Some(value.as_str()));
        }
    }
}
