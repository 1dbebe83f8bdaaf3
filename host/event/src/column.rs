//! One header over all events of a batch.

use std::sync::Arc;

use bytes::Bytes;

use crate::patch::BadPlace;
use crate::span::Span;

/// The values of one header name. Rows are those of the whole batch the column was made for;
/// a window on a batch adds its offset before it looks here.
#[derive(Clone, Debug)]
pub enum Column {
    /// Every event has this value.
    Constant(Arc<str>),
    /// One span per event; absent ones are marked.
    Each {
        /// What the spans point into. UTF-8 at least where a span lies.
        text: Bytes,
        /// One per row.
        spans: Arc<[Span]>,
    },
    /// Only these rows have a value: costs what is there, not rows times columns.
    Some {
        /// What the spans point into.
        text: Bytes,
        /// Rows with a value, ascending.
        rows: Arc<[u32]>,
        /// Their values, in step with `rows`.
        spans: Arc<[Span]>,
    },
}

/// Below one value in this many rows a column is stored sparse.
const SPARSE_BELOW: usize = 8;

impl Column {
    /// A column from spans (some possibly absent) in the cheaper of the two forms.
    pub(crate) fn from_spans(text: Bytes, spans: Vec<Span>) -> Self {
        let present = spans.iter().filter(|s| !s.is_absent()).count();
        if present * SPARSE_BELOW >= spans.len() {
            return Column::Each { text, spans: spans.into() };
        }
        let (rows, spans): (Vec<u32>, Vec<Span>) =
            (0u32..).zip(spans).filter(|(_, s)| !s.is_absent()).unzip();
        Column::Some { text, rows: rows.into(), spans: spans.into() }
    }

    /// A column whose values are pieces of a buffer, often of the bodies' arena: nothing is copied. Rows with
    /// [`Span::ABSENT`], and those whose piece is not UTF-8, have no value. Where all rows agree it is a constant.
    /// `None` if no row has a value.
    ///
    /// # Panics
    /// If a span lies outside the buffer.
    #[must_use]
    pub fn of_pieces(text: Bytes, mut spans: Vec<Span>) -> Option<Column> {
        let first = *spans.first()?;
        let (mut last, mut good) = (Span::ABSENT, true);
        let mut is_constant = !first.is_absent();
        for span in &mut spans {
            // Neighbours often share one piece, which is looked at once.
            if *span != last {
                last = *span;
                good = span.is_absent() || str::from_utf8(&text[span.range()]).is_ok();
                is_constant =
                    is_constant && good && !span.is_absent() && text[span.range()] == text[first.range()];
            }
            if !good {
                *span = Span::ABSENT;
            }
        }
        if is_constant {
            return text_at(&text, first).map(|value| Column::Constant(value.into()));
        }
        spans.iter().any(|span| !span.is_absent()).then(|| Column::from_spans(text, spans))
    }

