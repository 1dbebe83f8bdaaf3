//! What `json_flat` does, natively.

use flumen_plugin_sdk::testing::{Event, Tested};
use json_flat::JsonFlat;

#[test]
fn nested_values_become_headers() {
    let body = r#"{"a":"x","b":{"c":1.5,"d":[true,null,"ä"]},"e":{},"f":-7}"#;
    let plugin = Tested::<JsonFlat>::configured(&[]).expect("valid");
    let out = plugin.intercept(&[Event::new(body)]).expect("accepted");
    let wanted = Event::new(body).with("a", "x").with("b.c", "1.5").with("b.d.0", "true").with("b.d.2", "ä");
    assert_eq!(out.events, [wanted.with("f", "-7")]);
}

#[test]
fn bad_json_is_rejected_and_the_rest_goes_on() {
    let plugin = Tested::<JsonFlat>::configured(&[("prefix", "j."), ("removeBody", "true")]).expect("valid");
    let deep = "[".repeat(100_000);
    let input = ["{", r#"{"a":1}"#, "[1]", "", deep.as_str()].map(Event::new);
    let out = plugin.intercept(&input).expect("accepted");
    assert_eq!(out.events, [Event::new("").with("j.a", "1")]);
    assert_eq!(out.rejected.keys().copied().collect::<Vec<_>>(), [0, 2, 3, 4]);
    assert!(out.rejected[&2].contains("not an object"), "{:?}", out.rejected);
}
