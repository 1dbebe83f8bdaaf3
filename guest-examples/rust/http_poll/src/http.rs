//! One GET over wasi:http, of a part of a resource.

use std::time::Duration;

use flumen_plugin_sdk::source::{Error, Result};
use wasip2::http::outgoing_handler::{RequestOptions, handle};
use wasip2::http::types::{Fields, IncomingResponse, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

/// An `http` or `https` address.
#[derive(Debug)]
pub struct Url {
    scheme: Scheme,
    authority: String,
    path: String,
}

impl Url {
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err("is not an http:// or https:// address"),
        };
        let path = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path);
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, authority: authority.to_owned(), path: path.to_owned() })
    }
}

/// What came: the status, and at most `max` bytes of the body.
pub fn get(url: &Url, range: &str, max: usize, wait: Duration) -> Result<(u16, Vec<u8>)> {
    let broken = |()| Error::fatal("the host refuses a request that is right");
    let headers = [("range".to_owned(), range.as_bytes().to_vec())];
    let headers = Fields::from_list(&headers).map_err(|why| Error::fatal(format_args!("{why:?}")))?;
    let request = OutgoingRequest::new(headers);
    request.set_scheme(Some(&url.scheme)).map_err(broken)?;
    request.set_authority(Some(&url.authority)).map_err(broken)?;
    request.set_path_with_query(Some(&url.path)).map_err(broken)?;
    let options = RequestOptions::new();
    let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
    options.set_first_byte_timeout(Some(nanos)).map_err(broken)?;
    let failed = |why| Error::retry(format_args!("{}: {why}", url.authority));
    let answer = handle(request, Some(options)).map_err(failed)?;
    answer.subscribe().block();
    let response = match answer.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(why))) => return Err(failed(why)),
        _ => return Err(Error::fatal("an answer that is ready is not there")),
    };
    Ok((response.status(), body(&response, max)?))
}

fn body(response: &IncomingResponse, max: usize) -> Result<Vec<u8>> {
    let body = response.consume().map_err(|()| Error::fatal("a body that was never read is gone"))?;
    let stream = body.stream().map_err(|()| Error::fatal("a body that was never read is gone"))?;
    let mut bytes = Vec::new();
    while bytes.len() < max {
        match stream.blocking_read((max - bytes.len()) as u64) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(why)) => return Err(Error::retry(why.to_debug_string())),
        }
    }
    Ok(bytes)
}
