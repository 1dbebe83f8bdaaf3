//! Fields of a date: how to get and set them on local milliseconds, and how a list of parsed
//! fields becomes one time. The order of setting, and that all are set twice, is Joda's.

use super::civil::{self, DAY_MS, Date};

const HOUR_MS: i64 = 3_600_000;

/// Years that Joda can count.
const YEAR_MAX: i64 = 292_278_993;
const YEAR_MIN: i64 = -292_275_054;

/// The year of a date that names a month or a day, but no year.
const DEFAULT_YEAR: i64 = 2000;

/// A field of a date or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    CenturyOfEra,
    YearOfEra,
    Year,
    Weekyear,
    MonthOfYear,
    DayOfYear,
    WeekOfWeekyear,
    DayOfWeek,
    DayOfMonth,
    HalfdayOfDay,
    HourOfDay,
    ClockhourOfDay,
    HourOfHalfday,
    ClockhourOfHalfday,
    MinuteOfHour,
    SecondOfMinute,
    MillisOfSecond,
}

/// A value that a field cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfRange {
    pub(super) field: Field,
    pub(super) value: i64,
    pub(super) min: i64,
    pub(super) max: i64,
}

/// Sizes of units, from the smallest: the order in which fields are set.
mod unit {
    pub(super) const MILLIS: u8 = 0;
    pub(super) const SECONDS: u8 = 1;
    pub(super) const MINUTES: u8 = 2;
    pub(super) const HOURS: u8 = 3;
    pub(super) const HALFDAYS: u8 = 4;
    pub(super) const DAYS: u8 = 5;
    pub(super) const WEEKS: u8 = 6;
    pub(super) const MONTHS: u8 = 7;
    pub(super) const YEARS: u8 = 8;
    pub(super) const CENTURIES: u8 = 9;
    pub(super) const ENDLESS: u8 = 10;
}

/// Combines parsed fields to local milliseconds.
pub(super) fn combine(fields: &mut Vec<(Field, i64)>) -> Result<i64, OutOfRange> {
    let by_size = |(field, _): &(Field, i64)| {
        let (unit, range) = field.units();
        std::cmp::Reverse((range, unit))
    };
    fields.sort_by_key(by_size);
    let first = fields.first().map(|(field, _)| field.units().0);
    if first.is_some_and(|unit| (unit::DAYS..=unit::MONTHS).contains(&unit)) {
        fields.push((Field::Year, DEFAULT_YEAR));
        fields.sort_by_key(by_size);
    }
    let mut local_ms = 0;
    for &(field, value) in &*fields {
        local_ms = field.floor(field.set(local_ms, value)?);
    }
    for (index, &(field, value)) in fields.iter().enumerate() {
        local_ms = field.set(local_ms, value)?;
        if index + 1 == fields.len() {
            local_ms = field.floor(local_ms);
        }
    }
    Ok(local_ms)
}

impl Field {
    /// The unit of the field, and the unit that it is counted in.
    fn units(self) -> (u8, u8) {
        use unit::*;
        match self {
            Field::Era => (ENDLESS, ENDLESS),
            Field::CenturyOfEra => (CENTURIES, ENDLESS),
            Field::YearOfEra | Field::Year | Field::Weekyear => (YEARS, ENDLESS),
            Field::MonthOfYear => (MONTHS, YEARS),
            Field::DayOfYear => (DAYS, YEARS),
            Field::WeekOfWeekyear => (WEEKS, YEARS),
            Field::DayOfWeek => (DAYS, WEEKS),
            Field::DayOfMonth => (DAYS, MONTHS),
            Field::HalfdayOfDay => (HALFDAYS, DAYS),
            Field::HourOfDay | Field::ClockhourOfDay => (HOURS, DAYS),
            Field::HourOfHalfday | Field::ClockhourOfHalfday => (HOURS, HALFDAYS),
            Field::MinuteOfHour => (MINUTES, HOURS),
            Field::SecondOfMinute => (SECONDS, MINUTES),
            Field::MillisOfSecond => (MILLIS, SECONDS),
        }
    }

    /// For fields of fixed length: the length, and how many there are in the next larger unit.
    fn fixed(self) -> Option<(i64, i64)> {
        Some(match self {
            Field::HalfdayOfDay => (12 * HOUR_MS, 2),
            Field::HourOfDay | Field::ClockhourOfDay => (HOUR_MS, 24),
            Field::HourOfHalfday | Field::ClockhourOfHalfday => (HOUR_MS, 12),
            Field::MinuteOfHour => (60_000, 60),
            Field::SecondOfMinute => (1000, 60),
            Field::MillisOfSecond => (1, 1000),
            _ => return None,
        })
    }

    /// Clock hours count from 1: midnight is 24, noon is 12.
    fn zero_is_last(self) -> bool {
        matches!(self, Field::ClockhourOfDay | Field::ClockhourOfHalfday)
    }

