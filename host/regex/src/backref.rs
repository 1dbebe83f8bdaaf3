//! Back-references: the text of a group once more.

use crate::ast::Fold;
use crate::text::char_at;
use crate::unicode;

/// Where a repetition of the group ends that begins at `at`; `None` if the text differs, or if the
/// group took no part in the match yet.
pub(crate) fn end(text: &[u8], group: Option<(usize, usize)>, at: usize, fold: Fold) -> Option<usize> {
    let (begin, end) = group?;
    if fold == Fold::Exact {
        let wanted = &text[begin..end];
        return text[at..].starts_with(wanted).then_some(at + wanted.len());
    }
    let (mut here, mut there) = (at, begin);
    while there < end {
        let (a, a_length) = char_at(text, here)?;
        let (b, b_length) = char_at(text, there)?;
        if a != b && !same(a, b, fold) {
            return None;
        }
        here += a_length;
        there += b_length;
    }
    Some(here)
}

fn same(a: u32, b: u32, fold: Fold) -> bool {
    if fold == Fold::Unicode {
        return unicode::fold(a) == unicode::fold(b);
    }
    match (u8::try_from(a), u8::try_from(b)) {
        (Ok(a), Ok(b)) => a.eq_ignore_ascii_case(&b),
        _ => false,
    }
}
