//! What `timestamp` does, natively.

use flumen_plugin_sdk::testing::{Event, Tested, with_host};
use timestamp::Timestamp;

#[test]
fn existing_headers_are_kept_only_if_asked_for() {
    with_host(|host| host.wall_millis = Some(1_700_000_000_000));
    let input = [Event::new("a").with("ts", "1"), Event::new("b")];
    for (preserve, first) in [("TRUE", "1"), ("yes", "1700000000000")] {
        let options = [("headerName", "ts"), ("preserveExisting", preserve)];
        let out =
            Tested::<Timestamp>::configured(&options).expect("valid").intercept(&input).expect("accepted");
        let wanted = [Event::new("a").with("ts", first), Event::new("b").with("ts", "1700000000000")];
        assert_eq!(out.events, wanted);
    }
}

#[test]
fn without_the_grant_it_says_what_to_set() {
    let error = Tested::<Timestamp>::configured(&[]).expect_err("no clock");
    assert!(error.message.contains("grants.clock = wall"), "{error}");
}
