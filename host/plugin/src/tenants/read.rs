//! `tenants.toml` as text: every key known, every value of the right kind, or a finding at its place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use flumen_config::{Diagnostic, Diagnostics, Origin, SourceText, suggest};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{Ceiling, Ceilings, CpuShare, DEFAULT, Digest, PluginCeilings, Tenant};
use crate::spec::HttpGrant;

/// No tenants file is that long.
const FILE_BYTES_MAX: u64 = 4 << 20;

const TENANT_KEYS: [&str; 11] = [
    "agents",
    "plugin_memory_bytes_max",
    "cpu_share_max",
    "cpu_weight",
    "egress_hosts",
    "egress_bytes_per_second_max",
    "channel_bytes_max",
    "events_per_second_max",
    "plugins_allowed",
    "plugin",
    "doc",
];
const PLUGIN_KEYS: [&str; 6] = [
    "memory_bytes_max",
    "batch_time_ms_max",
    "fuel_per_event_max",
    "output_bytes_max",
    "log_bytes_per_second_max",
    "instances_max",
];

/// The text of a tenants file, or why there is none.
pub(super) fn text_of(path: &Path) -> (Option<SourceText>, Diagnostics) {
    let mut findings = Diagnostics::default();
    let name = path.display().to_string();
    let size = std::fs::metadata(path).map(|data| data.len());
    let text = match size {
        Ok(size) if size > FILE_BYTES_MAX => Err(format!("it is larger than {FILE_BYTES_MAX} bytes")),
        Ok(_) => std::fs::read_to_string(path).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match text {
        Ok(text) => (Some(SourceText::new(&name, &text)), findings),
        Err(why) => {
            let finding =
                Diagnostic::error("unreadable-file", format!("cannot read the tenants file {name}: {why}"));
            findings
                .push(finding.help("check the path and the permissions; `-Dflumen.tenants=FILE` names it"));
            (None, findings)
        }
    }
}

/// All tenants of a text; none if anything is wrong.
pub(super) fn read(source: &SourceText, diagnostics: &mut Diagnostics) -> Option<Vec<Tenant>> {
    let before = diagnostics.error_count();
    let (document, errors) = DeTable::parse_recoverable(source.text());
    for error in &errors {
        let finding = Diagnostic::error("toml-syntax", error.message().trim().replace('\n', ", "));
        diagnostics.push(finding.at(&source.origin(error.span().unwrap_or(0..0))));
    }
    if !errors.is_empty() {
        return None;
    }
    let mut reader = Reader { source, diagnostics };
    let tenants = reader.document(document.get_ref());
    reader.doubled_agents(&tenants);
    (diagnostics.error_count() == before).then_some(tenants)
}

struct Reader<'a> {
    source: &'a SourceText,
    diagnostics: &'a mut Diagnostics,
}

type Value<'i> = Spanned<DeValue<'i>>;
type Row<'t, 'i> = (&'t Spanned<toml::de::DeString<'i>>, &'t Value<'i>);