    /// The value of the field.
    pub(super) fn get(self, local_ms: i64) -> i64 {
        if let Some((length, count)) = self.fixed() {
            let value = local_ms.div_euclid(length).rem_euclid(count);
            return if value == 0 && self.zero_is_last() { count } else { value };
        }
        let Date { year, month, day } = civil::date(local_ms);
        match self {
            Field::Era => i64::from(year > 0),
            Field::CenturyOfEra => year.abs() / 100,
            Field::YearOfEra if year <= 0 => 1 - year,
            Field::Weekyear => civil::week(local_ms).0,
            Field::MonthOfYear => month,
            Field::DayOfYear => civil::day_of_year(local_ms),
            Field::WeekOfWeekyear => civil::week(local_ms).1,
            Field::DayOfWeek => civil::day_of_week(local_ms),
            Field::DayOfMonth => day,
            _ => year,
        }
    }

    fn range(self, local_ms: i64) -> (i64, i64) {
        if let Some((_, count)) = self.fixed() {
            return if self.zero_is_last() { (1, count) } else { (0, count - 1) };
        }
        let Date { year, month, .. } = civil::date(local_ms);
        match self {
            Field::Era => (0, 1),
            Field::CenturyOfEra => (0, YEAR_MAX / 100),
            Field::YearOfEra => (1, YEAR_MAX),
            Field::MonthOfYear => (1, 12),
            Field::DayOfYear => (1, 365 + i64::from(civil::is_leap(year))),
            Field::WeekOfWeekyear => (1, civil::weeks_in(civil::week(local_ms).0)),
            Field::DayOfWeek => (1, 7),
            Field::DayOfMonth => (1, civil::days_in_month(year, month)),
            _ => (YEAR_MIN, YEAR_MAX),
        }
    }

    /// The time with this field set and the smaller ones kept, as far as they can be.
    fn set(self, local_ms: i64, value: i64) -> Result<i64, OutOfRange> {
        let (min, max) = self.range(local_ms);
        if value < min || value > max {
            return Err(OutOfRange { field: self, value, min, max });
        }
        if let Some((length, count)) = self.fixed() {
            return Ok(local_ms + (value % count - self.get(local_ms) % count) * length);
        }
        let Date { year, day, .. } = civil::date(local_ms);
        Ok(match self {
            Field::Era if self.get(local_ms) == value => local_ms,
            Field::Era => set_year(local_ms, -year),
            Field::CenturyOfEra => {
                let years = value * 100 + year.abs() % 100;
                set_year(local_ms, if year < 0 { -years } else { years })
            }
            Field::YearOfEra => set_year(local_ms, if year <= 0 { 1 - value } else { value }),
            Field::Weekyear => set_weekyear(local_ms, value),
            Field::MonthOfYear => {
                let day = day.min(civil::days_in_month(year, value));
                civil::local(year, value, day, local_ms.rem_euclid(DAY_MS))
            }
            Field::WeekOfWeekyear => local_ms + (value - self.get(local_ms)) * 7 * DAY_MS,
            Field::DayOfYear | Field::DayOfWeek | Field::DayOfMonth => {
                local_ms + (value - self.get(local_ms)) * DAY_MS
            }
            _ => set_year(local_ms, value),
        })
    }

    /// The begin of the unit that the time lies in.
    fn floor(self, local_ms: i64) -> i64 {
        if let Some((length, _)) = self.fixed() {
            return local_ms.div_euclid(length) * length;
        }
        let Date { year, month, .. } = civil::date(local_ms);
        let day = local_ms.div_euclid(DAY_MS);
        match self {
            Field::Era if year > 0 => civil::local(1, 1, 1, 0),
            // The begin of time; any year before Christ serves, as a year is set next.
            Field::Era => civil::local(YEAR_MIN, 1, 1, 0),
            Field::CenturyOfEra => civil::local(year / 100 * 100, 1, 1, 0),
            Field::Weekyear => civil::first_monday(civil::week(local_ms).0) * DAY_MS,
            Field::MonthOfYear => civil::local(year, month, 1, 0),
            Field::WeekOfWeekyear => (day - (civil::day_of_week(local_ms) - 1)) * DAY_MS,
            Field::DayOfYear | Field::DayOfWeek | Field::DayOfMonth => day * DAY_MS,
            _ => civil::local(year, 1, 1, 0),
        }
    }
}

/// Another year; after February the date is kept, not the number of the day.
fn set_year(local_ms: i64, year: i64) -> i64 {
    let before = civil::date(local_ms).year;
    let mut day = civil::day_of_year(local_ms);
    if day > 59 {
        day += i64::from(civil::is_leap(year)) - i64::from(civil::is_leap(before));
    }
    (civil::days(year, 1, 1) + day - 1) * DAY_MS + local_ms.rem_euclid(DAY_MS)
}

/// The same week and day of the week in another year, or its last week.
fn set_weekyear(local_ms: i64, weekyear: i64) -> i64 {
    let (before, week) = civil::week(local_ms);
    if before == weekyear {
        return local_ms;
    }
    let week = week.min(civil::weeks_in(weekyear));
    let day = civil::first_monday(weekyear) + (week - 1) * 7 + civil::day_of_week(local_ms) - 1;
    day * DAY_MS + local_ms.rem_euclid(DAY_MS)
}
