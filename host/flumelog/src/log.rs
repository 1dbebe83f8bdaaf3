//! One log: `log-N`, read in sequence and at random.
//!
//! ```text
//! 7F │ length 4 │ record       a record, encrypted or not
//! 00 │ length 4 │ anything     a record that Flume's integrity tool has blanked
//! 80 80 80 …                   preallocated and not yet written: the end
//! ```
//! Numbers are big-endian. Anything else is damage. Behind damage the next record is searched: the mark 7F, a
//! length that fits, a header as every record has it, and content that parses with its checksum. Where a
//! log seems to end although records follow (the mark itself was hit), that is damage too.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flumen_keystore::SecretKey;

use crate::cipher::{FLUMES_CIPHER, LogCipher};
use crate::error::FlumeLogError;
use crate::meta::{Encryption, LogMeta};
use crate::record::{Action, Event, HEADER_BYTES, Kind, Pointer, Record, SIGNATURE};
use crate::report::{Damage, Report};

const RECORD: u8 = 0x7F;
const BLANKED: u8 = 0x00;
const END: u8 = 0x80;
const FRAME_BYTES: u64 = 5;
/// Read at once; a larger record is read as a whole.
const WINDOW_BYTES: usize = 256 * 1024;
const FORMAT_VERSION: i32 = 3;

/// An open log.
pub struct Log {
    pub path: PathBuf,
    pub number: i32,
    meta: LogMeta,
    cipher: Option<LogCipher>,
    file: File,
    len: u64,
    window: Range<u64>,
    bytes: Vec<u8>,
    /// The record at hand, decrypted.
    record: Vec<u8>,
    /// Where the next record of the sequence begins.
    next: u64,
}

/// A record of the sequence without its event, which is read when it is known to be pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Pointer,
    pub transaction: i64,
    pub rank: (i64, i64, u8),
    pub what: What,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Put,
    Take(Pointer),
    Rollback,
    Commit(Kind),
}

enum Frame {
    Record { next: u64 },
    Blanked { next: u64 },
    End,
    Damaged(&'static str),
}

impl Log {
    /// Opens a log and what stands beside it; `None` if Flume had created it and not yet begun to use it.
    pub fn open(
        path: &Path,
        number: i32,
        keys: &[(String, SecretKey)],
    ) -> Result<Option<Self>, FlumeLogError> {
        let file = File::open(path).map_err(FlumeLogError::io(path))?;
        let len = file.metadata().map_err(FlumeLogError::io(path))?.len();
        let Some(bytes) = read_meta(path)? else {
            return without_meta(path, &file, len);
        };
        let unreadable = |what: &str| FlumeLogError::Io {
            path: with_suffix(path, ".meta"),
            source: io::Error::new(io::ErrorKind::InvalidData, what.to_owned()),
        };
        if bytes.is_empty() && len == 0 {
            return Ok(None);
        }
        let meta = LogMeta::parse(&bytes).ok_or_else(|| unreadable("it is no LogFileMetaData"))?;
        if meta.version != FORMAT_VERSION {
            return Err(FlumeLogError::OldVersion { path: path.to_owned(), version: meta.version.into() });
        }
        if meta.number != number {
            return Err(unreadable(&format!("it belongs to log-{}", meta.number)));
        }
        let cipher = meta.encryption.as_ref().map(|e| cipher(path, e, keys)).transpose()?;
        let (bytes, record, path) = (Vec::new(), Vec::new(), path.to_owned());
        Ok(Some(Self { path, number, meta, cipher, file, len, window: 0..0, bytes, record, next: 0 }))
    }

    /// The sequence begins behind what is known up to a write order.
    pub fn start_after(&mut self, order: i64) {
        self.next = self.meta.start_after(order).min(self.len);
    }

