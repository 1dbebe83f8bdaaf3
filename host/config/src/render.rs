//! Findings as people read them: the line, a marker, the cause, what to do.
//!
//! A line is shown with its secrets masked, whoever the finding is about.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
use crate::secret::HIDDEN;
use crate::text::SourceTexts;

/// Whether text goes to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// With escape sequences.
    Always,
    /// Plain text.
    Never,
}

/// Longer lines are shown around the marked place only.
const SHOWN_CHARS_MAX: usize = 240;

/// All findings, each as a labelled snippet, and a last line that counts them.
pub fn text(diagnostics: &Diagnostics, sources: &SourceTexts, colour: Colour) -> String {
    let mut out = String::new();
    for finding in diagnostics.iter() {
        out.push_str(&snippet(finding, sources, colour));
        out.push_str("\n\n");
    }
    out.push_str(&summary(diagnostics));
    out
}

/// One finding as a labelled snippet.
pub fn snippet(finding: &Diagnostic, sources: &SourceTexts, colour: Colour) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(printable(&finding.message)).id(finding.code);
    let shown = finding.origin.as_ref().and_then(|origin| shown_line(origin, sources));
    let mut group = match shown {
        Some(shown) => title.element(
            Snippet::source(shown.text)
                .line_start(shown.line)
                .path(shown.file)
                .annotation(AnnotationKind::Primary.span(shown.marked)),
        ),
        None => Group::with_title(title),
    };
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    let renderer = match colour {
        Colour::Always => Renderer::styled(),
        Colour::Never => Renderer::plain(),
    };
    renderer.render(&[group])
}

/// One finding in one line, for logs: `file:line: error[code]: message; help`.
pub fn line(finding: &Diagnostic) -> String {
    let mut out = match &finding.origin {
        Some(Origin::File { file, line, .. }) => format!("{}:{line}: ", printable(file)),
        Some(Origin::CommandLine) => "command line: ".to_owned(),
        Some(Origin::Default) | None => String::new(),
    };
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    // Writing to a string cannot fail.
    let _ = write!(out, "{severity}[{}]: {}", finding.code, printable(&finding.message));
    if let Some(help) = &finding.help {
        let _ = write!(out, "; {}", printable(help));
    }
    out
}

/// How many findings there are of each severity: `2 errors, 1 warning`, or that all is well.
pub fn summary(diagnostics: &Diagnostics) -> String {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let parts: Vec<String> =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
            .into_iter()
            .map(|(severity, name)| (count(severity), name))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
            .collect();
    if parts.is_empty() { "no findings\n".to_owned() } else { format!("{}\n", parts.join(", ")) }
}

/// A line of a file as it may be shown.
struct Shown {
    file: String,
    line: usize,
    text: String,
    /// The bytes of `text` the finding is about.
    marked: Range<usize>,
}

fn shown_line(origin: &Origin, sources: &SourceTexts) -> Option<Shown> {
    let Origin::File { file, line, column, len } = origin else { return None };
    let source = sources.get(file)?;
    let bytes = source.line(*line)?;
    let raw = &source.text()[bytes.clone()];
    let start = char_byte(raw, column.saturating_sub(1));
    let marked = start..start + char_byte(&raw[start..], *len);
    let mut masked = Masked { text: String::new(), marked: None };
    let mut at = bytes.start;
    for secret in source.secrets_in(&bytes) {
        masked.add(source.text(), at..secret.start, bytes.start, &marked);
        masked.add_hidden(secret.clone(), bytes.start, &marked);
        at = secret.end;
    }
    masked.add(source.text(), at..bytes.end, bytes.start, &marked);
    let marked = masked.marked.unwrap_or(masked.text.len()..masked.text.len());
    let (text, marked) = window(masked.text, marked);
    Some(Shown { file: printable(file), line: *line, text, marked })
}

/// A line that is put together from shown and hidden parts, and where the marked part comes to lie in it.
struct Masked {
    text: String,
    marked: Option<Range<usize>>,
}

