//! `flumen plugin check`: what a component says of itself. Nothing of it is compiled or run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use flumen_plugin::compile::{self, Bounds, Exports};
use flumen_plugin::spec::Kind;
use flumen_plugin::world;

use crate::cli::PluginCheckArgs;
use crate::commands::print;

/// The kinds in the words of the command line.
pub(super) const KINDS: [(Kind, &str); 7] = [
    (Kind::Interceptor, "interceptor"),
    (Kind::Serializer, "serializer"),
    (Kind::Deserializer, "deserializer"),
    (Kind::Selector, "selector"),
    (Kind::Source, "source"),
    (Kind::Sink, "sink"),
    (Kind::HttpHandler, "http-handler"),
];

/// Imports by their beginning, and the grant that gives them something to reach. All of them are always there; without
/// the grant they find nothing or refuse.
const GRANTS: [(&str, &str); 4] = [
    ("wasi:http/outgoing-handler", "grants.http = HOST:PORT …        to send HTTP requests"),
    ("wasi:filesystem/preopens", "grants.files = DIR:ro …          to see folders"),
    ("wasi:cli/environment", "grants.env = NAME …              to see environment variables"),
    ("wasi:clocks/wall-clock", "grants.clock = wall              to see the time of day"),
];

/// A component's file, looked at.
pub(super) struct Looked {
    pub(super) bytes: Vec<u8>,
    pub(super) exports: Exports,
    /// What it can be used as.
    pub(super) kind: Kind,
    pub(super) interface: &'static str,
}

/// Reads the file and finds out what it is.
///
/// # Errors
/// A sentence: it cannot be read, or is no plugin, and what to do.
pub(super) fn look(file: &Path) -> Result<Looked, String> {
    let bounds = Bounds::default();
    let shown = file.display();
    let size = std::fs::metadata(file).map_err(|error| format!("cannot read {shown}: {error}"))?.len();
    if size > bounds.input_bytes_max {
        return Err(format!(
            "{shown} has {size} bytes, more than the {} that are compiled",
            bounds.input_bytes_max
        ));
    }
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let unusable = |(why, help)| format!("{shown}: {why}; {help}");
    let exports = compile::inspect(&bytes, &bounds).map_err(unusable)?;
    let found = KINDS.iter().find_map(|(kind, _)| {
        let interfaces = world::interfaces(*kind);
        let interface =
            interfaces.iter().find(|name| exports.exports.iter().any(|export| export == **name))?;
        Some((*kind, *interface))
    });
    let Some((kind, interface)) = found else {
        let ours = exports.exports.iter().filter(|name| name.starts_with("flumen:plugin/"));
        let shown_exports: Vec<&str> = ours.map(String::as_str).collect();
        return Err(match shown_exports.as_slice() {
            [] => format!(
                "{shown}: a component, but it exports none of the interfaces of flumen:plugin; `flumen plugin new` writes a project that does"
            ),
            other => format!(
                "{shown}: it exports {}, which this flumen does not run (it runs {})",
                other.join(", "),
                world::VERSIONS.join(", ")
            ),
        });
    };
    Ok(Looked { bytes, exports, kind, interface })
}

/// Prints what there is to say.
pub(super) fn run(args: &PluginCheckArgs) -> Result<ExitCode, String> {
    Ok(print(&page(&args.file, &look(&args.file)?)))
}

fn page(file: &Path, looked: &Looked) -> String {
    let Looked { bytes, exports, kind, interface } = looked;
    let kind = KINDS.iter().find(|(known, _)| known == kind).map_or("", |(_, name)| name);
    let world = world::described(interface).unwrap_or(interface);
    let version = interface.rsplit('@').next().unwrap_or_default();
    let mut text = format!(
        "{}\n  used as    {kind} ({world}, flumen:plugin {version})\n  size       {} bytes, {} functions\n  sha256     {}\n",
        file.display(),
        bytes.len(),
        exports.functions,
        compile::digest(bytes),
    );
    let grants: Vec<&str> = GRANTS
        .iter()
        .filter(|(import, _)| exports.imports.iter().any(|name| name.starts_with(import)))
        .map(|(_, grant)| *grant)
        .collect();
    // Writing to a String cannot fail.
    let _ = match grants.as_slice() {
        [] => writeln!(text, "  grants     it imports nothing that could be granted"),
        [first, rest @ ..] => {
            let mut said = writeln!(text, "  grants     it could use    {first}");
            for grant in rest {
                said = writeln!(text, "                             {grant}");
            }
            said
        }
    };
    for (at, import) in exports.imports.iter().enumerate() {
        let _ = writeln!(text, "  {}{import}", if at == 0 { "imports    " } else { "           " });
    }
    text
}
