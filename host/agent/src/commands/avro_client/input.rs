//! Lines as Java's `readLine` gives them: a line ends at a line feed, a carriage return, or both; the last one at the
//! end of the input. Their bytes are not changed.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flumen_event::{Batch, Span};

/// A longer line is no line.
const LINE_BYTES_MAX: usize = 64 << 20;
/// A batch of lines is ended beyond so many bytes, whatever its number of events.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Read at once.
const READ_BYTES: usize = 64 * 1024;
/// What Flume calls files that have been sent.
const COMPLETED: &str = ".COMPLETED";

pub(super) struct Lines {
    input: BufReader<Box<dyn Read>>,
    bytes_read: u64,
    /// The last line ended at a carriage return: a line feed next belongs to it.
    skips_line_feed: bool,
}

impl Lines {
    pub(super) fn new(input: Box<dyn Read>) -> Self {
        Self { input: BufReader::with_capacity(READ_BYTES, input), bytes_read: 0, skips_line_feed: false }
    }
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next lines, at most so many; none at the end.
    pub(super) fn next(&mut self, lines_max: usize) -> io::Result<Option<Batch>> {
        let (mut arena, mut spans) = (Vec::new(), Vec::new());
        while spans.len() < lines_max && arena.len() < BATCH_BYTES_MAX {
            let start = arena.len();
            if !self.line(&mut arena)? {
                break;
            }
            spans.push(Span::new(start..arena.len()));
        }
        Ok((!spans.is_empty()).then(|| Batch::from_arena(arena.into(), spans)))
    }

    /// Appends the next line without its end; false at the end of the input.
    fn line(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let start = out.len();
        let mut has_begun = false;
        loop {
            if std::mem::take(&mut self.skips_line_feed) && self.input.fill_buf()?.first() == Some(&b'\n') {
                self.input.consume(1);
                self.bytes_read += 1;
            }
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(has_begun);
            }
            has_begun = true;
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = end.unwrap_or(bytes.len());
            out.extend_from_slice(&bytes[..length]);
            self.skips_line_feed = end.is_some_and(|end| bytes[end] == b'\r');
            let used = length + usize::from(end.is_some());
            self.input.consume(used);
            self.bytes_read += used as u64;
            if out.len() - start > LINE_BYTES_MAX {
                let text = format!("a line has more than {LINE_BYTES_MAX} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// The files of a folder that are to be sent: no hidden ones, none that have been; oldest first, then by name.
pub(super) fn files_to_send(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let data = entry.metadata()?;
        if data.is_file() && !name.starts_with('.') && !name.ends_with(COMPLETED) {
            files.push((data.modified()?, entry.path()));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Renames a file that has been sent, as Flume does. A file that has that name already is not overwritten.
pub(super) fn mark_completed(file: &Path) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(COMPLETED);
    let completed = PathBuf::from(name);
    if completed.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists", completed.display())));
    }
    std::fs::rename(file, completed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow(Vec<u8>);
    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = usize::from(!self.0.is_empty());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn lines(input: Box<dyn Read>, size: usize) -> Vec<Vec<String>> {
        let mut lines = Lines::new(input);
        let mut batches = Vec::new();
        while let Some(batch) = lines.next(size).expect("readable") {
            let texts = batch.iter().map(|event| String::from_utf8_lossy(event.body()).into_owned());
            batches.push(texts.collect());
        }
        batches
    }

    #[test]
    fn lines_are_javas_lines() {
        for (text, wanted) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\n\nb\r\nc\rd\n\r", &["a", "", "b", "c", "d", ""]),
            ("\n", &[""]),
            ("\r\n\r\n", &["", ""]),
        ] {
            let at_once = lines(Box::new(io::Cursor::new(text.to_owned())), 100).concat();
            assert_eq!(at_once, wanted, "{text:?}");
            assert_eq!(lines(Box::new(Slow(text.into())), 100).concat(), wanted, "{text:?}");
        }
        assert_eq!(lines(Box::new(io::Cursor::new("a\nb\nc")), 2), [vec!["a", "b"], vec!["c"]]);
    }

    #[test]
    fn a_folder_is_sent_once_oldest_first_and_hidden_files_never() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["b", "a", ".hidden", "done.COMPLETED"] {
            std::fs::write(path(name), "x").expect("written");
        }
        std::fs::create_dir(path("folder")).expect("made");
        let old = std::time::SystemTime::UNIX_EPOCH;
        std::fs::File::open(path("b")).and_then(|file| file.set_modified(old)).expect("set");
        let files = files_to_send(folder.path()).expect("listed");
        assert_eq!(files, [path("b"), path("a")]);
        mark_completed(&path("b")).expect("renamed");
        assert_eq!(files_to_send(folder.path()).expect("listed"), [path("a")]);
        std::fs::write(path("b"), "again").expect("written");
        let error = mark_completed(&path("b")).expect_err("the name is taken");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
