//! `flumen plugin reload`: tells the running processes of this user.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::control;
use crate::cli::PluginReloadArgs;
use crate::commands::{own_properties, plugins, print};

/// Compiling a large component takes long.
const ANSWER_WITHIN: Duration = Duration::from_secs(900);

/// Asks every process whose socket is in the state folder; fails if no plugin was found, or one was refused.
pub(super) fn run(args: &PluginReloadArgs) -> Result<ExitCode, String> {
    let folder = control::folder(&plugins::state_dir(&own_properties(&args.config)));
    let nobody = || {
        format!(
            "no process with plugins in {}: give `-Dflumen.state=DIR` as the agent was started with",
            folder.display()
        )
    };
    let entries = std::fs::read_dir(&folder).map_err(|_| nobody())?;
    let mut answers = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "sock") {
            answers.extend(ask(&path, args.path.as_deref())?);
        }
    }
    if answers.is_empty() {
        return Err(nobody());
    }
    let text = answers.concat();
    if text.is_empty() {
        let what = args.path.as_deref().map_or("plugins".to_owned(), |path| format!("plugin `{path}`"));
        return Err(format!("the running processes have no {what}; `flumen explain` shows the paths"));
    }
    let printed = print(&text);
    let is_refused = text.lines().any(|line| line.contains(": refused") || line.starts_with("refused"));
    Ok(if is_refused { ExitCode::FAILURE } else { printed })
}

/// What one process answers; none if it is gone.
fn ask(socket: &Path, path: Option<&str>) -> Result<Option<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", socket.display());
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        // Left behind by a process that was killed.
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    stream.set_read_timeout(Some(ANSWER_WITHIN)).map_err(failed)?;
    let request = path.map_or("reload\n".to_owned(), |path| format!("reload {path}\n"));
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    Ok(Some(answer))
}