    /// The next record of the sequence. Damage is passed over and told to the report.
    pub fn next_step(&mut self, report: &mut Report) -> Result<Option<Step>, FlumeLogError> {
        loop {
            let at = self.next;
            let frame = self.frame(at).map_err(FlumeLogError::io(&self.path))?;
            let cause = match frame {
                Frame::Record { next } => {
                    self.next = next;
                    report.records += 1;
                    let record = Record::parse(&self.record);
                    if let Some(step) = record.ok().and_then(|record| step(&record, self.number, at)) {
                        return Ok(Some(step));
                    }
                    "a log longer than Flume writes any"
                }
                Frame::Blanked { next } => {
                    self.next = next;
                    continue;
                }
                Frame::End => "the log seems to end here, and does not",
                Frame::Damaged(cause) => cause,
            };
            let found = self.search(at + 1).map_err(FlumeLogError::io(&self.path))?;
            let is_end = matches!(frame, Frame::End);
            if is_end && found.is_none() {
                return Ok(None);
            }
            self.next = found.unwrap_or(self.len);
            let damage =
                Damage { path: self.path.clone(), at, bytes: self.next - at, cause: cause.to_owned() };
            report.damaged(damage);
            if found.is_none() {
                return Ok(None);
            }
        }
    }

    /// The event that was put at an offset.
    ///
    /// # Errors
    /// What is wrong there; an outer error if the disk is.
    pub fn event_at(&mut self, offset: i32) -> Result<Result<Event<'_>, &'static str>, FlumeLogError> {
        let at = u64::from(offset.cast_unsigned());
        Ok(match self.frame(at).map_err(FlumeLogError::io(&self.path))? {
            Frame::Record { .. } => match Record::parse(&self.record).map(|record| record.action) {
                Ok(Action::Put(event)) => Ok(event),
                Ok(_) => Err("the record that should hold the event is none of an event"),
                Err(cause) => Err(cause),
            },
            Frame::Blanked { .. } => Err("the event was blanked by Flume's integrity tool"),
            Frame::End => Err("the log ends before the event"),
            Frame::Damaged(cause) => Err(cause),
        })
    }

    /// The write order of the record at an offset; the largest there is if that cannot be told.
    pub fn order_at(&mut self, offset: i32) -> i64 {
        match self.frame(u64::from(offset.cast_unsigned())) {
            Ok(Frame::Record { .. }) => Record::parse(&self.record).map_or(i64::MAX, |record| record.order),
            _ => i64::MAX,
        }
    }

    /// What begins at an offset. A record has been decrypted into `self.record` then, and parses.
    fn frame(&mut self, at: u64) -> io::Result<Frame> {
        let Some(&mark) = self.read(at, 1)?.first() else { return Ok(Frame::End) };
        if mark != RECORD && mark != BLANKED {
            return Ok(if mark == END { Frame::End } else { Frame::Damaged("no record begins here") });
        }
        let Ok(length) = <[u8; 4]>::try_from(self.read(at + 1, 4)?) else { return Ok(Frame::End) };
        let length = u32::from_be_bytes(length);
        let next = at + FRAME_BYTES + u64::from(length);
        if next > self.len {
            return Ok(Frame::Damaged("the record is longer than the rest of the log"));
        }
        if mark == BLANKED {
            return Ok(Frame::Blanked { next });
        }
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        record.extend_from_slice(self.read(at + FRAME_BYTES, length as usize)?);
        if let Some(cipher) = &self.cipher {
            cipher.open(&mut record);
        }
        self.record = record;
        Ok(Record::parse(&self.record).map_or_else(Frame::Damaged, |_| Frame::Record { next }))
    }

