//! Events as rows: the naive model of what columns and edits mean (`wit/0.1.0/columns.wit`), against which guests
//! are judged. It panics on every breach of the contract.

use std::collections::BTreeMap;

use flumen_plugin::world::v0_1_0::bindings::exports::flumen::plugin::intercept::{Edits, Needs};
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::columns::HeaderNeed;
use flumen_plugin::world::v0_1_0::bindings::flumen::plugin::types::{
    ColumnParam, ColumnResult, PackedParam, PackedResult, PackedTextParam, RowsParam, RowsResult,
    ValuesParam, ValuesResult,
};
use serde_json::Value;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// Reads a file of `{"headers": {…}, "body": "…"}` or `"bodyBase64"`, one to a line.
pub fn read_jsonl(text: &str) -> Vec<Row> {
    text.lines().map(|line| row_of(&serde_json::from_str(line).expect("a line is a JSON object"))).collect()
}

fn row_of(value: &Value) -> Row {
    let headers = value["headers"].as_object().expect("headers");
    let headers = headers.iter().map(|(k, v)| (k.clone(), v.as_str().expect("text").to_owned())).collect();
    let body = match (value["body"].as_str(), value["bodyBase64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(text)) => base64(text),
        (None, None) => panic!("an event without a body"),
    };
    Row { headers, body }
}

fn base64(text: &str) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut out) = (0u32, 0u32, Vec::new());
    for digit in text.chars().filter(|c| *c != '=') {
        bits = bits << 6 | u32::try_from(digits.find(digit).expect("a digit of base 64")).expect("below 64");
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

/// A batch's columns, owned; `batch` of [`crate::guest`] borrows from it.
pub struct Columns {
    data: Vec<u8>,
    spans: Vec<u32>,
    headers: Vec<(String, Vec<u32>, String, Vec<u32>)>,
    body: bool,
    pub count: u32,
}

impl Columns {
    /// The columns that `needs` asks for. A header that all rows have with one value becomes `same`, as in the host.
    pub fn of(rows: &[Row], needs: &Needs) -> Self {
        let (mut data, mut spans) = (Vec::new(), Vec::new());
        for row in rows {
            spans.push(u32::try_from(data.len()).expect("small"));
            data.extend_from_slice(&row.body);
            spans.push(u32::try_from(data.len()).expect("small"));
        }
        let mut names: Vec<&String> = rows.iter().flat_map(|r| r.headers.keys()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| match &needs.headers {
            HeaderNeed::Nothing => false,
            HeaderNeed::Only(only) => only.contains(name),
            HeaderNeed::All => true,
        });
        let headers = names.into_iter().map(|name| column_of(rows, name)).collect();
        Self { data, spans, headers, body: needs.body, count: u32::try_from(rows.len()).expect("small") }
    }

    pub fn headers(&self) -> Vec<ColumnParam<'_>> {
        self.headers.iter().map(|h| self.param(h)).collect()
    }

    fn param<'a>(
        &'a self,
        (name, rows, data, spans): &'a (String, Vec<u32>, String, Vec<u32>),
    ) -> ColumnParam<'a> {
        let all = rows.len() == self.count as usize;
        let value = |i: usize| &data[spans[2 * i] as usize..spans[2 * i + 1] as usize];
        let same = (1..rows.len()).all(|i| value(i) == value(0));
        ColumnParam {
            name,
            rows: if all { RowsParam::All } else { RowsParam::Only(rows) },
            values: if same {
                ValuesParam::Same(value(0))
            } else {
                ValuesParam::Each(PackedTextParam { data, spans })
            },
        }
    }

    pub fn bodies(&self) -> Option<PackedParam<'_>> {
        self.body.then_some(PackedParam { data: &self.data, spans: &self.spans })
    }
}

fn column_of(rows: &[Row], name: &str) -> (String, Vec<u32>, String, Vec<u32>) {
    let (mut which, mut data, mut spans) = (Vec::new(), String::new(), Vec::new());
    for (i, row) in rows.iter().enumerate() {
        if let Some(value) = row.headers.get(name) {
            which.push(u32::try_from(i).expect("small"));
            spans.push(u32::try_from(data.len()).expect("small"));
            data.push_str(value);
            spans.push(u32::try_from(data.len()).expect("small"));
        }
    }
    (name.to_owned(), which, data, spans)
}

