//! `search_replace`: rewrites bodies by a pattern.

use bytes::Bytes;
use flumen_config::{Diagnostic, Diagnostics, Options, Settings, options};
use flumen_event::{Batch, Span};
use flumen_regex::{JavaRegex, MatchError, Replacement};

use super::pattern::{Pattern, TooComplex};
use crate::catalog::InterceptorType;
use crate::charset::Charset;
use crate::interceptor::{Drops, InterceptError, Interceptor};

/// What an arena may grow to: spans are 32 bits wide.
const ARENA_BYTES_MAX: usize = u32::MAX as usize - 1;

options! {
    /// Replaces every match of a pattern in the body. Events without a match keep their bytes, also those that
    /// are not valid in the charset; an event on which the pattern takes too many steps counts as one without.
    pub struct SearchReplaceOptions {
        /// The pattern.
        "searchPattern" => search_pattern: Pattern,
        /// What stands in place of a match. `$1` and `${name}` are the match's groups; a plain `$` or `\`
        /// needs a `\` in front.
        "replaceString" => replace_string: String = String::new(),
        /// The charset of the bodies.
        "charset" => charset: Charset = Charset::Utf8,
    }
}

pub(super) const SEARCH_REPLACE: InterceptorType = InterceptorType {
    spec: super::spec::<SearchReplaceOptions>(
        "search_replace",
        &["org.apache.flume.interceptor.SearchAndReplaceInterceptor$Builder"],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<SearchReplace> {
    let options = SearchReplaceOptions::read(settings, diagnostics)?;
    let regex = options.search_pattern.0.clone();
    let replacement = match Replacement::new(&options.replace_string, &regex) {
        Ok(replacement) => replacement,
        Err(error) => {
            // Flume finds out with the first match, and then again with every event that has one.
            let message = format!("`replaceString = {}`: {error}", options.replace_string);
            let finding = Diagnostic::error("bad-value", message).on(settings.path());
            let help = "write `\\\\$` for a dollar sign and `\\\\\\\\` for a backslash";
            diagnostics.push(finding.at(&settings.origin("replaceString")).help(help));
            return None;
        }
    };
    options.search_pattern.warn_if_slow("searchPattern", settings, diagnostics);
    Some(SearchReplace {
        name: settings.name().to_owned(),
        regex,
        replacement,
        charset: options.charset,
        too_complex: TooComplex::new(settings),
    })
}

struct SearchReplace {
    name: String,
    regex: JavaRegex,
    replacement: Replacement,
    charset: Charset,
    too_complex: TooComplex,
}

impl SearchReplace {
    /// Appends the body with all matches replaced; appends nothing if there is no match.
    fn replace(&self, body: &[u8], out: &mut Vec<u8>) -> Result<usize, MatchError> {
        if self.charset == Charset::Utf8 {
            return self.regex.replace_all(body, &self.replacement, out);
        }
        let text = self.charset.decode(body);
        let mut replaced = Vec::new();
        let count = self.regex.replace_all(text.as_bytes(), &self.replacement, &mut replaced)?;
        if count > 0 {
            self.charset.encode(&String::from_utf8_lossy(&replaced), out);
        }
        Ok(count)
    }
}

impl Interceptor for SearchReplace {
    fn intercept(&self, batch: Batch, _: &mut Drops) -> Result<Batch, InterceptError> {
        let mut bodies = Rewritten::of(&batch);
        for (row, event) in batch.iter().enumerate() {
            let start = bodies.arena.len();
            match self.replace(event.body(), &mut bodies.arena) {
                Ok(0) => bodies.keep(row),
                Ok(_) => bodies.take(row, start),
                Err(error) => {
                    self.too_complex.note(error);
                    bodies.keep(row);
                }
            }
            if bodies.arena.len() > ARENA_BYTES_MAX {
                let reason = format!("the rewritten bodies of {} events are larger than 4 GiB", batch.len());
                return Err(InterceptError { interceptor: self.name.clone(), reason });
            }
        }
        Ok(bodies.finish())
    }
}

/// The bodies of a batch on their way into a new arena. Nothing is copied until one differs. If the bodies
/// stand in the old arena as lines, so they do in the new one: a text sink writes them in one piece.
struct Rewritten<'a> {
    batch: &'a Batch,
    arena: Vec<u8>,
    spans: Vec<Span>,
    has_lines: bool,
}

impl<'a> Rewritten<'a> {
    fn of(batch: &'a Batch) -> Self {
        Self { batch, arena: Vec::new(), spans: Vec::new(), has_lines: batch.as_lines().is_some() }
    }
    /// The event's body is as it was.
    fn keep(&mut self, row: usize) {
        if !self.spans.is_empty() {
            self.copy(row);
        }
    }
    /// The event's body is what was appended to the arena since it was `start` long.
    fn take(&mut self, row: usize, start: usize) {
        if self.spans.is_empty() {
            self.begin(row);
            return;
        }
        self.end_body(start);
    }
    /// The first body that differs: room for all, and copies of those before it.
    #[cold]
    fn begin(&mut self, row: usize) {
        let first = std::mem::take(&mut self.arena);
        let room = self.batch.body_bytes() + self.batch.len() + first.len();
        self.arena.reserve_exact(room.min(ARENA_BYTES_MAX));
        self.spans.reserve_exact(self.batch.len());
        (0..row).for_each(|before| self.copy(before));
        let start = self.arena.len();
        self.arena.extend_from_slice(&first);
        self.end_body(start);
    }
    fn copy(&mut self, row: usize) {
        let start = self.arena.len();
        self.arena.extend_from_slice(self.batch.event(row).body());
        self.end_body(start);
    }
    fn end_body(&mut self, start: usize) {
        // Beyond the limit the caller gives the batch up; until then the span only has to be a valid one.
        let end = self.arena.len().min(ARENA_BYTES_MAX);
        self.spans.push(Span::new(start.min(end)..end));
        if self.has_lines {
            self.arena.push(b'\n');
        }
    }
    fn finish(mut self) -> Batch {
        if self.spans.is_empty() {
            return self.batch.clone();
        }
        // What a growing vector set aside, or bodies that shrank left over, is not to be held as long as they.
        if self.arena.capacity() / 2 > self.arena.len() {
            self.arena.shrink_to_fit();
        }
        self.batch.with_bodies(Bytes::from(self.arena), self.spans)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{batch, bodies, check, run, values};
    use super::*;

    fn lines(text: &'static [u8]) -> Batch {
        let mut start = 0;
        let spans = text.split_inclusive(|b| *b == b'\n').map(|line| {
            let span = Span::new(start..start + line.len() - 1);
            start += line.len();
            span
        });
        Batch::from_arena(Bytes::from_static(text), spans.collect())
    }
    fn replaced(pairs: &[(&str, &str)], input: Batch) -> Batch {
        run("search_replace", pairs, input).0
    }

    // Golden case int_search_replace.
    #[test]
    fn matches_are_replaced_with_groups_and_without() {
        let input =
            batch(&[("hello", &[("h", "v")]), ("the quick brown fox", &[]), ("key=value user=alice", &[])]);
        let pairs = [("searchPattern", "([a-z]+)=([a-z]+)"), ("replaceString", "$2:$1")];
        let out = replaced(&pairs, input);
        let out = replaced(&[("searchPattern", "^the")], out);
        let out = replaced(&[("searchPattern", "o"), ("replaceString", "0")], out);
        assert_eq!(bodies(&out), ["hell0", " quick br0wn f0x", "value:key alice:user"]);
        assert_eq!(values(&out, "h"), [Some("v"), None, None]);
    }

    #[test]
    fn a_batch_without_a_match_is_not_copied() {
        let input = lines(b"one\ntwo\n");
        let out = replaced(&[("searchPattern", "x")], input.clone());
        assert_eq!(out.arena().as_ptr(), input.arena().as_ptr());
    }

    #[test]
    fn lines_stay_lines() {
        for input in [lines(b"one\ntwo\n\nthree\n"), lines(b"zero\none\ntwo\n\nthree\n").slice(1..5)] {
            let out = replaced(&[("searchPattern", "e"), ("replaceString", "EE")], input);
            assert_eq!(out.as_lines(), Some(b"onEE\ntwo\n\nthrEEEE\n".as_slice()));
        }
    }

    #[test]
    fn a_body_can_become_empty() {
        let out = replaced(&[("searchPattern", ".*")], lines(b"one\ntwo\n"));
        assert_eq!(out.as_lines(), Some(b"\n\n".as_slice()));
    }

    #[test]
    fn bytes_that_are_no_text_stay_where_nothing_matches() {
        let mut builder = flumen_event::BatchBuilder::default();
        for body in [b"\xff\xfe".as_slice(), b"match", b"\xe4"] {
            builder.push(body, []).expect("within limits");
        }
        let out = replaced(&[("searchPattern", "match"), ("replaceString", "m")], builder.finish());
        assert_eq!(out.iter().map(|e| e.body()).collect::<Vec<_>>(), [b"\xff\xfe".as_slice(), b"m", b"\xe4"]);
    }

    #[test]
    fn other_charsets_are_read_and_written() {
        let mut builder = flumen_event::BatchBuilder::default();
        for body in [b"caf\xe9".as_slice(), b"th\xe9"] {
            builder.push(body, []).expect("within limits");
        }
        let pairs = [("searchPattern", "f\u{e9}"), ("replaceString", "\u{fc}€"), ("charset", "ISO-8859-1")];
        let out = replaced(&pairs, builder.finish());
        assert_eq!(out.iter().map(|e| e.body()).collect::<Vec<_>>(), [b"ca\xfc?".as_slice(), b"th\xe9"]);
    }

    #[test]
    fn mistakes_are_found_at_check() {
        for (pairs, what) in [
            (&[][..], "`searchPattern` is not set"),
            (&[("searchPattern", "a"), ("replaceString", "$1")], "No group 1"),
            (&[("searchPattern", "a"), ("charset", "utf-9")], "no charset of this name"),
        ] {
            let (good, messages) = check("search_replace", pairs);
            assert!(!good && messages[0].contains(what), "{messages:?}");
        }
    }
}
