//! An interceptor that does what its option `do` says. Tests of the runtime (host/plugin/tests) use it.
//!
//! A body decides for its event where an operation speaks of poison: `trap`, `invalid`, `loop`, `breach`.

use std::cell::RefCell;

wit_bindgen::generate!({
    path: "../../wit/0.1.0",
    world: "interceptor",
});

use exports::flumen::plugin::intercept::Guest;
use flumen::plugin::columns::{Batch, BodyChange, Edits, HeaderNeed, Needs};
use flumen::plugin::types::{Column, ConfigError, Error, Packed, Rejection, Rows, Values};

/// Tests write another number here, to have another component that does the same.
static VERSION: [u8; 24] = *b"GUEST-VERSION:0000000000";

thread_local! {
    static DO: RefCell<String> = const { RefCell::new(String::new()) };
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static CALLS: RefCell<u32> = const { RefCell::new(0) };
}

struct Core;

impl Guest for Core {
    fn configure(options: Vec<(String, String)>) -> Result<Needs, Error> {
        let option = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let what = option("do").unwrap_or_else(|| "pass".into());
        if what == "refuse" || (what == "refuse-new" && version() != "0000000000") {
            let message = "is not what this plugin likes".into();
            return Err(Error::Config(ConfigError { key: Some("do".into()), message }));
        }
        if what == "trap-in-configure" {
            panic!("configure went wrong on purpose");
        }
        let reads_bodies = !matches!(what.as_str(), "pass" | "header" | "version");
        DO.with(|own| *own.borrow_mut() = what);
        Ok(Needs { body: reads_bodies, headers: HeaderNeed::Nothing })
    }

    fn intercept(batch: Batch) -> Result<Edits, Error> {
        CALLS.with(|calls| *calls.borrow_mut() += 1);
        DO.with(|what| run(&what.borrow(), &batch))
    }
}

fn run(what: &str, batch: &Batch) -> Result<Edits, Error> {
    let mut edits = nothing();
    if batch.count == 0 {
        return Ok(edits);
    }
    match what {
        "pass" => {}
        "filter" => edits.keep = Some(bits(batch, |body| !body.starts_with(b"drop"))),
        "header" => edits.set_headers = vec![same("seen", "yes")],
        "version" => edits.set_headers = vec![same("version", &version())],
        "calls" => edits.set_headers = vec![same("calls", &CALLS.with(|calls| calls.borrow().to_string()))],
        "mask" => edits.bodies = Some(mask(batch)),
        "poison" => poison(batch)?,
        "reject" => edits.rejected = rejected(batch),
        "retry" => return Err(Error::Retry("not now".into())),
        "loop" => spin(u64::MAX),
        "spin-ms" => spin_ms(bodies(batch).next().map_or(0, number)),
        "sleep-ms" => std::thread::sleep(std::time::Duration::from_millis(bodies(batch).next().map_or(0, number))),
        "grow" => grow(),
        "leak" => KEPT.with(|kept| kept.borrow_mut().push(vec![1; 1 << 20])),
        "deep" => edits.set_headers = vec![same("depth", &deep(u64::from(batch.count)).to_string())],
        "breach" => edits.keep = Some(Vec::new()),
        other => return Err(Error::Fatal(format!("no operation is called {other}"))),
    }
    Ok(edits)
}

fn version() -> String {
    let bytes: Vec<u8> = (0..VERSION.len())
        .map(|at| unsafe { std::ptr::read_volatile(VERSION.as_ptr().add(at)) })
        .collect();
    String::from_utf8_lossy(&bytes[14..]).into_owned()
}

fn bodies(batch: &Batch) -> impl Iterator<Item = &[u8]> {
    let packed = batch.bodies.as_ref().expect("bodies were asked for");
    packed.spans.chunks_exact(2).map(|span| &packed.data[span[0] as usize..span[1] as usize])
}

fn number(body: &[u8]) -> u64 {
    std::str::from_utf8(body).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn nothing() -> Edits {
    Edits { keep: None, bodies: None, remove_headers: vec![], set_headers: vec![], rejected: vec![], added: None }
}

fn same(name: &str, value: &str) -> Column {
    Column { name: name.into(), rows: Rows::All, values: Values::Same(value.into()) }
}

fn bits(batch: &Batch, keep: impl Fn(&[u8]) -> bool) -> Vec<u64> {
    let mut words = vec![0u64; (batch.count as usize).div_ceil(64)];
    for (row, body) in bodies(batch).enumerate().filter(|(_, body)| keep(body)) {
        let _ = body;
        words[row / 64] |= 1 << (row % 64);
    }
    words
}

/// Digits become `#`, in place: the spans stay.
fn mask(batch: &Batch) -> BodyChange {
    let packed = batch.bodies.as_ref().expect("bodies were asked for");
    let mut data = packed.data.clone();
    for byte in &mut data {
        *byte = if byte.is_ascii_digit() { b'#' } else { *byte };
    }
    BodyChange { rows: Rows::All, bodies: Packed { data, spans: packed.spans.clone() } }
}

fn poison(batch: &Batch) -> Result<(), Error> {
    for body in bodies(batch) {
        match body {
            b"trap" => panic!("poisoned on purpose"),
            b"invalid" => return Err(Error::Invalid("poisoned on purpose".into())),
            b"fatal" => return Err(Error::Fatal("poisoned on purpose".into())),
            b"loop" => spin(u64::MAX),
            _ => {}
        }
    }
    Ok(())
}

fn rejected(batch: &Batch) -> Vec<Rejection> {
    let bad = |(row, body): (usize, &[u8])| {
        body.starts_with(b"bad").then(|| Rejection { row: row as u32, reason: format!("row {row} is bad") })
    };
    bodies(batch).enumerate().filter_map(bad).collect()
}

fn spin(rounds: u64) {
    let mut state = 1u64;
    for round in 0..rounds {
        state = std::hint::black_box(state.wrapping_mul(6364136223846793005).wrapping_add(round));
    }
}

fn spin_ms(ms: u64) {
    let until = std::time::Instant::now() + std::time::Duration::from_millis(ms);
    while std::time::Instant::now() < until {
        spin(1000);
    }
}

fn grow() {
    loop {
        KEPT.with(|kept| kept.borrow_mut().push(vec![1; 1 << 20]));
    }
}

/// Uses no memory of its own, so that it is the engine's stack that ends.
#[inline(never)]
fn deep(depth: u64) -> u64 {
    if depth == u64::MAX { 1 } else { deep(depth + 1).rotate_left(7) ^ depth }
}

export!(Core);
