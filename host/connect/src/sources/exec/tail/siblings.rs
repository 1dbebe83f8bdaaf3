//! The files that a log was renamed to while Flumen did not run.
//!
//! ```text
//! app.log      new                        read by `tail`
//! app.log.1    came and went meanwhile    read as a whole, in the order of their last writes
//! app.log.2    the one of the position    its rest is read first; known by its inode under any name
//! app.log.3    older                      left alone
//! ```

use std::ffi::OsStr;
use std::fs::DirEntry;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{Held, Place};
use super::position::{Fit, Position};

/// What the old files still have, the oldest first. Empty if the file of the position is not found.
pub(super) fn left_behind(position: &Position, now: Option<&Held>) -> Vec<Place> {
    let entries = entries_beside(&position.file);
    let Some(old) = entries.iter().find_map(|entry| the_old_one(entry, position)) else {
        return Vec::new();
    };
    let written_at = old.written_at();
    let mut between: Vec<_> = entries
        .iter()
        .filter(|entry| is_rotated_name(&entry.file_name(), &position.file))
        .filter_map(|entry| Held::open(&entry.path()))
        .filter(|held| !held.is_same(&old) && now.is_none_or(|now| !held.is_same(now)))
        .map(|held| (held.written_at(), held))
        .filter(|(at, _)| *at >= written_at)
        .collect();
    between.sort_by_key(|(at, _)| *at);
    let mut rests = vec![Place { held: Arc::new(old), at: position.offset }];
    rests.extend(between.into_iter().map(|(_, held)| Place { held: Arc::new(held), at: 0 }));
    tracing::info!(
        file = %position.file.display(), files = rests.len(),
        "the file was rotated while Flumen did not run: reading what the old ones still have first"
    );
    rests
}

fn the_old_one(entry: &DirEntry, position: &Position) -> Option<Held> {
    let identity = position.identity?;
    if entry.ino() != identity.inode {
        return None;
    }
    let held = Held::open(&entry.path())?;
    (held.identity() == identity && position.fit(&held) == Fit::Same).then_some(held)
}

/// Of the directory of the name and, if that is a symbolic link, of the directory of what it points to.
fn entries_beside(file: &Path) -> Vec<DirEntry> {
    let dir_of = |file: &Path| match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut dirs = vec![dir_of(file)];
    let real = file.canonicalize().map(|real| dir_of(&real)).ok();
    dirs.extend(real.filter(|real| dirs[0].canonicalize().ok().as_ref() != Some(real)));
    dirs.iter().filter_map(|dir| dir.read_dir().ok()).flatten().flatten().collect()
}

/// Whether a rotation gives such names: `app.log.1`, `app.log-20260101`, `app.log.2026-01-01_00`. Nothing
/// else: `app.log.err` may be another log, and `app.log.1.gz` is no text.
fn is_rotated_name(name: &OsStr, file: &Path) -> bool {
    let base = file.file_name().unwrap_or_default().as_bytes();
    let Some([separator, number @ ..]) = name.as_bytes().strip_prefix(base) else { return false };
    b".-_".contains(separator)
        && number.first().is_some_and(u8::is_ascii_digit)
        && number.iter().all(|b| b.is_ascii_digit() || b".-_:T".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates_are_names_of_rotated_files_and_nothing_else_is() {
        let is = |name: &str| is_rotated_name(OsStr::new(name), Path::new("/var/log/app.log"));
        for name in ["app.log.1", "app.log-20260101", "app.log.2026-01-01_00", "app.log.2026-01-01T10:00"] {
            assert!(is(name), "{name}");
        }
        for name in
            ["app.log", "app.log.", "app.log.1.gz", "app.log.err", "app.log2", "other.1", "app.log.~1"]
        {
            assert!(!is(name), "{name}");
        }
    }

    #[test]
    fn files_that_came_and_went_are_read_after_the_old_one_in_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let write = |name: &str, second: u64| {
            std::fs::write(path(name), name).expect("written");
            let file = std::fs::File::options().append(true).open(path(name)).expect("a file");
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(second);
            file.set_modified(at).expect("set");
        };
        for (name, second) in
            [("f.9", 10), ("old", 20), ("f.2", 40), ("f.3", 30), ("f", 50), ("f.err", 45), ("f.1.gz", 46)]
        {
            write(name, second);
        }
        let held = Held::open(&path("old")).map(Arc::new).expect("a file");
        let position = Position::of(Some(&Place { held, at: 1 }), &path("f"));
        let now = Held::open(&path("f"));
        let read = |place: Place| std::io::read_to_string(place.reader().expect("open")).expect("text");
        let rests: Vec<_> = left_behind(&position, now.as_ref()).into_iter().map(read).collect();
        assert_eq!(rests, ["ld", "f.3", "f.2"]);
        std::fs::remove_file(path("old")).expect("removed");
        assert_eq!(left_behind(&position, now.as_ref()), []);
    }
}
