//! What `form_handler` makes of requests, natively.

use flumen_plugin_sdk::http_handler::{HttpHandler, Request};
use flumen_plugin_sdk::testing::{Event, events, made, options};
use form_handler::FormHandler;

fn handle(pairs: &[(&str, &str)], mime: &str, body: &[u8]) -> Result<Vec<Event>, u16> {
    let headers = vec![("content-type".to_owned(), mime.to_owned())];
    let request = Request { method: "POST".to_owned(), path: "/".to_owned(), headers, body: body.to_vec() };
    let mut handler = FormHandler::configure(&options(pairs)).expect("valid");
    let mut events = events();
    handler.handle(&request, &mut events).map_err(|refusal| refusal.status)?;
    Ok(made(events))
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[test]
fn fields_become_headers_and_one_the_body() {
    let got = handle(&[], FORM, b"host=web+1&body=100%25+%ff&empty=&na%C3%AFve=x");
    let wanted =
        Event::new(b"100% \xff".as_slice()).with("host", "web 1").with("empty", "").with("naïve", "x");
    assert_eq!(got, Ok(vec![wanted]));
}

#[test]
fn what_is_no_such_form_is_refused_with_its_status() {
    assert_eq!(handle(&[], "text/plain", b"a=b"), Err(415));
    for bad in ["a=%f", "a=%zz", "a=%ff", "other=1"] {
        assert_eq!(handle(&[("fields", "a")], FORM, bad.as_bytes()), Err(400), "{bad}");
    }
}
