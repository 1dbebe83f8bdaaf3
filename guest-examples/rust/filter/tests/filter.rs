//! What `filter` does, natively.

use filter::Filter;
use flumen_plugin_sdk::testing::{Event, Tested};

fn kept(options: &[(&str, &str)]) -> Vec<usize> {
    let input = [Event::new("a DEBUG b"), Event::new("info").with("level", "debug"), Event::new("info")];
    let out = Tested::<Filter>::configured(options).expect("valid").intercept(&input).expect("accepted");
    (0..3).filter(|row| out.events.contains(&input[*row])).collect()
}

#[test]
fn events_go_by_their_text_by_a_header_or_by_both() {
    assert_eq!(kept(&[("contains", "DEBUG")]), [1, 2]);
    assert_eq!(kept(&[("header", "level"), ("equals", "debug")]), [0, 2]);
    assert_eq!(kept(&[("contains", "DEBUG"), ("header", "level"), ("equals", "debug")]), [2]);
    assert_eq!(kept(&[("contains", "DEBUG"), ("invert", "true")]), [0]);
}

#[test]
fn a_filter_of_nothing_or_of_half_a_header_is_refused() {
    for (options, key) in
        [(&[][..], None), (&[("header", "x")], Some("header")), (&[("equals", "x")], Some("equals"))]
    {
        assert_eq!(Tested::<Filter>::configured(options).expect_err("refused").key.as_deref(), key);
    }
}
