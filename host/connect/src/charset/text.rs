//! Whole texts, from bytes and to bytes.

use encoding_rs::{EncoderResult, Encoding};

use super::{Charset, Order, Units};

impl Charset {
    /// The text of a body.
    #[must_use]
    pub fn decode(self, body: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(body).into_owned(),
            Self::Ascii => {
                body.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' }).collect()
            }
            Self::Web(encoding) => encoding.decode_without_bom_handling(body).0.into_owned(),
            Self::Latin1 | Self::Page(_) | Self::Wide(_) => {
                let mut text = Vec::with_capacity(body.len());
                self.decoder().decode(body, true, &mut text);
                String::from_utf8(text).expect("the decoders of these charsets write UTF-8")
            }
        }
    }

    /// Appends a text as a body has it.
    pub fn encode(self, text: &str, out: &mut Vec<u8>) {
        let below = |end: u32| text.chars().map(move |c| if u32::from(c) < end { c as u8 } else { b'?' });
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Latin1 => out.extend(below(256)),
            Self::Ascii => out.extend(below(128)),
            Self::Page(page) => out.extend(text.chars().map(|c| page.byte_of(c).unwrap_or(b'?'))),
            Self::Wide(units) => encode_wide(units, text, out),
            Self::Web(encoding) => encode_by_table(encoding, text, out),
        }
    }
}

fn encode_wide(units: Units, text: &str, out: &mut Vec<u8>) {
    if units.width == 4 {
        let numbers = text.chars().map(u32::from);
        match units.order {
            Order::Big => out.extend(numbers.flat_map(u32::to_be_bytes)),
            Order::Little => out.extend(numbers.flat_map(u32::to_le_bytes)),
        }
        return;
    }
    // As Java: big endian with a mark, and nothing at all for an empty text.
    let mark = (units.marked && !text.is_empty()).then_some(0xfeff_u16);
    let numbers = mark.into_iter().chain(text.encode_utf16());
    match units.order {
        Order::Big => out.extend(numbers.flat_map(u16::to_be_bytes)),
        Order::Little => out.extend(numbers.flat_map(u16::to_le_bytes)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(name: &str, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Charset::named(name).expect("known").encode(text, &mut out);
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
        assert_eq!(encoded("UTF-32", "a\u{1f600}"), [0, 0, 0, b'a', 0, 1, 0xf6, 0]);
        assert_eq!(encoded("windows-1252", "€日x"), [0x80, b'?', b'x']);
        assert_eq!(encoded("Shift_JIS", "日本"), [0x93, 0xfa, 0x96, 0x7b]);
        assert_eq!(encoded("Cp850", "aÇ€"), [b'a', 0x80, b'?']);
        assert_eq!(encoded("Cp858", "€"), [0xd5]);
        assert_eq!(encoded("Cp874", "\u{e48}"), [0xe8], "of two bytes for one character the last");
    }

    #[test]
    fn decoding_gives_back_what_was_encoded() {
        for name in [
            "UTF-8",
            "ISO-8859-15",
            "UTF-16",
            "utf-16be",
            "UTF-16LE",
            "UTF-32",
            "UTF-32LE",
            "Cp850",
            "latin1",
            "windows-1252",
        ] {
            let charset = Charset::named(name).expect("known");
            assert_eq!(charset.decode(&encoded(name, "caf\u{e9}")), "caf\u{e9}", "{name}");
        }
        for name in ["GBK", "Cp1251", "US-ASCII"] {
            assert_eq!(Charset::named(name).expect("known").decode(&encoded(name, "cafe")), "cafe", "{name}");
        }
        assert_eq!(Charset::Ascii.decode(b"a\xe4"), "a\u{fffd}");
        assert_eq!(Charset::named("UTF-16").expect("known").decode(&[0xff, 0xfe, b'a', 0]), "a");
    }
}
