//! Moments out of the dates of messages, as Flume's two parsers compute them, and with their defects put right.
//!
//! | | in Flume | here, unless `flumeTimestamps = true` |
//! |---|---|---|
//! | `.1` behind the seconds | 1 ms (syslogtcp, syslogudp) | 100 ms |
//! | an offset behind a fraction | not looked at (syslogtcp, syslogudp) | obeyed |
//! | a date without a year | in 1999, 2000 or 2001 (multiport_syslogtcp, most of the time) | within 11 months before and one month after now |
//!
//! Dates are read leniently, as in Flume: the 31st of February is the 3rd of March. A local time that the clocks
//! skip is read by the offset before, one that comes twice by the offset after, as Java does.
//! Neighbouring messages mostly have the same date, so the last one is remembered.

use flumen_regex::date::DatePattern;
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};

const MINUTE_MS: i64 = 60_000;
const DAY_S: i64 = 86_400;
/// Length of a date without a year whose day has two digits: `Oct 11 22:14:15`.
const CLASSIC_LEN: usize = 15;
/// Length of `2003-10-11T22:14:15`.
const SECONDS_LEN: usize = 19;

/// Whether Flume's defects are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dates {
    /// Put right.
    Right,
    /// As Flume computes them.
    AsFlume,
}

/// Computes moments. One for each connection.
pub(super) struct Stamps {
    dates: Dates,
    zone: TimeZone,
    now_ms: i64,
    /// The last date without a year.
    classic: Last<CLASSIC_LEN>,
    /// The last date with a year, up to its seconds, as if it were UTC.
    full: Last<SECONDS_LEN>,
    /// The last local minute and its offset.
    offset: Option<(i64, i64)>,
    joda: JodaPatterns,
}

/// A text and the moment it was found to be.
struct Last<const N: usize> {
    text: [u8; N],
    moment_ms: Option<i64>,
}

impl<const N: usize> Last<N> {
    fn nothing() -> Self {
        Self { text: [0; N], moment_ms: None }
    }
    fn find(&self, text: &[u8]) -> Option<i64> {
        self.moment_ms.filter(|_| text == self.text)
    }
    fn keep(&mut self, text: &[u8], moment_ms: i64) {
        if let Ok(text) = text.try_into() {
            *self = Self { text, moment_ms: Some(moment_ms) };
        }
    }
}

/// Patterns for dates that are written in an unusual way; made when the first such date comes.
#[derive(Default)]
struct JodaPatterns {
    classic: Option<Option<DatePattern>>,
    full: Option<Option<DatePattern>>,
}

fn parse_joda(slot: &mut Option<Option<DatePattern>>, pattern: &str, text: &[u8]) -> Option<i64> {
    let pattern = slot.get_or_insert_with(|| DatePattern::in_zone(pattern, "UTC").ok()).as_ref()?;
    pattern.parse_ms(str::from_utf8(text).ok()?).ok()
}

impl Stamps {
    /// For dates that are local in this zone.
    pub fn new(dates: Dates, zone: TimeZone) -> Self {
        Self {
            dates,
            zone,
            now_ms: 0,
            classic: Last::nothing(),
            full: Last::nothing(),
            offset: None,
            joda: JodaPatterns::default(),
        }
    }
    /// Says what time it is; once for each read.
    pub fn set_now(&mut self, now_ms: i64) {
        if now_ms / 1000 != self.now_ms / 1000 {
            self.classic.moment_ms = None;
        }
        self.now_ms = now_ms;
    }
    /// Whether Flume's defects are wanted.
    pub fn dates(&self) -> Dates {
        self.dates
    }
    /// What time it is.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// A date without a year, of the form `Oct 11 22:14:15`, one blank or two in front of a day of one digit: local
    /// time in the year that is nearest. The scanner has seen the form. `None`: Java could not read it.
    pub fn classic_local(&mut self, text: &[u8]) -> Option<i64> {
        if let Some(known) = self.classic.find(text) {
            return Some(known);
        }
        let date = ClassicDate::read(text)?;
        let year = civil(self.now_ms.div_euclid(1000).div_euclid(DAY_S)).0;
        let moment_ms = self.moment_of_wall(date.in_year(year));
        let moment_ms = self.near_now(moment_ms);
        self.classic.keep(text, moment_ms);
        Some(moment_ms)
    }

