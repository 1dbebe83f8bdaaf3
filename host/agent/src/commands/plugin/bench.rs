//! `flumen plugin bench`: what a component costs, and below whose ceilings it stays.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flumen_config::{Diagnostics, render};
use flumen_event::{Batch, BatchBuilder};
use flumen_plugin::compile;
use flumen_plugin::spec::PluginSpec;
use flumen_plugin::tenants::{Digest, Tenant, Tenants};

use super::trial::{self, Trial};
use crate::cli::PluginBenchArgs;
use crate::commands::print;

const METER: &str = "1000000000000";
const SIZES: [usize; 4] = [1, 10, 100, 1000];
const BODY_BYTES: usize = 200;
/// Calls before measuring: the first ones find cold caches and instances that are not there yet.
const WARM_UP_CALLS: usize = 20;

/// What was measured.
struct Measured {
    /// ns for each event, by batch size: the best of five parts of the time, and the mean.
    ns: Vec<(usize, f64, f64)>,
    memory_bytes_peak: usize,
    fuel_per_event: u64,
    /// The slowest call with the largest batch.
    slowest: Duration,
}

/// Prints the figures.
pub(super) fn run(args: &PluginBenchArgs) -> Result<ExitCode, String> {
    let tenants = args.tenants.as_deref().map(tenants).transpose()?;
    let input = match &args.input {
        Some(path) => {
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?
        }
        None => synthetic(),
    };
    let bytes = std::fs::read(&args.trial.file)
        .map_err(|error| format!("cannot read {}: {error}", args.trial.file.display()))?;
    let (plain, metered) =
        (trial::spec(&args.trial, &[])?, trial::spec(&args.trial, &[("limits.fuelPerEvent", METER)])?);
    let digest = compile::digest(&bytes);
    let page = trial::run(async {
        let mut trial = Trial::load(plain.clone(), &args.trial.channels).await?;
        let input = match &args.input {
            None if trial.takes_bytes() => lines(),
            _ => input,
        };
        let (mut ns, mut slowest) = (Vec::new(), Duration::ZERO);
        for size in SIZES {
            let (best, mean, longest) =
                measure(&mut trial, &input, size, Duration::from_millis(args.millis)).await?;
            ns.push((size, best, mean));
            slowest = longest;
        }
        let memory_bytes_peak = trial.plugin().status().memory_bytes_peak;
        let mut metered = Trial::load(metered, &args.trial.channels).await?;
        let before = metered.plugin().status().fuel;
        let events = Input::of(&metered, &input, SIZES[SIZES.len() - 1])?.give(&mut metered).await?;
        let fuel = metered.plugin().status().fuel - before;
        let measured =
            Measured { ns, memory_bytes_peak, fuel_per_event: fuel / events.max(1) as u64, slowest };
        let mut text = page(&measured);
        for tenant in tenants.iter().flat_map(Tenants::iter) {
            let mut broken = broken(tenant, &measured, &digest);
            broken.extend(beyond(tenant, &plain));
            broken.extend(met(tenant, plain.clone(), &input, &args.trial.channels).await);
            let verdict =
                if broken.is_empty() { "stays below its ceilings".to_owned() } else { broken.join("; ") };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "tenant {:<20} {verdict}", tenant.name);
        }
        Ok(text)
    })?;
    Ok(print(&page))
}

/// What is given again and again.
enum Input {
    /// Batches of one size.
    Batches(Vec<Batch>),
    /// For deserializers: a stream, and how many events are asked for at once.
    Stream(Vec<u8>, usize),
}

