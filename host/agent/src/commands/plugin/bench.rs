//! `flumen plugin bench`: what a component costs, and below whose ceilings it stays.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flumen_config::{Diagnostics, render};
use flumen_event::{Batch, BatchBuilder};
use flumen_plugin::compile;
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
    let measured = trial::run(async {
        let mut trial = Trial::load(plain, &args.trial.channels).await?;
        if trial.takes_bytes() {
            return Err(
                "a deserializer cannot be measured by events in: time `plugin test` with a large input"
                    .to_owned(),
            );
        }
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
        let batches = trial::events(&input, 1000)?;
        metered.give(&batches).await?;
        let events: usize = batches.iter().map(Batch::len).sum();
        let fuel = metered.plugin().status().fuel - before;
        Ok(Measured { ns, memory_bytes_peak, fuel_per_event: fuel / events.max(1) as u64, slowest })
    })?;
    let digest = compile::digest(&bytes);
    Ok(print(&page(&measured, &digest, tenants.as_ref())))
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

/// Best and mean ns for each event, and the longest call.
async fn measure(
    trial: &mut Trial,
    input: &[u8],
    size: usize,
    time: Duration,
) -> Result<(f64, f64, Duration), String> {
    let batches = trial::events(input, size)?;
    let batches: Vec<Batch> = batches.into_iter().filter(|batch| batch.len() == size).take(100).collect();
    if batches.is_empty() {
        return Err(format!("the input has fewer than {size} events"));
    }
    for batch in batches.iter().cycle().take(WARM_UP_CALLS) {
        trial.give(std::slice::from_ref(batch)).await?;
    }
    let (mut best, mut spent, mut events, mut longest) =
        (f64::INFINITY, Duration::ZERO, 0usize, Duration::ZERO);
    for _ in 0..5 {
        let (since, before) = (Instant::now(), trial.plugin().status().call_ns);
        let mut part = 0usize;
        while since.elapsed() < time / 5 {
            for batch in &batches {
                let call = Instant::now();
                trial.give(std::slice::from_ref(batch)).await?;
                longest = longest.max(call.elapsed());
                part += size;
            }
        }
        // The calls only: turning the answer into text is not the component's.
        let called = Duration::from_nanos(trial.plugin().status().call_ns - before);
        best = best.min(called.as_nanos() as f64 / part as f64);
        (spent, events) = (spent + called, events + part);
    }
    Ok((best, spent.as_nanos() as f64 / events as f64, longest))
}

fn page(measured: &Measured, digest: &Digest, tenants: Option<&Tenants>) -> String {
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
    for tenant in tenants.into_iter().flat_map(Tenants::iter) {
        let broken = broken(tenant, measured, digest);
        let verdict =
            if broken.is_empty() { "stays below its ceilings".to_owned() } else { broken.join("; ") };
        let _ = writeln!(text, "tenant {:<20} {verdict}", tenant.name);
    }
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
