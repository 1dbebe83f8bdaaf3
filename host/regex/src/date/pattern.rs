//! The letters of a date pattern.

use super::fields::Field;

/// Why a pattern is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatePatternError {
    /// There is nothing in it.
    #[error("invalid pattern specification: it is empty")]
    Empty,
    /// A letter that Joda does not know.
    #[error("illegal pattern component: {letters}")]
    UnknownLetter {
        /// The letters, as written.
        letters: String,
    },
    /// `zzzz`: Joda writes such names, but cannot read them; Flumen does neither.
    #[error("zzzz, the long name of a time zone, is not supported by Flumen; use Z or z")]
    LongZoneName,
    /// No such time zone on this system.
    #[error("there is no time zone named {name}")]
    UnknownZone {
        /// The name asked for.
        name: String,
    },
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(String),
    Number {
        field: Field,
        min_digits: usize,
        max_digits: usize,
        signed: bool,
    },
    /// Two digits around `pivot`; `lenient` also takes any other number of digits.
    TwoDigitYear {
        field: Field,
        pivot: i64,
        lenient: bool,
    },
    Fraction {
        digits: usize,
    },
    Month {
        short: bool,
    },
    DayOfWeek {
        short: bool,
    },
    Halfday,
    Era,
    Offset {
        colon: bool,
    },
    ZoneId,
    ZoneAbbreviation,
}

/// Reads a pattern; years of two digits pivot around thirty years before the current ones.
pub(super) fn tokens(pattern: &str, year: i64, weekyear: i64) -> Result<Vec<Token>, DatePatternError> {
    if pattern.is_empty() {
        return Err(DatePatternError::Empty);
    }
    let parts = split(pattern);
    let mut tokens = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        tokens.push(match part {
            Part::Literal(text) => Token::Literal(text.clone()),
            Part::Letters(letter @ ('x' | 'y' | 'Y'), count) => {
                let number_follows = parts.get(index + 1).is_some_and(Part::is_number);
                let pivot = if *letter == 'x' { weekyear } else { year } - 30;
                year_token(*letter, *count, number_follows, pivot)
            }
            Part::Letters(letter, count) => token(*letter, *count)?,
        });
    }
    Ok(tokens)
}

enum Part {
    Letters(char, usize),
    Literal(String),
}

impl Part {
    fn is_number(&self) -> bool {
        match self {
            Part::Letters('M', count) => *count <= 2,
            Part::Letters(letter, _) => "cCxyYdhHmsSeDFwWkK".contains(*letter),
            Part::Literal(_) => false,
        }
    }
}

/// Runs of one letter, and the text between them, without its quotes.
fn split(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(&first) = chars.peek() {
        if first.is_ascii_alphabetic() {
            let mut count = 0;
            while chars.next_if_eq(&first).is_some() {
                count += 1;
            }
            parts.push(Part::Letters(first, count));
        } else {
            parts.push(Part::Literal(literal(&mut chars)));
        }
    }
    parts
}

fn literal(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    let mut quoted = false;
    while let Some(c) = chars.next_if(|c| quoted || !c.is_ascii_alphabetic()) {
        if c != '\'' {
            text.push(c);
        } else if chars.next_if_eq(&'\'').is_some() {
            text.push('\'');
        } else {
            quoted = !quoted;
        }
    }
    text
}

fn year_token(letter: char, count: usize, number_follows: bool, pivot: i64) -> Token {
    let (field, signed) = match letter {
        'x' => (Field::Weekyear, true),
        'y' => (Field::Year, true),
        _ => (Field::YearOfEra, false),
    };
    if count == 2 {
        let field = if letter == 'x' { Field::Weekyear } else { Field::Year };
        return Token::TwoDigitYear { field, pivot, lenient: !number_follows };
    }
    let max_digits = if number_follows { count } else { 9.max(count) };
    Token::Number { field, min_digits: count, max_digits, signed }
}

fn token(letter: char, count: usize) -> Result<Token, DatePatternError> {
    let number = |field, most: usize| Token::Number {
        field,
        min_digits: count,
        max_digits: most.max(count),
        signed: false,
    };
    Ok(match letter {
        'G' => Token::Era,
        'C' => {
            Token::Number { field: Field::CenturyOfEra, min_digits: count, max_digits: count, signed: true }
        }
        'w' => number(Field::WeekOfWeekyear, 2),
        'e' => number(Field::DayOfWeek, 1),
        'E' => Token::DayOfWeek { short: count < 4 },
        'D' => number(Field::DayOfYear, 3),
        'M' if count >= 3 => Token::Month { short: count == 3 },
        'M' => number(Field::MonthOfYear, 2),
        'd' => number(Field::DayOfMonth, 2),
        'a' => Token::Halfday,
        'K' => number(Field::HourOfHalfday, 2),
        'h' => number(Field::ClockhourOfHalfday, 2),
        'H' => number(Field::HourOfDay, 2),
        'k' => number(Field::ClockhourOfDay, 2),
        'm' => number(Field::MinuteOfHour, 2),
        's' => number(Field::SecondOfMinute, 2),
        'S' => Token::Fraction { digits: count },
        'z' if count >= 4 => return Err(DatePatternError::LongZoneName),
        'z' => Token::ZoneAbbreviation,
        'Z' if count >= 3 => Token::ZoneId,
        'Z' => Token::Offset { colon: count == 2 },
        _ => return Err(DatePatternError::UnknownLetter { letters: letter.to_string().repeat(count) }),
    })
}