impl Input {
    /// # Errors
    /// If the text has no events, or fewer than a batch is to have.
    fn of(trial: &Trial, text: &[u8], size: usize) -> Result<Self, String> {
        if trial.takes_bytes() {
            return Ok(Self::Stream(text.to_vec(), size));
        }
        let batches = trial::events(text, size)?.into_iter().filter(|batch| batch.len() == size);
        let batches: Vec<Batch> = batches.take(100).collect();
        if batches.is_empty() {
            return Err(format!("the input has fewer than {size} events"));
        }
        Ok(Self::Batches(batches))
    }
    /// Gives all of it once. Answers how many events that were.
    async fn give(&self, trial: &mut Trial) -> Result<usize, String> {
        match self {
            Self::Batches(batches) => {
                trial.give(batches).await?;
                Ok(batches.iter().map(Batch::len).sum())
            }
            Self::Stream(bytes, events_max) => match trial.decode(bytes, *events_max).await?.events {
                0 => Err("the component makes no events of the input: give it one with --input".to_owned()),
                events => Ok(events),
            },
        }
    }
    /// Its parts, each of which is one call (of a deserializer: one stream).
    fn parts(&self) -> Vec<Self> {
        match self {
            Self::Batches(batches) => batches.iter().map(|one| Self::Batches(vec![one.clone()])).collect(),
            Self::Stream(bytes, events_max) => vec![Self::Stream(bytes.clone(), *events_max)],
        }
    }
}

fn tenants(path: &Path) -> Result<Tenants, String> {
    let mut findings = Diagnostics::default();
    let read = Tenants::load(path, &mut findings);
    let texts: Vec<String> = findings.iter().map(render::line).collect();
    read.ok_or_else(|| texts.join("\n"))
}

/// Bodies of 200 bytes with two headers, as the benchmarks of the project use them.
fn synthetic() -> Vec<u8> {
    let mut builder = BatchBuilder::default();
    for n in 0..1000 {
        let mut body =
            format!("{n:08} 192.168.{}.{} GET /index.html user{n}@example.org ", n % 256, n * 7 % 256);
        body.extend(std::iter::repeat_n('.', BODY_BYTES.saturating_sub(body.len())));
        let seq = n.to_string();
        // A thousand such events are far below every limit of a batch.
        let _fits = builder.push(body.as_bytes(), [("host", "web-1"), ("seq", seq.as_str())]);
    }
    let mut text = Vec::new();
    builder.finish().iter().for_each(|event| flumen_connect::dead_letter::line::write(event, &mut text));
    text
}

/// The same bodies as lines, for deserializers.
fn lines() -> Vec<u8> {
    (0..1000).flat_map(|n| format!("{n:08} {}\n", ".".repeat(BODY_BYTES - 9)).into_bytes()).collect()
}

/// Best and mean ns for each event, and the longest call.
async fn measure(
    trial: &mut Trial,
    input: &[u8],
    size: usize,
    time: Duration,
) -> Result<(f64, f64, Duration), String> {
    let parts = Input::of(trial, input, size)?.parts();
    for part in parts.iter().cycle().take(WARM_UP_CALLS) {
        part.give(trial).await?;
    }
    let (mut best, mut spent, mut events, mut longest) =
        (f64::INFINITY, Duration::ZERO, 0usize, Duration::ZERO);
    for _ in 0..5 {
        let (since, before) = (Instant::now(), trial.plugin().status().call_ns);
        let mut part = 0usize;
        while since.elapsed() < time / 5 {
            for one in &parts {
                let (call, calls) = (Instant::now(), trial.plugin().status().calls);
                part += one.give(trial).await?;
                // A stream is several calls; what counts is what one takes.
                let calls = u32::try_from(trial.plugin().status().calls - calls).unwrap_or(u32::MAX);
                longest = longest.max(call.elapsed() / calls.max(1));
            }
        }
        // The calls only: turning the answer into text is not the component's.
        let called = Duration::from_nanos(trial.plugin().status().call_ns - before);
        best = best.min(called.as_nanos() as f64 / part as f64);
        (spent, events) = (spent + called, events + part);
    }
    Ok((best, spent.as_nanos() as f64 / events as f64, longest))
}

