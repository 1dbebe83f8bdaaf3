//! `/health`: whether every component is at work.

use serde_json::json;

use super::Agents;
use crate::status::State;

/// The answer and its verdict.
pub(super) struct Health {
    pub(super) is_ready: bool,
    pub(super) text: String,
}

/// Ready means: all components run (or have finished), and none had to be left out.
pub(super) fn of(agents: &Agents) -> Health {
    let mut is_ready = true;
    let mut described = Vec::new();
    for agent in agents.iter() {
        let mut components = Vec::new();
        for (kind, unit) in agent.units() {
            let (state, cause) = match unit.state() {
                State::Starting => ("starting", None),
                State::Running => ("running", None),
                State::Failing(cause) => ("failing", Some(cause)),
                State::Finished => ("finished", None),
                State::Stopped => ("stopped", None),
            };
            is_ready &= matches!(state, "running" | "finished");
            components.push(json!({
                "kind": kind, "name": unit.name, "type": unit.kind, "state": state,
                "cause": cause, "failures": unit.failures(),
            }));
        }
        is_ready &= agent.removed.is_empty();
        described.push(json!({ "name": agent.name, "components": components, "removed": agent.removed }));
    }
    Health { is_ready, text: json!({ "live": true, "ready": is_ready, "agents": described }).to_string() }
}
