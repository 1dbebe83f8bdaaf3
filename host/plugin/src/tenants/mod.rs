//! Tenants: who an agent belongs to, and what all plugins and channels of that owner may use together.
//!
//! ```text
//! tenants.toml ──read──▶ Tenants ──install──▶ of_agent("a1") ──▶ Arc<Tenant> { ceilings }
//!                                                 ▲     asked for by options (checks), the runtime (memory, CPU),
//!                                                 │     egress (hosts, bytes), and the outlet (events, channels)
//! ```
//!
//! Invariants: every agent has exactly one tenant at a time (`default` if the file names none); a plugin's own
//! settings can only be lower than its tenant's ceilings; asking never touches the world.

mod read;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use flumen_config::{Diagnostics, Origin, SourceText};

pub(crate) use read::place;

use crate::spec::{HttpGrant, Limits};

/// The tenant of agents that the file names in no other.
pub const DEFAULT: &str = "default";
/// The share of a tenant whose `cpu_weight` is not set.
pub const CPU_WEIGHT: u32 = 100;

/// The name of a component's content: the SHA-256 of its file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits, with or without `sha256:` in front.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "sha256:{self}")
    }
}

/// A ceiling and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling<T> {
    /// The value.
    pub value: T,
    /// Its place in the tenants file.
    pub origin: Origin,
}

/// What the plugins and channels of a tenant may use together; absent means no ceiling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ceilings {
    /// `plugin_memory_bytes_max`: linear memory of all its instances together, in bytes.
    pub plugin_memory_bytes_max: Option<Ceiling<usize>>,
    /// `cpu_share_max`: of one core; 0.5 is half a core, 2 are two.
    pub cpu_share_max: Option<Ceiling<CpuShare>>,
    /// `cpu_weight`: its part of the CPU where tenants compete; [`CPU_WEIGHT`] if it is not set.
    pub cpu_weight: Option<Ceiling<u32>>,
    /// `egress_hosts`: where its plugins may be granted to send requests.
    pub egress_hosts: Option<Ceiling<Vec<HttpGrant>>>,
    /// `egress_bytes_per_second_max`: requests and responses of all its plugins together.
    pub egress_bytes_per_second_max: Option<Ceiling<u64>>,
    /// `channel_bytes_max`: bodies that wait in all channels of its agents together.
    pub channel_bytes_max: Option<Ceiling<usize>>,
    /// `events_per_second_max`: into the channels of all its agents together.
    pub events_per_second_max: Option<Ceiling<u64>>,
    /// `plugins_allowed`: the components it may run.
    pub plugins_allowed: Option<Ceiling<BTreeSet<Digest>>>,
    /// `[tenant.NAME.plugin]`: the most that any one of its plugins may be configured to use.
    pub plugin: PluginCeilings,
}

/// The most of each limit that one plugin may ask for. A limit that the plugin's configuration does not set is
/// the lower of its default and this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginCeilings {
    /// `memory_bytes_max`.
    pub memory_bytes_max: Option<Ceiling<usize>>,
    /// `batch_time_ms_max`.
    pub batch_time_ms_max: Option<Ceiling<u64>>,
    /// `fuel_per_event_max`. With it every plugin of the tenant is metered.
    pub fuel_per_event_max: Option<Ceiling<u64>>,
    /// `output_bytes_max`.
    pub output_bytes_max: Option<Ceiling<usize>>,
    /// `log_bytes_per_second_max`.
    pub log_bytes_per_second_max: Option<Ceiling<usize>>,
    /// `instances_max`.
    pub instances_max: Option<Ceiling<usize>>,
}

