//! `flumen check`: all findings about files, each file on its own.

use std::process::ExitCode;

use flumen_config::{AgentConfig, render};

use super::print;
use crate::cli::CheckArgs;

/// Checks the files; nothing is started, no command of a config filter is run.
pub fn run(args: &CheckArgs) -> ExitCode {
    let mut text = String::new();
    let mut errors = 0;
    for file in &args.files {
        let loaded = super::load(std::slice::from_ref(file), &args.config);
        errors += loaded.diagnostics.error_count();
        text.push_str(&render::text(&loaded.diagnostics, &loaded.sources, render::Colour::Never));
        let (ready, unready): (Vec<_>, Vec<_>) =
            loaded.agents.iter().partition(|agent| agent.unready().next().is_none());
        let names = |agents: Vec<&AgentConfig>| {
            let names: Vec<&str> = agents.into_iter().map(|a| a.name.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(" ") }
        };
        text.push_str(&format!("{}: {}", file.display(), render::summary(&loaded.diagnostics).trim_end()));
        text.push_str(&format!("; agents that can run: {}", names(ready)));
        if !unready.is_empty() {
            text.push_str(&format!("; with types that cannot be loaded: {}", names(unready)));
        }
        text.push('\n');
    }
    let printed = print(&text);
    if errors > 0 { ExitCode::FAILURE } else { printed }
}
