//! `tail` commands that Flumen understands, so that it can restart them without loss or repetition.

mod file;
mod follow;
mod keep;
mod position;
mod siblings;
mod store;
mod trail;

use std::path::PathBuf;

pub(super) use file::Place;
pub(super) use follow::{Begin, Follow, Verdict};
pub(super) use keep::Keep;
pub(super) use store::InUse;

/// Where `tail` starts in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartAt {
    /// At the last lines, this many.
    LastLines(u64),
    /// At the line with this number, from one.
    Line(u64),
}

/// A `tail` command of which every word is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TailWords {
    /// The program as the user wrote it.
    pub program: String,
    /// Where it starts.
    pub start: StartAt,
    /// The words that say how to follow; handed on as they are.
    pub follow: Vec<String>,
    /// The file.
    pub file: PathBuf,
}

impl TailWords {
    /// Understands the command, or does not: any word or character beyond the well known gives `None`, and
    /// the command then runs as it is written.
    pub fn recognise(shell: Option<&[String]>, words: &[String]) -> Option<Self> {
        if shell.is_some_and(|shell| !is_plain_shell(shell) || !words.iter().all(|w| is_plain_word(w))) {
            return None;
        }
        let (program, rest) = words.split_first()?;
        if !matches!(program.as_str(), "tail" | "/bin/tail" | "/usr/bin/tail") {
            return None;
        }
        let mut parsed =
            Parsed { start: StartAt::LastLines(10), follow: Vec::new(), follows: false, file: None };
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            parsed.word(word, &mut rest)?;
        }
        parsed.follows.then_some(())?;
        Some(Self {
            program: program.clone(),
            start: parsed.start,
            follow: parsed.follow,
            file: parsed.file?.into(),
        })
    }

    /// The command that starts at a byte of the file instead.
    pub fn argv_from(&self, offset: u64) -> Vec<String> {
        let mut argv = vec![self.program.clone(), "-c".to_owned(), format!("+{}", offset + 1)];
        argv.extend(self.follow.iter().cloned());
        argv.push("--".to_owned());
        argv.push(self.file.to_string_lossy().into_owned());
        argv
    }
}

fn is_plain_shell(shell: &[String]) -> bool {
    let [program, flag] = shell else { return false };
    let name = program.rsplit('/').next().unwrap_or(program);
    flag == "-c" && matches!(name, "sh" | "bash" | "dash" | "ksh" | "zsh")
}

/// Whether no shell would make anything else of the word.
fn is_plain_word(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./+=:,@%-".contains(&b))
}

struct Parsed {
    start: StartAt,
    follow: Vec<String>,
    follows: bool,
    file: Option<String>,
}

impl Parsed {
    fn word<'a>(&mut self, word: &str, rest: &mut impl Iterator<Item = &'a String>) -> Option<()> {
        match word {
            "--follow" | "--follow=name" | "--follow=descriptor" => self.follow_by(word),
            "--retry" => self.follow.push(word.to_owned()),
            "--quiet" | "--silent" => {}
            _ if word.starts_with("--sleep-interval=") => self.follow.push(word.to_owned()),
            _ if word.starts_with("--lines=") => self.start = start_at(&word["--lines=".len()..])?,
            _ if word.starts_with("--") => return None,
            _ if word.len() > 1 && word.starts_with('-') => return self.short(&word[1..], rest),
            _ if word == "-" || self.file.is_some() => return None,
            _ => self.file = Some(word.to_owned()),
        }
        Some(())
    }
    fn follow_by(&mut self, word: &str) {
        self.follows = true;
        self.follow.push(word.to_owned());
    }
    /// `F`, `f` and `q` may stand together; `n` and `s` take what follows, or the next word.
    fn short<'a>(&mut self, letters: &str, rest: &mut impl Iterator<Item = &'a String>) -> Option<()> {
        // `tail -100f` is the oldest form: a number, then perhaps the letter to follow by.
        let digits = letters.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            self.start = start_at(&letters[..digits])?;
        }
        for (at, letter) in letters.char_indices().skip(digits) {
            let mut value = || match &letters[at + 1..] {
                "" => rest.next().cloned(),
                attached => Some(attached.to_owned()),
            };
            match letter {
                'F' | 'f' => self.follow_by(&format!("-{letter}")),
                'q' => {}
                'n' => {
                    self.start = start_at(&value()?)?;
                    return Some(());
                }
                's' => {
                    self.follow.extend(["-s".to_owned(), value()?]);
                    return Some(());
                }
                _ => return None,
            }
        }
        Some(())
    }
}