    /// A date with a year as the scanner has seen it: `2003-10-11T22:14:15`, perhaps a fraction, perhaps an offset.
    pub fn full_local(&mut self, text: &[u8]) -> Option<i64> {
        let (seconds, rest) = text.split_at_checked(SECONDS_LEN)?;
        let wall_ms = match self.full.find(seconds) {
            Some(known) => known,
            None => {
                let wall_ms = lenient_ms(seconds)?;
                self.full.keep(seconds, wall_ms);
                wall_ms
            }
        };
        let digits = rest.strip_prefix(b".").map_or(0, leading_digits);
        let fraction = if digits == 0 { &[][..] } else { &rest[1..=digits] };
        let zone = if digits == 0 { rest } else { &rest[1 + digits..] };
        if self.dates == Dates::AsFlume && digits > 0 {
            return Some(self.moment_of_wall(wall_ms + number(&fraction[..digits.min(3)])?));
        }
        let fraction_ms = milliseconds(fraction);
        Some(match offset_ms(zone) {
            Some(offset) => wall_ms + fraction_ms - offset,
            None => self.moment_of_wall(wall_ms) + fraction_ms,
        })
    }

    /// The first 15 characters of a date without a year for the parser of `multiport_syslogtcp`, which reads it as
    /// UTC. `None`: not a date.
    pub fn classic_utc(&mut self, text: &[u8]) -> Option<i64> {
        if let Some(known) = self.classic.find(text) {
            return Some(known);
        }
        let in_2000_ms = match ClassicDate::read(text) {
            Some(date) if date.is_real() => date.in_year(2000),
            _ => parse_joda(&mut self.joda.classic, "MMM d HH:mm:ss", &with_one_blank(text))?,
        };
        let moment_ms = match self.dates {
            Dates::Right => {
                let year = civil(self.now_ms.div_euclid(1000).div_euclid(DAY_S)).0;
                let moment_ms = with_year(in_2000_ms, year);
                near(moment_ms, self.now_ms, add_months)
            }
            Dates::AsFlume => self.as_flume_guesses(in_2000_ms),
        };
        self.classic.keep(text, moment_ms);
        Some(moment_ms)
    }

    /// Flume adds and takes a year from the date in 2000, not from that in the current year.
    fn as_flume_guesses(&self, in_2000_ms: i64) -> i64 {
        let now_s = self.now_ms.div_euclid(1000);
        let local_s = now_s + self.offset_at(self.now_ms) / 1000;
        let fixed = with_year(in_2000_ms, civil(local_s.div_euclid(DAY_S)).0);
        if fixed > self.now_ms && add_months(fixed, -1) > self.now_ms {
            add_months(in_2000_ms, -12)
        } else if fixed < self.now_ms && add_months(fixed, 1) < self.now_ms {
            add_months(in_2000_ms, 12)
        } else {
            fixed
        }
    }

    /// A date with a year for the parser of `multiport_syslogtcp`. `None`: not a date.
    pub fn full_utc(&mut self, text: &[u8]) -> Option<i64> {
        let (seconds, rest) = text.split_at_checked(SECONDS_LEN).filter(|(_, rest)| !rest.is_empty())?;
        let mut moment_ms = match self.full.find(seconds) {
            Some(known) => known,
            None => {
                let known = match strict_ms(seconds) {
                    Some(plain) => plain,
                    None => parse_joda(&mut self.joda.full, "yyyy-MM-dd'T'HH:mm:ss", seconds)?,
                };
                self.full.keep(seconds, known);
                known
            }
        };
        let mut zone = rest;
        if let Some(rest) = rest.strip_prefix(b".") {
            let digits = leading_digits(rest);
            moment_ms += fraction_of_flume(&rest[..digits])?;
            zone = &rest[digits..];
        }
        match zone.first()? {
            b'+' | b'-' => Some(moment_ms - exact_offset_ms(zone.get(..6)?)?),
            _ => Some(moment_ms),
        }
    }

