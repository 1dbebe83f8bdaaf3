//! From text to an instant.

use super::fields::{self, Field, OutOfRange};
use super::names;
use super::pattern::Token;
use super::zone::Zone;

/// Why a text is no date of the pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateParseError {
    /// The text does not fit the pattern.
    #[error("invalid format: {text:?} is malformed at {:?}", text.get(*offset..).unwrap_or_default())]
    Malformed {
        /// The text.
        text: String,
        /// Where it stops to fit, in bytes.
        offset: usize,
    },
    /// A number that its field cannot have, such as a 30th of February.
    #[error("cannot parse {text:?}: {value} for {field} must be in the range [{min},{max}]")]
    OutOfRange {
        /// The text.
        text: String,
        /// The field, by Joda's name.
        field: String,
        /// The number.
        value: i64,
        /// The least that would do.
        min: i64,
        /// The most that would do.
        max: i64,
    },
    /// A time that the clocks jump over when summer time begins.
    #[error("cannot parse {text:?}: there is no such time, clocks were put forward")]
    Gap {
        /// The text.
        text: String,
    },
}

/// Parses all of `text`.
pub(super) fn parse(tokens: &[Token], text: &str, zone: &Zone) -> Result<i64, DateParseError> {
    let mut parser = Parser { text, at: 0, fields: Vec::new(), offset_ms: None, zone: None };
    let fits = tokens.iter().all(|token| parser.token(token).is_some());
    if !fits || parser.at < text.len() {
        return Err(DateParseError::Malformed { text: text.to_owned(), offset: parser.at });
    }
    let local_ms = fields::combine(&mut parser.fields).map_err(|error| out_of_range(text, error))?;
    match parser.offset_ms {
        Some(offset_ms) => Ok(local_ms - offset_ms),
        None => parser
            .zone
            .as_ref()
            .unwrap_or(zone)
            .instant(local_ms)
            .map_err(|_| DateParseError::Gap { text: text.to_owned() }),
    }
}

fn out_of_range(text: &str, error: OutOfRange) -> DateParseError {
    let mut field = format!("{:?}", error.field);
    field[..1].make_ascii_lowercase();
    DateParseError::OutOfRange {
        text: text.to_owned(),
        field,
        value: error.value,
        min: error.min,
        max: error.max,
    }
}

