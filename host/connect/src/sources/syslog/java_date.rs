//! Dates as `java.text.SimpleDateFormat` reads them, for `format.dateFormat`.
//!
//! It is not Joda-Time: numbers are as long as they are (unless another number follows at once), a fraction is a
//! number of milliseconds, everything is lenient, and what follows the date does not matter. Names are English.
//! The day of the week is read and not looked at.

use super::stamp::{Stamps, days};

/// A pattern, ready to read dates.
#[derive(Clone, Debug)]
pub(super) struct JavaDate {
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Literal(char),
    Field { letter: char, count: usize },
}

impl Part {
    /// Whether a number in front of it has as many digits as the pattern says.
    fn is_number(self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Field { letter: 'M' | 'L', count } => count <= 2,
            Self::Field { letter, .. } => "yudDHkKhmsS".contains(letter),
        }
    }
}

/// The numbers of a date, as far as they were given.
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    half_day: i64,
    is_half: bool,
    minute: i64,
    second: i64,
    millisecond: i64,
    offset_minutes: Option<i64>,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// Names of zones, with minutes ahead of UTC.
const ZONES: [(&str, i64); 22] = [
    ("GMT", 0),
    ("UTC", 0),
    ("UT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("JST", 540),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
    ("HST", -600),
];
/// Two digits of a year mean one from so many years ago on.
const CENTURY_BEGINS_YEARS_AGO: i64 = 80;

impl JavaDate {
    /// Reads a pattern. The error names what cannot be read.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut letters = pattern.chars().peekable();
        while let Some(first) = letters.next() {
            if first == '\'' {
                if letters.next_if_eq(&'\'').is_some() {
                    parts.push(Part::Literal('\''));
                    continue;
                }
                loop {
                    match letters.next() {
                        None => return Err("a quote `'` has no end".to_owned()),
                        Some('\'') if letters.next_if_eq(&'\'').is_none() => break,
                        Some(quoted) => parts.push(Part::Literal(quoted)),
                    }
                }
            } else if first.is_ascii_alphabetic() {
                let mut count = 1;
                while letters.next_if_eq(&first).is_some() {
                    count += 1;
                }
                if !"yMLdDEuaHkKhmsSzZX".contains(first) {
                    return Err(format!("the letter `{first}` of a date pattern is not supported"));
                }
                if first == 'X' && count > 3 {
                    return Err("more than three `X` mean nothing".to_owned());
                }
                parts.push(Part::Field { letter: first, count });
            } else {
                parts.push(Part::Literal(first));
            }
        }
        if parts.is_empty() { Err("the date pattern is empty".to_owned()) } else { Ok(Self { parts }) }
    }

    /// The moment that the start of a text names.
    pub fn moment(&self, text: &str, stamps: &mut Stamps) -> Option<i64> {
        let mut reader =
            Reader { text, at: 0, this_year: super::stamp::civil(stamps.now_ms().div_euclid(86_400_000)).0 };
        let mut fields = Fields {
            year: 1970,
            month: 0,
            day: 1,
            day_of_year: None,
            hour: 0,
            half_day: 0,
            is_half: false,
            minute: 0,
            second: 0,
            millisecond: 0,
            offset_minutes: None,
        };
        for (index, part) in self.parts.iter().enumerate() {
            match *part {
                Part::Literal(wanted) => reader.literal(wanted)?,
                Part::Field { letter, count } => {
                    let width = self.parts.get(index + 1).filter(|next| next.is_number()).map(|_| count);
                    reader.field(letter, (count, width), &mut fields)?;
                }
            }
        }
        let wall_ms = fields.wall_ms();
        Some(match fields.offset_minutes {
            Some(offset) => wall_ms - offset * 60_000,
            None => stamps.moment_of_wall(wall_ms),
        })
    }
}

