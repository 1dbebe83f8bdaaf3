//! What interceptors cost per event, in batches of 1,000 events of 190 bytes.
//! `cargo bench -p flumen-connect --bench interceptors`; divan prints the rate in events. The rows `regex_…`
//! are the pattern alone on the same bodies: the difference is what the interceptor adds.

use bytes::Bytes;
use divan::counter::ItemsCount;
use flumen_config::Settings;
use flumen_connect::{Drops, Interceptor, catalog, interceptors};
use flumen_event::{Batch, Span};
use flumen_regex::{JavaRegex, Replacement};

fn main() {
    divan::main();
}

const EVENTS: usize = 1000;
const BODY: usize = 190;
/// Found in every body, near its end.
const FOUND: &str = "status=200";
/// Found in none.
const MISSED: &str = "status=404";

/// Lines as a source has them after one read.
fn lines() -> Batch {
    let mut arena = Vec::with_capacity(EVENTS * (BODY + 1));
    for n in 0..EVENTS {
        let line = format!("{n:08} GET /index.html ");
        let filler = BODY - line.len() - 11;
        arena.extend_from_slice(line.as_bytes());
        arena.extend(std::iter::repeat_n(b'.', filler));
        arena.extend_from_slice(b" status=200\n");
    }
    let spans = (0..EVENTS).map(|n| Span::new(n * (BODY + 1)..n * (BODY + 1) + BODY));
    Batch::from_arena(Bytes::from(arena), spans.collect())
}

fn build(kind: &str, pairs: &[(&str, &str)]) -> Box<dyn Interceptor> {
    let settings = Settings::from_pairs("a1.sources.r1.interceptors.i1", pairs.iter().copied());
    let found = catalog::by_name(interceptors::TYPES, kind).expect("a type");
    (found.build)(&settings).unwrap_or_else(|d| panic!("{d:?}"))
}

fn run(bencher: divan::Bencher, kind: &str, pairs: &[(&str, &str)]) {
    let (interceptor, batch) = (build(kind, pairs), lines());
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench(|| interceptor.intercept(batch.clone(), &mut Drops::default()).expect("accepted"));
}

#[divan::bench]
fn timestamp(bencher: divan::Bencher) {
    run(bencher, "timestamp", &[]);
}
#[divan::bench]
fn static_header(bencher: divan::Bencher) {
    run(bencher, "static", &[]);
}
#[divan::bench]
fn host(bencher: divan::Bencher) {
    run(bencher, "host", &[]);
}
#[divan::bench]
fn uuid(bencher: divan::Bencher) {
    run(bencher, "org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder", &[]);
}
#[divan::bench]
fn remove_header(bencher: divan::Bencher) {
    run(bencher, "remove_header", &[("matching", "a.*")]);
}

#[divan::bench(args = [FOUND, MISSED, "[05] GET"])]
fn filter(bencher: divan::Bencher, pattern: &str) {
    run(bencher, "regex_filter", &[("regex", pattern)]);
}
#[divan::bench(args = [FOUND, MISSED, "[05] GET"])]
fn regex_find(bencher: divan::Bencher, pattern: &str) {
    let (regex, batch) = (JavaRegex::new(pattern).expect("valid"), lines());
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench(|| batch.iter().filter(|event| regex.find(event.body()).expect("linear")).count());
}

#[divan::bench(args = [FOUND, MISSED, "GET"])]
fn search_replace(bencher: divan::Bencher, pattern: &str) {
    run(bencher, "search_replace", &[("searchPattern", pattern), ("replaceString", "status=OK ")]);
}
#[divan::bench(args = [FOUND, MISSED, "GET"])]
fn regex_replace(bencher: divan::Bencher, pattern: &str) {
    let (regex, batch) = (JavaRegex::new(pattern).expect("valid"), lines());
    let replacement = Replacement::new("status=OK ", &regex).expect("valid");
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        for event in batch.iter() {
            out.clear();
            divan::black_box(regex.replace_all(event.body(), &replacement, &mut out).expect("linear"));
        }
    });
}

const GROUPS: &str = r"^(\d+) (\w+) ([^ ]+)";

#[divan::bench]
fn extractor(bencher: divan::Bencher) {
    let pairs = [
        ("regex", GROUPS),
        ("serializers", "a b c"),
        ("serializers.a.name", "number"),
        ("serializers.b.name", "verb"),
        ("serializers.c.name", "path"),
    ];
    run(bencher, "regex_extractor", &pairs);
}
#[divan::bench]
fn regex_captures(bencher: divan::Bencher) {
    let (regex, batch) = (JavaRegex::new(GROUPS).expect("valid"), lines());
    let mut groups = flumen_regex::Groups::new();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        batch.iter().filter(|event| regex.captures(event.body(), &mut groups).expect("linear")).count()
    });
}