struct Parser<'t> {
    text: &'t str,
    /// Always at a character boundary.
    at: usize,
    fields: Vec<(Field, i64)>,
    offset_ms: Option<i64>,
    zone: Option<Zone>,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn byte(&self, index: usize) -> Option<u8> {
        self.rest().as_bytes().get(index).copied()
    }

    /// How many digits stand here, at most `limit`.
    fn digits(&self, limit: usize) -> usize {
        self.rest().bytes().take(limit).take_while(u8::is_ascii_digit).count()
    }

    fn token(&mut self, token: &Token) -> Option<()> {
        match token {
            Token::Literal(literal) => self.literal(literal),
            Token::Number { field, max_digits, signed, .. } => self.number(*field, *max_digits, *signed),
            Token::TwoDigitYear { field, pivot, lenient } => self.two_digit_year(*field, *pivot, *lenient),
            Token::Fraction { digits } => self.fraction(*digits),
            Token::Month { .. } => self.name(Field::MonthOfYear, &names::MONTHS, true, 1),
            Token::DayOfWeek { .. } => self.name(Field::DayOfWeek, &names::DAYS, true, 1),
            Token::Halfday => self.name(Field::HalfdayOfDay, &names::HALFDAYS, false, 0),
            Token::Era => self.name(Field::Era, &names::ERAS, false, 0),
            Token::Offset { .. } => self.offset(),
            Token::ZoneId => self.zone(Zone::name_prefix(self.rest())),
            Token::ZoneAbbreviation => self.zone(Zone::abbreviation_prefix(self.rest())),
        }
    }

    /// Literal text, in any case.
    fn literal(&mut self, literal: &str) -> Option<()> {
        let mut rest = self.rest().chars();
        for wanted in literal.chars() {
            let found = rest.next()?;
            let same = found == wanted
                || found.to_uppercase().eq(wanted.to_uppercase())
                || found.to_lowercase().eq(wanted.to_lowercase());
            if !same {
                return None;
            }
        }
        self.at = self.text.len() - rest.as_str().len();
        Some(())
    }

    fn name(&mut self, field: Field, names: &[&str], short: bool, first: i64) -> Option<()> {
        let (index, length) = names::prefix(self.rest(), names, short)?;
        // The eras have two names each.
        let value = if field == Field::Era { index % 2 } else { index };
        self.fields.push((field, first + value as i64));
        self.at += length;
        Some(())
    }

    fn zone(&mut self, found: Option<(Zone, usize)>) -> Option<()> {
        let (zone, length) = found?;
        self.zone = Some(zone);
        self.at += length;
        Some(())
    }

    /// A sign, if there may be one and a digit follows it.
    fn sign(&mut self, signed: bool) -> Option<bool> {
        match self.byte(0) {
            Some(sign @ (b'-' | b'+')) if signed => {
                self.byte(1).filter(u8::is_ascii_digit)?;
                self.at += 1;
                Some(sign == b'-')
            }
            _ => Some(false),
        }
    }

    fn number(&mut self, field: Field, max_digits: usize, signed: bool) -> Option<()> {
        let begin = self.at;
        // A sign needs a digit within the limit.
        let negative = self.sign(signed && max_digits > 1)?;
        let digits = self.digits(max_digits);
        let value = self
            .rest()
            .get(..digits)
            .filter(|text| !text.is_empty())
            .and_then(|text| text.parse::<i32>().ok());
        let Some(value) = value else {
            self.at = begin;
            return None;
        };
        self.fields.push((field, if negative { -i64::from(value) } else { i64::from(value) }));
        self.at += digits;
        Some(())
    }

    fn two_digit_year(&mut self, field: Field, pivot: i64, lenient: bool) -> Option<()> {
        let signed = matches!(self.byte(0), Some(b'-' | b'+'));
        if lenient && (signed || self.digits(usize::MAX) != 2) {
            return self.number(field, usize::MAX, true);
        }
        if self.digits(2) < 2 {
            return None;
        }
        let value: i64 = self.rest()[..2].parse().ok()?;
        let low = pivot - 50;
        let start = low.rem_euclid(100);
        self.fields.push((field, value + low - start + if value < start { 100 } else { 0 }));
        self.at += 2;
        Some(())
    }

    fn fraction(&mut self, max_digits: usize) -> Option<()> {
        let digits = self.digits(max_digits);
        if digits == 0 {
            return None;
        }
        let ms = (0..3).fold(0, |ms, index| {
            let digit = self.byte(index).filter(|_| index < digits).map_or(0, |byte| i64::from(byte - b'0'));
            ms * 10 + digit
        });
        self.fields.push((Field::MillisOfSecond, ms));
        self.at += digits;
        Some(())
    }

    /// `Z`, or a sign and hh, hhmm, hhmmss, hhmmssSSS, or these with colons and a point.
    fn offset(&mut self) -> Option<()> {
        if let Some(b'Z' | b'z') = self.byte(0) {
            self.at += 1;
            self.offset_ms = Some(0);
            return Some(());
        }
        let negative = match self.byte(0)? {
            b'-' => true,
            b'+' => false,
            _ => return None,
        };
        self.at += 1;
        let mut offset_ms = self.two_digits(23)? * 3_600_000;
        let colon = self.byte(0) == Some(b':');
        if self.more(colon, b":") {
            offset_ms += self.two_digits(59)? * 60_000;
            if self.more(colon, b":") {
                offset_ms += self.two_digits(59)? * 1000;
                if self.more(colon, b".,") {
                    self.fraction(3)?;
                    offset_ms += self.fields.pop().map_or(0, |(_, ms)| ms);
                }
            }
        }
        self.offset_ms = Some(if negative { -offset_ms } else { offset_ms });
        Some(())
    }

    /// Whether an offset goes on here; moves over the separator.
    fn more(&mut self, separated: bool, separators: &[u8]) -> bool {
        let next = self.byte(0);
        if !separated {
            return next.is_some_and(|byte| byte.is_ascii_digit());
        }
        let more = next.is_some_and(|byte| separators.contains(&byte));
        self.at += usize::from(more);
        more
    }

    fn two_digits(&mut self, max: i64) -> Option<i64> {
        if self.digits(2) < 2 {
            return None;
        }
        let value: i64 = self.rest()[..2].parse().ok()?;
        self.at += 2;
        (value <= max).then_some(value)
    }
}
