//! From a name to its charset and back.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flumen_config::OptionValue;

use super::{Charset, Order, Page, Units};

/// What a check says of a name that is none.
const NO_SUCH: &str =
    "no charset of this name is known; use a name as Java has it: UTF-8, ISO-8859-1, windows-1252, GBK, …";

impl Charset {
    /// The charset of a name as Java or the web spells it, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.trim().to_ascii_lowercase();
        // Java's historical names differ from its present ones by this.
        let dashed = lower.replace('_', "-");
        let plain = dashed.strip_prefix("x-").unwrap_or(&dashed);
        javas(plain).or_else(|| webs(&lower)).or_else(|| webs(plain)).or_else(|| page(plain))
    }
    /// What a check says of a name that is none.
    #[must_use]
    pub fn unknown(name: &str) -> String {
        format!("`{name}`: {NO_SUCH}")
    }
}

/// Charsets that the web does not know, or understands otherwise.
fn javas(name: &str) -> Option<Charset> {
    Some(match name {
        "iso-8859-1" | "iso8859-1" | "iso-8859-1:1987" | "8859-1" | "latin1" | "l1" | "iso-ir-100"
        | "csisolatin1" | "cp819" | "ibm819" | "ibm-819" | "819" => Charset::Latin1,
        "us-ascii" | "ascii" | "ascii7" | "us" | "csascii" | "iso646-us" | "646" | "iso-ir-6" | "cp367"
        | "ibm367" | "ansi-x3.4-1968" | "ansi-x3.4-1986" | "iso-646.irv:1983" | "iso-646.irv:1991" => {
            Charset::Ascii
        }
        "utf-16" | "utf16" | "unicode" | "unicodebig" => Charset::Wide(Units::UTF_16),
        "utf-16be" | "unicodebigunmarked" | "iso-10646-ucs-2" => Charset::Wide(Units::utf_16(Order::Big)),
        "utf-16le" | "unicodelittleunmarked" => Charset::Wide(Units::utf_16(Order::Little)),
        "utf-32" | "utf32" | "iso-10646-ucs-4" => Charset::Wide(Units::UTF_32),
        "utf-32be" => Charset::Wide(Units::utf_32(Order::Big)),
        "utf-32le" => Charset::Wide(Units::utf_32(Order::Little)),
        _ => return None,
    })
}

fn webs(name: &str) -> Option<Charset> {
    let found = Encoding::for_label_no_replacement(name.as_bytes())?;
    Some(if found == UTF_8 {
        Charset::Utf8
    } else if found == UTF_16BE {
        Charset::Wide(Units::utf_16(Order::Big))
    } else if found == UTF_16LE {
        Charset::Wide(Units::utf_16(Order::Little))
    } else {
        Charset::Web(found)
    })
}

fn page(name: &str) -> Option<Charset> {
    let number = ["cp", "ibm-", "ibm", ""].iter().find_map(|prefix| name.strip_prefix(prefix)?.parse().ok());
    number.and_then(Page::numbered).map(Charset::Page)
}

impl OptionValue for Charset {
    const KIND: &'static str = "charset";
    fn parse(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| NO_SUCH.to_owned())
    }
    fn show(&self) -> String {
        match self {
            Self::Utf8 => "UTF-8".to_owned(),
            Self::Latin1 => "ISO-8859-1".to_owned(),
            Self::Ascii => "US-ASCII".to_owned(),
            Self::Wide(units) => units.name().to_owned(),
            Self::Page(page) => format!("IBM{}", page.number),
            Self::Web(encoding) => encoding.name().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_java_and_of_the_web_in_any_case() {
        for name in ["UTF-8", "utf8", "UTF_8", " utf-8 "] {
            assert_eq!(Charset::named(name), Some(Charset::Utf8), "{name}");
        }
        for name in ["ISO-8859-1", "ISO8859_1", "8859_1", "latin1", "IBM-819", "ISO_8859-1:1987"] {
            assert_eq!(Charset::named(name), Some(Charset::Latin1), "{name}");
        }
        for name in ["US-ASCII", "ANSI_X3.4-1968", "646", "ISO646-US"] {
            assert_eq!(Charset::named(name), Some(Charset::Ascii), "{name}");
        }
        for name in
            ["GBK", "GB18030", "Big5", "Shift_JIS", "EUC-JP", "EUC_KR", "KOI8_R", "windows-1252", "Cp1251"]
        {
            assert!(matches!(Charset::named(name), Some(Charset::Web(_))), "{name}");
        }
        for name in ["Cp850", "IBM437", "ibm-850", "852", "x-IBM737"] {
            assert!(matches!(Charset::named(name), Some(Charset::Page(_))), "{name}");
        }
    }

    #[test]
    fn wide_names_say_width_order_and_mark() {
        let units = |name| {
            Charset::named(name).map(|c| {
                let u = c.units();
                (u.width, u.order, u.marked)
            })
        };
        assert_eq!(units("UTF-16LE"), Some((2, Order::Little, false)));
        assert_eq!(units("x-UTF-16BE"), Some((2, Order::Big, false)));
        assert_eq!(units("UTF_16"), Some((2, Order::Big, true)));
        assert_eq!(units("UTF-32"), Some((4, Order::Big, true)));
        assert_eq!(units("UTF-32BE"), Some((4, Order::Big, false)));
        assert_eq!(units("ISO-10646-UCS-2"), Some((2, Order::Big, false)), "the web means little endian");
        assert_eq!(units("GBK"), Some((1, Order::Big, false)));
    }

    #[test]
    fn charsets_whose_line_ends_are_other_bytes_are_unknown() {
        for name in ["IBM037", "Cp1047", "no-such", "utf-9", ""] {
            assert_eq!(Charset::named(name), None, "{name}");
            assert!(Charset::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_shown_names_the_same_charset() {
        for name in [
            "utf8", "latin1", "ascii", "utf16", "UTF-16LE", "utf-16be", "UTF-32", "UTF-32LE", "UTF-32BE",
            "cp874", "gbk",
        ] {
            let charset = Charset::named(name);
            assert_eq!(charset.and_then(|c| Charset::named(&c.show())), charset, "{name}");
        }
    }
}
