//! The metrics of plugins and tenants, in the same format. What guests count themselves is here too, as labels of one
//! metric: a guest cannot take the name of a metric of ours.

use flumen_plugin::account::TenantStatus;
use flumen_plugin::imports::metrics::Value;
use flumen_plugin::status::PluginStatus;

use super::Agents;
use super::prometheus::{Family, family};

/// Nothing where no plugin was ever made and no tenant has a ceiling.
pub(super) fn families(agents: &Agents) -> Vec<Family> {
    let mut families = budgets(agents);
    if let Some(host) = flumen_plugin::host::running() {
        let plugins: Vec<PluginStatus> = host.plugins().iter().map(|plugin| plugin.status()).collect();
        families.extend(plugin_counts(&plugins));
        families.extend(plugin_states(&plugins));
        families.extend(egress(&plugins));
        families.extend(tenants(&host.tenants()));
        families.push(counters_of_guests(host));
    }
    families
}

type Read<T> = fn(&T) -> f64;

fn labels(plugin: &PluginStatus) -> Vec<(&'static str, String)> {
    vec![("agent", plugin.agent.clone()), ("tenant", plugin.tenant.clone()), ("plugin", plugin.path.clone())]
}

fn plugin_counts(plugins: &[PluginStatus]) -> Vec<Family> {
    let parts: [(&'static str, &'static str, &'static str, Read<PluginStatus>); 14] = [
        ("flumen_plugin_calls_total", "counter", "Calls of the guest.", |p| p.calls as f64),
        ("flumen_plugin_events_in_total", "counter", "Events given to it.", |p| p.events_in as f64),
        ("flumen_plugin_events_out_total", "counter", "Events it answered.", |p| p.events_out as f64),
        ("flumen_plugin_call_seconds_total", "counter", "Time from the begin to the end of calls.", |p| {
            p.call_ns as f64 / 1e9
        }),
        ("flumen_plugin_cpu_seconds_total", "counter", "Time in which calls ran.", |p| p.cpu_ns as f64 / 1e9),
        ("flumen_plugin_slow_calls_total", "counter", "Calls that took longer than a slice, 2 ms.", |p| {
            p.slow_calls as f64
        }),
        ("flumen_plugin_fuel_total", "counter", "Fuel used, where limits.fuelPerEvent is set.", |p| {
            p.fuel as f64
        }),
        (
            "flumen_plugin_instances_discarded_total",
            "counter",
            "Instances thrown away after a failure.",
            |p| p.discards as f64,
        ),
        (
            "flumen_plugin_instances_worn_total",
            "counter",
            "Instances replaced between two calls because their memory came near to its limit.",
            |p| p.worn as f64,
        ),
        ("flumen_plugin_swaps_total", "counter", "Components that were swapped in.", |p| p.swaps as f64),
        (
            "flumen_plugin_swaps_refused_total",
            "counter",
            "Components that were not, for they are bad.",
            |p| p.swaps_refused as f64,
        ),
        ("flumen_plugin_log_cut_bytes_total", "counter", "Bytes of log lines above the limit.", |p| {
            p.log_bytes_cut as f64
        }),
        ("flumen_plugin_instances", "gauge", "Instances that exist.", |p| p.instances as f64),
        ("flumen_plugin_memory_peak_bytes", "gauge", "The most memory an instance had.", |p| {
            p.memory_bytes_peak as f64
        }),
    ];
    let filled = parts.map(|(name, kind, help, read)| {
        let mut part = family(name, kind, help);
        part.samples = plugins.iter().map(|plugin| (labels(plugin), read(plugin))).collect();
        part
    });
    filled.into()
}

fn plugin_states(plugins: &[PluginStatus]) -> Vec<Family> {
    let mut failures =
        family("flumen_plugin_failures_total", "counter", "Calls that failed, by kind of error.");
    let mut info = family("flumen_plugin_info", "gauge", "1, with what is in use as labels.");
    let mut working = family(
        "flumen_plugin_working",
        "gauge",
        "1 if it is called, 0 if it is left alone or stopped after failures.",
    );
    for plugin in plugins {
        for (kind, count) in &plugin.failures {
            let mut labels = labels(plugin);
            labels.push(("kind", (*kind).to_owned()));
            failures.samples.push((labels, *count as f64));
        }
        let mut known = labels(plugin);
        known.extend([
            ("digest", plugin.digest.clone()),
            ("world", plugin.world.clone()),
            ("version", plugin.version.to_string()),
        ]);
        info.samples.push((known, 1.0));
        let is_called = matches!(plugin.breaker, "closed" | "trial");
        working.samples.push((labels(plugin), f64::from(u8::from(is_called))));
    }
    vec![failures, info, working]
}

fn egress(plugins: &[PluginStatus]) -> Vec<Family> {
    let mut requests =
        family("flumen_plugin_http_requests_total", "counter", "HTTP requests, by what became of them.");
    let mut bytes = family("flumen_plugin_http_bytes_total", "counter", "Bytes of bodies, by direction.");
    for plugin in plugins {
        let Some(counts) = &plugin.egress else { continue };
        let with = |name: &'static str, value: &str| {
            let mut labels = labels(plugin);
            labels.push((name, value.to_owned()));
            labels
        };
        requests.samples.push((with("outcome", "allowed"), counts.allowed as f64));
        requests.samples.push((with("outcome", "failed"), counts.failed as f64));
        for (why, count) in &counts.refused {
            requests.samples.push((with("outcome", &format!("refused: {why}")), *count as f64));
        }
        bytes.samples.push((with("direction", "out"), counts.bytes_out as f64));
        bytes.samples.push((with("direction", "in"), counts.bytes_in as f64));
    }
    vec![requests, bytes]
}

