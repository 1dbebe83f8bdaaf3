//! The agent: what makes components into a running whole, and lets people see it.
//!
//! ```text
//! cli ─▶ commands ─▶ life::Agent::build ─▶ start ─▶ (signal) ─▶ stop: sources, drain, sinks
//!                         │                  │
//!                    AgentConfig        AgentStatus ─▶ monitor (/metrics, /metrics/prometheus, /health)
//! ```

pub mod cli;
pub mod commands;
pub mod life;
pub mod logging;
pub mod monitor;
pub mod status;
