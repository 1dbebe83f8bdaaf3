//! Charsets under the names Java knows.

use encoding_rs::{DecoderResult, Encoding};

/// A charset that text can be read from and written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8: bytes pass unchanged, also those that are no UTF-8.
    Utf8,
    /// ISO-8859-1, byte for byte the first 256 characters (not windows-1252, which the web means by it).
    Latin1,
    /// All others.
    Other(&'static Encoding),
}

/// Java's historical names that the web's registry of labels does not have.
const LATIN1: [&str; 7] = ["iso-8859-1", "iso8859_1", "iso8859-1", "iso_8859-1", "8859_1", "latin1", "cp819"];
const ASCII: [&str; 4] = ["us-ascii", "ascii", "iso646-us", "646"];

impl Charset {
    /// The charset of a name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Charset> {
        let lower = name.trim().to_ascii_lowercase();
        if LATIN1.contains(&lower.as_str()) {
            return Some(Charset::Latin1);
        }
        // ASCII bytes are UTF-8, and others are kept instead of being replaced.
        if lower == "utf8" || ASCII.contains(&lower.as_str()) {
            return Some(Charset::Utf8);
        }
        if lower == "utf-16" || lower == "utf16" {
            // Java reads UTF-16 without a mark as big-endian.
            return Some(Charset::Other(encoding_rs::UTF_16BE));
        }
        match Encoding::for_label_no_replacement(lower.as_bytes())? {
            e if e == encoding_rs::UTF_8 => Some(Charset::Utf8),
            other => Some(Charset::Other(other)),
        }
    }
    /// A decoder for a stream of this charset.
    #[must_use]
    pub fn decoder(self) -> StreamDecoder {
        match self {
            Charset::Utf8 => StreamDecoder::Unchanged,
            Charset::Latin1 => StreamDecoder::Latin1,
            Charset::Other(encoding) => StreamDecoder::Other(Box::new(encoding.new_decoder())),
        }
    }
    /// What a check says of a name that is none.
    #[must_use]
    pub fn unknown(name: &str) -> String {
        format!(
            "`{name}` is no known charset; use a name as Java has it: UTF-8, ISO-8859-1, windows-1252, GBK, …"
        )
    }
}

/// Turns a stream of bytes into UTF-8, piece by piece.
pub enum StreamDecoder {
    /// The stream is UTF-8 already.
    Unchanged,
    /// One byte is one character.
    Latin1,
    /// Characters may be split over pieces.
    Other(Box<encoding_rs::Decoder>),
}

impl StreamDecoder {
    /// Appends a piece as UTF-8 to `out` and says how many malformed sequences were replaced by U+FFFD
    /// (never in UTF-8 streams, whose bytes are kept).
    pub fn decode(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        match self {
            StreamDecoder::Unchanged => {
                out.extend_from_slice(piece);
                0
            }
            StreamDecoder::Latin1 => {
                out.extend_from_slice(encoding_rs::mem::decode_latin1(piece).as_bytes());
                0
            }
            StreamDecoder::Other(decoder) => decode_other(decoder, piece, last, out),
        }
    }
}

fn decode_other(
    decoder: &mut encoding_rs::Decoder,
    mut piece: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) -> usize {
    let mut malformed = 0;
    loop {
        let needed =
            decoder.max_utf8_buffer_length_without_replacement(piece.len()).unwrap_or(piece.len() * 3);
        let start = out.len();
        out.resize(start + needed + 4, 0);
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(piece, &mut out[start..], last);
        out.truncate(start + written);
        piece = &piece[read..];
        match result {
            DecoderResult::InputEmpty => return malformed,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                malformed += 1;
                out.extend_from_slice("\u{FFFD}".as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(name: &str, pieces: &[&[u8]]) -> (String, usize) {
        let mut decoder = Charset::named(name).expect("known").decoder();
        let (mut out, mut malformed) = (Vec::new(), 0);
        for (at, piece) in pieces.iter().enumerate() {
            malformed += decoder.decode(piece, at + 1 == pieces.len(), &mut out);
        }
        (String::from_utf8_lossy(&out).into_owned(), malformed)
    }

    #[test]
    fn latin1_is_javas_and_not_the_webs() {
        assert_eq!(decode("ISO-8859-1", &[b"\xe4\x80"]), ("ä\u{80}".into(), 0));
        assert_eq!(decode("windows-1252", &[b"\xe4\x80"]), ("ä€".into(), 0));
    }

    #[test]
    fn characters_split_over_pieces_are_whole() {
        assert_eq!(decode("GBK", &[b"\xc4", b"\xe3\xba", b"\xc3"]), ("你好".into(), 0));
        assert_eq!(decode("UTF-16", &[b"\0", b"a\0\n"]), ("a\n".into(), 0));
        assert_eq!(decode("UTF-16LE", &[b"a", b"\0\n\0"]), ("a\n".into(), 0));
    }

    #[test]
    fn malformed_input_is_replaced_and_counted() {
        assert_eq!(decode("Shift_JIS", &[b"a\xff b"]), ("a\u{FFFD} b".into(), 1));
        assert_eq!(decode("GBK", &[b"a\xc4"]), ("a\u{FFFD}".into(), 1));
    }

    #[test]
    fn names_are_javas_in_any_case() {
        assert_eq!(Charset::named("utf8"), Some(Charset::Utf8));
        assert_eq!(Charset::named("ISO8859_1"), Some(Charset::Latin1));
        assert_eq!(Charset::named("no-such"), None);
    }
}
