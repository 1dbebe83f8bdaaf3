//! The grammar against what `java.util.Properties` itself reads; the vectors are made by
//! `tests/java/PropertiesVectors.java` (Java 17).

use std::collections::BTreeMap;

use super::*;
use crate::diagnostic::Origin;

const VECTORS: &str = include_str!("../../tests/java/properties.tsv");

fn read_all(text: &str) -> (Vec<Entry>, Diagnostics) {
    let mut findings = Diagnostics::default();
    let entries = parse(&mut SourceText::new("f.properties", text), &mut findings);
    (entries, findings)
}

/// Undoes `%XXXX`.
fn plain(escaped: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = escaped;
    while let Some(c) = rest.chars().next() {
        rest = &rest[1..];
        if c == '%' {
            units.push(u16::from_str_radix(&rest[..4], 16).expect("hexadecimal"));
            rest = &rest[4..];
        } else {
            units.push(u16::try_from(u32::from(c)).expect("ASCII"));
        }
    }
    String::from_utf16(&units).expect("whole characters")
}

#[test]
fn every_text_is_read_as_java_reads_it() {
    let mut rows = 0;
    for row in VECTORS.lines() {
        let mut cells = row.split('\t');
        let text = plain(cells.next().expect("the text"));
        let expected: Vec<&str> = cells.collect();
        let (entries, findings) = read_all(&text);
        rows += 1;
        if expected == ["MALFORMED"] {
            assert!(findings.iter().any(|d| d.code == "bad-unicode-escape"), "{text:?}");
            continue;
        }
        assert!(findings.is_empty(), "{text:?}: {findings:?}");
        let expected: BTreeMap<String, String> = expected
            .iter()
            .map(|cell| cell.split_once('=').expect("key=value"))
            .map(|(k, v)| (plain(k), plain(v)))
            .collect();
        let actual: BTreeMap<String, String> = entries.into_iter().map(|e| (e.key, e.value)).collect();
        assert_eq!(actual, expected, "{text:?}");
    }
    assert!(rows > 1_000, "only {rows} vectors");
}

#[test]
fn every_key_and_value_knows_its_place() {
    let (entries, _) = read_all("# c\r\n  a.b = x y \\\r\n   z\r\n\u{6587}:\\\n  v\nalone\n");
    let place = |origin: &Origin| match origin {
        Origin::File { line, column, len, .. } => (*line, *column, *len),
        other => panic!("{other:?}"),
    };
    let places: Vec<_> = entries
        .iter()
        .map(|e| (e.key.as_str(), e.value.as_str(), place(&e.key_at), place(&e.value_at)))
        .collect();
    assert_eq!(
        places,
        [
            ("a.b", "x y z", (2, 3, 3), (2, 9, 4)),
            ("\u{6587}", "v", (4, 1, 1), (5, 3, 1)),
            ("alone", "", (6, 1, 5), (6, 1, 5)),
        ]
    );
}

#[test]
fn a_malformed_escape_costs_one_entry_and_names_its_place() {
    let (entries, findings) = read_all("a=1\nb=x\\u12\nc=3\n");
    assert_eq!(entries.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    let finding = findings.iter().next().expect("one finding");
    assert!(matches!(finding.origin, Some(Origin::File { line: 2, column: 4, len: 4, .. })), "{finding:?}");
}

#[test]
fn continued_secrets_are_hidden_on_every_line() {
    let mut source = SourceText::new("f", "a.password = one \\\n  two\nb = http://u:pw@h/\n");
    parse(&mut source, &mut Diagnostics::default());
    let hidden = |line| {
        let line = source.line(line).expect("a line");
        source.secrets_in(&line).iter().map(|s| source.text()[s.clone()].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (hidden(1), hidden(2), hidden(3)),
        (vec!["one \\".into()], vec!["  two".into()], vec!["pw".into()])
    );
}