impl Masked {
    /// Adds a part of the file that may be shown. `marked` counts from the start of the line.
    fn add(&mut self, file: &str, part: Range<usize>, line_start: usize, marked: &Range<usize>) {
        for (offset, c) in file[part.clone()].char_indices() {
            let from = self.text.len();
            // A tab or an escape sequence would move the marker; blanks keep the columns.
            self.text.push(if c.is_control() { ' ' } else { c });
            self.mark(part.start + offset - line_start, from, marked);
        }
    }
    fn add_hidden(&mut self, part: Range<usize>, line_start: usize, marked: &Range<usize>) {
        let from = self.text.len();
        self.text.push_str(HIDDEN);
        let (start, end) = (part.start - line_start, part.end - line_start);
        if marked.start < end && (marked.end > start || marked.start == start) {
            self.mark(marked.start, from, marked);
        }
    }
    fn mark(&mut self, at: usize, from: usize, marked: &Range<usize>) {
        if at == marked.start || marked.contains(&at) {
            let start = self.marked.as_ref().map_or(from, |m| m.start);
            let end = if marked.is_empty() { from } else { self.text.len() };
            self.marked = Some(start..end);
        }
    }
}

/// The byte at which the `chars`-th character begins.
fn char_byte(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

/// Cuts a long line to what lies around the mark.
fn window(text: String, marked: Range<usize>) -> (String, Range<usize>) {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return (text, marked);
    }
    let before: usize =
        text[..marked.start].chars().rev().take(SHOWN_CHARS_MAX / 4).map(char::len_utf8).sum();
    let start = marked.start - before;
    let len = char_byte(&text[start..], SHOWN_CHARS_MAX);
    let cut = text[start..start + len].to_owned();
    let end = (marked.end - start).min(cut.len());
    (cut, before..end.max(before))
}

/// Without line ends and control characters, which would spoil a log or a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceText;

    fn sources(text: &str, secret: Range<usize>) -> SourceTexts {
        let mut source = SourceText::new("f.conf", text);
        source.hide(secret);
        let mut sources = SourceTexts::default();
        sources.push(source);
        sources
    }

    fn at(line: usize, column: usize, len: usize) -> Diagnostic {
        let origin = Origin::File { file: "f.conf".into(), line, column, len };
        Diagnostic::warning("some-code", "what is wrong").at(&origin).help("what to do")
    }

    #[test]
    fn a_finding_shows_file_line_column_marker_and_help() {
        let shown = snippet(&at(2, 3, 4), &sources("first\nä word x\n", 0..0), Colour::Never);
        assert_eq!(
            shown,
            "warning[some-code]: what is wrong\n --> f.conf:2:3\n  |\n2 | ä word x\n  |   ^^^^\n  |\n  = help: what to do"
        );
    }

    #[test]
    fn a_secret_of_the_shown_line_is_masked_and_the_marker_fits() {
        let text = "a.password = hunter2 # x\n";
        let shown = snippet(&at(1, 14, 11), &sources(text, 13..24), Colour::Never);
        assert!(shown.contains("1 | a.password = ******\n  |              ^^^^^^"), "{shown}");
        let shown = snippet(&at(1, 1, 10), &sources(text, 13..24), Colour::Never);
        assert!(shown.contains("******") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}HERE{}", "x".repeat(10_000), "y".repeat(10_000));
        let shown = snippet(&at(1, 10_001, 4), &sources(&text, 0..0), Colour::Never);
        assert!(shown.contains("HERE") && shown.len() < 2_000, "{}", shown.len());
    }

    #[test]
    fn the_line_form_is_one_line_whatever_the_text() {
        let mut finding = at(7, 1, 1);
        finding.message = "two\nlines\u{1b}[31m".to_owned();
        assert_eq!(line(&finding), "f.conf:7: warning[some-code]: two\u{FFFD}lines\u{FFFD}[31m; what to do");
    }

    #[test]
    fn the_summary_counts_each_severity() {
        let mut findings = Diagnostics::default();
        assert_eq!(summary(&findings), "no findings\n");
        findings.extend([at(1, 1, 1), Diagnostic::error("e", "x"), at(2, 1, 1)]);
        assert_eq!(summary(&findings), "1 error, 2 warnings\n");
    }
}
