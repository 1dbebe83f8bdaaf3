//! Random edits through the SDK equal the same edits on plain events.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use flumen_plugin_sdk::interceptor::*;
use flumen_plugin_sdk::testing::{Event as Plain, Outcome, Tested, with_host};

const NAMES: [&str; 6] = ["a", "bc", "timestamp", "a header name of more than sixteen bytes", "host", "hos"];
const VALUES: [&str; 6] =
    ["", "x", "same", "älter", "a value that is somewhat longer than the others", "same"];

#[derive(Clone, Debug)]
enum Step {
    Set(u32, usize, usize),
    Number(u32, usize, u64),
    Remove(u32, usize),
    SetAll(usize, usize),
    RemoveAll(usize),
    Body(u32, Vec<u8>),
    Twice(u32),
    InPlace(u32, u8),
    EveryInPlace(u8),
    Filter(u32),
    Reject(u32),
    RetainShort(usize),
    Push(usize, usize),
    PushAfter(u32, usize),
}

/// xorshift: the same steps from the same seed.
struct Random(u64);
impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(20)).map(|_| self.below(256) as u8).collect()
    }
    fn events(&mut self) -> Vec<Plain> {
        (0..self.below(140)).map(|_| self.event()).collect()
    }
    fn event(&mut self) -> Plain {
        let names = (0..self.below(4)).map(|_| NAMES[self.below(4)].to_owned()).collect::<Vec<_>>();
        let headers =
            names.into_iter().map(|name| (name, VALUES[self.below(VALUES.len())].to_owned())).collect();
        Plain { headers, body: self.bytes() }
    }
    fn step(&mut self, rows: usize) -> Step {
        let row = self.below(rows) as u32;
        let (name, value) = (self.below(NAMES.len()), self.below(VALUES.len()));
        match self.below(17) {
            0..4 => Step::Set(row, name, value),
            4 => Step::Number(row, name, [0, 9, 10, u64::MAX][self.below(4)]),
            5 => Step::Remove(row, name),
            6 => Step::SetAll(name, value),
            7 => Step::RemoveAll(name),
            8 => Step::Body(row, self.bytes()),
            9 => Step::Twice(row),
            10 => Step::InPlace(row, value as u8),
            11 => Step::EveryInPlace(value as u8),
            12 => Step::Filter(row),
            13 => Step::Reject(row),
            14 => Step::RetainShort(5 + self.below(20)),
            15 => Step::Push(name, value),
            _ => Step::PushAfter(row, value),
        }
    }
}

thread_local! {
    static STEPS: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
    static INHERIT: Cell<bool> = const { Cell::new(true) };
}

struct Scripted;
impl Interceptor for Scripted {
    fn configure(_: &Options) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        if !INHERIT.get() {
            batch.added_start_without_headers();
        }
        STEPS.with_borrow(|steps| steps.iter().for_each(|step| apply(&mut batch, step)));
        Ok(batch)
    }
}

fn apply(batch: &mut Batch, step: &Step) {
    match step {
        Step::Set(row, name, value) => batch.event_mut(*row).set_header(NAMES[*name], VALUES[*value]),
        Step::Number(row, name, number) => batch.event_mut(*row).set_number(NAMES[*name], *number),
        Step::Remove(row, name) => batch.event_mut(*row).remove_header(NAMES[*name]),
        Step::SetAll(name, value) => batch.set_header_all(NAMES[*name], VALUES[*value]),
        Step::RemoveAll(name) => batch.remove_header_all(NAMES[*name]),
        Step::Body(row, body) => batch.event_mut(*row).set_body(body),
        Step::Twice(row) => batch.event_mut(*row).rewrite_body(|old, new| {
            new.extend_from_slice(old);
            new.extend_from_slice(old);
        }),
        Step::InPlace(row, byte) => batch.event_mut(*row).body_mut().fill(*byte),
        Step::EveryInPlace(byte) => {
            let mut events = batch.events_mut();
            while let Some(mut event) = events.next() {
                event.body_mut().iter_mut().for_each(|b| *b ^= byte);
            }
        }
        Step::Filter(row) => batch.event_mut(*row).filter_out(),
        Step::Reject(row) => batch.event_mut(*row).reject(format!("row {row}")),
        Step::RetainShort(len) => batch.retain(|event| event.body().len() < *len),
        Step::Push(name, value) => {
            batch.push(VALUES[*value].as_bytes()).header(NAMES[*name], VALUES[*value]).number("n", 7);
        }
        Step::PushAfter(row, value) => {
            batch.push_after(*row, VALUES[*value].as_bytes()).header("n", VALUES[*value]);
        }
    }
}

/// The same on plain events.
#[derive(Default)]
struct Model {
    rows: Vec<Plain>,
    gone: Vec<bool>,
    rejected: BTreeMap<u32, String>,
    added: Vec<(u32, Plain)>,
}

