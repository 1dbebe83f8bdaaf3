//! What can be said of a component without compiling it, in one pass over its sections.

use wasmparser::{Encoding, Parser, Payload};

use super::Bounds;
use crate::world::{self, VERSIONS};

/// Nesting of components in components.
const DEPTH_MAX: usize = 32;

/// A reason and what to do.
type Unusable = (String, String);

/// What a component says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    /// Names of the component's own exports.
    pub exports: Vec<String>,
    /// Names of its own imports.
    pub imports: Vec<String>,
    /// Functions of all modules in it.
    pub functions: u32,
}

/// Looks at a file's bytes.
///
/// # Errors
/// A reason and what to do, if this is no component, or not a whole one, or over a bound.
pub fn inspect(bytes: &[u8], bounds: &Bounds) -> Result<Exports, Unusable> {
    let mut found = Exports::default();
    let mut items = 0u32;
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| not_whole(bytes, &error))?;
        items = items.saturating_add(match &payload {
            Payload::Version { encoding, .. } if depth == 0 => {
                is_component(*encoding)?;
                depth = 1;
                0
            }
            Payload::Version { .. } => {
                depth += 1;
                0
            }
            Payload::End(_) => {
                depth = depth.saturating_sub(1);
                0
            }
            Payload::FunctionSection(section) => {
                found.functions = found.functions.saturating_add(section.count());
                0
            }
            other => items_of(other),
        });
        if depth == 1 {
            note_names(&payload, &mut found).map_err(|error| not_whole(bytes, &error))?;
        }
        within(items, found.functions, depth, bounds)?;
    }
    Ok(found)
}

fn is_component(encoding: Encoding) -> Result<(), Unusable> {
    if encoding == Encoding::Component {
        return Ok(());
    }
    Err((
        "it is a core module, not a component".to_owned(),
        "build it for the target wasm32-wasip2, or wrap it with `wasm-tools component new`".to_owned(),
    ))
}

fn items_of(payload: &Payload<'_>) -> u32 {
    match payload {
        Payload::TypeSection(section) => section.count(),
        Payload::ImportSection(section) => section.count(),
        Payload::ExportSection(section) => section.count(),
        Payload::ComponentTypeSection(section) => section.count(),
        Payload::ComponentImportSection(section) => section.count(),
        Payload::ComponentExportSection(section) => section.count(),
        Payload::ComponentInstanceSection(section) => section.count(),
        Payload::InstanceSection(section) => section.count(),
        Payload::ComponentAliasSection(section) => section.count(),
        Payload::ComponentCanonicalSection(section) => section.count(),
        _ => 0,
    }
}

fn note_names(payload: &Payload<'_>, found: &mut Exports) -> wasmparser::Result<()> {
    match payload {
        Payload::ComponentExportSection(section) => {
            for export in section.clone() {
                found.exports.push(export?.name.name.to_owned());
            }
        }
        Payload::ComponentImportSection(section) => {
            for import in section.clone() {
                found.imports.push(import?.name.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

fn within(items: u32, functions: u32, depth: usize, bounds: &Bounds) -> Result<(), Unusable> {
    let over = |what: String| (what, "a real plugin has far less: is this what you meant to run?".to_owned());
    if functions > bounds.functions_max {
        return Err(over(format!(
            "it has more than {} functions, the most that is compiled",
            bounds.functions_max
        )));
    }
    if items > bounds.items_max {
        let max = bounds.items_max;
        return Err(over(format!(
            "it has more than {max} types, imports and exports, the most that is compiled"
        )));
    }
    if depth > DEPTH_MAX {
        return Err(over(format!("its components are nested deeper than {DEPTH_MAX}")));
    }
    Ok(())
}

fn not_whole(bytes: &[u8], error: &wasmparser::BinaryReaderError) -> Unusable {
    if !bytes.starts_with(b"\0asm") {
        let text = "build a WebAssembly component and name its .wasm file here".to_owned();
        return ("it is not WebAssembly (it does not begin with \\0asm)".to_owned(), text);
    }
    let reason = format!(
        "it is damaged or cut off at byte {} of {}: {}",
        error.offset(),
        bytes.len(),
        error.message()
    );
    (reason, "build or copy it again".to_owned())
}

impl Exports {
    /// The first of these interfaces that the component exports.
    pub(crate) fn choose(&self, interfaces: &'static [&'static str]) -> Result<&'static str, Unusable> {
        let has = |wanted: &&&str| self.exports.iter().any(|name| name == **wanted);
        if let Some(found) = interfaces.iter().find(has) {
            return Ok(found);
        }
        let expected = list(interfaces.iter().copied());
        let ours: Vec<&str> = self
            .exports
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with("flumen:plugin/"))
            .collect();
        let unversioned = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
        let same = |name: &&&str| interfaces.iter().any(|wanted| unversioned(wanted) == unversioned(name));
        if let Some(other) = ours.iter().find(same) {
            return Err((
                format!("it exports {other}, and this flumen runs the versions {}", VERSIONS.join(", ")),
                "build it against a supported version of the package, or run a flumen that supports it"
                    .to_owned(),
            ));
        }
        let exported = if ours.is_empty() { self.exports.iter().map(String::as_str).collect() } else { ours };
        let what = if exported.is_empty() { "nothing".to_owned() } else { list(exported.into_iter()) };
        Err((format!("it exports {what}, but {expected} is expected here"), help(self)))
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let all: Vec<String> = names
        .map(|name| {
            world::described(name).map_or_else(|| name.to_owned(), |world| format!("{name} ({world})"))
        })
        .collect();
    let more = if all.len() > SHOWN { format!(" and {} more", all.len() - SHOWN) } else { String::new() };
    format!("{}{more}", all[..all.len().min(SHOWN)].join(" or "))
}

fn help(found: &Exports) -> String {
    let ours = found.exports.iter().any(|name| name.starts_with("flumen:plugin/"));
    if ours {
        "use it where that world is used, or build it for the world that is expected".to_owned()
    } else {
        "build it for one of the worlds of flumen:plugin (`flumen plugin new` writes a project)".to_owned()
    }
}
