//! All sources.

mod arena;
mod avro;
mod avro_legacy;
mod exec;
mod http;
mod netcat;
mod netcat_udp;
mod seq;
mod stress;

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
];
