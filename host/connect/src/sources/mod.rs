//! All sources.

mod arena;
mod avro;
mod avro_legacy;
mod backlog;
mod datagrams;
mod exec;
mod http;
mod large_reads;
mod netcat;
mod netcat_udp;
mod scribe;
mod seq;
mod stress;
pub mod syslog;
mod thrift;
mod thrift_legacy;

use crate::catalog::SourceType;

/// All sources.
pub static TYPES: &[SourceType] = &[
    avro::AVRO,
    avro_legacy::AVRO_LEGACY,
    exec::EXEC,
    http::HTTP,
    netcat::NETCAT,
    netcat_udp::NETCAT_UDP,
    seq::SEQ,
    stress::STRESS,
    syslog::TCP,
    syslog::UDP,
    syslog::MULTIPORT,
    thrift::THRIFT,
    scribe::SCRIBE,
    thrift_legacy::THRIFT_LEGACY,
];
