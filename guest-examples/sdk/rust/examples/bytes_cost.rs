//! What the byte helpers cost beside plain loops and the crate memchr, for bodies of 200 bytes. Run it in
//! WebAssembly with epoch checks, where the difference is (`tests/guests/bytes_cost`).

use std::hint::black_box;
use std::time::Instant;

use flumen_plugin_sdk::interceptor::bytes::{self, Class, Finder};

const EVENTS: usize = 1000;
const ROUNDS: usize = 200;

fn main() {
    let mut bodies: Vec<Vec<u8>> = (0..EVENTS).map(body).collect();
    let finder = Finder::new("ERROR-7");
    let simd = memchr::memmem::Finder::new("ERROR-7");
    let special = Class::bytes(b"\"\\,\r\n");
    println!("| 200-byte bodies | ns per body |\n|---|---:|");
    cost("find a text: helper", &mut bodies, |b| finder.is_in(b));
    cost("find a text: memchr::memmem", &mut bodies, |b| simd.find(b).is_some());
    cost("find a text: windows", &mut bodies, |b| b.windows(7).any(|w| w == b"ERROR-7"));
    cost("find a byte: helper", &mut bodies, |b| bytes::find_byte(b, b'\n').is_some());
    cost("find a byte: memchr", &mut bodies, |b| memchr::memchr(b'\n', b).is_some());
    cost("find a byte: position", &mut bodies, |b| b.iter().position(|x| *x == b'\n').is_some());
    cost("find any of 5: helper", &mut bodies, |b| special.find(b).is_some());
    cost("find any of 5: loop", &mut bodies, |b| b.iter().any(|x| b"\"\\,\r\n".contains(x)));
    cost("is ASCII: helper", &mut bodies, |b| bytes::is_ascii(b));
    cost("is ASCII: std", &mut bodies, |b| b.is_ascii());
    cost("count digits: helper", &mut bodies, |b| Class::DIGITS.count(b) > 0);
    cost("count digits: loop", &mut bodies, |b| b.iter().filter(|x| x.is_ascii_digit()).count() > 0);
    cost("replace digits: helper", &mut bodies, |b| bytes::replace_digits(b, b'#') > 0);
    cost("replace digits: loop", &mut bodies, |b| {
        let mut count = 0;
        for x in b.iter_mut().filter(|x| x.is_ascii_digit()) {
            *x = b'#';
            count += 1;
        }
        count > 0
    });
}

fn body(number: usize) -> Vec<u8> {
    let mut text =
        format!("2026-11-22 21:00:00,{number:03} INFO worker-{} request {number} took 17 ms ", number % 7);
    while text.len() < 200 {
        text.push_str("status=200 path=/api/v1/items ");
    }
    text.into_bytes()[..200].to_vec()
}

/// The best round counts: the machine is not ours alone.
fn cost(what: &str, bodies: &mut [Vec<u8>], mut work: impl FnMut(&mut [u8]) -> bool) {
    let mut best = f64::INFINITY;
    let mut found = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for body in bodies.iter_mut() {
            found += usize::from(work(black_box(body)));
        }
        best = best.min(start.elapsed().as_nanos() as f64 / EVENTS as f64);
    }
    black_box(found);
    println!("| {what} | {best:.0} |");
}
