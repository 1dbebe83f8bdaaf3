//! World `interceptor`: what a body begins with says what becomes of its event.
//!
//! `drop` filtered, `bad` rejected, `up` in capitals, `twice` followed by a copy that inherits; all get `seen = yes`,
//! lose `secret`, and those with a header `host` get `from = HOST`.

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "interceptor" });

use exports::flumen::plugin::intercept::Guest;
use flumen::plugin::columns::{Addition, Batch, BodyChange, Edits, HeaderNeed, HeaderRemoval, Needs};
use flumen::plugin::types::{Column, Error, Packed, PackedText, Rejection, Rows, Values};

struct Fixture;

impl Guest for Fixture {
    fn configure(options: Vec<(String, String)>) -> Result<Needs, Error> {
        assert!(options.is_empty() || options.iter().any(|(key, _)| key == "any"), "trap in configure");
        Ok(Needs { body: true, headers: HeaderNeed::Only(vec!["host".into()]) })
    }

    fn intercept(batch: Batch) -> Result<Edits, Error> {
        let bodies = batch.bodies.expect("asked for");
        let body = |row: usize| &bodies.data[bodies.spans[2 * row] as usize..bodies.spans[2 * row + 1] as usize];
        let count = batch.count as usize;
        let mut keep = vec![u64::MAX; count.div_ceil(64)];
        let (mut changed, mut packed) = (Vec::new(), Packed { data: Vec::new(), spans: Vec::new() });
        let mut added = Addition {
            after: Vec::new(),
            inherit_headers: true,
            bodies: Packed { data: Vec::new(), spans: Vec::new() },
            headers: Vec::new(),
        };
        let mut rejected = Vec::new();
        for row in 0..count {
            let text = body(row);
            if text.starts_with(b"drop") {
                keep[row / 64] &= !(1 << (row % 64));
            } else if text.starts_with(b"bad") {
                rejected.push(Rejection { row: row as u32, reason: "it is bad".into() });
            } else if text.starts_with(b"up") {
                changed.push(row as u32);
                push(&mut packed, &text.to_ascii_uppercase());
            } else if text.starts_with(b"twice") {
                added.after.push(row as u32);
                push(&mut added.bodies, text);
            }
        }
        let seen = Column { name: "seen".into(), rows: Rows::All, values: Values::Same("yes".into()) };
        let mut set_headers = vec![seen];
        set_headers.extend(batch.headers.into_iter().map(|host| Column { name: "from".into(), ..host }));
        Ok(Edits {
            keep: Some(keep),
            bodies: Some(BodyChange { rows: Rows::Only(changed), bodies: packed }),
            remove_headers: vec![HeaderRemoval { name: "secret".into(), rows: Rows::All }],
            set_headers,
            rejected,
            added: Some(added),
        })
    }
}

fn push(packed: &mut Packed, bytes: &[u8]) {
    packed.spans.push(packed.data.len() as u32);
    packed.data.extend_from_slice(bytes);
    packed.spans.push(packed.data.len() as u32);
}

/// Named only so that the bindings' type is used.
#[allow(dead_code)]
type Text = PackedText;

export!(Fixture);
