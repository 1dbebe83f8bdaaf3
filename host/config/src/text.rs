//! The texts of the inputs, kept so that a finding can show the line it is about.
//!
//! Lines end as Java ends them (`\n`, `\r\n`, `\r`), so that the numbers agree with every editor.
//! A text also knows which of its byte ranges hold secrets; nothing that shows a line may show those.

use std::cell::Cell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Origin;

/// The text of one input.
#[derive(Clone, Debug)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    base_dir: Arc<Path>,
    line_starts: Vec<usize>,
    secrets: Vec<Range<usize>>,
}

impl SourceText {
    /// A text under the name that messages give it.
    pub fn new(name: &str, text: &str) -> Self {
        let base_dir = Path::new(name).parent().unwrap_or(Path::new(""));
        Self {
            name: name.into(),
            text: text.into(),
            base_dir: base_dir.into(),
            line_starts: line_starts(text),
            secrets: Vec::new(),
        }
    }
    /// The name that messages give this text.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// The folder the file lies in.
    pub fn base_dir(&self) -> &Arc<Path> {
        &self.base_dir
    }
    /// Where these bytes lie, for findings about them; what lies beyond the end of their first line is not marked.
    pub fn origin(&self, range: Range<usize>) -> Origin {
        Locator::new(self).origin(range)
    }
    /// Says that these bytes are secret.
    pub fn hide(&mut self, range: Range<usize>) {
        self.secrets.push(range);
    }
    /// The bytes of a line (counted from one), without its end.
    pub(crate) fn line(&self, line: usize) -> Option<Range<usize>> {
        let start = *self.line_starts.get(line.checked_sub(1)?)?;
        let end = self.line_starts.get(line).copied().unwrap_or(self.text.len());
        let shown = self.text[start..end].trim_end_matches(['\n', '\r']);
        Some(start..start + shown.len())
    }
    /// The parts of `line` that are secret, in order and without overlap.
    pub(crate) fn secrets_in(&self, line: &Range<usize>) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut all: Vec<_> =
            self.secrets.iter().filter(|s| s.start < line.end && s.end > line.start).collect();
        all.sort_by_key(|s| s.start);
        for secret in all {
            let start = secret.start.max(line.start).max(found.last().map_or(0, |last| last.end));
            let end = secret.end.min(line.end);
            if start < end {
                found.push(start..end);
            }
        }
        found
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (at, byte) in bytes.iter().enumerate() {
        let ends_line = match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends_line {
            starts.push(at + 1);
        }
    }
    starts
}

/// Turns byte ranges of a text into origins. Asked in ascending order it reads the text once.
pub(crate) struct Locator<'a> {
    source: &'a SourceText,
    last: Cell<(usize, usize)>,
}

impl<'a> Locator<'a> {
    pub(crate) fn new(source: &'a SourceText) -> Self {
        Self { source, last: Cell::new((0, 1)) }
    }
    /// The origin of a byte range; what lies beyond the end of its first line is not marked.
    pub(crate) fn origin(&self, range: Range<usize>) -> Origin {
        let text = self.source.text();
        let at = floor(text, range.start);
        let line = self.source.line_starts.partition_point(|start| *start <= at);
        let start = self.source.line_starts[line - 1];
        let (known_at, known_column) = self.last.get();
        let (from, base) =
            if known_at >= start && known_at <= at { (known_at, known_column) } else { (start, 1) };
        let column = base + text[from..at].chars().count();
        self.last.set((at, column));
        let line_end = self.source.line(line).map_or(at, |l| l.end);
        let end = floor(text, range.end).min(line_end).max(at);
        Origin::File { file: self.source.name.clone(), line, column, len: text[at..end].chars().count() }
    }
}

/// The nearest character border at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The texts of all inputs of a configuration.
#[derive(Clone, Debug, Default)]
pub struct SourceTexts {
    files: Vec<SourceText>,
}

impl SourceTexts {
    /// Adds a text.
    pub fn push(&mut self, text: SourceText) {
        self.files.push(text);
    }
    /// The text of that name.
    pub fn get(&self, name: &str) -> Option<&SourceText> {
        self.files.iter().find(|f| &*f.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = SourceText::new("f", "a\r\nbß c\rd\n");
        let origin = |range| match Locator::new(&source).origin(range) {
            Origin::File { line, column, len, .. } => (line, column, len),
            other => panic!("{other:?}"),
        };
        assert_eq!(origin(0..1), (1, 1, 1));
        assert_eq!(origin(7..8), (2, 4, 1));
        assert_eq!(origin(9..10), (3, 1, 1));
        assert_eq!(origin(3..99), (2, 1, 4));
        assert_eq!(origin(99..99), (4, 1, 0));
    }

    #[test]
    fn origins_asked_in_any_order_are_the_same() {
        let source = SourceText::new("f", "äöü äöü\näöü");
        let together = Locator::new(&source);
        for at in [7, 0, 14, 2, 16, 2] {
            assert_eq!(together.origin(at..at + 2), Locator::new(&source).origin(at..at + 2));
        }
    }

    #[test]
    fn secrets_of_a_line_do_not_overlap() {
        let mut source = SourceText::new("f", "abcdefghij\nklm");
        source.hide(2..6);
        source.hide(4..12);
        assert_eq!(source.secrets_in(&(0..10)), [2..6, 6..10]);
        assert_eq!(source.secrets_in(&(11..14)).first(), Some(&(11..12)));
    }
}
