//! `flumen check`: all findings about files, each file on its own.

use std::process::ExitCode;

use flumen_config::render;

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
        let agents: Vec<&str> = loaded.agents.iter().map(|a| a.name.as_str()).collect();
        text.push_str(&format!(
            "{}: {}; agents that can run: {}\n",
            file.display(),
            render::summary(&loaded.diagnostics).trim_end(),
            if agents.is_empty() { "none".to_owned() } else { agents.join(" ") },
        ));
    }
    let printed = print(&text);
    if errors > 0 { ExitCode::FAILURE } else { printed }
}
