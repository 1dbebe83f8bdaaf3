//! What `csv_serializer` writes, natively.

use csv_serializer::Csv;
use flumen_plugin_sdk::serializer::Serializer;
use flumen_plugin_sdk::testing::{Event, batch, options};

#[test]
fn values_are_quoted_where_they_must_be() {
    let mut csv = Csv::configure(&options(&[("columns", "host, @body")])).expect("valid");
    let input = [
        Event::new("plain").with("host", "web1"),
        Event::new("a \"quoted\", text\nof two lines"),
        Event::new("\"").with("host", ""),
    ];
    let mut out = Vec::new();
    csv.begin(&mut (), &mut out).expect("begun");
    csv.write(&mut (), &batch(&input, &csv.needs()), &mut out).expect("written");
    let wanted = "host,body\r\nweb1,plain\r\n,\"a \"\"quoted\"\", text\nof two lines\"\r\n,\"\"\"\"\r\n";
    assert_eq!(String::from_utf8(out).expect("text"), wanted);
}

#[test]
fn mistakes_carry_their_key() {
    for (pairs, key) in [(&[][..], "columns"), (&[("columns", "a"), ("separator", "\"")], "separator")] {
        assert_eq!(Csv::configure(&options(pairs)).expect_err("refused").key.as_deref(), Some(key));
    }
}
