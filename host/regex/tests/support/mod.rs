//! Asking a real Java, and answering as it does.
#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used)] // Helpers of tests, which clippy does not see as tests.

use std::io::Write;
use std::process::{Command, Stdio};

use flumen_regex::{Groups, JavaRegex, Replacement};

/// Writes what the oracle's line format cannot hold as %XX.
pub fn encode(text: &str) -> String {
    let special = |c: char| c < '!' || c == '%' || c == '\x7f';
    text.chars().map(|c| if special(c) { format!("%{:02x}", c as u32) } else { c.to_string() }).collect()
}

/// Reads %XX.
pub fn decode(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Answers one question in the words of tests/oracle/Regex.java.
pub fn answer(pattern: &str, text: &str, replacement: &str) -> String {
    let regex = match JavaRegex::new(pattern) {
        Ok(regex) => regex,
        Err(error) => return format!("error\t{}", encode(&error.message)),
    };
    let body = text.as_bytes();
    let mut groups = Groups::new();
    let found = regex.captures(body, &mut groups).unwrap();
    assert_eq!(regex.find(body).unwrap(), found, "find and captures disagree on {pattern:?} {text:?}");
    let spans: Vec<String> = (0..=regex.group_count())
        .map(|group| groups.span(group).map_or("-".to_owned(), |span| format!("{}-{}", span.start, span.end)))
        .collect();
    let spans = if found { spans.join(",") } else { "none".to_owned() };
    let matches = regex.matches(body).unwrap();
    let replaced = match Replacement::new(replacement, &regex) {
        Err(error) if found => format!("error:%20{}", encode(&error.message)),
        Err(_) => encode(text),
        Ok(with) => {
            let mut out = Vec::new();
            match regex.replace_all(body, &with, &mut out).unwrap() {
                0 => encode(text),
                _ => encode(&String::from_utf8(out).unwrap()),
            }
        }
    };
    format!("{spans}\t{matches}\t{replaced}")
}

/// Whether this machine's Java shall be asked.
pub fn java_wanted() -> bool {
    let wanted = std::env::var("FLUMEN_JAVA_ORACLE").is_ok_and(|value| value == "1");
    wanted && Command::new("java").arg("-version").output().is_ok_and(|output| output.status.success())
}

/// Runs tests/oracle/<program>.java with `questions` on its input.
pub fn ask_java(program: &str, options: &[&str], questions: String) -> String {
    let path = format!("{}/tests/oracle/{program}.java", env!("CARGO_MANIFEST_DIR"));
    let mut java = Command::new("java")
        .args(options)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = java.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(questions.as_bytes()).unwrap());
    let output = java.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the oracle {program} failed");
    String::from_utf8(output.stdout).unwrap()
}
