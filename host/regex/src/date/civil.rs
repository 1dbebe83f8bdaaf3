//! The proleptic Gregorian calendar on local milliseconds, with ISO weeks.

pub(super) const DAY_MS: i64 = 86_400_000;

/// 400 years have the same days in every cycle.
pub(super) const CYCLE_MS: i64 = 146_097 * DAY_MS;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

/// Days since 1970-01-01.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a local time.
pub(super) fn date(local_ms: i64) -> Date {
    let shifted = local_ms.div_euclid(DAY_MS) + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date { year, month, day: of_year - (153 * from_march + 2) / 5 + 1 }
}

/// Local time of a date at `ms_of_day`.
pub(super) fn local(year: i64, month: i64, day: i64, ms_of_day: i64) -> i64 {
    days(year, month, day) * DAY_MS + ms_of_day
}

pub(super) fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn day_of_year(local_ms: i64) -> i64 {
    local_ms.div_euclid(DAY_MS) - days(date(local_ms).year, 1, 1) + 1
}

/// Monday is 1.
pub(super) fn day_of_week(local_ms: i64) -> i64 {
    (local_ms.div_euclid(DAY_MS) + 3).rem_euclid(7) + 1
}

/// The Monday of week 1, in days since 1970.
pub(super) fn first_monday(weekyear: i64) -> i64 {
    let fourth = days(weekyear, 1, 4);
    fourth - (day_of_week(fourth * DAY_MS) - 1)
}

/// The year that the week of this time belongs to, and the number of the week.
pub(super) fn week(local_ms: i64) -> (i64, i64) {
    let day = local_ms.div_euclid(DAY_MS);
    let thursday = day - (day_of_week(local_ms) - 1) + 3;
    let weekyear = date(thursday * DAY_MS).year;
    (weekyear, (day - first_monday(weekyear)).div_euclid(7) + 1)
}

pub(super) fn weeks_in(weekyear: i64) -> i64 {
    (first_monday(weekyear + 1) - first_monday(weekyear)) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_inverse_over_an_era_and_weeks_end_right() {
        for day in (-1_000_000..1_000_000).step_by(37) {
            let Date { year, month, day: of_month } = date(day * DAY_MS);
            assert_eq!(days(year, month, of_month), day);
        }
        assert_eq!((weeks_in(2015), weeks_in(2016)), (53, 52));
        assert_eq!(week(days(2016, 1, 3) * DAY_MS), (2015, 53));
    }
}
