//! What people and machines can see of running agents, over HTTP.
//!
//! | path | what |
//! |---|---|
//! | `/metrics` | Flume's JSON: all values are strings, `CHANNEL.c1`, `SOURCE.r1`, `SINK.k1`, and `AGENT.a1` with the ledger |
//! | `/metrics/prometheus` | the same and more, in Prometheus' text format |
//! | `/health`, `/health/ready` | 200 if every component is at work, else 503, with what is not |
//! | `/health/live` | 200 as long as the process answers |

mod flume_json;
mod health;
mod plugins;
mod prometheus;
mod server;

use std::sync::Arc;

use crate::status::AgentStatus;

pub use server::{MonitorError, Monitoring, serve};

/// All agents of the process.
pub type Agents = Arc<Vec<Arc<AgentStatus>>>;
