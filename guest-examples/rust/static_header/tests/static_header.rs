//! What `static_header` does, natively.

use flumen_plugin_sdk::testing::{Event, Tested};
use static_header::StaticHeader;

fn values(options: &[(&str, &str)], key: &str) -> Vec<String> {
    let input = [Event::new("a").with(key, "mine"), Event::new("b")];
    let out =
        Tested::<StaticHeader>::configured(options).expect("valid").intercept(&input).expect("accepted");
    out.events.iter().map(|event| event.headers[key].clone()).collect()
}

#[test]
fn defaults_are_flumes() {
    assert_eq!(values(&[], "key"), ["mine", "value"]);
}

#[test]
fn existing_headers_are_replaced_if_asked_for() {
    let options = [("key", "datacenter"), ("value", "New York"), ("preserveExisting", "false")];
    assert_eq!(values(&options, "datacenter"), ["New York", "New York"]);
}