fn tenants(tenants: &[TenantStatus]) -> Vec<Family> {
    let parts: [(&'static str, &'static str, &'static str, Read<TenantStatus>); 4] = [
        ("flumen_tenant_plugin_cpu_seconds_total", "counter", "Time in which its plugins ran.", |t| {
            t.cpu_ns as f64 / 1e9
        }),
        (
            "flumen_tenant_plugin_cpu_delay_seconds_total",
            "counter",
            "Time that calls waited above cpu_share_max.",
            |t| t.delayed_ns as f64 / 1e9,
        ),
        ("flumen_tenant_plugin_memory_bytes", "gauge", "Memory that its plugins have.", |t| {
            t.memory_bytes as f64
        }),
        ("flumen_tenant_plugin_memory_peak_bytes", "gauge", "The most they ever had.", |t| {
            t.memory_bytes_peak as f64
        }),
    ];
    let filled = parts.map(|(name, kind, help, read)| {
        let mut part = family(name, kind, help);
        part.samples = tenants.iter().map(|t| (vec![("tenant", t.name.clone())], read(t))).collect();
        part
    });
    filled.into()
}

/// What holds the sources of tenants back. Agents of one tenant share it.
fn budgets(agents: &Agents) -> Vec<Family> {
    let mut waited = family(
        "flumen_tenant_source_wait_seconds_total",
        "counter",
        "Time that its sources waited above events_per_second_max or channel_bytes_max.",
    );
    let mut refused =
        family("flumen_tenant_puts_refused_total", "counter", "Puts refused for these ceilings.");
    let mut held = family("flumen_tenant_channel_bytes", "gauge", "Bytes of bodies in its channels.");
    let mut seen: Vec<&str> = Vec::new();
    for budget in agents.iter().filter_map(|agent| agent.budget.as_ref()) {
        if seen.contains(&&**budget.tenant()) {
            continue;
        }
        seen.push(budget.tenant());
        let labels = || vec![("tenant", budget.tenant().to_string())];
        waited.samples.push((labels(), budget.waited_ms() as f64 / 1000.0));
        refused.samples.push((labels(), budget.refused() as f64));
        held.samples.push((labels(), budget.held_bytes() as f64));
    }
    vec![waited, refused, held]
}

/// Counters and gauges that guests have made, under the name they gave as the label `name`, and their own labels as
/// one text: labels of one metric must not differ from sample to sample.
fn counters_of_guests(host: &flumen_plugin::Host) -> Family {
    let mut all = family("flumen_plugin_metric", "untyped", "Numbers that plugins report of themselves.");
    for (plugin, readings) in host.outside().registry().read_metrics() {
        for reading in readings {
            let own: Vec<String> =
                reading.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let labels = vec![
                ("plugin", plugin.to_string()),
                ("name", reading.name.clone()),
                ("labels", own.join(",")),
            ];
            let value = match reading.value {
                Value::Counter(count) => count as f64,
                Value::Gauge(value) => value,
            };
            all.samples.push((labels, value));
        }
    }
    all
}
