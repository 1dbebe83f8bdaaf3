//! `mask_digits` in Rust, held to the golden files as the guests of the other languages are.

use std::fs;

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::Kind;
use serde_json::Value;

use crate::plugins::{Event, batch, events, host, spec};

fn golden(folder: &str, file: &str) -> String {
    let path = flumen_guests::repository().join("guest-examples/golden").join(folder).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pairs(config: &Value) -> Vec<(&str, &str)> {
    let object = config.as_object().expect("an object");
    object.iter().map(|(key, value)| (key.as_str(), value.as_str().expect("a text"))).collect()
}

fn read(lines: &str) -> Vec<Event> {
    lines.lines().map(|line| one(&serde_json::from_str(line).expect("JSON"))).collect()
}

fn one(line: &Value) -> Event {
    let body = match (&line["body"], &line["bodyBase64"]) {
        (Value::String(text), Value::Null) => text.clone().into_bytes(),
        (Value::Null, Value::String(text)) => base64(text),
        _ => panic!("{line}: neither a body nor a bodyBase64"),
    };
    let headers = line["headers"].as_object().expect("an object").iter();
    let mut headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect();
    headers.sort();
    (body, headers)
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).expect("a digit of base64");
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

#[tokio::test]
async fn mask_digits_gives_the_golden_output() {
    for folder in ["mask_digits", "mask_digits_defaults"] {
        let config: Value = serde_json::from_str(&golden(folder, "config.json")).expect("JSON");
        let (input, expected) =
            (read(&golden(folder, "input.jsonl")), read(&golden(folder, "expected.jsonl")));
        for size in [input.len(), 1, 7] {
            let plugin =
                InterceptorPlugin::new(host(), spec(Kind::Interceptor, "mask_digits", &pairs(&config)));
            let (mut out, mut drops) = (Vec::new(), Drops::default());
            for part in input.chunks(size) {
                let part = plugin.intercept(batch(part), &mut drops).await.expect("it masks");
                out.extend(events(&part));
            }
            assert_eq!(out, expected, "{folder}, batches of {size}");
            assert_eq!(drops.total(), input.len() - expected.len());
        }
    }
}

#[tokio::test]
async fn mask_digits_refuses_bad_options_by_key() {
    for line in golden("mask_digits", "refused.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let plugin =
            InterceptorPlugin::new(host(), spec(Kind::Interceptor, "mask_digits", &pairs(&case["config"])));
        let error = plugin.load().await.expect_err("refused").to_string();
        let key = case["key"].as_str().expect("a text");
        assert!(error.contains(key), "{line}: {error}");
    }
}
