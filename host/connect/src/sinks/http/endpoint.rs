//! Where events are posted to.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;

/// A URL, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub is_https: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// The header `Host`.
    pub host_header: HeaderValue,
    /// Name and password that stood in the URL.
    pub authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.trim().parse().map_err(|error| format!("not a URL: {error}"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(format!("`{other}` is neither `http` nor `https`")),
            None => return Err("not a URL: it begins with `http://` or `https://`".to_owned()),
        };
        let authority = uri.authority().ok_or("not a URL: there is no host")?.as_str();
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("not a URL: there is no host".to_owned());
        }
        let behind_host = &address[address.find(']').map_or(0, |end| end + 1)..];
        let port = match behind_host.split_once(':') {
            None => default_port(is_https),
            Some((_, port)) => match port.parse() {
                Ok(0) | Err(_) => return Err(format!("`{port}` is no port to connect to")),
                Ok(port) => port,
            },
        };
        let authorization = user.map(|user| {
            let mut header = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(user)))
                .map_err(|error| error.to_string())?;
            header.set_sensitive(true);
            Ok::<_, String>(header)
        });
        Ok(Self {
            is_https,
            host: host.to_owned(),
            port,
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            host_header: HeaderValue::from_str(address).map_err(|error| error.to_string())?,
            authorization: authorization.transpose()?,
        })
    }
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// Without what is secret in it.
impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        let path = self.path.split('?').next().unwrap_or_default();
        write!(out, "{scheme}://{}{path}", self.host_header.to_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parsed = |text: &str| {
            let endpoint = Endpoint::parse(text).expect(text);
            (
                endpoint.is_https,
                endpoint.host.clone(),
                endpoint.port,
                endpoint.path.clone(),
                endpoint.to_string(),
            )
        };
        assert_eq!(
            parsed("http://localhost:8080/in?key=secret"),
            (false, "localhost".into(), 8080, "/in?key=secret".into(), "http://localhost:8080/in".into())
        );
        assert_eq!(
            parsed("https://h.example"),
            (true, "h.example".into(), 443, "/".into(), "https://h.example/".into())
        );
        assert_eq!(parsed("http://[::1]:81/x").1, "::1");
        let with_user = Endpoint::parse("http://me:pw@h/x").expect("a URL");
        assert_eq!(with_user.authorization.expect("given"), "Basic bWU6cHc=");
        assert_eq!(with_user.host_header, "h");
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_reason() {
        for (text, words) in [
            ("", "not a URL"),
            ("localhost:8080", "not a URL"),
            ("ftp://h/x", "neither `http` nor `https`"),
            ("http://", "not a URL"),
            ("http://h:0/", "no port"),
            ("http://h:99999/", "no port"),
            ("http://a b/", "not a URL"),
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
