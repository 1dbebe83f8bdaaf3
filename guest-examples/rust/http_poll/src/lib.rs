//! `http_poll`: the lines of a growing file behind a URL, each once. Needs `grants.http` for its host.
//!
//! Asks for the bytes behind the last whole line it has seen (`Range`); that place is the checkpoint, so nothing is lost
//! or read twice over restarts.
//!
//! | option | default | |
//! |---|---|---|
//! | `url` | | The file. |
//! | `everyMs` | `1000` | How long to wait when there is nothing new. |
//! | `bytesMax` | `1048576` | How many bytes to ask for at once, and the longest line. |

mod http;

use std::time::Duration;

use flumen_plugin_sdk::source::*;

/// The plugin.
#[derive(Debug)]
pub struct HttpPoll {
    url: http::Url,
    every: Duration,
    bytes_max: usize,
    offset: u64,
}

impl Source for HttpPoll {
    fn configure(options: &Options) -> Result<Self, ConfigError> {
        let url: String = options.required("url")?;
        let url = http::Url::parse(&url).map_err(|why| ConfigError::at("url", why))?;
        let every = Duration::from_millis(options.or("everyMs", 1000)?);
        Ok(Self { url, every, bytes_max: options.or("bytesMax", 1 << 20)?, offset: 0 })
    }

    fn start(&mut self, checkpoint: Option<&[u8]>) -> Result<()> {
        let bytes = checkpoint.unwrap_or(&[0; 8]).try_into();
        self.offset =
            u64::from_le_bytes(bytes.map_err(|_| Error::fatal("the checkpoint is not one of this plugin"))?);
        Ok(())
    }

    fn next_batch(&mut self, wait: Duration, events: &mut Events) -> Result<Next> {
        let range = format!("bytes={}-{}", self.offset, self.offset + self.bytes_max as u64 - 1);
        let (status, bytes) = http::get(&self.url, &range, self.bytes_max, wait)?;
        match status {
            206 => {}
            // The whole file, which begins where the first range does.
            200 if self.offset == 0 => {}
            416 => return Ok(Next::Idle(self.every)),
            200 => return Err(Error::fatal("the server does not serve ranges")),
            other => return Err(Error::retry(format_args!("the server answers {other}"))),
        }
        let mut lines = bytes::lines(&bytes);
        while !events.is_full()
            && let Some(line) = lines.next_whole()
        {
            events.push(line);
        }
        if events.is_empty() && bytes.len() >= self.bytes_max {
            return Err(Error::invalid(format_args!(
                "a line of more than {} bytes at {}",
                self.bytes_max, self.offset
            )));
        }
        if events.is_empty() {
            return Ok(Next::Idle(self.every));
        }
        self.offset += (bytes.len() - lines.rest().len()) as u64;
        Ok(Next::Batch(self.offset.to_le_bytes().to_vec()))
    }

    fn rolled_back(&mut self, checkpoint: Option<&[u8]>) -> Result<()> {
        self.start(checkpoint)
    }
}

export!(HttpPoll);
