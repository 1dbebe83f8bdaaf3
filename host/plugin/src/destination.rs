//! How a destination of HTTP requests is written, in `grants.http` and in a tenant's `egress_hosts` alike.
//!
//! ```text
//! api.example.org:443     this name                 *.example.org:443   every name below it, not itself
//! 10.1.2.3:8080           this address              [fd00::1]:8080      this address
//! ```

use std::fmt;
use std::net::IpAddr;

use crate::spec::{HttpGrant, HttpHost};

impl HttpGrant {
    /// Reads one destination.
    ///
    /// # Errors
    /// Says what would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shape = || {
            format!(
                "`{text}` is no `host:port`: write `api.example.org:443`, `*.example.org:443` or `10.1.2.3:8080`"
            )
        };
        if text.contains("://") || text.contains('/') {
            return Err(format!(
                "`{text}` is a URL; a destination is its host and port only, as in `api.example.org:443`"
            ));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(shape)?;
        let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(shape)?;
        Ok(Self { host: HttpHost::parse(host).ok_or_else(shape)?, port })
    }

    /// Whether everything that `other` allows is allowed by this as well.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let hosts = match (&self.host, &other.host) {
            (HttpHost::Below(own), HttpHost::Name(name)) => is_below(name, own),
            (HttpHost::Below(own), HttpHost::Below(other)) => own == other || is_below(other, own),
            (own, other) => own == other,
        };
        hosts && self.port == other.port
    }
}

impl HttpHost {
    fn parse(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            return inside.strip_suffix(']')?.parse().ok().map(Self::Address);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            // A bare IPv6 address in front of a port could be cut in two ways.
            return address.is_ipv4().then_some(Self::Address(address));
        }
        let name = text.to_ascii_lowercase();
        match name.strip_prefix("*.") {
            Some(below) => is_name(below).then(|| Self::Below(below.to_owned())),
            None => is_name(&name).then_some(Self::Name(name)),
        }
    }
}

/// Letters, digits and dashes between dots; the last part is no number, or it would be read as an address.
fn is_name(name: &str) -> bool {
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
    };
    let last_is_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && !last_is_number && name.split('.').all(good)
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HttpHost::Name(name) => write!(out, "{name}:{}", self.port),
            HttpHost::Below(name) => write!(out, "*.{name}:{}", self.port),
            HttpHost::Address(IpAddr::V6(address)) => write!(out, "[{address}]:{}", self.port),
            HttpHost::Address(address) => write!(out, "{address}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> HttpGrant {
        HttpGrant::parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn names_wildcards_and_addresses_are_told_apart_and_shown_as_written() {
        for text in ["api.example.org:443", "*.example.org:8443", "127.0.0.1:80", "[::1]:80", "localhost:1"] {
            assert_eq!(grant(text).to_string(), text);
        }
        assert_eq!(grant("API.Example.org:443"), grant("api.example.org:443"));
    }

    #[test]
    fn what_is_no_destination_says_what_would_be() {
        for text in [
            "example.org",
            "example.org:0",
            "example.org:http",
            "::1:80",
            "*:443",
            "a..b:1",
            "1.2.3:4",
            "a b:1",
            "*.*.b:1",
            ":80",
        ] {
            let error = HttpGrant::parse(text).expect_err(text);
            assert!(error.contains("api.example.org:443"), "{error}");
        }
        assert!(HttpGrant::parse("https://example.org").expect_err("a URL").contains("is a URL"));
    }

    #[test]
    fn a_wildcard_covers_names_below_it_and_not_itself_nor_lookalikes() {
        let below = grant("*.example.org:443");
        assert!(below.covers(&grant("a.example.org:443")) && below.covers(&grant("a.b.example.org:443")));
        assert!(below.covers(&grant("*.b.example.org:443")) && below.covers(&below));
        for other in
            ["example.org:443", "badexample.org:443", "a.example.org:80", "*.org:443", "10.0.0.1:443"]
        {
            assert!(!below.covers(&grant(other)), "{other}");
        }
        assert!(!grant("a.example.org:443").covers(&below));
    }
}