/// The rows of a table in the order they were written.
fn rows<'t, 'i>(table: &'t DeTable<'i>) -> Vec<Row<'t, 'i>> {
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    rows
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable<'_>) -> Vec<Tenant> {
        let mut tenants = Vec::new();
        for (key, value) in rows(document) {
            let DeValue::Table(named) = value.get_ref() else {
                self.unknown(key.span(), key.get_ref(), &["tenant"]);
                continue;
            };
            if key.get_ref() != "tenant" {
                self.unknown(key.span(), key.get_ref(), &["tenant"]);
                continue;
            }
            for (name, value) in rows(named) {
                match value.get_ref() {
                    DeValue::Table(table) => tenants.push(self.tenant(name, table)),
                    _ => self.wrong(name.span(), name.get_ref(), "a table: write `[tenant.NAME]`"),
                }
            }
        }
        tenants
    }

    fn tenant(&mut self, name: &Spanned<toml::de::DeString<'_>>, table: &DeTable<'_>) -> Tenant {
        let mut tenant = Tenant {
            name: name.get_ref().as_ref().into(),
            origin: self.source.origin(name.span()),
            agents: Vec::new(),
            ceilings: Ceilings::default(),
        };
        for (key, value) in rows(table) {
            self.tenant_key(&mut tenant, key, value);
        }
        if tenant.agents.is_empty() && &*tenant.name != DEFAULT {
            let finding =
                Diagnostic::warning("tenant-empty", format!("tenant `{}` has no agents", tenant.name));
            let help = "add `agents = [\"…\"]`; only the tenant called `default` has those that no other has";
            self.diagnostics.push(finding.at(&tenant.origin).help(help));
        }
        tenant
    }

    fn tenant_key(&mut self, tenant: &mut Tenant, key: &Spanned<toml::de::DeString<'_>>, value: &Value<'_>) {
        let ceilings = &mut tenant.ceilings;
        let name: &str = key.get_ref();
        match name {
            "agents" => tenant.agents = self.words(name, value).unwrap_or_default(),
            "plugin_memory_bytes_max" => ceilings.plugin_memory_bytes_max = self.size(name, value),
            "cpu_share_max" => ceilings.cpu_share_max = self.share(name, value),
            "cpu_weight" => ceilings.cpu_weight = self.weight(name, value),
            "egress_hosts" => ceilings.egress_hosts = self.hosts(name, value),
            "egress_bytes_per_second_max" => ceilings.egress_bytes_per_second_max = self.count(name, value),
            "channel_bytes_max" => ceilings.channel_bytes_max = self.size(name, value),
            "events_per_second_max" => ceilings.events_per_second_max = self.count(name, value),
            "plugins_allowed" => ceilings.plugins_allowed = self.digests(name, value),
            "plugin" => match value.get_ref() {
                DeValue::Table(table) => ceilings.plugin = self.plugin(table),
                _ => self.wrong(value.span(), name, "a table: write `[tenant.NAME.plugin]`"),
            },
            // A note of the operator's to the next one.
            "doc" if matches!(value.get_ref(), DeValue::String(_)) => {}
            "doc" => self.wrong(value.span(), name, "text"),
            _ => self.unknown(key.span(), name, &TENANT_KEYS),
        }
    }

    fn plugin(&mut self, table: &DeTable<'_>) -> PluginCeilings {
        let mut plugin = PluginCeilings::default();
        for (key, value) in rows(table) {
            let name: &str = key.get_ref();
            match name {
                "memory_bytes_max" => plugin.memory_bytes_max = self.size(name, value),
                "batch_time_ms_max" => plugin.batch_time_ms_max = self.count(name, value),
                "fuel_per_event_max" => plugin.fuel_per_event_max = self.count(name, value),
                "output_bytes_max" => plugin.output_bytes_max = self.size(name, value),
                "log_bytes_per_second_max" => plugin.log_bytes_per_second_max = self.size(name, value),
                "instances_max" => plugin.instances_max = self.size(name, value),
                _ => self.unknown(key.span(), name, &PLUGIN_KEYS),
            }
        }
        plugin
    }

    fn at<T>(&self, value: &Value<'_>, read: T) -> Ceiling<T> {
        Ceiling { value: read, origin: self.source.origin(value.span()) }
    }

    fn count(&mut self, key: &str, value: &Value<'_>) -> Option<Ceiling<u64>> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number.filter(|number| *number > 0) {
            Some(number) => Some(self.at(value, number)),
            None => {
                self.wrong(value.span(), key, "a whole number above 0");
                None
            }
        }
    }

    fn size(&mut self, key: &str, value: &Value<'_>) -> Option<Ceiling<usize>> {
        let count = self.count(key, value)?;
        usize::try_from(count.value).ok().map(|size| self.at(value, size))
    }

    fn weight(&mut self, key: &str, value: &Value<'_>) -> Option<Ceiling<u32>> {
        let count = self.count(key, value)?;
        match u32::try_from(count.value).ok().filter(|weight| *weight <= 10_000) {
            Some(weight) => Some(self.at(value, weight)),
            None => {
                self.wrong(value.span(), key, "a whole number from 1 to 10000; 100 is the usual share");
                None
            }
        }
    }

    fn share(&mut self, key: &str, value: &Value<'_>) -> Option<Ceiling<CpuShare>> {
        let cores: Option<f64> = match value.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(number) => number.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        match cores.filter(|cores| (0.001..=1024.0).contains(cores)) {
            // In range, so the rounded number is one of 32 bits.
            Some(cores) => Some(self.at(value, CpuShare { millicores: (cores * 1000.0).round() as u32 })),
            None => {
                self.wrong(value.span(), key, "a number of cores from 0.001 to 1024; 0.5 is half a core");
                None
            }
        }
    }

    fn words(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<String>> {
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong(value.span(), key, "a list of texts");
            return None;
        };
        self.each(key, array, |text| Ok(text.to_owned()))
    }

    fn hosts(&mut self, key: &str, value: &Value<'_>) -> Option<Ceiling<Vec<HttpGrant>>> {
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong(value.span(), key, "a list of `host:port`");
            return None;
        };
        let hosts = self.each(key, array, HttpGrant::parse)?;
        Some(self.at(value, hosts))
    }

    fn digests(&mut self, key: &str, value: &Value<'_>) -> Option<Ceiling<BTreeSet<Digest>>> {
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong(value.span(), key, "a list of SHA-256 digests");
            return None;
        };
        let parse = |text: &str| {
            Digest::parse(text).ok_or_else(|| {
                format!("`{text}` is no SHA-256 digest: 64 hexadecimal digits, as `flumen plugin check FILE` prints them")
            })
        };
        let digests = self.each(key, array, parse)?;
        Some(self.at(value, digests.into_iter().collect()))
    }

    /// Every element read, or a finding for each that cannot be.
    fn each<T>(
        &mut self,
        key: &str,
        array: &DeArray<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let mut read = Vec::new();
        for element in array.iter() {
            let parsed = match element.get_ref() {
                DeValue::String(text) => parse(text),
                _ => Err("an element of this list is text".to_owned()),
            };
            match parsed {
                Ok(one) => read.push(one),
                Err(why) => {
                    let finding = Diagnostic::error("bad-value", format!("`{key}`: {why}"));
                    self.diagnostics.push(finding.at(&self.source.origin(element.span())));
                }
            }
        }
        (read.len() == array.len()).then_some(read)
    }

    /// An agent in two tenants would have two ceilings, and nobody could say which counts.
    fn doubled_agents(&mut self, tenants: &[Tenant]) {
        let mut owners: BTreeMap<&str, &Tenant> = BTreeMap::new();
        for tenant in tenants {
            for agent in &tenant.agents {
                if let Some(first) = owners.insert(agent, tenant) {
                    let message = format!(
                        "agent `{agent}` is in tenant `{}` ({}) and in tenant `{}`",
                        first.name,
                        place(&first.origin),
                        tenant.name
                    );
                    let finding = Diagnostic::error("doubled-agent", message).at(&tenant.origin);
                    self.diagnostics
                        .push(finding.help("an agent belongs to one tenant: take it out of the other"));
                }
            }
        }
    }

    fn wrong(&mut self, span: Range<usize>, key: &str, expected: &str) {
        let finding = Diagnostic::error("bad-value", format!("`{key}` must be {expected}"));
        self.diagnostics.push(finding.at(&self.source.origin(span)));
    }

    fn unknown(&mut self, span: Range<usize>, key: &str, known: &[&str]) {
        let finding = Diagnostic::error("unknown-key", format!("`{key}` is not known in a tenants file"));
        let help = match suggest::nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.diagnostics.push(finding.at(&self.source.origin(span)).help(help));
    }
}

