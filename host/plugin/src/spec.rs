//! What a configuration says of one plugin. Read and checked once; nothing here touches the world.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a component is used as. Each kind is served by one world, an interceptor by two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Worlds `interceptor` and `interceptor-simple`.
    Interceptor,
    /// World `serializer`.
    Serializer,
    /// World `deserializer`.
    Deserializer,
    /// World `selector`.
    Selector,
    /// World `source`.
    Source,
    /// World `sink`.
    Sink,
    /// World `http-handler`.
    HttpHandler,
}

/// One plugin of one agent.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// The component's place in the configuration: `a1.sources.r1.interceptors.i1`. Names it in logs and metrics.
    pub path: String,
    /// The agent's name: the tenant is found by it.
    pub agent: String,
    /// What it is used as.
    pub kind: Kind,
    /// The component's file, relative paths resolved against the configuration file's folder.
    pub component: PathBuf,
    /// What `configure` gets: the `config.*` settings, prefix removed, by key.
    pub options: Vec<(String, String)>,
    /// What it may use.
    pub limits: Limits,
    /// What it may reach.
    pub grants: Grants,
    /// What becomes of input that it cannot process.
    pub on_error: OnError,
    /// Warm instances at most; none: as many as the machine has cores.
    pub instances: Option<usize>,
}

/// What a plugin may use. A tenant's ceilings can only lower these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `limits.memoryBytesMax`: linear memory of one instance, in bytes.
    pub memory_bytes_max: usize,
    /// `limits.batchTimeMsMax`: how long a call may run and wait for the host's functions. Waiting for a CPU does not
    /// count.
    pub batch_time_max: Duration,
    /// `limits.fuelPerEvent`: wasmtime's fuel for each event of a call, and once more for the call itself.
    pub fuel_per_event: Option<u64>,
    /// `limits.outputBytesMax`: bytes of bodies, header names and values that one call may answer.
    pub output_bytes_max: usize,
    /// `limits.logBytesPerSecondMax`: log lines, standard output and standard error together.
    pub log_bytes_per_second_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            batch_time_max: Duration::from_millis(1000),
            fuel_per_event: None,
            output_bytes_max: 64 << 20,
            log_bytes_per_second_max: 16 << 10,
        }
    }
}

/// What a plugin may reach. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// `grants.http`: where requests may go.
    pub http: Vec<HttpGrant>,
    /// `grants.files`: folders it sees, read-only unless said otherwise.
    pub files: Vec<FileGrant>,
    /// `grants.env`: variables of the agent's environment it sees, by name, with their values.
    pub env: Vec<(String, String)>,
    /// `grants.clock = wall`.
    pub wall_clock: bool,
    /// `grants.secrets.NAME`: what the host puts into its requests; the guest never sees it.
    pub secrets: Vec<HttpSecret>,
}

/// A header that the host sets in every request to one destination, in place of whatever the guest has set:
/// `grants.secrets.token = api.example.org:443 authorization Bearer abc`.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpSecret {
    /// The name in the configuration, for messages.
    pub name: String,
    /// Where it goes; is among [`Grants::http`]. Sent over TLS only, or to a loopback address.
    pub destination: HttpGrant,
    /// The header's name in lower case.
    pub header: String,
    /// Its value. Never shown.
    pub value: String,
}

impl std::fmt::Debug for HttpSecret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "HttpSecret({} for {}: {})", self.name, self.destination, self.header)
    }
}

/// One destination: `api.example.org:443`, `*.example.org:443`, `127.0.0.1:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    /// A name, `*.` and a name, or an address.
    pub host: HttpHost,
    /// The port.
    pub port: u16,
}

/// The host of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpHost {
    /// Exactly this name, in lower case. What it resolves to must not be a loopback, link-local or private
    /// address, unless that address is granted as well.
    Name(String),
    /// Any name below this one.
    Below(String),
    /// This address, whatever it is.
    Address(IpAddr),
}

/// One folder: `/var/lib/geo:ro`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileGrant {
    /// The folder on this machine.
    pub folder: PathBuf,
    /// What the guest sees it as: the same absolute path.
    pub guest_path: String,
    /// Whether it may write.
    pub writable: bool,
}

/// What becomes of input that a plugin cannot process: a trap, an overrun of a limit, `error.invalid`,
/// `error.fatal`, a rejected event, an answer that breaks the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Back to the sender, and again with growing pauses, for ever. Nothing is lost, nothing gets past.
    #[default]
    Retry,
    /// Into another channel of the agent (`deadLetter = channel NAME`) or a file (`deadLetter = file PATH`).
    DeadLetter(DeadLetter),
    /// Dropped and counted.
    Drop,
    /// The plugin's component takes nothing any more until the plugin is reloaded or the agent restarted.
    Stop,
}

impl OnError {
    /// As it is written in a configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::DeadLetter(_) => "dead-letter",
            Self::Drop => "drop",
            Self::Stop => "stop",
        }
    }
}

/// Where dead letters go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    /// A channel of the same agent.
    Channel(String),
    /// A file, one JSON object a line; synced before the input is acknowledged.
    File(PathBuf),
}