fn page(measured: &Measured) -> String {
    let mut text = String::from("events a batch    ns an event, best    mean\n");
    // Writing to a String cannot fail.
    for (size, best, mean) in &measured.ns {
        let _ = writeln!(text, "{size:>14}    {best:>17.1}    {mean:.1}");
    }
    let _ = writeln!(
        text,
        "peak memory of an instance  {} bytes\nfuel an event               {}\nslowest call of {} events {}",
        measured.memory_bytes_peak,
        measured.fuel_per_event,
        SIZES[SIZES.len() - 1],
        trial::shown(measured.slowest),
    );
    text
}

/// The ceilings of a tenant that the component would break.
fn broken(tenant: &Tenant, measured: &Measured, digest: &Digest) -> Vec<String> {
    let (ceilings, mut broken) = (&tenant.ceilings, Vec::new());
    let mut check = |name: &str, found: u64, max: Option<u64>| {
        if let Some(max) = max.filter(|max| found > *max) {
            broken.push(format!("BREAKS {name} = {max}: {found}"));
        }
    };
    let size = |ceiling: &Option<flumen_plugin::tenants::Ceiling<usize>>| {
        ceiling.as_ref().map(|max| max.value as u64)
    };
    let count =
        |ceiling: &Option<flumen_plugin::tenants::Ceiling<u64>>| ceiling.as_ref().map(|max| max.value);
    let memory = measured.memory_bytes_peak as u64;
    check("plugin.memory_bytes_max", memory, size(&ceilings.plugin.memory_bytes_max));
    check("plugin_memory_bytes_max", memory, size(&ceilings.plugin_memory_bytes_max));
    check("plugin.fuel_per_event_max", measured.fuel_per_event, count(&ceilings.plugin.fuel_per_event_max));
    let slowest_ms = u64::try_from(measured.slowest.as_millis()).unwrap_or(u64::MAX);
    check("plugin.batch_time_ms_max", slowest_ms, count(&ceilings.plugin.batch_time_ms_max));
    if !tenant.allows(digest) {
        broken.push("NOT ALLOWED: its digest is not in plugins_allowed".to_owned());
    }
    broken
}

/// Grants that the tenant would not have.
fn beyond(tenant: &Tenant, spec: &PluginSpec) -> Vec<String> {
    let Some(allowed) = &tenant.ceilings.egress_hosts else { return Vec::new() };
    let outside =
        spec.grants.http.iter().filter(|grant| !allowed.value.iter().any(|host| host.covers(grant)));
    outside.map(|grant| format!("BREAKS egress_hosts: {grant} is not among them")).collect()
}

/// What it meets of a tenant's limits that only a run below them shows.
async fn met(tenant: &Tenant, mut spec: PluginSpec, input: &[u8], channels: &[String]) -> Vec<String> {
    spec.limits = tenant.ceilings.plugin.lower(spec.limits);
    let mut trial = match Trial::load(spec, channels).await {
        Ok(trial) => trial,
        Err(why) => return vec![format!("CANNOT BE LOADED: {why}")],
    };
    let given = match Input::of(&trial, input, SIZES[SIZES.len() - 1]) {
        Ok(input) => input.give(&mut trial).await,
        Err(why) => Err(why),
    };
    let plugin = trial.plugin();
    let (status, limits) = (plugin.status(), *plugin.limits());
    let mut met = Vec::new();
    if status.failures.iter().any(|(kind, _)| *kind == "output") {
        met.push(format!("BREAKS plugin.output_bytes_max = {}", limits.output_bytes_max));
    } else if let Err(why) = given {
        met.push(format!("FAILS: {why}"));
    }
    if status.log_bytes_cut > 0 {
        let max = limits.log_bytes_per_second_max;
        met.push(format!(
            "BREAKS plugin.log_bytes_per_second_max = {max}: {} bytes were cut",
            status.log_bytes_cut
        ));
    }
    met
}
