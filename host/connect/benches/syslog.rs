//! What a syslog message costs from the bytes of a read to the row of a batch.
//!
//!     cargo bench -p flumen-connect --bench syslog
//!
//! One iteration is a read of 1,300 messages of 200 bytes (256 KiB), so divan's "items/s" counts messages. `same_second`
//! is what a busy sender sends; in `own_moment` every message has a time of its own, to the microsecond.

#![allow(missing_docs, reason = "a program, not an interface")]

use bytes::BytesMut;
use divan::Bencher;
use divan::counter::ItemsCount;
use flumen_config::Settings;
use flumen_connect::sources::syslog::{Decoder, End};

const MESSAGES: usize = 1_300;
const NOW_MS: i64 = 1_795_361_200_151;

fn main() {
    divan::main();
}

fn filled(heads: impl Fn(usize) -> String) -> Vec<u8> {
    let one = |n: usize| {
        let mut text = heads(n);
        text.push_str(&"x".repeat(199 - text.len()));
        text + "\n"
    };
    (0..MESSAGES).map(one).collect::<String>().into_bytes()
}

fn decode(bencher: Bencher<'_, '_>, port: (&str, &str), more: &[(&str, &str)], input: Vec<u8>) {
    let pairs = [&[port][..], more].concat();
    let settings = Settings::from_pairs("a1.sources.r1", pairs);
    let mut decoder = Decoder::of(&settings).expect("valid settings");
    bencher.counter(ItemsCount::new(MESSAGES)).with_inputs(|| BytesMut::from(&input[..])).bench_local_values(
        |mut buffer| {
            let batches = decoder.batches(&mut buffer, End::Open, NOW_MS);
            assert_eq!(batches.iter().map(|batch| batch.len()).sum::<usize>(), MESSAGES);
            batches
        },
    );
}

const ONE: (&str, &str) = ("port", "0");
const MANY: (&str, &str) = ("ports", "0");

fn rfc3164(_: usize) -> String {
    "<13>Oct 11 22:14:15 host1 app[4711]: ".to_owned()
}
fn rfc5424(n: usize) -> String {
    format!("<165>1 2003-10-11T22:14:15.{:06}+02:00 host{}.example.com app 4711 ID47 - ", n * 7, n % 3)
}

#[divan::bench]
fn rfc3164_same_second(bencher: Bencher<'_, '_>) {
    decode(bencher, ONE, &[], filled(rfc3164));
}
#[divan::bench]
fn rfc5424_own_moment(bencher: Bencher<'_, '_>) {
    decode(bencher, ONE, &[], filled(rfc5424));
}
#[divan::bench]
fn rfc3164_keep_fields(bencher: Bencher<'_, '_>) {
    decode(bencher, ONE, &[("keepFields", "timestamp hostname")], filled(rfc3164));
}
#[divan::bench]
fn multiport_rfc3164_same_second(bencher: Bencher<'_, '_>) {
    decode(bencher, MANY, &[], filled(rfc3164));
}
#[divan::bench]
fn multiport_rfc5424_own_moment(bencher: Bencher<'_, '_>) {
    decode(bencher, MANY, &[], filled(rfc5424));
}
#[divan::bench]
fn invalid(bencher: Bencher<'_, '_>) {
    decode(bencher, ONE, &[], filled(|n| format!("no syslog message {n} ")));
}