    /// Where the next sound record begins, at or behind an offset.
    fn search(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < self.len {
            let ahead = usize::try_from(self.len - at).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
            let bytes = self.read(at, ahead)?;
            let Some(skip) = bytes.iter().position(|&byte| byte == RECORD) else {
                at += ahead as u64;
                continue;
            };
            at += skip as u64;
            if self.has_header(at)? && matches!(self.frame(at)?, Frame::Record { .. }) {
                return Ok(Some(at));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Whether what stands behind a mark looks like the header of a record. Keeps the search linear: few
    /// candidates are decrypted and parsed as a whole.
    fn has_header(&mut self, at: u64) -> io::Result<bool> {
        let mut header = [0; HEADER_BYTES];
        match self.read(at + FRAME_BYTES, HEADER_BYTES)? {
            bytes if bytes.len() == HEADER_BYTES => header.copy_from_slice(bytes),
            _ => return Ok(false),
        }
        if let Some(cipher) = &self.cipher {
            cipher.open(&mut header);
        }
        Ok(header[..2] == SIGNATURE && matches!(header[2..6], [1..=4, 0, 0, 0]))
    }

    /// Bytes of the file, fewer than wanted at its end.
    fn read(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        let end = at.saturating_add(wanted as u64).min(self.len);
        if at >= end {
            return Ok(&[]);
        }
        if at < self.window.start || end > self.window.end {
            let window_end = self.len.min(end.max(at + WINDOW_BYTES as u64));
            let bytes = usize::try_from(window_end - at).map_err(io::Error::other)?;
            self.window = 0..0;
            self.bytes.resize(bytes, 0);
            self.file.read_exact_at(&mut self.bytes, at)?;
            self.window = at..window_end;
        }
        let start = (at - self.window.start) as usize;
        Ok(&self.bytes[start..start + (end - at) as usize])
    }
}

fn step(record: &Record<'_>, log: i32, at: u64) -> Option<Step> {
    let what = match &record.action {
        Action::Put(_) => What::Put,
        Action::Take(pointer) => What::Take(*pointer),
        Action::Rollback => What::Rollback,
        Action::Commit(kind) => What::Commit(*kind),
    };
    let at = Pointer { log, offset: i32::try_from(at).ok()? };
    Some(Step { at, transaction: record.transaction, rank: record.rank(), what })
}

/// The file beside the log, or the one that Flume was about to replace it with, or the one it had.
fn read_meta(log: &Path) -> Result<Option<Vec<u8>>, FlumeLogError> {
    for suffix in [".meta", ".meta.tmp", ".meta.old"] {
        let path = with_suffix(log, suffix);
        match std::fs::read(&path) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(FlumeLogError::Io { path, source }),
        }
    }
    Ok(None)
}

/// Logs of version 2 had no file beside them and began with their version.
fn without_meta(path: &Path, file: &File, len: u64) -> Result<Option<Log>, FlumeLogError> {
    let mut version = [0; 4];
    if len == 0 {
        return Ok(None);
    }
    match file.read_exact_at(&mut version, 0) {
        Ok(()) if version == [0, 0, 0, 2] => {
            Err(FlumeLogError::OldVersion { path: path.to_owned(), version: 2 })
        }
        _ => Err(FlumeLogError::Io {
            path: with_suffix(path, ".meta"),
            source: io::Error::new(io::ErrorKind::NotFound, "the log has no such file beside it"),
        }),
    }
}

fn with_suffix(log: &Path, suffix: &str) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn cipher(
    path: &Path,
    encryption: &Encryption,
    keys: &[(String, SecretKey)],
) -> Result<LogCipher, FlumeLogError> {
    let unknown =
        || FlumeLogError::UnknownCipher { path: path.to_owned(), cipher: encryption.cipher.clone() };
    if !encryption.cipher.eq_ignore_ascii_case(FLUMES_CIPHER) {
        return Err(unknown());
    }
    let Some((_, key)) = keys.iter().find(|(name, _)| name.eq_ignore_ascii_case(&encryption.key)) else {
        let known: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
        return Err(FlumeLogError::MissingKey {
            path: path.to_owned(),
            key: encryption.key.clone(),
            known: known.join(", "),
        });
    };
    LogCipher::new(encryption, key).ok_or_else(unknown)
}
