//! All sources.

mod arena;
mod avro;
mod exec;
mod netcat;
mod netcat_udp;
mod seq;
mod stress;

use crate::catalog::SourceType;

/// All sources.
pub static TYPES: &[SourceType] =
    &[avro::AVRO, exec::EXEC, netcat::NETCAT, netcat_udp::NETCAT_UDP, seq::SEQ, stress::STRESS];
