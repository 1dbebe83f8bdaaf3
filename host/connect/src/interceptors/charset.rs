//! Charsets by Java's names, for bodies that are not UTF-8.

use encoding_rs::{EncoderResult, Encoding, UTF_16BE, UTF_16LE};
use flumen_config::OptionValue;

/// A charset as `Charset.forName` finds it.
///
/// What Java cannot decode becomes U+FFFD, and what it cannot encode `?`; so here. Where the web and Java
/// differ (ISO-8859-1, US-ASCII, UTF-16) this is Java's; the rest are the web's tables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Charset {
    /// The one that needs no conversion.
    Utf8,
    /// Bytes are code points.
    Latin1,
    /// Bytes below 128 are code points.
    Ascii,
    /// With a byte order mark; without one, big endian.
    Utf16,
    /// Big endian, no mark.
    Utf16Be,
    /// Little endian, no mark.
    Utf16Le,
    /// Any other.
    Table(&'static Encoding),
}

impl Charset {
    /// The text of a body.
    pub(super) fn decode(self, body: &[u8]) -> String {
        let table =
            |encoding: &'static Encoding, body| encoding.decode_without_bom_handling(body).0.into_owned();
        match self {
            Self::Utf8 => String::from_utf8_lossy(body).into_owned(),
            Self::Latin1 => body.iter().map(|b| char::from(*b)).collect(),
            Self::Ascii => {
                body.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' }).collect()
            }
            Self::Utf16 => match body {
                [0xff, 0xfe, rest @ ..] => table(UTF_16LE, rest),
                [0xfe, 0xff, rest @ ..] => table(UTF_16BE, rest),
                _ => table(UTF_16BE, body),
            },
            Self::Utf16Be => table(UTF_16BE, body),
            Self::Utf16Le => table(UTF_16LE, body),
            Self::Table(encoding) => table(encoding, body),
        }
    }

    /// Appends a text as a body has it.
    pub(super) fn encode(self, text: &str, out: &mut Vec<u8>) {
        let below = |end: u32| text.chars().map(move |c| if u32::from(c) < end { c as u8 } else { b'?' });
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Latin1 => out.extend(below(256)),
            Self::Ascii => out.extend(below(128)),
            Self::Utf16 => {
                // As Java: big endian with a mark, and nothing at all for an empty text.
                let mark = (!text.is_empty()).then_some(0xfeff_u16);
                out.extend(mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes));
            }
            Self::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Table(encoding) => encode_by_table(encoding, text, out),
        }
    }
}

fn encode_by_table(encoding: &'static Encoding, mut text: &str, out: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len()).unwrap_or(text.len());
        out.reserve(room + 1);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(text, out, true);
        text = &text[read..];
        match result {
            EncoderResult::InputEmpty => return,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => out.push(b'?'),
        }
    }
}

impl OptionValue for Charset {
    const KIND: &'static str = "charset";
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Self::Utf8,
            "iso-8859-1" | "iso8859-1" | "iso8859_1" | "iso_8859-1" | "8859_1" | "latin1" | "l1"
            | "cp819" | "ibm819" | "ibm-819" => Self::Latin1,
            "us-ascii" | "ascii" | "iso646-us" | "646" | "cp367" | "ansi_x3.4-1968" => Self::Ascii,
            "utf-16" | "utf16" | "utf_16" | "unicode" => Self::Utf16,
            "utf-16be" | "utf_16be" | "unicodebigunmarked" => Self::Utf16Be,
            "utf-16le" | "utf_16le" | "unicodelittleunmarked" => Self::Utf16Le,
            name => Self::Table(
                Encoding::for_label_no_replacement(name.as_bytes())
                    .ok_or("no charset of this name is known; `UTF-8` and `ISO-8859-1` are common ones")?,
            ),
        })
    }
    fn show(&self) -> String {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Ascii => "US-ASCII",
            Self::Utf16 => "UTF-16",
            Self::Utf16Be => "UTF-16BE",
            Self::Utf16Le => "UTF-16LE",
            Self::Table(encoding) => encoding.name(),
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(name: &str, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Charset::parse(name).expect("known").encode(text, &mut out);
        out
    }

    // Bytes printed by OpenJDK 17 (`"…".getBytes(charset)`).
    #[test]
    fn encoding_is_javas() {
        assert_eq!(encoded("ISO-8859-1", "ä€\u{85}"), [0xe4, b'?', 0x85]);
        assert_eq!(encoded("US-ASCII", "aä"), [b'a', b'?']);
        assert_eq!(encoded("UTF-16", "a"), [0xfe, 0xff, 0, b'a']);
        assert!(encoded("UTF-16", "").is_empty());
        assert_eq!(encoded("UTF-16LE", "a"), [b'a', 0]);
        assert_eq!(encoded("windows-1252", "€日x"), [0x80, b'?', b'x']);
        assert_eq!(encoded("Shift_JIS", "日本"), [0x93, 0xfa, 0x96, 0x7b]);
    }

    #[test]
    fn decoding_gives_back_what_was_encoded() {
        for name in ["UTF-8", "ISO-8859-15", "UTF-16", "utf-16be", "UTF-16LE", "GBK", "Cp1251", "latin1"] {
            let charset = Charset::parse(name).expect("known");
            let text = if charset == Charset::Latin1 { "caf\u{e9}" } else { "cafe" };
            assert_eq!(charset.decode(&encoded(name, text)), text, "{name}");
        }
        assert_eq!(Charset::Ascii.decode(b"a\xe4"), "a\u{fffd}");
        assert_eq!(Charset::Utf16.decode(&[0xff, 0xfe, b'a', 0]), "a");
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(Charset::parse("utf-9").is_err());
    }
}