impl Fields {
    fn wall_ms(&self) -> i64 {
        let (year, month) =
            (self.year.saturating_add(self.month.div_euclid(12)), self.month.rem_euclid(12) + 1);
        let day = match self.day_of_year {
            Some(day) => days(self.year, 1, 1) + day - 1,
            None => days(year, month, 1) + self.day - 1,
        };
        let hour = if self.is_half { self.hour + 12 * self.half_day } else { self.hour };
        day * 86_400_000 + hour * 3_600_000 + self.minute * 60_000 + self.second * 1000 + self.millisecond
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    this_year: i64,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
    fn literal(&mut self, wanted: char) -> Option<()> {
        let found = self.rest().chars().next().filter(|found| *found == wanted)?;
        self.at += found.len_utf8();
        Some(())
    }

    fn field(
        &mut self,
        letter: char,
        (count, width): (usize, Option<usize>),
        fields: &mut Fields,
    ) -> Option<()> {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        match letter {
            'y' => fields.year = self.year(count, width)?,
            'M' | 'L' if count <= 2 => fields.month = self.number(width)? - 1,
            'M' | 'L' => fields.month = self.name(&MONTHS)?,
            'd' => {
                fields.day = self.number(width)?;
                fields.day_of_year = None;
            }
            'D' => fields.day_of_year = Some(self.number(width)?),
            'E' => {
                self.name(&WEEKDAYS)?;
            }
            'u' => {
                self.number(width)?;
            }
            'a' => fields.half_day = self.name_of(&["AM", "PM"])?,
            'H' | 'k' => {
                let hour = self.number(width)?;
                (fields.hour, fields.is_half) = (if letter == 'k' && hour == 24 { 0 } else { hour }, false);
            }
            'K' | 'h' => {
                let hour = self.number(width)?;
                (fields.hour, fields.is_half) = (if letter == 'h' && hour == 12 { 0 } else { hour }, true);
            }
            'm' => fields.minute = self.number(width)?,
            's' => fields.second = self.number(width)?,
            'S' => fields.millisecond = self.number(width)?,
            'X' => fields.offset_minutes = Some(self.iso_offset(count)?),
            _ => fields.offset_minutes = Some(self.zone()?),
        }
        Some(())
    }

    /// Digits, perhaps behind a minus; so many if another number follows.
    fn number(&mut self, width: Option<usize>) -> Option<i64> {
        let rest = self.rest();
        let rest = match width {
            Some(width) => rest.get(..width)?,
            None => rest,
        };
        let digits_at = usize::from(rest.starts_with('-'));
        let digits = rest[digits_at..].bytes().take_while(u8::is_ascii_digit).count();
        // No number of a date is as long; Java would go round its 32 bits.
        if digits == 0 || digits > 9 {
            return None;
        }
        let number = rest[..digits_at + digits].parse().ok()?;
        self.at += digits_at + digits;
        Some(number)
    }

    fn year(&mut self, count: usize, width: Option<usize>) -> Option<i64> {
        let start = self.at;
        let year = self.number(width)?;
        let is_short = count <= 2 && self.at - start == 2 && self.text.as_bytes()[start].is_ascii_digit();
        if !is_short {
            return Some(year);
        }
        let first = self.this_year - CENTURY_BEGINS_YEARS_AGO;
        let century = first.div_euclid(100) * 100;
        Some(year + century + if year < first.rem_euclid(100) { 100 } else { 0 })
    }

    /// One of these names, or its first three letters, in any case.
    fn name(&mut self, names: &[&str]) -> Option<i64> {
        self.name_of(names).or_else(|| {
            let short: Vec<&str> = names.iter().map(|name| &name[..3]).collect();
            self.name_of(&short)
        })
    }
    fn name_of(&mut self, names: &[&str]) -> Option<i64> {
        let is_there =
            |name: &&str| self.rest().get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let found = names.iter().position(is_there)?;
        self.at += names[found].len();
        Some(found as i64)
    }

    /// `+hhmm`, `+hh:mm`, a name, or `GMT` with an offset.
    fn zone(&mut self) -> Option<i64> {
        let named = ZONES.iter().filter(|(name, _)| {
            self.rest().get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
        let named = named.max_by_key(|(name, _)| name.len());
        if let Some((name, minutes)) = named {
            self.at += name.len();
            let is_offset = *name == "GMT" && self.rest().starts_with(['+', '-']);
            return if is_offset { self.offset(true) } else { Some(*minutes) };
        }
        self.offset(false)
    }

    fn iso_offset(&mut self, count: usize) -> Option<i64> {
        if self.rest().starts_with('Z') {
            self.at += 1;
            return Some(0);
        }
        let length = [3, 5, 6][count - 1];
        let text = self.rest().get(..length)?.to_owned();
        if count == 3 && text.as_bytes()[3] != b':' {
            return None;
        }
        let sign = if text.starts_with('-') { -1 } else { i64::from(text.starts_with('+')) };
        let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
        let number: i64 = digits.parse().ok()?;
        self.at += length;
        let (hours, minutes) = if count == 1 { (number, 0) } else { (number / 100, number % 100) };
        (sign != 0 && hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }

    /// Sign, hours, minutes; a colon between them behind `GMT`, where the hours may have one digit.
    fn offset(&mut self, colon: bool) -> Option<i64> {
        let rest = self.rest().as_bytes();
        let sign = match rest.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let digits = |from: usize, most: usize| {
            rest[from..].iter().take(most).take_while(|b| b.is_ascii_digit()).count()
        };
        let value = |from: usize, count: usize| {
            rest[from..from + count].iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0'))
        };
        let hour_digits = digits(1, 2);
        let minutes_at = 1 + hour_digits + usize::from(colon);
        if hour_digits == 0
            || (!colon && hour_digits < 2)
            || (colon && rest.get(1 + hour_digits) != Some(&b':'))
        {
            return None;
        }
        if digits(minutes_at, 2) < 2 {
            return None;
        }
        let (hours, minutes) = (value(1, hour_digits), value(minutes_at, 2));
        self.at += minutes_at + 2;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Dates;
    use super::*;

    fn moment(pattern: &str, text: &str) -> Option<i64> {
        let zone = jiff::tz::TimeZone::get("America/New_York").expect("a known zone");
        let mut stamps = Stamps::new(Dates::Right, zone);
        stamps.set_now(1_795_000_000_000);
        JavaDate::new(pattern).expect("a pattern").moment(text, &mut stamps)
    }

    // Printed by OpenJDK 17 in the zone America/New_York.
    #[test]
    fn dates_are_read_as_java_reads_them() {
        for (pattern, text, expected) in [
            ("dd/MMM/yyyy:HH:mm:ss Z", "11/Oct/2003:22:14:15 -0700", Some(1_065_935_655_000)),
            ("yyyyMMddHHmmssSSS", "20031011221415123", Some(1_065_924_855_123)),
            ("yyyyMMddHHmmss", "200310112214153", Some(1_065_924_993_000)),
            ("yy-M-d", "3-1-1", Some(-62_072_679_600_000 - 2 * 86_400_000 + 2 * 86_400_000)),
            ("yy-M-d", "03-1-1", Some(1_041_397_200_000)),
            ("yyyy-MM-dd HH:mm:ss,SSS", "2003-10-11 22:14:15,5", Some(1_065_924_855_005)),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2003-10-11T22:14:15+05:30", Some(1_065_890_655_000)),
            ("yyyy-MM-dd'T'HH:mm:ssX", "2003-10-11T22:14:15Z", Some(1_065_910_455_000)),
            ("EEE MMM dd HH:mm:ss zzz yyyy", "Sat Oct 11 22:14:15 PDT 2003", Some(1_065_935_655_000)),
            ("hh:mm a", "10:14 PM", Some(98_040_000)),
            ("yyyy-D", "2003-284", Some(1_065_844_800_000)),
            ("yyyy MM dd", "2003 10 11 junk", Some(1_065_844_800_000)),
            ("MMMM d, yyyy", "October 11, 2003", Some(1_065_844_800_000)),
            ("dd.MM.yy", "11.10.03", Some(1_065_844_800_000)),
            ("kk:mm", "24:10", Some(18_600_000)),
            ("yyyy-MM-dd HH:mm:ss", "2003-10-11  22:14:15", Some(1_065_924_855_000)),
            ("yyyy-MM-dd HH:mm", "2003-10-11 -1:14", Some(1_065_842_040_000)),
            ("HHmm", "1", None),
            ("yyyyMMdd", "200310", None),
            ("yyyyMMdd", "2003101", Some(1_064_980_800_000)),
            ("dd/MM/yyyy z", "11/10/2003 GMT+02:00", Some(1_065_823_200_000)),
            ("yyyy-MM-dd Z", "2003-10-11 GMT", Some(1_065_830_400_000)),
            ("EEEE d MMM", "Saturday 11 Oct", Some(24_465_600_000)),
            ("yyyy-MM-dd''HH", "2003-10-11'5", Some(1_065_862_800_000)),
        ] {
            if pattern == "yy-M-d" && text.starts_with('3') {
                // Before 1582 Java counts by the Julian calendar; all that matters is that it is the year 3.
                assert!(moment(pattern, text).is_some_and(|ms| ms < -62_000_000_000_000));
                continue;
            }
            assert_eq!(moment(pattern, text), expected, "{pattern} of {text}");
        }
    }

    #[test]
    fn letters_that_are_not_there_are_said() {
        for (pattern, why) in [("Y-w", "`Y`"), ("yyyy 'x", "no end"), ("", "empty"), ("G", "`G`")] {
            let error = JavaDate::new(pattern).expect_err("refused");
            assert!(error.contains(why), "{error}");
        }
    }
}