impl PluginCeilings {
    /// The limits of a plugin whose configuration sets none.
    #[must_use]
    pub fn lower(&self, limits: Limits) -> Limits {
        let at_most = |value: usize, ceiling: &Option<Ceiling<usize>>| {
            ceiling.as_ref().map_or(value, |ceiling| ceiling.value.min(value))
        };
        let time = self.batch_time_ms_max.as_ref().map(|ceiling| Duration::from_millis(ceiling.value));
        let fuel = self.fuel_per_event_max.as_ref().map(|ceiling| ceiling.value);
        Limits {
            memory_bytes_max: at_most(limits.memory_bytes_max, &self.memory_bytes_max),
            batch_time_max: time.map_or(limits.batch_time_max, |time| time.min(limits.batch_time_max)),
            fuel_per_event: match (limits.fuel_per_event, fuel) {
                (Some(own), Some(ceiling)) => Some(own.min(ceiling)),
                (own, ceiling) => own.or(ceiling),
            },
            output_bytes_max: at_most(limits.output_bytes_max, &self.output_bytes_max),
            log_bytes_per_second_max: at_most(
                limits.log_bytes_per_second_max,
                &self.log_bytes_per_second_max,
            ),
        }
    }
}

/// A share of CPU time in thousandths of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CpuShare {
    /// 500 is half a core.
    pub millicores: u32,
}

impl CpuShare {
    /// As a number of cores.
    #[must_use]
    pub fn cores(self) -> f64 {
        f64::from(self.millicores) / 1000.0
    }
}

/// One tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Its name, in metrics and messages.
    pub name: Arc<str>,
    /// Where it is written; `Origin::Default` for the built-in one.
    pub origin: Origin,
    /// The names of its agents; `*` stands for any text.
    pub agents: Vec<String>,
    /// What it may use.
    pub ceilings: Ceilings,
}

impl Tenant {
    fn unlimited() -> Self {
        Self {
            name: DEFAULT.into(),
            origin: Origin::Default,
            agents: Vec::new(),
            ceilings: Ceilings::default(),
        }
    }
    /// Its part of the CPU where tenants compete.
    #[must_use]
    pub fn cpu_weight(&self) -> u32 {
        self.ceilings.cpu_weight.as_ref().map_or(CPU_WEIGHT, |weight| weight.value)
    }
    /// Whether it may run this component.
    #[must_use]
    pub fn allows(&self, digest: &Digest) -> bool {
        self.ceilings.plugins_allowed.as_ref().is_none_or(|allowed| allowed.value.contains(digest))
    }
}

/// All tenants of a process.
#[derive(Clone, Debug)]
pub struct Tenants {
    tenants: Vec<Arc<Tenant>>,
    default: Arc<Tenant>,
}

impl Default for Tenants {
    /// One tenant without ceilings for all agents.
    fn default() -> Self {
        Self { tenants: Vec::new(), default: Arc::new(Tenant::unlimited()) }
    }
}

impl Tenants {
    /// Reads a tenants file's text. Every mistake becomes a finding; with at least one error nothing is made of
    /// it: a ceiling that cannot be read must not be treated as none.
    pub fn read(source: &SourceText, diagnostics: &mut Diagnostics) -> Option<Self> {
        let tenants = read::read(source, diagnostics)?;
        let (default, tenants): (Vec<_>, Vec<_>) = tenants.into_iter().partition(|t| &*t.name == DEFAULT);
        let default = default.into_iter().next().unwrap_or_else(Tenant::unlimited);
        Some(Self { tenants: tenants.into_iter().map(Arc::new).collect(), default: Arc::new(default) })
    }

    /// The text of a tenants file, or a finding why there is none.
    pub fn text(path: &Path, diagnostics: &mut Diagnostics) -> Option<SourceText> {
        let (source, findings) = read::text_of(path);
        diagnostics.extend(findings);
        source
    }
    /// Reads a file of the disk.
    pub fn load(path: &Path, diagnostics: &mut Diagnostics) -> Option<Self> {
        let source = Self::text(path, diagnostics)?;
        Self::read(&source, diagnostics)
    }

