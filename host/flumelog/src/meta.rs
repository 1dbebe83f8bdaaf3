//! The file beside each log, `log-N.meta`: one delimited `LogFileMetaData`.
//!
//! ```text
//! 1 version (3) │ 2 number of the log │ 3, 4 position and write order of the last checkpoint
//! 5 encryption { 1 cipher, 2 key, 3 the 16 bytes of the first counter block } │ 6, 7 as 3, 4, for the backup
//! ```

use crate::proto::{Fields, delimited};

/// What stands beside a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMeta {
    pub version: i32,
    pub number: i32,
    /// Position and write order of checkpoints: records before the position are older than the write order.
    pub checkpoints: [(i64, i64); 2],
    pub encryption: Option<Encryption>,
}

/// How a log is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    pub cipher: String,
    pub key: String,
    pub first_block: Vec<u8>,
}

impl LogMeta {
    /// Out of the file's bytes; `None` if they are no such message.
    pub fn parse(mut bytes: &[u8]) -> Option<Self> {
        let [mut version, mut number] = [None; 2];
        let (mut checkpoints, mut encryption) = ([(0, 0); 2], None);
        for field in Fields::of(delimited(&mut bytes)?) {
            match field? {
                (1, value) => version = value.i32(),
                (2, value) => number = value.i32(),
                (3, value) => checkpoints[0].0 = value.i64()?,
                (4, value) => checkpoints[0].1 = value.i64()?,
                (5, value) => encryption = Some(parse_encryption(value.bytes()?)?),
                (6, value) => checkpoints[1].0 = value.i64()?,
                (7, value) => checkpoints[1].1 = value.i64()?,
                _ => {}
            }
        }
        Some(Self { version: version?, number: number?, checkpoints, encryption })
    }

    /// Where reading may begin when everything up to a write order is known already.
    pub fn start_after(&self, order: i64) -> u64 {
        let [last, backup] = self.checkpoints;
        let position = match () {
            () if last.0 <= 0 => 0,
            () if last.1 <= order => last.0,
            () if backup.0 > 0 && backup.1 <= order => backup.0,
            () => 0,
        };
        position.max(0).cast_unsigned()
    }
}

fn parse_encryption(message: &[u8]) -> Option<Encryption> {
    let mut encryption = Encryption { cipher: String::new(), key: String::new(), first_block: Vec::new() };
    for field in Fields::of(message) {
        match field? {
            (1, value) => encryption.cipher = str::from_utf8(value.bytes()?).ok()?.to_owned(),
            (2, value) => encryption.key = str::from_utf8(value.bytes()?).ok()?.to_owned(),
            (3, value) => encryption.first_block = value.bytes()?.to_vec(),
            _ => {}
        }
    }
    Some(encryption)
}
