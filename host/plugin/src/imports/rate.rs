//! A bucket of bytes that fills at a steady rate.
//!
//! Time is handed in, so that tests need no clock. Never holds more than `burst`; may go into debt when the taker
//! waits the debt out (`owe`), so that one large piece needs no splitting.

use std::time::{Duration, Instant};

/// Bytes that may be spent, by rate and burst.
#[derive(Debug)]
pub struct Bucket {
    per_second: u64,
    burst: u64,
    /// Below zero: debt.
    available: i128,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(per_second: u64, burst: u64, now: Instant) -> Self {
        Self { per_second, burst, available: i128::from(burst), filled_at: now }
    }

    /// Another rate from now on; what is in the bucket stays, up to the new burst.
    pub fn set_rate(&mut self, per_second: u64, burst: u64, now: Instant) {
        self.fill(now);
        (self.per_second, self.burst) = (per_second, burst);
        self.available = self.available.min(i128::from(burst));
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at);
        let gained = passed.as_nanos() * u128::from(self.per_second) / 1_000_000_000;
        // Without a whole byte the start of counting stays, else a busy caller would never gain anything.
        if gained > 0 {
            self.available = (self.available + gained as i128).min(i128::from(self.burst));
            self.filled_at = now;
        }
    }

    /// Takes the bytes if they are there.
    pub fn take(&mut self, bytes: u64, now: Instant) -> bool {
        self.fill(now);
        let enough = self.available >= i128::from(bytes);
        if enough {
            self.available -= i128::from(bytes);
        }
        enough
    }

    /// Takes the bytes, and says how long the taker has to wait until they are earned.
    pub fn owe(&mut self, bytes: u64, now: Instant) -> Duration {
        self.fill(now);
        self.available -= i128::from(bytes);
        if self.available >= 0 {
            return Duration::ZERO;
        }
        let nanos = self.available.unsigned_abs() * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_the_rate_and_never_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, 150, start);
        assert!(bucket.take(150, start) && !bucket.take(1, start));
        assert!(bucket.take(100, start + Duration::from_secs(1)));
        assert!(!bucket.take(1, start + Duration::from_secs(1)));
        assert!(!bucket.take(151, start + Duration::from_secs(60)));
        assert!(bucket.take(150, start + Duration::from_secs(60)));
    }

    #[test]
    fn asking_often_does_not_lose_the_fractions() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 10, start);
        assert!(bucket.take(10, start));
        let taken = (1..=1000).filter(|ms| bucket.take(1, start + Duration::from_millis(*ms))).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn a_debt_is_waited_out() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1000, 1000, start);
        assert_eq!(bucket.owe(1000, start), Duration::ZERO);
        assert_eq!(bucket.owe(500, start), Duration::from_millis(500));
        assert_eq!(bucket.owe(500, start), Duration::from_secs(1));
    }
}
