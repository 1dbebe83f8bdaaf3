//! `flumen explain`: what an agent's configuration amounts to.

use std::process::ExitCode;

use flumen_config::{explain, render};

use super::print;
use crate::cli::ExplainArgs;

/// Prints the effective configuration of the agent; findings go to standard error.
pub fn run(args: &ExplainArgs) -> ExitCode {
    let loaded = super::load(&args.files, &args.config);
    let findings = render::text(&loaded.diagnostics, &loaded.sources, render::Colour::Never);
    let Some(agent) = loaded.agent(&args.name) else {
        let names: Vec<&str> = loaded.agents.iter().map(|a| a.name.as_str()).collect();
        let known = if names.is_empty() {
            "no agent can run".to_owned()
        } else {
            format!("agents: {}", names.join(" "))
        };
        super::agent::complain(&format!(
            "{findings}no agent `{}` in the configuration; {known}\n",
            args.name
        ));
        return ExitCode::FAILURE;
    };
    super::agent::complain(&findings);
    print(&explain::text(agent, &flumen_connect::catalog::catalog()))
}
