//! From bodies to what can be said in a channel.
//!
//! ```text
//! body ─▶ lines (split, if wanted) ─▶ without line ends and zeros ─▶ pieces that fit an IRC line
//! ```
//!
//! An IRC message is one line of at most 512 bytes. What a body has of line ends must not reach the server: behind
//! one it would read a command.

use flumen_regex::{Groups, JavaRegex, MatchError};

/// An IRC message with its line end.
const LINE_BYTES_MAX: usize = 512;
/// What servers put in front of a message when they pass it on, besides the nick: `:nick!user@host `, with the
/// longest user and host that are common.
const PREFIX_BYTES: usize = 1 + 1 + 20 + 1 + 63 + 1;
/// No server may leave less for the text.
const TEXT_BYTES_MIN: usize = 100;

/// How bodies become messages.
#[derive(Debug)]
pub(super) struct Text {
    /// Cuts a body into lines.
    pub split: Option<JavaRegex>,
    /// Most bytes of one message's text.
    pub bytes_max: usize,
}

/// The bytes that a message to this channel has for its text.
pub(super) fn room(nick: &str, channel: &str) -> usize {
    let around = PREFIX_BYTES + nick.len() + "PRIVMSG ".len() + channel.len() + " :\r\n".len();
    LINE_BYTES_MAX.saturating_sub(around).max(TEXT_BYTES_MIN)
}

impl Text {
    /// Adds the messages of a body; none if there is nothing to say in it. Says whether the pattern gave up.
    pub(super) fn add(&self, body: &[u8], out: &mut Vec<String>) -> Result<(), MatchError> {
        let text = String::from_utf8_lossy(body);
        let Some(pattern) = &self.split else {
            self.add_line(&text, out);
            return Ok(());
        };
        let mut groups = Groups::new();
        let mut rest = &*text;
        while pattern.captures(rest.as_bytes(), &mut groups)? {
            let Some(found) = groups.span(0) else { break };
            // Java cuts nothing off in front of an empty match at the beginning.
            let end = if found.end > 0 { found.start } else { rest.chars().next().map_or(0, char::len_utf8) };
            let next = found.end.max(end);
            let (Some(line), Some(behind)) = (rest.get(..end), rest.get(next..)) else { break };
            if next == 0 {
                break;
            }
            self.add_line(line, out);
            rest = behind;
        }
        self.add_line(rest, out);
        Ok(())
    }

    fn add_line(&self, line: &str, out: &mut Vec<String>) {
        let line = line.trim_end_matches(['\r', '\n', '\0']);
        if line.trim_matches([' ', '\r', '\n', '\0']).is_empty() {
            return;
        }
        let line: String =
            line.chars().map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c }).collect();
        let mut rest = &*line;
        while rest.len() > self.bytes_max {
            let cut = rest.floor_char_boundary(self.bytes_max);
            out.push(rest[..cut].to_owned());
            rest = &rest[cut..];
        }
        out.push(rest.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages(split: Option<&str>, bytes_max: usize, body: &[u8]) -> Vec<String> {
        let split = split.map(|pattern| JavaRegex::new(pattern).expect("a pattern"));
        let mut out = Vec::new();
        Text { split, bytes_max }.add(body, &mut out).expect("simple");
        out
    }

    #[test]
    fn a_line_end_in_a_body_is_no_line_end_on_the_wire() {
        assert_eq!(messages(None, 400, b"hi\r\nQUIT :injected\0\n"), ["hi  QUIT :injected"]);
        assert_eq!(messages(Some(","), 400, b"a\nKICK #c x,b\r"), ["a KICK #c x", "b"]);
    }

    #[test]
    fn lines_are_split_as_java_splits() {
        assert_eq!(messages(Some("\n"), 400, b"one\ntwo\r\n\n\nthree\n\n"), ["one", "two", "three"]);
        assert_eq!(messages(Some("[;,]+"), 400, b"a;,b,c"), ["a", "b", "c"]);
        assert_eq!(messages(Some("x*"), 400, "aéxb".as_bytes()), ["a", "é", "b"]);
        assert_eq!(messages(None, 400, b"one\ntwo"), ["one two"]);
    }

    #[test]
    fn there_is_nothing_to_say_in_an_empty_body() {
        for body in [&b""[..], b"\n", b"  \r\n", b"\0"] {
            assert!(messages(None, 400, body).is_empty() && messages(Some("\n"), 400, body).is_empty());
        }
    }

    #[test]
    fn long_lines_go_in_pieces_that_cut_no_character() {
        assert_eq!(messages(None, 5, "éééx".as_bytes()), ["éé", "éx"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_as_in_java() {
        assert_eq!(messages(None, 400, b"a\xFFb"), ["a\u{FFFD}b"]);
    }

    proptest! {
        #[test]
        fn whatever_the_body_a_message_is_one_line_that_fits(body: Vec<u8>, nick in "[a-z]{1,30}", chan in "#[a-z]{1,50}") {
            let bytes_max = room(&nick, &chan);
            for pattern in [None, Some("\n"), Some("a?")] {
                for message in messages(pattern, bytes_max, &body) {
                    prop_assert!(!message.contains(['\r', '\n', '\0']) && !message.is_empty());
                    let line = format!("PRIVMSG {chan} :{message}\r\n");
                    prop_assert!(line.len() <= LINE_BYTES_MAX);
                }
            }
        }
    }
}
