//! Charsets under Java's names, as `Charset.forName` finds them: the one place for all of them.
//!
//! | part | for whom |
//! |---|---|
//! | `names` | every option that is a charset |
//! | `stream` | input that becomes UTF-8 piece by piece (`netcat`) |
//! | `text` | whole bodies, decoded and encoded again (`search_replace`) |
//! | `units` | input that is cut into lines and stays as it is (`exec`) |
//!
//! Where the web and Java differ (ISO-8859-1, US-ASCII, UTF-16, UTF-32, code pages of the PC) this is Java's;
//! the rest are the web's tables, which hold more characters (GBK for GB2312, windows-1254 for ISO-8859-9), under
//! those of Java's names that the web knows too. What cannot be decoded becomes U+FFFD, and what cannot be encoded `?`, as in
//! Java. Charsets in which ASCII bytes mean something else (EBCDIC) are not known.

mod names;
mod pages;
mod stream;
mod text;
mod units;

pub use pages::Page;
pub use stream::StreamDecoder;
pub use units::{Order, Units};

/// A charset that text can be read from and written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// The one that needs no conversion.
    Utf8,
    /// ISO-8859-1: bytes are code points (not windows-1252, which the web means by it).
    Latin1,
    /// Bytes below 128 are code points.
    Ascii,
    /// UTF-16 and UTF-32, with and without a byte order.
    Wide(Units),
    /// A code page of the PC.
    Page(&'static Page),
    /// Any other.
    Web(&'static encoding_rs::Encoding),
}

impl Charset {
    /// How its characters lie in bytes, as far as finding line ends goes.
    #[must_use]
    pub fn units(self) -> Units {
        match self {
            Self::Wide(units) => units,
            _ => Units::NARROW,
        }
    }
}