    fn near_now(&self, moment_ms: i64) -> i64 {
        near(moment_ms, self.now_ms, |ms, months| self.add_local_months(ms, months))
    }

    /// `Calendar.add` in the zone.
    fn add_local_months(&self, moment_ms: i64, months: i64) -> i64 {
        let wall_ms = moment_ms + self.offset_at(moment_ms);
        let moved_ms = add_months(wall_ms, months);
        moved_ms - self.offset_of_wall(moved_ms)
    }

    /// The moment of a local time, given as if it were UTC.
    pub fn moment_of_wall(&mut self, wall_ms: i64) -> i64 {
        let minute = wall_ms.div_euclid(MINUTE_MS);
        if let Some((known, offset)) = self.offset
            && known == minute
        {
            return wall_ms - offset;
        }
        let offset = self.offset_of_wall(minute * MINUTE_MS);
        self.offset = Some((minute, offset));
        wall_ms - offset
    }

    fn offset_of_wall(&self, wall_ms: i64) -> i64 {
        // Years that jiff does not know are far beyond all zone rules.
        let Ok(wall) = Timestamp::from_millisecond(wall_ms).map(|wall| TimeZone::UTC.to_datetime(wall))
        else {
            return 0;
        };
        let offset = match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } => before,
            AmbiguousOffset::Fold { after, .. } => after,
        };
        i64::from(offset.seconds()) * 1000
    }

    fn offset_at(&self, moment_ms: i64) -> i64 {
        Timestamp::from_millisecond(moment_ms)
            .map_or(0, |at| i64::from(self.zone.to_offset(at).seconds()) * 1000)
    }
}

/// The moment, or a year later or earlier, if it is more than a month ahead of now or more than eleven months back.
fn near(moment_ms: i64, now_ms: i64, add: impl Fn(i64, i64) -> i64) -> i64 {
    if moment_ms > now_ms && add(moment_ms, -1) > now_ms {
        add(moment_ms, -12)
    } else if moment_ms < now_ms && add(moment_ms, 11) < now_ms {
        add(moment_ms, 12)
    } else {
        moment_ms
    }
}

/// A date without a year, its numbers as they are written.
struct ClassicDate {
    month: i64,
    day: i64,
    second_of_day: i64,
    is_real_time: bool,
}

impl ClassicDate {
    /// Month, one blank or two, day, one blank, time. A tab may stand in the place of the second blank, as Java skips
    /// white space in front of numbers.
    fn read(text: &[u8]) -> Option<Self> {
        let month = month(text.get(..3)?)?;
        let rest = text[3..].strip_prefix(b" ")?;
        let rest = rest.strip_prefix(b" ").or(rest.strip_prefix(b"\t")).unwrap_or(rest);
        let digits = leading_digits(rest);
        let day = if (1..=2).contains(&digits) { number(&rest[..digits])? } else { return None };
        let time = rest[digits..].strip_prefix(b" ")?;
        let [h1, h2, b':', m1, m2, b':', s1, s2] = *time else { return None };
        let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
        Some(Self {
            month,
            day,
            second_of_day: hour * 3600 + minute * 60 + second,
            is_real_time: hour < 24 && minute < 60 && second < 60,
        })
    }
    /// Whether there is such a day in a leap year, and such a time.
    fn is_real(&self) -> bool {
        self.is_real_time && (1..=days_of_month(2000, self.month)).contains(&self.day)
    }
    fn in_year(&self, year: i64) -> i64 {
        ((days(year, self.month, 1) + self.day - 1) * DAY_S + self.second_of_day) * 1000
    }
}

/// Joda's parser gets the text with the first two blanks made one.
fn with_one_blank(text: &[u8]) -> Vec<u8> {
    match text.windows(2).position(|pair| pair == b"  ") {
        Some(at) => [&text[..at], &text[at + 1..]].concat(),
        None => text.to_vec(),
    }
}

