//! The texts of small numbers, once for all batches: what priorities, facilities and severities point into.

use bytes::Bytes;
use flumen_event::Span;

/// `0`…`9`, `00`…`99`, `000`…`999`, one behind the other.
const DIGITS: [u8; 10 + 200 + 3000] = {
    let mut text = [0; 3210];
    let (mut width, mut end, mut at) = (1, 10, 0);
    while width <= 3 {
        let mut number = 0;
        while number < end {
            let (mut rest, mut digit) = (number, width);
            while digit > 0 {
                digit -= 1;
                text[at + digit] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            at += width;
            number += 1;
        }
        width += 1;
        end *= 10;
    }
    text
};
/// The text itself.
pub(super) static TEXT: &[u8] = &DIGITS;

/// What the spans of this module point into.
pub(super) fn text() -> Bytes {
    Bytes::from_static(TEXT)
}

const fn place(number: usize, width: usize) -> Span {
    let start = match width {
        1 => number,
        2 => 10 + 2 * number,
        _ => 210 + 3 * number,
    };
    Span { start: start as u32, len: width as u32 }
}

/// The text of a number below 1000.
pub(super) fn of(number: u16) -> Span {
    let width = if number < 10 { 1 } else { 2 + usize::from(number >= 100) };
    place(usize::from(number), width)
}

/// One to three digits as they are written, leading zeros included, and what they mean.
pub(super) fn read(digits: &[u8]) -> Option<(Span, u16)> {
    if digits.is_empty() || digits.len() > 3 {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u16::from(digit - b'0');
    }
    Some((place(usize::from(number), digits.len()), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_text() {
        for number in 0..1000u16 {
            for width in 1..=3 {
                let written = format!("{number:0width$}");
                let (span, value) = read(written.as_bytes()).expect("digits");
                assert_eq!((&TEXT[span.range()], value), (written.as_bytes(), number));
            }
            assert_eq!(&TEXT[of(number).range()], number.to_string().as_bytes());
        }
        assert!(read(b"").is_none() && read(b"1234").is_none() && read(b"1a").is_none());
    }
}
