//! What a pattern costs per event.
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not see as tests.

use divan::{Bencher, black_box};
use flumen_regex::date::DatePattern;
use flumen_regex::{Groups, JavaRegex, Replacement};

fn main() {
    divan::main();
}

/// A syslog-like body of 190 bytes that ends as asked.
fn body(end: &str) -> Vec<u8> {
    let mut body = b"1350578877 web1 sshd[2163]: accepted user=alice from 10.0.0.17 port 51022 ".to_vec();
    body.resize(190 - end.len(), b'-');
    body.extend_from_slice(end.as_bytes());
    body
}

fn find(bencher: Bencher<'_, '_>, pattern: &str, body: &[u8], found: bool) {
    let regex = JavaRegex::new(pattern).unwrap();
    assert_eq!(regex.find(body).unwrap(), found);
    bencher.bench_local(|| regex.find(black_box(body)));
}

#[divan::bench]
fn find_anchored(bencher: Bencher<'_, '_>) {
    find(bencher, "^[0-9]{10} .*x$", &body("x"), true);
}

#[divan::bench]
fn find_anchored_before_carriage_return(bencher: Bencher<'_, '_>) {
    find(bencher, "^[0-9]{10} .*x$", &body("x\r"), true);
}

#[divan::bench]
fn find_word(bencher: Bencher<'_, '_>) {
    find(bencher, "\\bport\\b", &body("x"), true);
}

#[divan::bench]
fn find_alternatives_in_vain(bencher: Bencher<'_, '_>) {
    find(bencher, "(?i)error|warn|fatal", &body("x"), false);
}

#[divan::bench]
fn find_with_look_ahead(bencher: Bencher<'_, '_>) {
    find(bencher, "^(?!.*DEBUG).*$", &body("x"), true);
}

#[divan::bench]
fn captures(bencher: Bencher<'_, '_>) {
    let regex = JavaRegex::new("user=(\\w+) from (\\d+\\.\\d+\\.\\d+\\.\\d+)").unwrap();
    let (body, mut groups) = (body("x"), Groups::new());
    bencher.bench_local(|| regex.captures(black_box(&body), &mut groups));
    assert_eq!(groups.get(2, &body), Some(&b"10.0.0.17"[..]));
}

#[divan::bench]
fn replace(bencher: Bencher<'_, '_>) {
    let regex = JavaRegex::new("user=[a-z]+").unwrap();
    let with = Replacement::new("user=****", &regex).unwrap();
    let (body, mut out) = (body("x"), Vec::with_capacity(400));
    bencher.bench_local(|| {
        out.clear();
        regex.replace_all(black_box(&body), &with, &mut out)
    });
}

#[divan::bench]
fn replace_with_groups(bencher: Bencher<'_, '_>) {
    let regex = JavaRegex::new("(user)=([a-z]+)").unwrap();
    let with = Replacement::new("$2=$1", &regex).unwrap();
    let (body, mut out) = (body("x"), Vec::with_capacity(400));
    bencher.bench_local(|| {
        out.clear();
        regex.replace_all(black_box(&body), &with, &mut out)
    });
}

#[divan::bench]
fn compile(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| JavaRegex::new(black_box("^[0-9]{10} .*x$")));
}

#[divan::bench]
fn date(bencher: Bencher<'_, '_>) {
    let pattern = DatePattern::in_zone("yyyy-MM-dd HH:mm:ss,SSS", "Europe/Berlin").unwrap();
    bencher.bench_local(|| pattern.parse_ms(black_box("2012-10-18 18:47:57,614")));
}