fn start_at(number: &str) -> Option<StartAt> {
    let all_digits =
        |text: &str| (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(());
    if let Some(line) = number.strip_prefix('+') {
        all_digits(line)?;
        return Some(StartAt::Line(line.parse().ok()?));
    }
    let count = number.strip_prefix('-').unwrap_or(number);
    all_digits(count)?;
    Some(StartAt::LastLines(count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognise(command: &str) -> Option<TailWords> {
        TailWords::recognise(None, &super::super::command::words(command))
    }
    fn in_shell(shell: &str, command: &str) -> Option<TailWords> {
        let shell = super::super::command::words(shell);
        TailWords::recognise(Some(&shell), &super::super::command::words(command))
    }

    #[test]
    fn the_usual_ways_to_write_it_are_understood() {
        for (command, start) in [
            ("tail -F /var/log/x", StartAt::LastLines(10)),
            ("tail -f /var/log/x", StartAt::LastLines(10)),
            ("/usr/bin/tail /var/log/x -F", StartAt::LastLines(10)),
            ("tail -n 0 -F /var/log/x", StartAt::LastLines(0)),
            ("tail -F -n0 /var/log/x", StartAt::LastLines(0)),
            ("tail -fn 5 /var/log/x", StartAt::LastLines(5)),
            ("tail -100f /var/log/x", StartAt::LastLines(100)),
            ("tail -n -7 --follow=name --retry /var/log/x", StartAt::LastLines(7)),
            ("tail -n +1 -F /var/log/x", StartAt::Line(1)),
            ("tail -q --lines=3 -s 0.1 -F /var/log/x", StartAt::LastLines(3)),
        ] {
            let words = recognise(command).unwrap_or_else(|| panic!("{command}"));
            assert_eq!((words.start, words.file), (start, PathBuf::from("/var/log/x")), "{command}");
        }
    }

    #[test]
    fn what_is_not_fully_understood_runs_as_written() {
        for command in [
            "tail /var/log/x",
            "tail -F a b",
            "tail -F -c 100 a",
            "tail -F --pid=3 a",
            "tail -v -F a",
            "tail -F -n 10k a",
            "tail -F -",
            "tail -F",
            "mytail -F a",
            "cat a",
        ] {
            assert_eq!(recognise(command), None, "{command}");
        }
    }

    #[test]
    fn a_shell_must_have_nothing_to_interpret() {
        assert!(in_shell("/bin/bash -c", "tail -F /var/log/x").is_some());
        assert!(in_shell("/bin/bash -lc", "tail -F /var/log/x").is_none());
        for command in [
            "tail -F /var/log/*",
            "tail -F $X",
            "tail -F a | grep b",
            "tail -F a;",
            "tail -F 'a'",
            "tail -F ~/a",
        ] {
            assert_eq!(in_shell("/bin/sh -c", command), None, "{command}");
        }
    }

    #[test]
    fn the_restarted_command_starts_at_a_byte() {
        let words = recognise("tail -n 5 -F -s 0.1 /var/log/x").expect("understood");
        assert_eq!(words.argv_from(41), ["tail", "-c", "+42", "-F", "-s", "0.1", "--", "/var/log/x"]);
    }
}