    /// The value of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            Column::Constant(value) => Some(value),
            Column::Each { text, spans } => text_at(text, *spans.get(row)?),
            Column::Some { text, rows, spans } => {
                let at = rows.binary_search(&u32::try_from(row).ok()?).ok()?;
                text_at(text, spans[at])
            }
        }
    }

    /// The column with only these rows of the original, in the given order.
    pub(crate) fn gather(&self, kept: &[u32]) -> Option<Column> {
        match self {
            Column::Constant(_) => Some(self.clone()),
            Column::Each { text, spans } => {
                let spans: Vec<Span> = kept.iter().map(|&r| spans[r as usize]).collect();
                spans.iter().any(|s| !s.is_absent()).then(|| Column::from_spans(text.clone(), spans))
            }
            Column::Some { text, rows, spans } => {
                let (mut new_rows, mut new_spans) = (Vec::new(), Vec::new());
                let mut at = 0;
                // Both lists ascend, so one walk over the sparse rows serves all kept ones.
                for (new, &old) in (0u32..).zip(kept) {
                    while at < rows.len() && rows[at] < old {
                        at += 1;
                    }
                    if at < rows.len() && rows[at] == old {
                        new_rows.push(new);
                        new_spans.push(spans[at]);
                    }
                }
                (!new_rows.is_empty()).then(|| Column::Some {
                    text: text.clone(),
                    rows: new_rows.into(),
                    spans: new_spans.into(),
                })
            }
        }
    }

    /// A column of the given rows (ascending) out of `total`, whose values are pieces of a buffer that others use as
    /// well (often the bodies' arena): nothing is copied. Equal values in all rows become a constant.
    ///
    /// # Errors
    /// If a span lies outside the buffer or is not UTF-8.
    ///
    /// # Panics
    /// If rows and spans are not as many, or do not ascend, or a row is not below `total`.
    pub fn from_buffer(
        text: &Bytes,
        rows: Vec<u32>,
        spans: Vec<Span>,
        total: usize,
    ) -> Result<Column, BadPlace> {
        assert_eq!(rows.len(), spans.len(), "one value per row");
        let ascending = rows.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(
            ascending && rows.last().is_none_or(|&last| (last as usize) < total),
            "rows ascend below {total}"
        );
        let value = |span: &Span| text.get(span.range());
        let is_text = |span: &Span| value(span).is_some_and(|bytes| str::from_utf8(bytes).is_ok());
        if let Some(index) = spans.iter().position(|span| !is_text(span)) {
            return Err(BadPlace { index });
        }
        if let Some(first) = spans.first().filter(|_| rows.len() == total)
            && spans.iter().all(|span| value(span) == value(first))
        {
            return Ok(Column::Constant(
                value(first).and_then(|v| str::from_utf8(v).ok()).unwrap_or_default().into(),
            ));
        }
        Ok(Column::from_rows(text.clone(), rows, spans, total))
    }

    /// A column of the given rows (ascending) out of `total`, in the cheaper of the two forms.
    pub(crate) fn from_rows(text: Bytes, rows: Vec<u32>, spans: Vec<Span>, total: usize) -> Self {
        if rows.len() * SPARSE_BELOW < total {
            return Column::Some { text, rows: rows.into(), spans: spans.into() };
        }
        let mut all = vec![Span::ABSENT; total];
        for (row, span) in rows.into_iter().zip(spans) {
            all[row as usize] = span;
        }
        Column::Each { text, spans: all.into() }
    }

    /// Bytes of the values and their places. A text buffer may serve several columns, so it is not counted whole.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Column::Constant(value) => value.len(),
            Column::Each { spans, .. } => value_bytes(spans) + size_of_val::<[Span]>(spans),
            Column::Some { rows, spans, .. } => {
                value_bytes(spans) + size_of_val::<[u32]>(rows) + size_of_val::<[Span]>(spans)
            }
        }
    }
}

fn value_bytes(spans: &[Span]) -> usize {
    spans.iter().map(|s| s.len as usize).sum()
}

fn text_at(text: &Bytes, span: Span) -> Option<&str> {
    if span.is_absent() {
        return None;
    }
    // Columns are made from UTF-8 only (builder and batch check it); a broken invariant reads as empty text.
    Some(str::from_utf8(&text[span.range()]).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &'static [u8], spans: &[(usize, usize)]) -> Option<Column> {
        let span =
            |&(start, end): &(usize, usize)| if start > end { Span::ABSENT } else { Span::new(start..end) };
        Column::of_pieces(Bytes::from_static(text), spans.iter().map(span).collect())
    }

    #[test]
    fn pieces_that_agree_are_a_constant_wherever_they_lie() {
        assert!(
            matches!(pieces(b"abXab", &[(0, 2), (3, 5), (3, 5)]), Some(Column::Constant(c)) if &*c == "ab")
        );
        assert!(matches!(pieces(b"abX", &[(0, 1), (0, 2)]), Some(Column::Each { .. })));
        assert!(pieces(b"ab", &[(1, 0), (1, 0)]).is_none() && pieces(b"ab", &[]).is_none());
    }

    #[test]
    fn a_piece_that_is_no_text_is_no_value() {
        let column = pieces(b"a\xffb", &[(0, 1), (0, 2), (0, 2), (2, 3), (1, 0)]).expect("values");
        let values: Vec<_> = (0..5).map(|row| column.get(row)).collect();
        assert_eq!(values, [Some("a"), None, None, Some("b"), None]);
        assert!(pieces(b"\xff", &[(0, 1)]).is_none());
        assert!(matches!(pieces(b"ab", &[(1, 0), (0, 1)]), Some(Column::Each { .. })));
    }
}
