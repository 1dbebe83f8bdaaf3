//! A stream of bytes becomes UTF-8, piece by piece.

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};

use super::pages::Characters;
use super::{Charset, Order, Units};

/// Turns a stream of bytes into UTF-8, piece by piece.
pub enum StreamDecoder {
    /// The stream is UTF-8 already.
    Unchanged,
    /// One byte is one character.
    Latin1,
    /// One byte is one character of these.
    Page(Box<Characters>),
    /// Characters may be split over pieces.
    Web(Box<Decoder>),
    /// UTF-16 or UTF-32 whose first unit is not whole yet: it may be a byte order mark.
    Start(Units, Vec<u8>),
    /// UTF-32, and the first bytes of a unit that is not whole yet.
    Utf32(Order, Vec<u8>),
}

impl Charset {
    /// A decoder for a stream of this charset.
    #[must_use]
    pub fn decoder(self) -> StreamDecoder {
        match self {
            // ASCII bytes are UTF-8, and others are kept instead of being replaced, as in UTF-8 streams.
            Self::Utf8 | Self::Ascii => StreamDecoder::Unchanged,
            Self::Latin1 => StreamDecoder::Latin1,
            Self::Page(page) => StreamDecoder::Page(Box::new(page.characters())),
            Self::Wide(units) => StreamDecoder::Start(units, Vec::new()),
            Self::Web(encoding) => StreamDecoder::Web(Box::new(encoding.new_decoder_without_bom_handling())),
        }
    }
}

impl StreamDecoder {
    /// Appends a piece as UTF-8 to `out` and says how many malformed sequences were replaced by U+FFFD
    /// (never in UTF-8 streams, whose bytes are kept).
    pub fn decode(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        match self {
            Self::Unchanged => {
                out.extend_from_slice(piece);
                0
            }
            Self::Latin1 => {
                out.extend_from_slice(encoding_rs::mem::decode_latin1(piece).as_bytes());
                0
            }
            Self::Page(characters) => push_all(
                piece.iter().map(|&byte| Some(characters.of(byte)).filter(|c| *c != '\u{FFFD}')),
                out,
            ),
            Self::Web(decoder) => decode_by_table(decoder, piece, last, out),
            Self::Start(units, held) => {
                held.extend_from_slice(piece);
                if held.len() < units.width && !last {
                    return 0;
                }
                let held = std::mem::take(held);
                let (next, mark_bytes) = behind_mark(*units, &held);
                *self = next;
                self.decode(&held[mark_bytes..], last, out)
            }
            Self::Utf32(order, held) => decode_utf_32(*order, held, piece, last, out),
        }
    }
}

/// The decoder for what follows the start of a stream, and how long the mark there is. In Java UTF-32 with a
/// byte order may have a mark of that order, and in UTF-16 with a byte order it is a character like any other.
fn behind_mark(units: Units, start: &[u8]) -> (StreamDecoder, usize) {
    let found = units.order_of_mark(start);
    let mark = found.filter(|order| units.marked || units.width == 4 && *order == units.order);
    let next = match (units.width, mark.unwrap_or(units.order)) {
        (2, Order::Big) => StreamDecoder::Web(Box::new(UTF_16BE.new_decoder_without_bom_handling())),
        (2, Order::Little) => StreamDecoder::Web(Box::new(UTF_16LE.new_decoder_without_bom_handling())),
        (_, order) => StreamDecoder::Utf32(order, Vec::new()),
    };
    (next, mark.map_or(0, |_| units.width))
}

/// Appends characters; what is none becomes U+FFFD and is counted.
fn push_all(characters: impl Iterator<Item = Option<char>>, out: &mut Vec<u8>) -> usize {
    let mut malformed = 0;
    for character in characters {
        malformed += usize::from(character.is_none());
        let character = character.unwrap_or('\u{FFFD}');
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    malformed
}

fn decode_utf_32(order: Order, held: &mut Vec<u8>, piece: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
    held.extend_from_slice(piece);
    let (units, rest) = held.as_chunks::<4>();
    let number = |unit: &[u8; 4]| match order {
        Order::Big => u32::from_be_bytes(*unit),
        Order::Little => u32::from_le_bytes(*unit),
    };
    let cut_off = (last && !rest.is_empty()).then_some(None);
    let malformed = push_all(units.iter().map(|unit| char::from_u32(number(unit))).chain(cut_off), out);
    let whole = held.len() - rest.len();
    held.drain(..whole);
    malformed
}

fn decode_by_table(decoder: &mut Decoder, mut piece: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
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
        assert_eq!(decode("UTF-32", &[b"\0\0", b"\0a\0\x01", b"\xf6\0"]), ("a\u{1f600}".into(), 0));
    }

    // As OpenJDK 17 reads them.
    #[test]
    fn a_byte_order_mark_is_followed_where_java_follows_it() {
        assert_eq!(decode("UTF-16", &[b"\xff", b"\xfea\0"]), ("a".into(), 0));
        assert_eq!(decode("UTF-16", &[b"\xfe\xff", b"\0a"]), ("a".into(), 0));
        assert_eq!(decode("UTF-16BE", &[b"\xfe\xff\0a"]), ("\u{feff}a".into(), 0));
        assert_eq!(decode("UTF-32", &[b"\xff\xfe\0", b"\0a\0\0\0"]), ("a".into(), 0));
        assert_eq!(decode("UTF-32BE", &[b"\0\0\xfe\xff\0\0\0a"]), ("a".into(), 0));
        assert_eq!(decode("windows-1252", &[b"\xef\xbb\xbfa"]), ("ï»¿a".into(), 0), "no mark of UTF-8");
    }

    #[test]
    fn malformed_input_is_replaced_and_counted() {
        assert_eq!(decode("Shift_JIS", &[b"a\xff b"]), ("a\u{FFFD} b".into(), 1));
        assert_eq!(decode("GBK", &[b"a\xc4"]), ("a\u{FFFD}".into(), 1));
        assert_eq!(decode("Cp857", &[b"a\xd5\x80"]), ("a\u{FFFD}Ç".into(), 1));
        assert_eq!(decode("UTF-32LE", &[b"a\0\0\0\0\0\x11\0b\0"]), ("a\u{FFFD}\u{FFFD}".into(), 2));
    }

    #[test]
    fn bytes_beyond_ascii_are_kept_as_in_a_utf_8_stream() {
        let mut out = Vec::new();
        assert_eq!(Charset::Ascii.decoder().decode(b"a\xe4", true, &mut out), 0);
        assert_eq!(out, b"a\xe4");
    }
}
