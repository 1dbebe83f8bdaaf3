//! The position of a `tail` as text, for the time when Flumen itself does not run.
//!
//! ```text
//! flumen tail position 1
//! device 2049
//! inode 1443
//! offset 88120                  the byte behind the last stored line
//! before 4096 1c291ca3          so many bytes before the offset have this CRC-32
//! file /var/log/app.log
//! ```
//!
//! An inode says little: a new file often gets the one of a file just deleted, and a truncated file keeps its
//! own. So the bytes before the offset are compared as well. `inode 0`: there was no such file yet.

use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{Held, Identity, Place};

const HEAD: &str = "flumen tail position 1";
/// So many bytes before a position are compared to tell whether a file is still the same text.
pub(super) const COMPARED_BYTES_MAX: usize = 4096;

/// What a position file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// `None`: there was no file of this name yet.
    pub identity: Option<Identity>,
    pub offset: u64,
    before_bytes: usize,
    before_crc: u32,
    pub file: PathBuf,
}

/// Whether a file still is what it was when the position was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Same,
    /// It is shorter than the position.
    Truncated,
    /// Other bytes lie before the position.
    WrittenOver,
}

impl Position {
    /// The position at this place; with none, before the start of a file that is not there yet.
    pub fn of(place: Option<&Place>, file: &Path) -> Self {
        let before = place.map_or_else(Vec::new, |p| p.held.before(p.at, COMPARED_BYTES_MAX));
        Self {
            identity: place.map(|p| p.held.identity()),
            offset: place.map_or(0, |p| p.at),
            before_bytes: before.len(),
            before_crc: crc32fast::hash(&before),
            file: file.to_owned(),
        }
    }
    /// Compares the file with what was saved about it.
    pub fn fit(&self, held: &Held) -> Fit {
        if held.size() < self.offset {
            return Fit::Truncated;
        }
        let before = held.before(self.offset, self.before_bytes);
        let same = before.len() == self.before_bytes && crc32fast::hash(&before) == self.before_crc;
        if same { Fit::Same } else { Fit::WrittenOver }
    }
    /// Reads what [`Display`](fmt::Display) has written. `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != HEAD {
            return None;
        }
        let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ');
        let device = value("device")?.parse().ok()?;
        let inode = value("inode")?.parse().ok()?;
        let offset = value("offset")?.parse().ok()?;
        let (bytes, crc) = value("before")?.split_once(' ')?;
        let before_bytes = bytes.parse().ok().filter(|bytes| *bytes <= COMPARED_BYTES_MAX)?;
        let before_crc = u32::from_str_radix(crc, 16).ok()?;
        let file = value("file")?.into();
        lines.next().is_none().then_some(())?;
        let identity = (inode != 0).then_some(Identity { device, inode });
        Some(Self { identity, offset, before_bytes, before_crc, file })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { device, inode } = self.identity.unwrap_or(Identity { device: 0, inode: 0 });
        writeln!(f, "{HEAD}\ndevice {device}\ninode {inode}\noffset {}", self.offset)?;
        writeln!(f, "before {} {:08x}\nfile {}", self.before_bytes, self.before_crc, self.file.display())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn position() -> (tempfile::TempDir, Position) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("app log");
        std::fs::write(&path, "one\ntwo\n").expect("written");
        let held = Arc::new(Held::open(&path).expect("a file"));
        let position = Position::of(Some(&Place { held, at: 4 }), &path);
        (dir, position)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (_dir, position) = position();
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        let none_yet = Position::of(None, Path::new("/x"));
        assert_eq!(Position::parse(&none_yet.to_string()), Some(none_yet));
    }

    #[test]
    fn a_part_of_a_position_is_no_position() {
        let (_dir, position) = position();
        let text = position.to_string();
        for end in 0..text.len() {
            assert_eq!(Position::parse(&text[..end]), None, "{}", &text[..end]);
        }
        assert_eq!(Position::parse(&text.replace("position 1", "position 2")), None);
        assert_eq!(Position::parse(&format!("{text}more\n")), None);
    }

    #[test]
    fn a_file_that_was_cut_or_written_over_does_not_fit() {
        let (dir, position) = position();
        for (content, fit) in [
            ("one\ntwo\nthree\n", Fit::Same),
            ("one\n", Fit::Same),
            ("one", Fit::Truncated),
            ("ONE\ntwo\nthree\n", Fit::WrittenOver),
        ] {
            std::fs::write(dir.path().join("app log"), content).expect("written");
            let held = Held::open(&position.file).expect("a file");
            assert_eq!(position.fit(&held), fit, "{content:?}");
        }
    }
}
