//! `\p{...}`: Java's names for properties and the sets they stand for.

use crate::set::CharSet;
use crate::unicode::{block, boolean, categories, category, script};

const LETTERS: &[&str] = &["Lu", "Ll", "Lt", "Lm", "Lo"];
const PUNCTUATION: &[&str] = &["Pc", "Pd", "Ps", "Pe", "Po", "Pi", "Pf"];
const CASED: &[&str] = &["Lu", "Ll", "Lt"];

/// How the flags at the place of a property change it.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    /// (?i): classes of one case take all cases.
    pub(crate) ignore_case: bool,
    /// (?U): the POSIX names mean Unicode properties.
    pub(crate) unicode: bool,
}

/// The set of `\p{name}` without `=`; `None` for a name Java does not know.
pub(crate) fn named(name: &str, mode: Mode) -> Option<CharSet> {
    if let Some(block_name) = name.strip_prefix("In") {
        return block(block_name);
    }
    if let Some(short) = name.strip_prefix("Is") {
        return unicode_property(short, mode).or_else(|| plain(short, mode)).or_else(|| script(short));
    }
    let posix = if mode.unicode { posix_unicode(&name.to_uppercase(), mode) } else { None };
    posix.or_else(|| plain(name, mode))
}

/// The set of `\p{key=value}`.
pub(crate) fn keyed(key: &str, value: &str, mode: Mode) -> Option<CharSet> {
    match key {
        "sc" | "script" => script(value),
        "blk" | "block" => block(value),
        "gc" | "general_category" => plain(value, mode),
        _ => None,
    }
}

/// `\d`, or (?U) `\d`.
pub(crate) fn digit(unicode: bool) -> CharSet {
    if unicode { categories(&["Nd"]) } else { CharSet::range(0x30, 0x39) }
}

/// `\s`, or (?U) `\s`.
pub(crate) fn space(unicode: bool) -> CharSet {
    if unicode {
        categories(&["Zs", "Zl", "Zp"]).union(&CharSet::of(&[(9, 13), (0x85, 0x85)]))
    } else {
        CharSet::of(&[(9, 13), (0x20, 0x20)])
    }
}

