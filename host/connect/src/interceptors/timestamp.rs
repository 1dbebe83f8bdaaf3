//! `timestamp`: when the event came in.

use std::time::{SystemTime, UNIX_EPOCH};

use flumen_config::{Diagnostics, Options, Settings, options};
use flumen_event::Batch;

use super::constant::{ConstantHeader, Existing};
use crate::catalog::InterceptorType;
use crate::interceptor::{Drops, InterceptError, Interceptor};

options! {
    /// Puts the time at which the events came in into a header, in milliseconds since 1970. All events of a
    /// batch get the same time. A batch that is tried again, because a channel was full, gets a new one.
    pub struct TimestampOptions {
        /// The header.
        "headerName" => header_name: String = "timestamp".to_owned(),
        /// Whether events that have the header keep theirs.
        "preserveExisting" => preserve_existing: bool = false,
    }
}

pub(super) const TIMESTAMP: InterceptorType = InterceptorType {
    spec: super::spec::<TimestampOptions>(
        "timestamp",
        &["org.apache.flume.interceptor.TimestampInterceptor$Builder"],
        |settings, diagnostics| make(settings, diagnostics).is_some(),
    ),
    build: |settings| super::build(settings, make),
};

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Timestamp> {
    let options = TimestampOptions::read(settings, diagnostics)?;
    let existing = Existing::preserved(options.preserve_existing);
    Some(Timestamp(ConstantHeader::new(&options.header_name, existing)))
}

struct Timestamp(ConstantHeader);

impl Interceptor for Timestamp {
    fn intercept(&self, batch: Batch, _: &mut Drops) -> Result<Batch, InterceptError> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Ok(self.0.put(batch, now_ms.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{batch, run, values};
    use super::*;

    #[test]
    fn all_events_of_a_batch_get_one_time_in_milliseconds() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let (out, _) = run("timestamp", &[], batch(&[("a", &[]), ("b", &[("timestamp", "1")])]));
        let times: Vec<u128> =
            values(&out, "timestamp").iter().map(|v| v.expect("set").parse().expect("number")).collect();
        assert!(times[0] == times[1] && times[0] >= before && times[0] < before + 60_000, "{times:?}");
    }

    // Golden cases int_timestamp_headername and int_timestamp_preserve.
    #[test]
    fn existing_headers_are_kept_only_if_asked_for() {
        let input = batch(&[("a", &[("ts", "1234")]), ("b", &[])]);
        let pairs = [("headerName", "ts"), ("preserveExisting", "true")];
        let (out, _) = run("timestamp", &pairs, input);
        let got = values(&out, "ts");
        assert_eq!(got[0], Some("1234"));
        assert!(got[1].is_some_and(|v| v != "1234") && values(&out, "timestamp") == [None, None]);
    }
}
