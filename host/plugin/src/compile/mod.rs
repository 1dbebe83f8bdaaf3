//! From a component's file to machine code.
//!
//! ```text
//! read (size bound) ─▶ SHA-256 ─▶ check (a component? which world?) ─▶ cache: DIGEST-ENGINE.cwasm?
//!                                                          hit │              │ miss
//!                                                              │   compile in a child process: address space,
//!                                                              ▼   CPU time and wall-clock bounded
//!                                              trusted::load ◀─┘              │ written beside, synced, renamed
//!                                                   ▲─────────────────────────┘
//! ```
//!
//! Nothing here runs on a thread that events pass through.

mod cache;
mod check;
mod child;
mod trusted;

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::LoadError;
use crate::host::HostOptions;
use crate::tenants::{Digest, Tenant};

use cache::Cache;
pub use check::{Exports, inspect};
pub use child::serve;

/// Bounds of one compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The component's file, in bytes.
    pub input_bytes_max: u64,
    /// Functions in all of its modules together.
    pub functions_max: u32,
    /// Exports, imports and types of the component and its modules together.
    pub items_max: u32,
    /// The compiler's address space, in bytes.
    pub memory_bytes_max: u64,
    /// The compiler's CPU time.
    pub cpu_max: Duration,
    /// From its start to its end.
    pub wall_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            input_bytes_max: 64 << 20,
            functions_max: 200_000,
            items_max: 200_000,
            memory_bytes_max: 4 << 30,
            cpu_max: Duration::from_secs(300),
            wall_max: Duration::from_secs(600),
        }
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of a file as it is now; none if it cannot be looked at.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        let found = std::fs::metadata(file).ok()?;
        Some(Self { inode: found.ino(), bytes: found.len(), modified: (found.mtime(), found.mtime_nsec()) })
    }
}

/// A component's file that was read.
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    bounds: Bounds,
}

impl Source {
    /// Whether the tenant allows the component.
    pub(crate) fn check_allowed(&self, tenant: &Tenant) -> Result<(), LoadError> {
        if tenant.allows(&self.digest) {
            return Ok(());
        }
        Err(LoadError::Forbidden {
            tenant: tenant.name.to_string(),
            file: self.file.clone(),
            digest: self.digest.to_string(),
        })
    }
    /// Whether it is a component with one of these interfaces, within the bounds; answers which.
    pub(crate) fn check(&self, interfaces: &'static [&'static str]) -> Result<&'static str, LoadError> {
        let unusable = |(reason, help)| LoadError::Unusable { file: self.file.clone(), reason, help };
        let exports = inspect(&self.bytes, &self.bounds).map_err(unusable)?;
        exports.choose(interfaces).map_err(unusable)
    }
}

/// The name of some content.
#[must_use]
pub fn digest(content: &[u8]) -> Digest {
    Digest(Sha256::digest(content).into())
}

/// Reads and compiles components, and keeps what it compiled.
pub(crate) struct Compiler {
    cache: Cache,
    helper: Option<PathBuf>,
    bounds: Bounds,
}

impl Compiler {
    pub(crate) fn new(options: &HostOptions) -> Self {
        let cache = Cache::at(options.cache_dir.clone());
        Self { cache, helper: options.compile_helper.clone(), bounds: options.compile_bounds }
    }

    /// Reads a component's file.
    pub(crate) fn read(&self, file: &Path) -> Result<Source, LoadError> {
        let failed = |cause| LoadError::Read { file: file.to_owned(), cause };
        let max = self.bounds.input_bytes_max;
        let mut bytes = Vec::new();
        let opened = std::fs::File::open(file).map_err(failed)?;
        opened.take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > max {
            return Err(LoadError::Compile {
                file: file.to_owned(),
                reason: format!("it has more than {max} bytes, the most that is compiled"),
            });
        }
        let digest = digest(&bytes);
        Ok(Source { file: file.to_owned(), bytes, digest, bounds: self.bounds })
    }

    /// Machine code for the engine, from the cache where it is there.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        fuel: bool,
        source: &Source,
    ) -> Result<Component, LoadError> {
        let cached = self.cache.open()?.entry(engine, &source.digest);
        if let Some(component) = cached.load(engine) {
            return Ok(component);
        }
        match &self.helper {
            Some(helper) => child::compile(helper, fuel, source, &cached)?,
            None => {
                let failed =
                    |error| LoadError::Compile { file: source.file.clone(), reason: format!("{error:#}") };
                let code = engine.precompile_component(&source.bytes).map_err(failed)?;
                cached.write(&code)?;
            }
        }
        cached.load(engine).ok_or_else(|| LoadError::Compile {
            file: source.file.clone(),
            reason: "what was compiled does not fit the engine: is the helper of another version?".to_owned(),
        })
    }
}
