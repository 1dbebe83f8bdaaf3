//! `grants.*`: what a plugin may reach, read and checked as text. Nothing is looked up and no folder is opened here.

use std::path::{Component, Path};

use super::{Findings, PluginOptions, resolved, words};
use crate::spec::{FileGrant, Grants, HttpGrant, HttpHost, HttpSecret};

/// Headers that carry the request itself: setting one would change where or how it goes.
const NO_SECRETS: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"];

/// Reads all grants.
pub(super) fn read(options: &PluginOptions, findings: &mut Findings<'_>) -> Grants {
    let http = http(options, findings);
    Grants {
        files: files(options, findings),
        env: environment(options, findings),
        wall_clock: wall_clock(options, findings),
        secrets: secrets(&http, findings),
        http,
    }
}

fn http(options: &PluginOptions, findings: &mut Findings<'_>) -> Vec<HttpGrant> {
    let mut grants = Vec::new();
    for text in words(&options.grants_http) {
        match HttpGrant::parse(text.trim_end_matches(',')) {
            Ok(grant) => grants.push(grant),
            Err(why) => findings.bad("grants.http", format!("`grants.http`: {why}"), LISTS),
        }
    }
    grants
}

const LISTS: &str = "the elements of a list are separated by blanks";

fn files(options: &PluginOptions, findings: &mut Findings<'_>) -> Vec<FileGrant> {
    let base = findings.settings.base_dir();
    let base = std::path::absolute(&base).unwrap_or(base);
    let mut grants: Vec<FileGrant> = Vec::new();
    for text in words(&options.grants_files) {
        let (folder, writable) = match text.rsplit_once(':') {
            Some((folder, "ro")) if !folder.is_empty() => (folder, false),
            Some((folder, "rw")) if !folder.is_empty() => (folder, true),
            _ => {
                let why = format!("`grants.files`: `{text}` does not say what may be done");
                findings.bad(
                    "grants.files",
                    why,
                    "write `DIR:ro` to let it read, `DIR:rw` to let it write as well",
                );
                continue;
            }
        };
        let folder = without_dots(&resolved(&base, folder));
        let Some(guest_path) = folder.to_str().map(str::to_owned) else { continue };
        if folder == Path::new("/") {
            let why = "`grants.files`: the whole file system cannot be granted";
            findings.bad("grants.files", why, "name the folder that it needs");
        } else if grants.iter().any(|grant| grant.folder == folder) {
            let why = format!("`grants.files` names the folder `{guest_path}` twice");
            findings.bad("grants.files", why, "name it once, with the larger right");
        } else {
            grants.push(FileGrant { folder, guest_path, writable });
        }
    }
    grants
}

/// The path as it is written, `.` and `..` worked out: the guest sees it under this name.
fn without_dots(path: &Path) -> std::path::PathBuf {
    let mut clean = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

fn environment(options: &PluginOptions, findings: &mut Findings<'_>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for name in words(&options.grants_env) {
        if name.contains('=') {
            let why = format!("`grants.env`: `{name}` is no name of a variable");
            findings.bad(
                "grants.env",
                why,
                "name the variable only; its value is that of the agent's environment",
            );
            continue;
        }
        match std::env::var(name) {
            Ok(value) => variables.push((name.clone(), value)),
            Err(_) => {
                let why =
                    format!("`grants.env`: the variable `{name}` is not set, so the plugin will not see it");
                let finding = flumen_config::Diagnostic::warning("missing-variable", why);
                let finding = finding.at(&findings.settings.origin("grants.env"));
                let path = format!("{}.grants.env", findings.settings.path());
                findings.diagnostics.push(finding.on(path).help("set it where the agent is started"));
            }
        }
    }
    variables
}

fn wall_clock(options: &PluginOptions, findings: &mut Findings<'_>) -> bool {
    match options.grants_clock.as_deref() {
        None => false,
        Some("wall") => true,
        Some(other) => {
            let why = format!("`grants.clock = {other}`: only `wall` can be granted");
            findings.bad(
                "grants.clock",
                why,
                "write `wall`, or take it out: a clock that only measures is always there",
            );
            false
        }
    }
}

fn secrets(http: &[HttpGrant], findings: &mut Findings<'_>) -> Vec<HttpSecret> {
    let given = findings.settings.below("grants.secrets.");
    let mut secrets = Vec::new();
    for (name, setting) in given.iter() {
        let key = format!("grants.secrets.{name}");
        match secret(name, &setting.value, http) {
            Ok(secret) => secrets.push(secret),
            Err((why, help)) => findings.bad(&key, format!("`{key}`: {why}"), help),
        }
    }
    secrets
}

/// `api.example.org:443 authorization Bearer abc`. The messages name no part of the value.
fn secret(name: &str, text: &str, http: &[HttpGrant]) -> Result<HttpSecret, (String, String)> {
    let shape = "write `HOST:PORT HEADER VALUE`, as in `api.example.org:443 authorization Bearer …`";
    let mut parts = text.splitn(3, char::is_whitespace);
    let (Some(destination), Some(header), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(("it has not three parts".to_owned(), shape.to_owned()));
    };
    let destination = HttpGrant::parse(destination)
        .map_err(|_| ("it does not begin with a destination".to_owned(), shape.to_owned()))?;
    let header = header.to_ascii_lowercase();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if header.is_empty() || !header.bytes().all(is_token) || NO_SECRETS.contains(&&*header) {
        return Err(("its second part is no header that may be set".to_owned(), shape.to_owned()));
    }
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        return Err(("its value is empty or has a control character".to_owned(), shape.to_owned()));
    }
    // A secret for every host below a domain would be given to whoever registers one there.
    if matches!(destination.host, HttpHost::Below(_)) {
        return Err((
            "a secret goes to one host, not to all below a name".to_owned(),
            "name the host".to_owned(),
        ));
    }
    if !http.iter().any(|grant| grant.covers(&destination)) {
        let help = format!("add `{destination}` to `grants.http`");
        return Err((format!("its destination `{destination}` is not granted"), help));
    }
    Ok(HttpSecret { name: name.to_owned(), destination, header, value: value.trim().to_owned() })
}
