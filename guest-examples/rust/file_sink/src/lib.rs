//! `file_sink`: appends bodies as lines to a file in a folder that `grants.files` opens for writing.
//!
//! | option | default | |
//! |---|---|---|
//! | `path` | | The file. |
//! | `maxBytes` | `1048576` | An event whose body is longer is rejected. |

use std::fs::{File, OpenOptions};
use std::io::Write;

use flumen_plugin_sdk::sink::*;

/// The plugin.
#[derive(Debug)]
pub struct FileSink {
    path: String,
    max_bytes: usize,
    file: Option<File>,
    lines: Vec<u8>,
}

impl Sink for FileSink {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let (path, max_bytes) = (options.required("path")?, options.or("maxBytes", 1 << 20)?);
        Ok(Self { path, max_bytes, file: None, lines: Vec::new() })
    }

    fn needs(&self) -> Needs {
        Needs::body()
    }

    fn start(&mut self) -> Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        self.file = Some(file.map_err(|why| Error::retry(format_args!("{}: {why}", self.path)))?);
        Ok(())
    }

    fn deliver(&mut self, batch: &Batch) -> Result<Delivery> {
        let mut delivery = Delivery::complete();
        self.lines.clear();
        for event in batch.events() {
            if event.body().len() > self.max_bytes {
                delivery.reject(event, format!("the body has {} bytes", event.body().len()));
                continue;
            }
            self.lines.extend_from_slice(event.body());
            self.lines.push(b'\n');
        }
        let file = self.file.as_mut().ok_or_else(|| Error::fatal("deliver before start"))?;
        let before = file.metadata().map(|metadata| metadata.len());
        // On the disk before they leave the channel.
        if let Err(why) = file.write_all(&self.lines).and_then(|()| file.sync_data()) {
            if let Ok(before) = before {
                // Half of a batch must not stay: all of it comes again.
                file.set_len(before).map_err(|also| Error::fatal(format_args!("{why}, and then {also}")))?;
            }
            self.file = None;
            return Err(Error::retry(format_args!("{}: {why}", self.path)));
        }
        Ok(delivery)
    }

    fn stop(&mut self) {
        self.file = None;
    }
}

export!(FileSink);