fn month(name: &[u8]) -> Option<i64> {
    const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    (1..).zip(NAMES.as_chunks::<3>().0).find(|(_, known)| known[..] == *name).map(|(month, _)| month)
}

/// `2003-10-11T22:14:15` as if it were UTC, whatever the numbers.
fn lenient_ms(text: &[u8]) -> Option<i64> {
    let [y, mo, d, h, mi, s] = numbers_of(text)?;
    let (year, month) = (y + (mo - 1).div_euclid(12), (mo - 1).rem_euclid(12) + 1);
    Some(((days(year, month, 1) + d - 1) * DAY_S + h * 3600 + mi * 60 + s) * 1000)
}

/// The same for a date and time that exist.
fn strict_ms(text: &[u8]) -> Option<i64> {
    let [y, mo, d, h, mi, s] = numbers_of(text)?;
    let exists =
        (1..=12).contains(&mo) && (1..=days_of_month(y, mo)).contains(&d) && h < 24 && mi < 60 && s < 60;
    exists.then(|| (days(y, mo, d) * DAY_S + h * 3600 + mi * 60 + s) * 1000)
}

fn numbers_of(text: &[u8]) -> Option<[i64; 6]> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = *text else {
        return None;
    };
    let two = |high, low| number(&[high, low]);
    Some([number(&[y1, y2, y3, y4])?, two(m1, m2)?, two(d1, d2)?, two(h1, h2)?, two(n1, n2)?, two(s1, s2)?])
}

fn number(digits: &[u8]) -> Option<i64> {
    let mut value = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(value)
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The first three digits of a fraction, as many as there are.
fn milliseconds(fraction: &[u8]) -> i64 {
    let digit = |at: usize| fraction.get(at).map_or(0, |digit| i64::from(digit - b'0'));
    digit(0) * 100 + digit(1) * 10 + digit(2)
}

/// A fraction as the parser of `multiport_syslogtcp` reads it: no more than a Java `long` holds.
fn fraction_of_flume(digits: &[u8]) -> Option<i64> {
    if digits.len() > 15 {
        let value: i64 = str::from_utf8(digits).ok()?.parse().ok()?;
        return Some((value as f64 / 10f64.powi(digits.len() as i32 - 3)) as i64);
    }
    (!digits.is_empty()).then(|| milliseconds(digits))
}

/// `Z`, or an offset of less than a day; all else is none.
fn offset_ms(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        _ => exact_offset_ms(zone).filter(|_| zone[1..3] <= b"23"[..] && zone[4..6] <= b"59"[..]),
    }
}

/// `+hh:mm` or `-hh:mm`, whatever the digits.
fn exact_offset_ms(zone: &[u8]) -> Option<i64> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *zone else { return None };
    let minutes = number(&[h1, h2])? * 60 + number(&[m1, m2])?;
    Some(if sign == b'+' { minutes } else { -minutes } * MINUTE_MS)
}

/// Days since 1970 of a date of the Gregorian calendar.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970.
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let month = if part < 10 { part + 3 } else { part - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * part + 2) / 5 + 1)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next, 1) - days(year, month, 1)
}

/// Some months later; a day that the month has not becomes its last.
fn add_months(ms: i64, months: i64) -> i64 {
    let (day_number, of_day) = (ms.div_euclid(DAY_S * 1000), ms.rem_euclid(DAY_S * 1000));
    let (year, month, day) = civil(day_number);
    let moved = year * 12 + month - 1 + months;
    let (year, month) = (moved.div_euclid(12), moved.rem_euclid(12) + 1);
    days(year, month, day.min(days_of_month(year, month))) * DAY_S * 1000 + of_day
}

/// The same day in another year; the 29th of February may become the 28th.
fn with_year(ms: i64, year: i64) -> i64 {
    add_months(ms, (year - civil(ms.div_euclid(DAY_S * 1000)).0) * 12)
}
