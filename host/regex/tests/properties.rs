//! Properties, classes and case rules hold for exactly the characters that Java says.
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not see as tests.

mod support;

use flumen_regex::{Groups, JavaRegex, Replacement};
use support::{ask_java, java_wanted};

/// A pattern, and the length and hash of what it leaves of all characters.
const ANSWERS: &str = include_str!("vectors/properties.answers");

fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn every_property_holds_for_the_same_characters_as_in_java() {
    let all: String = ('\0'..=char::MAX).collect();
    let mut wrong = Vec::new();
    for line in ANSWERS.lines() {
        let pattern = line.split('\t').next().unwrap();
        // A run at a time is quicker, and leaves the same; but not so with what looks around.
        let looks = pattern.contains("\\b") || pattern.contains("\\B");
        let runs = if looks { pattern.to_owned() } else { format!("(?:{pattern})+") };
        let regex = JavaRegex::new(&runs).unwrap();
        let with = Replacement::new("", &regex).unwrap();
        let mut left = Vec::new();
        let replaced = regex.replace_all(all.as_bytes(), &with, &mut left).unwrap();
        let left = if replaced == 0 { all.as_bytes() } else { &left };
        let ours = format!("{pattern}\t{}\t{:x}", left.len(), hash(left));
        if ours != line {
            wrong.push(format!("java {line}\n   ours {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_real_java_decodes_random_bytes_in_the_same_way() {
    if !java_wanted() {
        return;
    }
    let interesting = [
        b'a', 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE4, 0xED, 0xEF, 0xF0, 0xF1,
        0xF4, 0xF5, 0xFF,
    ];
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let bodies: Vec<Vec<u8>> = (0..50_000)
        .map(|_| (0..1 + next(7)).map(|_| interesting[next(interesting.len())]).collect())
        .collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: String = bodies.iter().map(|body| hex(body) + "\n").collect();
    let (regex, mut groups) = (JavaRegex::new("").unwrap(), Groups::new());
    for (body, java) in bodies.iter().zip(ask_java("Bytes", &[], lines).lines()) {
        assert_eq!(regex.captures(body, &mut groups), Ok(true));
        assert_eq!(hex(groups.text(body)), java, "of {}", hex(body));
    }
}
