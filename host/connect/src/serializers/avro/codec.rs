//! How the blocks of an Avro container file are compressed.

use std::io::{self, Write};

use flumen_config::OptionValue;

/// The compression of a file's blocks, by its Avro name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not compressed.
    Null,
    /// RFC 1951 without a zlib wrapper, level 6.
    Deflate,
    /// Raw Snappy, with a CRC-32 of the uncompressed bytes behind it.
    Snappy,
    /// bzip2, level 9.
    Bzip2,
    /// Zstandard, level 3.
    Zstandard,
}

/// All codecs.
pub const CODECS: [Codec; 5] = [Codec::Null, Codec::Deflate, Codec::Snappy, Codec::Bzip2, Codec::Zstandard];

impl Codec {
    /// The name in a file's metadata and in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::Null => "null",
            Codec::Deflate => "deflate",
            Codec::Snappy => "snappy",
            Codec::Bzip2 => "bzip2",
            Codec::Zstandard => "zstandard",
        }
    }

    /// Replaces `packed` by the compressed form of `plain`; for [`Codec::Null`] that is not asked for.
    pub(super) fn pack(self, plain: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
        packed.clear();
        match self {
            Codec::Null => packed.extend_from_slice(plain),
            Codec::Deflate => {
                let mut encoder = flate2::write::DeflateEncoder::new(packed, flate2::Compression::new(6));
                encoder.write_all(plain)?;
                encoder.finish()?;
            }
            Codec::Snappy => {
                packed.resize(snap::raw::max_compress_len(plain.len()), 0);
                let len = snap::raw::Encoder::new().compress(plain, packed).map_err(io::Error::other)?;
                packed.truncate(len);
                packed.extend_from_slice(&crc32fast::hash(plain).to_be_bytes());
            }
            Codec::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(packed, bzip2::Compression::new(9));
                encoder.write_all(plain)?;
                encoder.finish()?;
            }
            Codec::Zstandard => zstd::stream::copy_encode(plain, packed, 3)?,
        }
        Ok(())
    }
}

impl OptionValue for Codec {
    const KIND: &'static str = "null|deflate|snappy|bzip2|zstandard";
    fn parse(text: &str) -> Result<Self, String> {
        CODECS.into_iter().find(|c| c.name() == text).ok_or_else(|| match text {
            "xz" => "xz is not part of this build (zstandard packs as well in less time)".to_owned(),
            _ => format!("not one of {}", CODECS.map(Codec::name).join(", ")),
        })
    }
    fn show(&self) -> String {
        self.name().to_owned()
    }
}