impl Model {
    fn apply(&mut self, step: &Step) {
        let own = |text: &str| text.to_owned();
        match step {
            Step::Set(row, name, value) => {
                self.rows[*row as usize].headers.insert(own(NAMES[*name]), own(VALUES[*value]));
            }
            Step::Number(row, name, number) => {
                self.rows[*row as usize].headers.insert(own(NAMES[*name]), number.to_string());
            }
            Step::Remove(row, name) => {
                self.rows[*row as usize].headers.remove(NAMES[*name]);
            }
            Step::SetAll(name, value) => self.rows.iter_mut().for_each(|event| {
                event.headers.insert(own(NAMES[*name]), own(VALUES[*value]));
            }),
            Step::RemoveAll(name) => self.rows.iter_mut().for_each(|event| {
                event.headers.remove(NAMES[*name]);
            }),
            Step::Body(row, body) => self.rows[*row as usize].body = body.clone(),
            Step::Twice(row) => self.rows[*row as usize].body = self.rows[*row as usize].body.repeat(2),
            Step::InPlace(row, byte) => self.rows[*row as usize].body.fill(*byte),
            Step::EveryInPlace(byte) => {
                let live = self.rows.iter_mut().zip(&self.gone).filter(|(_, gone)| !**gone);
                live.for_each(|(event, _)| event.body.iter_mut().for_each(|b| *b ^= byte));
            }
            Step::Filter(row) => self.gone[*row as usize] = true,
            Step::Reject(row) => {
                if !std::mem::replace(&mut self.gone[*row as usize], true) {
                    self.rejected.insert(*row, format!("row {row}"));
                }
            }
            Step::RetainShort(len) => {
                let short = self.rows.iter().map(|event| event.body.len() < *len);
                self.gone.iter_mut().zip(short).for_each(|(gone, short)| *gone |= !short);
            }
            Step::Push(name, value) => {
                let event = Plain::new(VALUES[*value]).with(NAMES[*name], VALUES[*value]).with("n", "7");
                self.added.push((self.rows.len() as u32, event));
            }
            Step::PushAfter(row, value) => {
                self.added.push((*row, Plain::new(VALUES[*value]).with("n", VALUES[*value])));
            }
        }
    }

    fn outcome(self, inherit: bool) -> Outcome {
        let mut events = Vec::new();
        for row in 0..=self.rows.len() {
            if row < self.rows.len() && !self.gone[row] {
                events.push(self.rows[row].clone());
            }
            for (_, new) in self.added.iter().filter(|(after, _)| *after as usize == row) {
                let followed = self.rows.get(row).filter(|_| inherit);
                let mut headers = followed.map(|event| event.headers.clone()).unwrap_or_default();
                headers.extend(new.headers.clone());
                events.push(Plain { headers, body: new.body.clone() });
            }
        }
        Outcome { events, rejected: self.rejected }
    }
}

#[test]
fn any_sequence_of_edits_equals_the_model() {
    let cases = std::env::var("SDK_MODEL_CASES").map_or(3000, |n| n.parse().expect("a number"));
    for seed in 1..=cases {
        let mut random = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let events = random.events();
        let steps: Vec<Step> = match events.len() {
            0 => vec![Step::SetAll(0, 1), Step::Push(1, 2)],
            rows => (0..random.below(40)).map(|_| random.step(rows)).collect(),
        };
        let inherit = random.below(3) > 0;
        let mut model = Model { rows: events.clone(), gone: vec![false; events.len()], ..Model::default() };
        steps.iter().for_each(|step| model.apply(step));
        STEPS.set(steps.clone());
        INHERIT.set(inherit);
        let plugin = Tested::<Scripted>::configured(&[]).expect("no options");
        let got = plugin.intercept(&events).expect("accepted");
        assert_eq!(got, model.outcome(inherit), "seed {seed}, inherit {inherit}, steps {steps:#?}");
    }
}

/// What is read behind the edits is what the host gets.
struct ReadsBack;
impl Interceptor for ReadsBack {
    fn configure(_: &Options) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn intercept(&mut self, mut batch: Batch) -> Result<Batch> {
        STEPS.with_borrow(|steps| steps.iter().for_each(|step| apply(&mut batch, step)));
        let seen = batch.events().map(|event| {
            let headers: BTreeMap<_, _> = event.headers().collect();
            assert!(NAMES.iter().all(|name| event.header(name) == headers.get(name).copied()));
            format!("{headers:?} {:?}", event.body())
        });
        let seen = seen.collect::<Vec<_>>().join("\n");
        assert_eq!(batch.len(), batch.events().count());
        with_host(|host| host.state.insert("seen".to_owned(), seen.into_bytes()));
        Ok(batch)
    }
}

#[test]
fn edits_can_be_read_back() {
    for seed in 1..=1000 {
        let mut random = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let events = random.events();
        let steps = (0..if events.is_empty() { 0 } else { 30 }).map(|_| random.step(events.len()));
        let steps = steps.filter(|step| !matches!(step, Step::Push(..) | Step::PushAfter(..))).collect();
        STEPS.set(steps);
        let plugin = Tested::<ReadsBack>::configured(&[]).expect("no options");
        let got = plugin.intercept(&events).expect("accepted");
        let lines = got.events.iter().map(|event| format!("{:?} {:?}", event.headers, event.body));
        let seen = with_host(|host| host.state["seen"].clone());
        let lines = lines.collect::<Vec<_>>().join("\n");
        assert_eq!(String::from_utf8(seen).expect("text"), lines, "seed {seed}");
    }
}
