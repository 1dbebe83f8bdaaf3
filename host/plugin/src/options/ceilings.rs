//! A plugin's own settings can only be lower than its tenant's ceilings. What is above is an error that names both
//! places: cutting it silently would let an operator believe in a limit that does not hold.

use flumen_config::options::Count;

use super::{Findings, PluginOptions};
use crate::spec::Grants;
use crate::tenants::{Ceiling, Tenant, place};

/// Checks every limit that is set.
pub(super) fn check(tenant: &Tenant, options: &PluginOptions, findings: &mut Findings<'_>) {
    let ceilings = &tenant.ceilings.plugin;
    let sizes = [
        ("limits.memoryBytesMax", options.memory_bytes_max, &ceilings.memory_bytes_max, "memory_bytes_max"),
        ("limits.outputBytesMax", options.output_bytes_max, &ceilings.output_bytes_max, "output_bytes_max"),
        (
            "limits.logBytesPerSecondMax",
            options.log_bytes_per_second_max,
            &ceilings.log_bytes_per_second_max,
            "log_bytes_per_second_max",
        ),
        ("instances", options.instances, &ceilings.instances_max, "instances_max"),
        // One instance that may have more than all together is a mistake as well.
        (
            "limits.memoryBytesMax",
            options.memory_bytes_max,
            &tenant.ceilings.plugin_memory_bytes_max,
            "plugin_memory_bytes_max",
        ),
    ];
    for (key, own, ceiling, name) in sizes {
        if let (Some(own), Some(ceiling)) = (own, ceiling) {
            above(tenant, (key, own.0 as u64), (name, ceiling.value as u64, ceiling), findings);
        }
    }
    type Limit<'a> = (&'a str, Option<Count>, &'a Option<Ceiling<u64>>, &'a str);
    let counts: [Limit<'_>; 2] = [
        (
            "limits.batchTimeMsMax",
            options.batch_time_ms_max,
            &ceilings.batch_time_ms_max,
            "batch_time_ms_max",
        ),
        ("limits.fuelPerEvent", options.fuel_per_event, &ceilings.fuel_per_event_max, "fuel_per_event_max"),
    ];
    for (key, own, ceiling, name) in counts {
        if let (Some(own), Some(ceiling)) = (own, ceiling) {
            above(tenant, (key, own.0 as u64), (name, ceiling.value, ceiling), findings);
        }
    }
}

fn above<T>(
    tenant: &Tenant,
    (key, own): (&str, u64),
    (name, max, ceiling): (&str, u64, &Ceiling<T>),
    findings: &mut Findings<'_>,
) {
    if own <= max {
        return;
    }
    let why = format!(
        "`{key} = {own}` is above what tenant `{}` allows: `{name} = {max}` ({})",
        tenant.name,
        place(&ceiling.origin)
    );
    findings.bad(key, why, format!("lower it to {max} or less, or have the tenant's ceiling raised"));
}

/// Checks that every destination that is granted is among the tenant's.
pub(super) fn check_egress(tenant: &Tenant, grants: &Grants, findings: &mut Findings<'_>) {
    let Some(ceiling) = &tenant.ceilings.egress_hosts else { return };
    for grant in &grants.http {
        if ceiling.value.iter().any(|allowed| allowed.covers(grant)) {
            continue;
        }
        let why = format!(
            "`grants.http`: `{grant}` is no destination that tenant `{}` allows: `egress_hosts` ({})",
            tenant.name,
            place(&ceiling.origin)
        );
        let allowed: Vec<String> = ceiling.value.iter().map(ToString::to_string).collect();
        let help = if allowed.is_empty() {
            "the tenant allows none: take the grant out, or have it added there".to_owned()
        } else {
            format!("the tenant allows {}", allowed.join(", "))
        };
        findings.bad("grants.http", why, help);
    }
}
