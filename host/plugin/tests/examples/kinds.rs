//! One example of each kind as a component.

use flumen_connect::deserializer::DeserializerFactory as _;
use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::deserialize::DeserializerPlugin;
use flumen_plugin::handle::HandlerPlugin;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::{Grants, Kind, PluginSpec};

use crate::plugins::{Event, batch, event, events, host, spec};

async fn intercepted(spec: PluginSpec, input: &[Event]) -> (Vec<Event>, usize) {
    let (plugin, mut drops) = (InterceptorPlugin::new(host(), spec), Drops::default());
    let out = plugin.intercept(batch(input), &mut drops).await.expect("accepted");
    (events(&out), drops.total())
}

#[tokio::test]
async fn interceptors_pass_filter_mark_mask_and_flatten() {
    let input = [event("DEBUG 1", &[("h", "x")]), event("card 4111", &[])];
    let of = |guest, options: &[(&str, &str)]| spec(Kind::Interceptor, guest, options);

    assert_eq!(intercepted(of("pass", &[]), &input).await, (input.to_vec(), 0));
    let filter = of("filter", &[("contains", "DEBUG")]);
    assert_eq!(intercepted(filter, &input).await, (vec![input[1].clone()], 1));
    let mark = of("static_header", &[("key", "h"), ("value", "y")]);
    let wanted = vec![input[0].clone(), event("card 4111", &[("h", "y")])];
    assert_eq!(intercepted(mark, &input).await, (wanted, 0));
    let mask = of("mask", &[("pattern", "[0-9]+"), ("replacement", "<$0>"), ("header", "places")]);
    let wanted =
        vec![event("DEBUG <1>", &[("h", "x"), ("places", "1")]), event("card <4111>", &[("places", "1")])];
    assert_eq!(intercepted(mask, &input).await, (wanted, 0));
    let regex = of("regex_filter", &[("regex", "(?i)debug \\d"), ("excludeEvents", "true")]);
    assert_eq!(intercepted(regex, &input).await, (vec![input[1].clone()], 1));
    let replace = of("search_replace", &[("searchPattern", "(\\w+) (\\d+)"), ("replaceString", "$2 $1")]);
    let wanted = vec![event("1 DEBUG", &[("h", "x")]), event("4111 card", &[])];
    assert_eq!(intercepted(replace, &input).await, (wanted, 0));
    let json = [event(r#"{"a":{"b":[1,"x"]}}"#, &[])];
    let wanted = vec![event(r#"{"a":{"b":[1,"x"]}}"#, &[("a.b.0", "1"), ("a.b.1", "x")])];
    assert_eq!(intercepted(of("json_flat", &[]), &json).await, (wanted, 0));
}

#[tokio::test]
async fn the_time_of_day_needs_its_grant() {
    let plugin = InterceptorPlugin::new(host(), spec(Kind::Interceptor, "timestamp", &[]));
    let error = plugin.load().await.expect_err("no clock").to_string();
    assert!(error.contains("grants.clock = wall"), "{error}");
    let granted = PluginSpec {
        grants: Grants { wall_clock: true, ..Grants::default() },
        ..spec(Kind::Interceptor, "timestamp", &[])
    };
    let (out, _) = intercepted(granted, &[event("x", &[])]).await;
    assert!(out[0].1[0].0 == "timestamp" && out[0].1[0].1.len() == 13, "{out:?}");
}

#[tokio::test]
async fn lines_come_out_of_a_stream_at_most_as_many_as_asked_for() {
    let plugin = DeserializerPlugin::new(host(), spec(Kind::Deserializer, "line_deserializer", &[]));
    let mut stream = plugin.open("file", 0).await.expect("opened");
    let first = stream.decode(b"one\ntwo\nthr", 1).await.expect("decoded");
    let second = stream.decode(b"", 1).await.expect("decoded");
    let third = stream.decode(b"ee", 1).await.expect("decoded");
    let last = stream.finish(10).await.expect("decoded");
    let got = [&first, &second, &third, &last].map(|decoded| (decoded.batch.len(), decoded.position));
    assert_eq!(got, [(1, 4), (1, 8), (0, 8), (1, 13)]);
    assert_eq!(events(&last.batch), [event("three", &[])]);
}

#[tokio::test]
async fn a_form_becomes_an_event_and_a_refusal_keeps_its_status() {
    use flumen_connect::HttpHandler as _;
    let plugin = HandlerPlugin::new(host(), spec(Kind::HttpHandler, "form_handler", &[]));
    let request = |mime: &str| flumen_connect::HttpRequest {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: vec![("content-type".to_owned(), mime.to_owned())],
        body: b"host=web+1&body=hello".as_slice().into(),
    };
    let out = plugin.handle(request("application/x-www-form-urlencoded")).await.expect("taken");
    assert_eq!(events(&out), [event("hello", &[("host", "web 1")])]);
    assert_eq!(plugin.handle(request("text/plain")).await.expect_err("refused").status, 415);
}
