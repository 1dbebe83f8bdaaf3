//! Parameters of requests, as Jetty reads them: from the query, and from the body of an HTML form.

use std::borrow::Cow;

use crate::http_handler::Refusal;

/// Most parameters of one request.
const PARAMETERS_MAX: usize = 1000;

/// The parameters in a text like `a=1&b=two+words`, added to those that are there. The first of several with one name
/// counts; without a value it is empty.
///
/// # Errors
/// If the text is not encoded as it must be.
pub(super) fn read(text: &[u8], into: &mut Vec<(String, String)>) -> Result<(), Refusal> {
    for piece in text.split(|&byte| byte == b'&').filter(|piece| !piece.is_empty()) {
        let (name, value) = match memchr::memchr(b'=', piece) {
            Some(at) => (&piece[..at], &piece[at + 1..]),
            None => (piece, &[][..]),
        };
        let name = decoded(name)?;
        let value = decoded(value)?;
        if into.iter().any(|(known, _)| *known == name) {
            continue;
        }
        if into.len() == PARAMETERS_MAX {
            return Err(refused(&format!("there are more than {PARAMETERS_MAX} parameters")));
        }
        into.push((name.into_owned(), value.into_owned()));
    }
    Ok(())
}

/// The query of a path, without its question mark.
pub(super) fn query_of(path: &str) -> &[u8] {
    let path = path.split('#').next().unwrap_or_default();
    path.split_once('?').map_or(&[][..], |(_, query)| query.as_bytes())
}

/// The value of `charset` in a `Content-Type`.
pub(super) fn charset_of(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// Whether a `Content-Type` is that of an HTML form.
pub(super) fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn decoded(text: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    let is_plain = |byte: &u8| !matches!(byte, b'%' | b'+');
    if text.iter().all(is_plain) {
        return Ok(String::from_utf8_lossy(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(refused("a % is not followed by two hexadecimal digits"));
                };
                bytes.push((high * 16 + low) as u8);
            }
            other => bytes.push(other),
        }
    }
    Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

fn refused(why: &str) -> Refusal {
    Refusal {
        status: 400,
        message: format!("Bad request from client. The parameters cannot be read: {why}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        read(text.as_bytes(), &mut all).expect("parameters");
        all.sort();
        all
    }
    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    // Recorded from Flume 1.11 (Jetty 9.4).
    #[test]
    fn parameters_are_those_that_jetty_reads() {
        assert_eq!(
            parsed("x=1&x=2&y=%C3%A9&z&w=a+b"),
            pairs(&[("w", "a b"), ("x", "1"), ("y", "é"), ("z", "")])
        );
        assert_eq!(parsed("=e&f="), pairs(&[("", "e"), ("f", "")]));
        assert_eq!(parsed("a&&b=&="), pairs(&[("", ""), ("a", ""), ("b", "")]));
        assert_eq!(parsed("x=1;y=2"), pairs(&[("x", "1;y=2")]));
        assert_eq!(parsed("a=%F0%9F%98%80"), pairs(&[("a", "😀")]));
        assert_eq!(parsed("a=%C3&b=1"), pairs(&[("a", "\u{fffd}"), ("b", "1")]));
        assert_eq!(parsed("a=b=c"), pairs(&[("a", "b=c")]));
        assert_eq!(parsed("a%20b=c%26d"), pairs(&[("a b", "c&d")]));
        assert_eq!(parsed(""), []);
    }

    #[test]
    fn what_is_not_encoded_well_is_a_bad_request() {
        for text in ["a=%", "a=%4", "a=%zz", "%u00e9=1"] {
            let refused = read(text.as_bytes(), &mut Vec::new()).expect_err(text);
            assert_eq!(refused.status, 400, "{text}");
        }
        let many: String = (0..=PARAMETERS_MAX).map(|n| format!("{n}&")).collect();
        assert_eq!(read(many.as_bytes(), &mut Vec::new()).expect_err("too many").status, 400);
    }

    #[test]
    fn the_charset_is_found_in_a_content_type() {
        assert_eq!(charset_of("application/json; charset=utf-16").as_deref(), Some("utf-16"));
        assert_eq!(charset_of("a/b;x=y; Charset = \"UTF-8\" ").as_deref(), Some("UTF-8"));
        assert_eq!(charset_of("a/b"), None);
        assert_eq!(charset_of("charset=x"), None);
    }
}