/// `tenants.toml:3`, for messages that name a second place.
pub(crate) fn place(origin: &Origin) -> String {
    match origin {
        Origin::File { file, line, .. } => format!("{file}:{line}"),
        Origin::CommandLine => "command line".to_owned(),
        Origin::Default => "default".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<(usize, String, String)> {
        let mut findings = Diagnostics::default();
        let read = read(&SourceText::new("t.toml", text), &mut findings);
        assert_eq!(read.is_none(), findings.error_count() > 0, "{findings:?}");
        let line = |origin: &Option<Origin>| match origin {
            Some(Origin::File { line, .. }) => *line,
            other => panic!("{other:?}"),
        };
        findings
            .iter()
            .map(|f| (line(&f.origin), f.message.clone(), f.help.clone().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn every_key_is_read() {
        let text = format!(
            "[tenant.web]\ndoc = \"ask ops\"\nagents = [\"a1\"]\nplugin_memory_bytes_max = 1\ncpu_share_max = 0.5\ncpu_weight = 7\n\
             egress_hosts = [\"*.example.org:443\"]\negress_bytes_per_second_max = 2\nchannel_bytes_max = 3\n\
             events_per_second_max = 4\nplugins_allowed = [\"{}\"]\n[tenant.web.plugin]\nmemory_bytes_max = 5\n\
             batch_time_ms_max = 6\nfuel_per_event_max = 7\noutput_bytes_max = 8\nlog_bytes_per_second_max = 9\n\
             instances_max = 10\n",
            "ab".repeat(32)
        );
        let mut found = Diagnostics::default();
        let tenants =
            read(&SourceText::new("t.toml", &text), &mut found).unwrap_or_else(|| panic!("{found:?}"));
        let c = &tenants[0].ceilings;
        assert_eq!(c.cpu_share_max.as_ref().map(|share| share.value.millicores), Some(500));
        let sizes = [&c.plugin_memory_bytes_max, &c.channel_bytes_max, &c.plugin.memory_bytes_max];
        assert_eq!(sizes.map(|size| size.as_ref().map(|size| size.value)), [Some(1), Some(3), Some(5)]);
        assert_eq!(c.plugin.instances_max.as_ref().map(|n| n.value), Some(10));
        assert_eq!(c.plugins_allowed.as_ref().map(|set| set.value.len()), Some(1));
        assert!(found.is_empty());
    }

    #[test]
    fn mistakes_are_found_all_at_once_with_their_lines() {
        let text = "[tenant.web]\nagents = \"a1\"\ncpu_shares_max = 1\ncpu_share_max = 0\negress_hosts = [\"example.org\"]\n\
                    plugins_allowed = [\"abc\"]\n[tenant.web.plugin]\nmemory_byte_max = 1\n[tenants.x]\n";
        let found = findings(text);
        let lines: Vec<usize> = found.iter().map(|(line, ..)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 8, 1, 9], "{found:#?}");
        assert_eq!(found[1].2, "did you mean `cpu_share_max`?");
        assert_eq!(found[5].2, "did you mean `memory_bytes_max`?");
        assert_eq!(found[7].2, "did you mean `tenant`?");
    }

    #[test]
    fn an_agent_in_two_tenants_names_both_places() {
        let found = findings("[tenant.a]\nagents = [\"x\"]\n[tenant.b]\nagents = [\"x\"]\n");
        assert_eq!(found[0].0, 3);
        assert!(found[0].1.contains("tenant `a` (t.toml:1)"), "{found:?}");
    }
}
