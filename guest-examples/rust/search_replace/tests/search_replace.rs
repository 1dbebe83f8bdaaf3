//! What `search_replace` does, natively.

use flumen_plugin_sdk::testing::{Event, Tested};
use search_replace::SearchReplace;

#[test]
fn every_match_is_replaced_and_bodies_without_one_keep_their_bytes() {
    let options = [("searchPattern", "user=(\\w+)"), ("replaceString", "user=*$1*")];
    let plugin = Tested::<SearchReplace>::configured(&options).expect("valid");
    let input = [Event::new("user=bob user=al"), Event::new(b"\xff".as_slice())];
    let out = plugin.intercept(&input).expect("accepted");
    assert_eq!(out.events, [Event::new("user=*bob* user=*al*"), Event::new(b"\xff".as_slice())]);
}

#[test]
fn mistakes_carry_their_key() {
    for (pattern, replacement, key) in [("[a", "", "searchPattern"), ("a", "$1", "replaceString")] {
        let options = [("searchPattern", pattern), ("replaceString", replacement)];
        let error = Tested::<SearchReplace>::configured(&options).expect_err("refused");
        assert_eq!(error.key.as_deref(), Some(key));
    }
}
