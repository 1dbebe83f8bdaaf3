//! From an instant to text.

use std::fmt::Write as _;

use super::fields::Field;
use super::names;
use super::pattern::Token;
use super::zone::Zone;

/// Appends the text of an instant.
pub(super) fn print(tokens: &[Token], epoch_ms: i64, zone: &Zone, out: &mut String) {
    let local_ms = zone.local_ms(epoch_ms);
    let name = |names: &[&str], index: i64, short: bool| {
        let name =
            usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default();
        if short { name[..3.min(name.len())].to_owned() } else { name.to_owned() }
    };
    for token in tokens {
        match token {
            Token::Literal(text) => out.push_str(text),
            Token::Number { field, min_digits, .. } => number(field.get(local_ms), *min_digits, out),
            Token::TwoDigitYear { field, .. } => number(field.get(local_ms).abs() % 100, 2, out),
            Token::Fraction { digits } => fraction(Field::MillisOfSecond.get(local_ms), *digits, out),
            Token::Month { short } => {
                out.push_str(&name(&names::MONTHS, Field::MonthOfYear.get(local_ms) - 1, *short));
            }
            Token::DayOfWeek { short } => {
                out.push_str(&name(&names::DAYS, Field::DayOfWeek.get(local_ms) - 1, *short));
            }
            Token::Halfday => out.push_str(&name(&names::HALFDAYS, Field::HalfdayOfDay.get(local_ms), false)),
            Token::Era => out.push_str(&name(&names::ERAS, Field::Era.get(local_ms), false)),
            Token::Offset { colon } => offset(zone.offset_ms(epoch_ms), *colon, out),
            Token::ZoneId => out.push_str(&zone.name()),
            Token::ZoneAbbreviation => out.push_str(&zone.abbreviation(epoch_ms)),
        }
    }
}

/// The sign does not count as a digit.
fn number(value: i64, min_digits: usize, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    let _ = write!(out, "{:0min_digits$}", value.unsigned_abs());
}

fn fraction(ms: i64, digits: usize, out: &mut String) {
    let text = format!("{ms:03}");
    out.push_str(&text[..digits.min(3)]);
    out.extend(std::iter::repeat_n('0', digits.saturating_sub(3)));
}

fn offset(offset_ms: i64, colon: bool, out: &mut String) {
    let minutes = offset_ms.abs() / 60_000;
    let sign = if offset_ms < 0 { '-' } else { '+' };
    let separator = if colon { ":" } else { "" };
    let _ = write!(out, "{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60);
}
