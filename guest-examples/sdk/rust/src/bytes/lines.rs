//! Splitting bytes at line feeds.

use super::find_byte;

/// The lines of some bytes, without their line feeds. Like [`str::lines`], but a carriage return stays.
pub fn lines(bytes: &[u8]) -> Lines<'_> {
    Lines { rest: bytes }
}

/// What [`lines`] gives.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// What was not given yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
    /// The next line, only if a line feed ends it.
    pub fn next_whole(&mut self) -> Option<&'a [u8]> {
        let end = find_byte(self.rest, b'\n')?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.next_whole().or_else(|| Some(std::mem::take(&mut self.rest)))
    }
}
