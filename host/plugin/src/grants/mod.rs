//! What a plugin may reach beside its imports: WASI with everything denied, and the grants of its configuration.
//!
//! ```text
//! Outside (one for each host)     services' registry, name resolution, TLS, tenants' shares of egress
//!   └─ Reach (one for each plugin)     its services, its grants
//!        └─ Granted (one for each instance)     WASI context, imports, hook for HTTP requests
//!
//!                 without a grant                                with one
//! files           no folder is there                             the folders of grants.files; no way out of them
//! environment     empty                                          the variables of grants.env
//! wall clock      stands at 1970-01-01T00:00:00Z, said once      the machine's
//! HTTP            every request is refused, said in the log      to the destinations of grants.http: [`egress`]
//! sockets         every use is refused                           there is no grant for them
//! always there    monotonic clock, random numbers, empty standard input, standard output and error into the log
//! ```
//!
//! Why a clock that stands instead of a trap: the runtimes of Go and Python read the wall clock by themselves, Go at
//! each garbage collection, and a guest that only carries such a runtime has to run. No reading can be mistaken for
//! a time, `clock.wall-millis` of our own package answers none, and the first reading is in the log with the grant
//! that would be needed.

pub mod egress;
mod wall_clock;

use std::sync::Arc;

use tracing::Level;
use wasmtime::component::Linker;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiView};
use wasmtime_wasi_http::WasiHttpView;

use crate::imports::lines::Captured;
use crate::imports::{self, HasImports, Imports, Registry, Services, StateHome};
use crate::spec::{Grants, Limits, PluginSpec};
use crate::tenants::Tenant;

use self::egress::{Egress, Hooks, Shares};

/// Random bytes that a guest gets in one call.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// What the plugins of a host share of the world.
pub struct Outside {
    registry: Registry,
    shares: Shares,
    network: egress::Network,
}

impl Outside {
    /// With the machine's own name resolution and certificates.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn new(home: StateHome) -> std::io::Result<Self> {
        Self::with_network(home, egress::Network::default())
    }
    /// With another network: for tests.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn with_network(home: StateHome, network: egress::Network) -> std::io::Result<Self> {
        Ok(Self { registry: Registry::new(home)?, shares: Shares::default(), network })
    }
    /// The services of all plugins.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
    /// What one plugin may reach. Reads its store and, with `grants.http`, the machine's certificates: called when
    /// a plugin is loaded.
    ///
    /// # Errors
    /// If its store cannot be opened.
    pub fn reach(
        &self,
        spec: &PluginSpec,
        limits: &Limits,
        tenant: &Tenant,
    ) -> Result<Arc<Reach>, imports::state::OpenError> {
        let services = self.registry.services(spec)?;
        services.log().set_limit(limits.log_bytes_per_second_max);
        let egress = (!spec.grants.http.is_empty()).then(|| {
            let share = self.shares.of(tenant);
            Arc::new(Egress::new(&self.network, services.clone(), share, &spec.grants, limits))
        });
        Ok(Arc::new(Reach { services, grants: spec.grants.clone(), egress }))
    }
}

/// What one plugin may reach.
pub struct Reach {
    services: Arc<Services>,
    grants: Grants,
    egress: Option<Arc<Egress>>,
}

/// Why an instance could not be given what its plugin was granted.
#[derive(Debug, thiserror::Error)]
#[error("grants.files: cannot open the folder {}: {cause}", folder.display())]
pub struct FolderError {
    /// The folder.
    pub folder: std::path::PathBuf,
    /// Why not.
    pub cause: wasmtime::Error,
}

impl Reach {
    /// The plugin's services.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }
    /// Its HTTP requests, if it was granted any.
    #[must_use]
    pub fn egress(&self) -> Option<&Arc<Egress>> {
        self.egress.as_ref()
    }
    /// For a new instance.
    ///
    /// # Errors
    /// If a granted folder cannot be opened.
    pub fn granted(&self) -> Result<Granted, FolderError> {
        let log = self.services.log();
        let stderr = Captured::new(log.clone(), Level::WARN);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(Captured::new(log.clone(), Level::INFO))
            .stderr(stderr.clone())
            .envs(&self.grants.env)
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        for grant in &self.grants.files {
            let perms = if grant.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(&grant.folder, &grant.guest_path, perms)
                .map_err(|cause| FolderError { folder: grant.folder.clone(), cause })?;
        }
        Ok(Granted {
            wasi: wasi.build(),
            imports: Imports::new(self.services.clone(), self.grants.wall_clock),
            http: egress::http_context(),
            hooks: Hooks::new(self.services.clone(), self.egress.clone()),
            stderr,
        })
    }
}

/// What one instance was given.
pub struct Granted {
    /// WASI.
    pub wasi: WasiCtx,
    /// The imports of `flumen:plugin`.
    pub imports: Imports,
    /// wasi:http.
    pub http: wasmtime_wasi_http::WasiHttpCtx,
    /// What its requests go through.
    pub hooks: Hooks,
    stderr: Captured,
}

impl Granted {
    /// The end of what the guest wrote to standard error: a panic's text.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.tail()
    }
}

/// Links everything that a plugin may import, whatever it was granted: what was not is refused when it is used, so
/// that a guest which only carries an import runs.
///
/// # Errors
/// If two offers have one name.
pub fn add_to_linker<T>(linker: &mut Linker<T>) -> wasmtime::Result<()>
where
    T: HasImports + WasiView + WasiHttpView + 'static,
{
    imports::add_to_linker(linker)?;
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    wall_clock::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

#[cfg(test)]
mod tests;