    /// The tenant of an agent: the one that names it; else the one whose pattern with `*` is the longest that
    /// fits (the first of the file among equals); else `default`.
    #[must_use]
    pub fn of_agent(&self, agent: &str) -> &Arc<Tenant> {
        let named = |tenant: &&Arc<Tenant>| tenant.agents.iter().any(|name| name == agent);
        if let Some(tenant) = self.tenants.iter().find(named) {
            return tenant;
        }
        let fits = |tenant: &Arc<Tenant>| {
            tenant.agents.iter().filter(|pattern| matches(pattern, agent)).map(String::len).max()
        };
        let mut best: Option<(usize, &Arc<Tenant>)> = None;
        for tenant in &self.tenants {
            if let Some(len) = fits(tenant)
                && best.is_none_or(|(longest, _)| len > longest)
            {
                best = Some((len, tenant));
            }
        }
        best.map_or(&self.default, |(_, tenant)| tenant)
    }

    /// All tenants, `default` last.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.iter().chain(std::iter::once(&self.default))
    }
}

/// Whether `*` of the pattern can stand for something so that it is the text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(tail, &rest[at..]))
}

static TENANTS: OnceLock<RwLock<Arc<Tenants>>> = OnceLock::new();

fn installed() -> &'static RwLock<Arc<Tenants>> {
    TENANTS.get_or_init(RwLock::default)
}

/// Makes these the tenants of the process. Called before a configuration is checked; agents that run keep what
/// they were started with.
pub fn install(tenants: Tenants) {
    *installed().write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tenants);
}

/// The tenants of the process.
#[must_use]
pub fn all() -> Arc<Tenants> {
    installed().read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The tenant that an agent of this process belongs to.
#[must_use]
pub fn of_agent(agent: &str) -> Arc<Tenant> {
    all().of_agent(agent).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(text: &str) -> Tenants {
        let mut findings = Diagnostics::default();
        let read = Tenants::read(&SourceText::new("tenants.toml", text), &mut findings);
        read.unwrap_or_else(|| panic!("{findings:?}"))
    }

    #[test]
    fn an_agent_belongs_to_who_names_it_then_to_the_longest_pattern_then_to_default() {
        let all = tenants(
            "[tenant.one]\nagents = [\"a1\", \"web-*\"]\n[tenant.two]\nagents = [\"web-*-eu\", \"web-1\"]\n",
        );
        let of = |agent: &str| all.of_agent(agent).name.to_string();
        assert_eq!(of("a1"), "one");
        assert_eq!(of("web-1"), "two", "a name beats a pattern");
        assert_eq!((of("web-2"), of("web-2-eu")), ("one".to_owned(), "two".to_owned()));
        assert_eq!((of("a11"), of("web")), ("default".to_owned(), "default".to_owned()));
    }

    #[test]
    fn without_a_file_there_are_no_ceilings() {
        let all = Tenants::default();
        assert_eq!(all.of_agent("a1").ceilings, Ceilings::default());
        assert!(all.of_agent("a1").allows(&Digest([7; 32])));
    }

    #[test]
    fn the_tenant_called_default_is_that_of_all_others() {
        let all = tenants("[tenant.default]\ncpu_weight = 10\n");
        assert_eq!(all.of_agent("whoever").cpu_weight(), 10);
    }

    #[test]
    fn a_ceiling_lowers_what_the_plugin_does_not_set() {
        let all = tenants("[tenant.default.plugin]\nmemory_bytes_max = 1_048_576\nfuel_per_event_max = 7\n");
        let lowered = all.of_agent("a").ceilings.plugin.lower(Limits::default());
        assert_eq!((lowered.memory_bytes_max, lowered.fuel_per_event), (1 << 20, Some(7)));
        assert_eq!(lowered.batch_time_max, Limits::default().batch_time_max);
    }

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        let text = "sha256:".to_owned() + &"0aF1".repeat(16);
        let digest = Digest::parse(&text).expect("a digest");
        assert_eq!(digest.to_string(), "0af1".repeat(16));
        assert!(Digest::parse(&"0".repeat(63)).is_none() && Digest::parse(&"ß".repeat(32)).is_none());
    }
}