/// `\w`, or (?U) `\w`.
pub(crate) fn word(unicode: bool) -> CharSet {
    if unicode {
        boolean("alphabetic")
            .union(&categories(&["Mn", "Me", "Mc", "Nd", "Pc"]))
            .union(&CharSet::range(0x200C, 0x200D))
    } else {
        CharSet::of(&[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
    }
}

/// `\h`.
pub(crate) fn horizontal_space() -> CharSet {
    let singles = [0x09, 0x20, 0xA0, 0x1680, 0x180E, 0x202F, 0x205F, 0x3000];
    CharSet::of(&singles.map(|c| (c, c))).union(&CharSet::range(0x2000, 0x200A))
}

/// `\v`.
pub(crate) fn vertical_space() -> CharSet {
    CharSet::of(&[(0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029)])
}

/// Letters and decimal digits: with `_`, what Java 17 calls a word character at `\b`.
pub(crate) fn letter_or_digit() -> CharSet {
    categories(LETTERS).union(&categories(&["Nd"]))
}

fn any_case(exact: CharSet, mode: Mode) -> CharSet {
    if !mode.ignore_case {
        return exact;
    }
    exact.union(&boolean("lowercase")).union(&boolean("uppercase")).union(&categories(&["Lt"]))
}

fn hex_digit() -> CharSet {
    let letters = [(0x41, 0x46), (0x61, 0x66), (0xFF10, 0xFF19), (0xFF21, 0xFF26), (0xFF41, 0xFF46)];
    categories(&["Nd"]).union(&CharSet::of(&letters))
}

fn graph() -> CharSet {
    categories(&["Zs", "Zl", "Zp", "Cc", "Cs", "Cn"]).negate()
}

/// The POSIX names with their Unicode meaning; `upper` is in upper case.
fn posix_unicode(upper: &str, mode: Mode) -> Option<CharSet> {
    let blank = || categories(&["Zs"]).union(&CharSet::single(9));
    Some(match upper {
        "ALPHA" => boolean("alphabetic"),
        "LOWER" => any_case(boolean("lowercase"), mode),
        "UPPER" => any_case(boolean("uppercase"), mode),
        "SPACE" => space(true),
        "PUNCT" => categories(PUNCTUATION),
        "XDIGIT" => hex_digit(),
        "ALNUM" => boolean("alphabetic").union(&categories(&["Nd"])),
        "CNTRL" => categories(&["Cc"]),
        "DIGIT" => categories(&["Nd"]),
        "BLANK" => blank(),
        "GRAPH" => graph(),
        "PRINT" => graph().union(&blank()).intersect(&categories(&["Cc"]).negate()),
        _ => return None,
    })
}

/// `\p{IsName}` where the name is a binary property.
fn unicode_property(name: &str, mode: Mode) -> Option<CharSet> {
    let upper = name.to_uppercase();
    Some(match upper.as_str() {
        "ALPHABETIC" => boolean("alphabetic"),
        "ASSIGNED" => categories(&["Cn"]).negate(),
        "CONTROL" => categories(&["Cc"]),
        "HEXDIGIT" | "HEX_DIGIT" => hex_digit(),
        "IDEOGRAPHIC" => boolean("ideographic"),
        "JOINCONTROL" | "JOIN_CONTROL" => CharSet::range(0x200C, 0x200D),
        "LETTER" => categories(LETTERS),
        "LOWERCASE" => any_case(boolean("lowercase"), mode),
        "UPPERCASE" => any_case(boolean("uppercase"), mode),
        "TITLECASE" => any_case(categories(&["Lt"]), mode),
        "NONCHARACTERCODEPOINT" | "NONCHARACTER_CODE_POINT" => noncharacter(),
        "PUNCTUATION" => categories(PUNCTUATION),
        "WHITESPACE" | "WHITE_SPACE" => space(true),
        "WORD" => word(true),
        _ => return posix_unicode(&upper, mode),
    })
}

fn noncharacter() -> CharSet {
    let ends: Vec<(u32, u32)> =
        (0..=0x10).map(|plane| (plane * 0x1_0000 + 0xFFFE, plane * 0x1_0000 + 0xFFFF)).collect();
    CharSet::of(&ends).union(&CharSet::range(0xFDD0, 0xFDEF))
}

/// General categories, the ASCII POSIX names and the `java...` methods. Case matters in these names.
fn plain(name: &str, mode: Mode) -> Option<CharSet> {
    category_group(name, mode).or_else(|| posix_ascii(name, mode)).or_else(|| java_method(name, mode))
}

fn category_group(name: &str, mode: Mode) -> Option<CharSet> {
    Some(match name {
        "Lu" | "Ll" | "Lt" if mode.ignore_case => categories(CASED),
        "L" => categories(LETTERS),
        "M" => categories(&["Mn", "Me", "Mc"]),
        "N" => categories(&["Nd", "Nl", "No"]),
        "Z" => categories(&["Zs", "Zl", "Zp"]),
        "C" => categories(&["Cc", "Cf", "Co", "Cs", "Cn"]),
        "P" => categories(PUNCTUATION),
        "S" => categories(&["Sm", "Sc", "Sk", "So"]),
        "LC" => categories(CASED),
        "LD" => letter_or_digit(),
        "L1" => CharSet::range(0, 0xFF),
        "all" => CharSet::new().negate(),
        _ => return category(name).cloned(),
    })
}

fn posix_ascii(name: &str, mode: Mode) -> Option<CharSet> {
    const LOWER: (u32, u32) = (0x61, 0x7A);
    const UPPER: (u32, u32) = (0x41, 0x5A);
    const DIGIT: (u32, u32) = (0x30, 0x39);
    Some(match name {
        "ASCII" => CharSet::range(0, 0x7F),
        "Alnum" => CharSet::of(&[LOWER, UPPER, DIGIT]),
        "Alpha" => CharSet::of(&[LOWER, UPPER]),
        "Blank" => CharSet::of(&[(9, 9), (0x20, 0x20)]),
        "Cntrl" => CharSet::of(&[(0, 0x1F), (0x7F, 0x7F)]),
        "Digit" => CharSet::of(&[DIGIT]),
        "Graph" => CharSet::range(0x21, 0x7E),
        "Lower" | "Upper" if mode.ignore_case => CharSet::of(&[LOWER, UPPER]),
        "Lower" => CharSet::of(&[LOWER]),
        "Upper" => CharSet::of(&[UPPER]),
        "Print" => CharSet::range(0x20, 0x7E),
        "Punct" => CharSet::of(&[(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)]),
        "Space" => space(false),
        "XDigit" => CharSet::of(&[DIGIT, (0x41, 0x46), (0x61, 0x66)]),
        _ => return None,
    })
}

fn java_method(name: &str, mode: Mode) -> Option<CharSet> {
    let ignorable = || boolean("identifier_ignorable");
    let start = || categories(LETTERS).union(&categories(&["Nl", "Sc", "Pc"]));
    Some(match name {
        "javaLowerCase" => any_case(boolean("lowercase"), mode),
        "javaUpperCase" => any_case(boolean("uppercase"), mode),
        "javaTitleCase" => any_case(categories(&["Lt"]), mode),
        "javaAlphabetic" => boolean("alphabetic"),
        "javaIdeographic" => boolean("ideographic"),
        "javaDigit" => categories(&["Nd"]),
        "javaDefined" => categories(&["Cn"]).negate(),
        "javaLetter" => categories(LETTERS),
        "javaLetterOrDigit" => letter_or_digit(),
        "javaJavaIdentifierStart" => start(),
        "javaJavaIdentifierPart" => start().union(&categories(&["Nd", "Mc", "Mn"])).union(&ignorable()),
        "javaUnicodeIdentifierStart" => boolean("unicode_identifier_start"),
        "javaUnicodeIdentifierPart" => boolean("unicode_identifier_part"),
        "javaIdentifierIgnorable" => ignorable(),
        "javaSpaceChar" => categories(&["Zs", "Zl", "Zp"]),
        "javaWhitespace" => java_whitespace(),
        "javaISOControl" => CharSet::of(&[(0, 0x1F), (0x7F, 0x9F)]),
        "javaMirrored" => boolean("mirrored"),
        _ => return None,
    })
}

/// `Character.isWhitespace`: separators except the non-breaking ones, and ASCII controls.
fn java_whitespace() -> CharSet {
    let breaking = CharSet::of(&[(0xA0, 0xA0), (0x2007, 0x2007), (0x202F, 0x202F)]).negate();
    let controls = CharSet::of(&[(9, 13), (0x1C, 0x1F)]);
    categories(&["Zs", "Zl", "Zp"]).intersect(&breaking).union(&controls)
}