/// What becomes of `rows` by `edits`, and the reasons of those that were rejected.
pub fn apply(mut rows: Vec<Row>, edits: &Edits) -> (Vec<Row>, Vec<(usize, String)>) {
    let count = rows.len();
    if let Some(change) = &edits.bodies {
        let which = numbers(&change.rows, count);
        for (row, body) in which.iter().zip(items(&change.bodies, which.len())) {
            rows[*row].body = body;
        }
    }
    for removal in &edits.remove_headers {
        for row in numbers(&removal.rows, count) {
            rows[row].headers.remove(&removal.name);
        }
    }
    set_headers(&mut rows, &edits.set_headers);
    let rejected: Vec<(usize, String)> =
        edits.rejected.iter().map(|r| (r.row as usize, r.reason.clone())).collect();
    assert!(rejected.iter().all(|(row, _)| *row < count), "a rejected row is none of the batch");
    if let Some(keep) = &edits.keep {
        assert_eq!(keep.len(), count.div_ceil(64), "words of `keep`");
    }
    let stays = |row: usize| {
        edits.keep.as_ref().is_none_or(|keep| keep[row / 64] >> (row % 64) & 1 == 1)
            && !rejected.iter().any(|(r, _)| *r == row)
    };
    let mut added = added_events(&rows, edits).into_iter().peekable();
    let mut out = Vec::new();
    for (i, row) in rows.into_iter().enumerate() {
        if stays(i) {
            out.push(row);
        }
        while let Some((_, new)) = added.next_if(|(after, _)| *after == i) {
            out.push(new);
        }
    }
    out.extend(added.map(|(_, new)| new));
    (out, rejected)
}

fn added_events(rows: &[Row], edits: &Edits) -> Vec<(usize, Row)> {
    let Some(added) = &edits.added else { return Vec::new() };
    assert!(added.after.is_sorted(), "`after` ascends");
    let mut new: Vec<Row> = items(&added.bodies, added.after.len())
        .zip(&added.after)
        .map(|(body, after)| {
            let parent = rows.get(*after as usize).filter(|_| added.inherit_headers);
            Row { headers: parent.map(|p| p.headers.clone()).unwrap_or_default(), body }
        })
        .collect();
    set_headers(&mut new, &added.headers);
    added.after.iter().map(|a| *a as usize).zip(new).collect()
}

fn set_headers(rows: &mut [Row], columns: &[ColumnResult]) {
    for column in columns {
        let which = numbers(&column.rows, rows.len());
        match &column.values {
            ValuesResult::Same(value) => {
                for row in which {
                    rows[row].headers.insert(column.name.clone(), value.clone());
                }
            }
            ValuesResult::Each(packed) => {
                assert_eq!(packed.spans.len(), 2 * which.len(), "spans of {}", column.name);
                for (row, span) in which.iter().zip(packed.spans.chunks_exact(2)) {
                    let value =
                        packed.data.get(span[0] as usize..span[1] as usize).expect("a span within the text");
                    rows[*row].headers.insert(column.name.clone(), value.to_owned());
                }
            }
        }
    }
}

fn numbers(rows: &RowsResult, count: usize) -> Vec<usize> {
    match rows {
        RowsResult::All => (0..count).collect(),
        RowsResult::Only(only) => {
            assert!(only.windows(2).all(|w| w[0] < w[1]), "rows strictly ascend");
            assert!(only.iter().all(|r| (*r as usize) < count), "a row is none of the batch");
            only.iter().map(|r| *r as usize).collect()
        }
    }
}

fn items(packed: &PackedResult, count: usize) -> impl Iterator<Item = Vec<u8>> {
    assert_eq!(packed.spans.len(), 2 * count, "spans of bodies");
    let span =
        |s: &[u32]| packed.data.get(s[0] as usize..s[1] as usize).expect("a span within the data").to_vec();
    packed.spans.chunks_exact(2).map(span)
}
