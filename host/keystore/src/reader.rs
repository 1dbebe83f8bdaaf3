//! Reading big-endian data of a size that is not trusted: a length is compared with what is left before
//! anything is allocated for it.

use crate::error::KeyStoreError;

/// A place in bytes that are being read.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }
    /// The error for what was just read being wrong.
    pub fn malformed(&self, what: impl Into<String>) -> KeyStoreError {
        KeyStoreError::Malformed { at: self.at, what: what.into() }
    }

    pub fn take(&mut self, wanted: usize) -> Result<&'a [u8], KeyStoreError> {
        let left = self.bytes.len() - self.at;
        if wanted > left {
            return Err(KeyStoreError::Truncated { at: self.at, wanted, left });
        }
        let taken = &self.bytes[self.at..self.at + wanted];
        self.at += wanted;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyStoreError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }
    pub fn u8(&mut self) -> Result<u8, KeyStoreError> {
        Ok(self.array::<1>()?[0])
    }
    pub fn u16(&mut self) -> Result<u16, KeyStoreError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    pub fn u32(&mut self) -> Result<u32, KeyStoreError> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    pub fn u64(&mut self) -> Result<u64, KeyStoreError> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    /// Bytes behind their length of four bytes.
    pub fn block(&mut self) -> Result<&'a [u8], KeyStoreError> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    /// A text as `DataOutputStream.writeUTF` writes it: two bytes of length, then UTF-16 units of one to
    /// three bytes each (JVM specification §4.4.7).
    pub fn utf(&mut self) -> Result<String, KeyStoreError> {
        let len = usize::from(self.u16()?);
        let bytes = self.take(len)?;
        let units = modified_utf8(bytes).ok_or_else(|| self.malformed("a text is not modified UTF-8"))?;
        String::from_utf16(&units).map_err(|_| self.malformed("a text has half a surrogate pair"))
    }
}

fn modified_utf8(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut left = bytes;
    let tail = |byte: u8| (byte & 0xC0 == 0x80).then_some(u16::from(byte & 0x3F));
    loop {
        left = match left {
            [] => return Some(units),
            [a @ 0x01..=0x7F, rest @ ..] => {
                units.push(u16::from(*a));
                rest
            }
            [a @ 0xC0..=0xDF, b, rest @ ..] => {
                units.push(u16::from(a & 0x1F) << 6 | tail(*b)?);
                rest
            }
            [a @ 0xE0..=0xEF, b, c, rest @ ..] => {
                units.push(u16::from(a & 0x0F) << 12 | tail(*b)? << 6 | tail(*c)?);
                rest
            }
            _ => return None,
        };
    }
}
