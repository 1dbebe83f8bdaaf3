//! Time zones: the system's, asked once, and those that a text names.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::civil::{self, CYCLE_MS};

static SYSTEM: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// Local times between the years -9000 and 9000 are jiff's own; others are moved by 400-year cycles.
const LOCAL_MS_MAX: i64 = 22 * CYCLE_MS;

/// A time zone.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    zone: TimeZone,
}

/// A local time that the clocks jump over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap;

impl Zone {
    /// The zone of the system, from TZ or /etc/localtime.
    pub(super) fn system() -> Zone {
        Zone { zone: SYSTEM.clone() }
    }

    /// The zone of exactly this IANA name.
    pub(super) fn named(name: &str) -> Option<Zone> {
        let zone = if name == "UTC" { TimeZone::UTC } else { TimeZone::get(name).ok()? };
        zone.iana_name().is_some_and(|known| known == name).then_some(Zone { zone })
    }

    /// The zone of an abbreviation that Joda reads, and the length of the abbreviation.
    pub(super) fn abbreviation_prefix(text: &str) -> Option<(Zone, usize)> {
        const KNOWN: [(&str, &str); 11] = [
            ("UTC", "UTC"),
            ("GMT", "UTC"),
            ("UT", "UTC"),
            ("EST", "America/New_York"),
            ("EDT", "America/New_York"),
            ("CST", "America/Chicago"),
            ("CDT", "America/Chicago"),
            ("MST", "America/Denver"),
            ("MDT", "America/Denver"),
            ("PST", "America/Los_Angeles"),
            ("PDT", "America/Los_Angeles"),
        ];
        let (short, name) = KNOWN.iter().find(|(short, _)| text.starts_with(short))?;
        Some((Zone::named(name)?, short.len()))
    }

    /// The zone whose name `text` begins with, and the length of the name; the longest name wins.
    pub(super) fn name_prefix(text: &str) -> Option<(Zone, usize)> {
        let part_of_name = |c: char| c.is_ascii_alphanumeric() || "_+-/".contains(c);
        let longest = text.find(|c| !part_of_name(c)).unwrap_or(text.len()).min(40);
        (1..=longest).rev().find_map(|length| Some((Zone::named(&text[..length])?, length)))
    }

    /// The year and the week's year of now.
    pub(super) fn current_years(&self) -> (i64, i64) {
        let local_ms = self.local_ms(Timestamp::now().as_millisecond());
        (civil::date(local_ms).year, civil::week(local_ms).0)
    }

    /// The instant of a local time; of two, the earlier one.
    pub(super) fn instant(&self, local_ms: i64) -> Result<i64, Gap> {
        let near = near(local_ms);
        let Ok(wall) = Timestamp::from_millisecond(near).map(|wall| TimeZone::UTC.to_datetime(wall)) else {
            return Ok(local_ms);
        };
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                Ok(local_ms - i64::from(offset.seconds()) * 1000)
            }
            AmbiguousOffset::Gap { .. } => Err(Gap),
        }
    }

    /// The local time of an instant.
    pub(super) fn local_ms(&self, epoch_ms: i64) -> i64 {
        epoch_ms.saturating_add(self.offset_ms(epoch_ms))
    }

    /// How far local time is ahead of UTC.
    pub(super) fn offset_ms(&self, epoch_ms: i64) -> i64 {
        let at = Timestamp::from_millisecond(near(epoch_ms)).unwrap_or_default();
        i64::from(self.zone.to_offset(at).seconds()) * 1000
    }

    /// The abbreviation in force, such as CEST.
    pub(super) fn abbreviation(&self, epoch_ms: i64) -> String {
        let at = Timestamp::from_millisecond(near(epoch_ms)).unwrap_or_default();
        self.zone.to_offset_info(at).abbreviation().to_owned()
    }

    /// The IANA name, or the offset of a zone that has none.
    pub(super) fn name(&self) -> String {
        self.zone.iana_name().unwrap_or("UTC").to_owned()
    }
}

/// A time in jiff's range at the same place of the 400-year cycle, and as far from today as can be.
fn near(ms: i64) -> i64 {
    if (-LOCAL_MS_MAX..LOCAL_MS_MAX - CYCLE_MS * 2).contains(&ms) {
        return ms;
    }
    let cycles = if ms < 0 { -20 } else { 15 };
    ms.rem_euclid(CYCLE_MS) + cycles * CYCLE_MS
}
