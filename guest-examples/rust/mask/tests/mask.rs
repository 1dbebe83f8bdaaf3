//! What `mask` does, natively.

use flumen_plugin_sdk::testing::{Event, Tested};
use mask::Mask;

#[test]
fn what_the_pattern_finds_is_replaced_also_between_bytes_that_are_no_text() {
    let options = [("pattern", r"(\w+)=([0-9]+)"), ("replacement", "$1=#"), ("header", "masked")];
    let plugin = Tested::<Mask>::configured(&options).expect("valid");
    let input = [Event::new("a=1 b=22"), Event::new("nothing"), Event::new(b"\xff id=7 \xfe".as_slice())];
    let out = plugin.intercept(&input).expect("accepted");
    let wanted = [
        Event::new("a=# b=#").with("masked", "2"),
        Event::new("nothing"),
        Event::new(b"\xff id=# \xfe".as_slice()).with("masked", "1"),
    ];
    assert_eq!(out.events, wanted);
}

#[test]
fn a_bad_pattern_is_an_error_of_that_option() {
    let error = Tested::<Mask>::configured(&[("pattern", "[a")]).expect_err("refused");
    assert_eq!(error.key.as_deref(), Some("pattern"));
    let error = Tested::<Mask>::configured(&[]).expect_err("refused");
    assert_eq!(error.key.as_deref(), Some("pattern"));
}
