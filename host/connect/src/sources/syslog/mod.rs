//! `syslogtcp`, `syslogudp`, `multiport_syslogtcp`: messages of syslog senders.
//!
//! ```text
//! connection ──▶ Buffers ──▶ Cutter ──▶ Classic or Strict ──▶ Rows ──▶ Batch ──▶ outlet
//!               one read     messages   headers, moments      columns           one put, patiently
//! ```
//!
//! One read is one batch, whose bodies are pieces of the very buffer that was read into. Flume has two
//! parsers, with different headers; each is exactly Flume's but for known defects, which two switches bring back:
//! `flumeTimestamps` and `flumeLineEnds`.
//!
//! | file | |
//! |---|---|
//! | `tcp`, `udp`, `multiport` | the sources and their options |
//! | `connection` | reads a stream, stores what it brings, makes the sender wait |
//! | `buffers` | what reads go into, recycled |
//! | `decoder` | from bytes to batches |
//! | `framing` | where messages end: line feeds, lengths (RFC 6587) |
//! | `classic`, `scan` | Flume's `SyslogUtils`, and its patterns as a scanner |
//! | `strict` | Flume's `SyslogParser` |
//! | `stamp`, `java_date` | moments out of dates |
//! | `read`, `format`, `keep` | options, `format.*`, `keepFields` |
//! | `rows`, `numbers` | header columns without a text of their own |
//! | `client`, `host_names` | headers about the sender |

mod buffers;
mod classic;
mod client;
mod connection;
mod decoder;
mod format;
mod framing;
mod host_names;
mod java_date;
mod keep;
mod multiport;
mod numbers;
mod read;
mod rows;
mod scan;
mod stamp;
mod strict;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

pub use decoder::{Decoder, End};

pub(super) use multiport::MULTIPORT;
pub(super) use tcp::TCP;
pub(super) use udp::UDP;
