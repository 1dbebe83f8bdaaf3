//! All sinks.

mod avro;
mod file_roll;
mod http;
mod irc;
mod logger;
mod null;
mod thrift;

use crate::catalog::SinkType;

/// All sinks.
pub static TYPES: &[SinkType] =
    &[null::NULL, logger::LOGGER, file_roll::FILE_ROLL, avro::AVRO, thrift::THRIFT, http::HTTP, irc::IRC];

/// Types that only occur inside a sink's settings (path managers); built by their sinks.
pub static NESTED: &[flumen_config::ComponentSpec] = file_roll::PATH_MANAGERS;
