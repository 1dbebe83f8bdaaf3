//! What a charset means for a command's output: how wide a line end is, and which bytes a body gets.
//!
//! Flume decodes the output and encodes each line again in the same charset. For valid text that gives back
//! the same bytes, so Flumen passes bytes on as they are. Invalid text, which Flume turns into `U+FFFD`,
//! passes unharmed. Only two things need the charset:
//!
//! * in UTF-16 and UTF-32 a line end is two or four bytes, and 0x0A alone is half of another character;
//! * `UTF-16` and `UTF-32` without a byte order say so by a mark at the start of the output, and Java writes
//!   each body big endian, for `UTF-16` with a mark in front (measured with OpenJDK 17).

/// Which byte of a character comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The most significant.
    Big,
    /// The least significant.
    Little,
}

/// A charset as far as lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charset {
    /// Bytes of a line feed: 1, 2 or 4.
    pub width: usize,
    /// Their order.
    pub order: Order,
    /// Whether the output says the order by a mark, and bodies are made big endian.
    pub marked: bool,
}

const NARROW: Charset = Charset { width: 1, order: Order::Big, marked: false };

/// Code pages of the PC that Java knows and the web does not; ASCII is a part of each.
const PC_CODE_PAGES: [u16; 20] =
    [437, 737, 775, 850, 852, 855, 856, 857, 858, 860, 861, 862, 863, 864, 865, 866, 868, 869, 874, 922];

impl Charset {
    /// The charset of a name as Java or the web spells it, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        let wide = |width, order, marked| Some(Self { width, order, marked });
        match name.trim_start_matches("x-") {
            "utf-16" | "utf16" | "unicode" | "unicodebig" => return wide(2, Order::Big, true),
            "utf-16be" | "unicodebigunmarked" | "iso-10646-ucs-2" => return wide(2, Order::Big, false),
            "utf-16le" | "unicodelittleunmarked" => return wide(2, Order::Little, false),
            "utf-32" | "utf32" | "iso-10646-ucs-4" => return wide(4, Order::Big, true),
            "utf-32be" => return wide(4, Order::Big, false),
            "utf-32le" => return wide(4, Order::Little, false),
            _ => {}
        }
        let page = ["cp", "ibm-", "ibm"].iter().find_map(|p| name.strip_prefix(p)?.parse().ok());
        let known = encoding_rs::Encoding::for_label_no_replacement(name.as_bytes())
            .is_some_and(|e| e != encoding_rs::UTF_16BE && e != encoding_rs::UTF_16LE);
        (known || page.is_some_and(|p| PC_CODE_PAGES.contains(&p))).then_some(NARROW)
    }

    /// The byte order that a mark at the start of the output tells.
    pub fn order_of_mark(self, start: &[u8]) -> Option<Order> {
        match (self.width, start) {
            (2, [0xFE, 0xFF, ..]) | (4, [0, 0, 0xFE, 0xFF, ..]) => Some(Order::Big),
            (2, [0xFF, 0xFE, ..]) | (4, [0xFF, 0xFE, 0, 0, ..]) => Some(Order::Little),
            _ => None,
        }
    }

    /// Whether the unit at `at` (a multiple of the width) is this ASCII character.
    pub fn is_at(self, bytes: &[u8], at: usize, ascii: u8) -> bool {
        let Some(unit) = bytes.get(at..at + self.width) else { return false };
        let (mark, zeros) = match self.order {
            Order::Big => (unit[self.width - 1], &unit[..self.width - 1]),
            Order::Little => (unit[0], &unit[1..]),
        };
        mark == ascii && zeros.iter().all(|b| *b == 0)
    }

    /// Appends a line as Java would encode it in a marked charset: big endian, for UTF-16 with a mark.
    pub fn append_marked(self, line: &[u8], body: &mut impl Extend<u8>) {
        if self.width == 2 && !line.is_empty() {
            body.extend([0xFE, 0xFF]);
        }
        for unit in line.chunks(self.width) {
            match self.order {
                Order::Big => body.extend(unit.iter().copied()),
                Order::Little => body.extend(unit.iter().rev().copied()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_java_and_of_the_web() {
        for name in
            ["UTF-8", "utf8", "ISO-8859-1", "ISO8859_1", "latin1", "US-ASCII", "windows-1252", "Cp850"]
        {
            assert_eq!(Charset::named(name), Some(NARROW), "{name}");
        }
        for name in ["GBK", "GB18030", "Big5", "Shift_JIS", "EUC-JP", "EUC-KR", "KOI8-R", "IBM437"] {
            assert_eq!(Charset::named(name), Some(NARROW), "{name}");
        }
        assert_eq!(Charset::named("UTF-16LE").map(|c| (c.width, c.order)), Some((2, Order::Little)));
        assert_eq!(Charset::named("UTF_16").map(|c| (c.width, c.marked)), Some((2, true)));
        assert_eq!(Charset::named("UTF-32BE").map(|c| c.width), Some(4));
    }

    #[test]
    fn charsets_whose_line_ends_are_other_bytes_are_unknown() {
        for name in ["IBM037", "Cp1047", "no-such", ""] {
            assert_eq!(Charset::named(name), None, "{name}");
        }
    }
}
