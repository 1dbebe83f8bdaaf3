//! Date patterns as Joda-Time 2.9.9 reads them, which is what Flume's regex_extractor uses.
//!
//! Joda is not `SimpleDateFormat`: numbers may be shorter than the pattern says, two digits of a
//! year pivot around the current year, `Z` takes `+0100`, `+01:00`, `+01` and `Z`, and a date
//! without a year is in 2000, a time without a date in 1970. Names of months and days are English.
//!
//! `pattern` reads the letters, `parse` fills a list of fields, `fields` turns it into local
//! milliseconds, `zone` into an instant; `print` goes the other way.

mod civil;
mod fields;
mod names;
mod parse;
mod pattern;
mod print;
mod zone;

use std::fmt;

pub use parse::DateParseError;
pub use pattern::DatePatternError;

use pattern::Token;
use zone::Zone;

/// A date pattern, ready to parse and to format, in one time zone.
#[derive(Clone, Debug)]
pub struct DatePattern {
    tokens: Vec<Token>,
    zone: Zone,
}

impl DatePattern {
    /// Reads a pattern; times are in the zone of the system.
    pub fn new(pattern: &str) -> Result<DatePattern, DatePatternError> {
        DatePattern::with_zone(pattern, Zone::system())
    }

    /// Reads a pattern; times are in the zone of this IANA name, such as `Europe/Berlin`.
    pub fn in_zone(pattern: &str, zone: &str) -> Result<DatePattern, DatePatternError> {
        let found =
            Zone::named(zone).ok_or_else(|| DatePatternError::UnknownZone { name: zone.to_owned() })?;
        DatePattern::with_zone(pattern, found)
    }

    fn with_zone(pattern: &str, zone: Zone) -> Result<DatePattern, DatePatternError> {
        let (year, weekyear) = zone.current_years();
        Ok(DatePattern { tokens: pattern::tokens(pattern, year, weekyear)?, zone })
    }

    /// The instant that `text` names, in milliseconds since 1970 UTC. All of the text must fit.
    pub fn parse_ms(&self, text: &str) -> Result<i64, DateParseError> {
        parse::parse(&self.tokens, text, &self.zone)
    }

    /// Appends the text of an instant, given in milliseconds since 1970 UTC.
    pub fn format(&self, epoch_ms: i64, out: &mut String) {
        print::print(&self.tokens, epoch_ms, &self.zone, out);
    }

    /// An instant that prints itself by this pattern.
    pub fn display(&self, epoch_ms: i64) -> impl fmt::Display {
        let mut out = String::new();
        self.format(epoch_ms, &mut out);
        out
    }
}
