//! Thrift, as far as Flume speaks it: messages in frames, in the compact and the binary protocol.
//!
//! ```text
//! frame     │ length i32 │ message │                                  big endian
//! message   │ name, kind, sequence │ struct of arguments or result │
//! compact   82 21 01 06 "append"   1c 1b 01 88 01 6b 01 76 18 05 "hello" 00 00
//! binary    80 01 00 01 │ 00000006 │ "append" │ 00000001 │ 0c 0001 0d 0001 0b 0b …       strict
//!           00000003 │ "Log" │ 01 │ 00000001 │ …                                         not strict
//! ```
//!
//! [`Reader`] goes over bytes that are there as a whole and allocates nothing; [`Writer`] appends. Unknown fields are
//! skipped, as every Thrift implementation does. Nothing that the bytes claim is believed before they are there: a
//! list cannot have more elements than bytes are left, and nesting has a limit.

pub mod client;
pub mod events;
pub(crate) mod frames;
pub(crate) mod message;
mod read;
pub(crate) mod serve;
mod write;

pub use read::{Field, Head, Malformed, Reader, Type};
pub use write::Writer;
pub(crate) use write::framed;

/// The largest frame that libthrift takes by default.
pub const FRAME_BYTES_MAX: usize = 16_384_000;

/// How values become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Variable-length numbers; Flume's default.
    Compact,
    /// Numbers of fixed length; writes the message head with a version, reads it with and without.
    Binary,
    /// The same, but writes the head without a version, as Scribe does.
    BinaryUnversioned,
}

impl Protocol {
    /// The protocol of a configuration's word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        match word.trim() {
            word if word.eq_ignore_ascii_case("compact") => Some(Self::Compact),
            word if word.eq_ignore_ascii_case("binary") => Some(Self::Binary),
            _ => None,
        }
    }
}

impl flumen_config::options::OptionValue for Protocol {
    const KIND: &'static str = "`compact` or `binary`";
    fn parse(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| "not a Thrift protocol: it is `compact` or `binary`".to_owned())
    }
    fn show(&self) -> String {
        match self {
            Self::Compact => "compact".to_owned(),
            Self::Binary | Self::BinaryUnversioned => "binary".to_owned(),
        }
    }
}
