//! Zero-width assertions on a text, exactly as Java 17 decides them.

use std::sync::LazyLock;

use crate::ast::Assert;
use crate::property;
use crate::set::CharSet;
use crate::text::{char_at, char_before, final_terminator, is_terminator};
use crate::unicode::categories;

static LETTER_OR_DIGIT: LazyLock<CharSet> = LazyLock::new(property::letter_or_digit);
static UNICODE_WORD: LazyLock<CharSet> = LazyLock::new(|| property::word(true));
static NON_SPACING_MARK: LazyLock<CharSet> = LazyLock::new(|| categories(&["Mn"]));

/// Whether `assert` holds at `at`. `\G` is the caller's, who knows the last match.
pub(crate) fn holds(assert: Assert, text: &[u8], at: usize) -> bool {
    match assert {
        Assert::Begin => at == 0,
        Assert::End => at == text.len(),
        Assert::Dollar { unix: false } => at == text.len() || final_terminator(text) == Some(at),
        Assert::Dollar { unix: true } => at == text.len() || text[at..] == *b"\n",
        Assert::LineStart { unix } => line_start(text, at, unix),
        Assert::LineEnd { unix } => line_end(text, at, unix),
        Assert::WordBoundary { negated, unicode } => {
            (word_before(text, at, unicode) != word_after(text, at, unicode)) != negated
        }
        Assert::LastMatch => false,
    }
}

fn between_cr_and_lf(text: &[u8], at: usize) -> bool {
    at > 0 && text[at - 1] == b'\r' && text.get(at) == Some(&b'\n')
}

fn line_start(text: &[u8], at: usize, unix: bool) -> bool {
    if at == text.len() {
        return false;
    }
    match char_before(text, at) {
        None => true,
        Some((c, _)) if unix => c == 0x0A,
        Some((c, _)) => is_terminator(c) && !between_cr_and_lf(text, at),
    }
}

fn line_end(text: &[u8], at: usize, unix: bool) -> bool {
    match char_at(text, at) {
        None => true,
        Some((c, _)) if unix => c == 0x0A,
        Some((c, _)) => is_terminator(c) && !between_cr_and_lf(text, at),
    }
}

fn is_word(c: u32, unicode: bool) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => byte == b'_' || byte.is_ascii_alphanumeric(),
        _ if unicode => UNICODE_WORD.contains(c),
        _ => LETTER_OR_DIGIT.contains(c),
    }
}

fn word_before(text: &[u8], at: usize, unicode: bool) -> bool {
    // Java looks for the base of a mark from the last UTF-16 unit on, so a pair is no mark there.
    char_before(text, at).is_some_and(|(c, length)| {
        is_word(c, unicode) || (c <= 0xFFFF && is_mark(c) && has_base(text, at - length))
    })
}

fn word_after(text: &[u8], at: usize, unicode: bool) -> bool {
    char_at(text, at).is_some_and(|(c, _)| is_word(c, unicode) || (is_mark(c) && has_base(text, at)))
}

fn is_mark(c: u32) -> bool {
    c >= 0x80 && NON_SPACING_MARK.contains(c)
}

/// Whether the mark at `at` stands on a letter or digit, over other marks; surrogate pairs are
/// neither to Java.
fn has_base(text: &[u8], mut at: usize) -> bool {
    while let Some((c, length)) = char_before(text, at).filter(|&(c, _)| c <= 0xFFFF) {
        if LETTER_OR_DIGIT.contains(c) {
            return true;
        }
        if !is_mark(c) {
            return false;
        }
        at -= length;
    }
    false
}
