//! The type `wasm` of every kind that may be a plugin, as the catalog of the program has them.
//!
//! ```text
//! check: settings ─▶ PluginSpec ─▶ load (read, compile, link, configure, self-test) ─▶ findings at the key's line
//! build: settings ─▶ PluginSpec ─▶ adapter; loaded at the agent's start, or by its first call
//! ```
//!
//! This is the one check that touches the world: it reads the component's file, compiles it (once: the result is
//! kept in the cache) and runs its `configure`, so that `flumen check` says what the guest finds wrong with its
//! options. It runs no function of the guest that sees events.

use std::sync::Arc;

use flumen_config::catalog::ComponentKind;
use flumen_config::{ComponentSpec, Diagnostic, Diagnostics, OptionSpec, Options, PLUGIN, Settings};
use flumen_connect::catalog::{PluginSelectorType, PluginTypes, SerializerType, SinkType, SourceType, Type};

use crate::call::block_on;
use crate::deliver::SinkPlugin;
use crate::deserialize::DeserializerPlugin;
use crate::error::LoadError;
use crate::handle::HandlerPlugin;
use crate::host::host;
use crate::intercept::InterceptorPlugin;
use crate::options::{self, PluginOptions, SinkExtra};
use crate::plugin::AnyPlugin;
use crate::produce::SourcePlugin;
use crate::select::SelectorPlugin;
use crate::serialize::SerializerPlugin;
use crate::spec::{Kind, PluginSpec};

static SINK_OPTIONS: [OptionSpec; PluginOptions::OPTIONS.len() + 1] =
    options::with_one_more(<SinkExtra as Options>::OPTIONS);

/// What the program installs with [`flumen_connect::catalog::install_plugins`].
pub static TYPES: PluginTypes = PluginTypes {
    source: SourceType {
        spec: spec(ComponentKind::Source, |settings, findings| {
            check(Kind::Source, settings, findings, |spec| SourcePlugin::new(host(), spec).plugin().clone())
        }),
        build: |settings| Ok(Box::new(SourcePlugin::new(host(), read(Kind::Source, settings)?))),
    },
    sink: SinkType {
        spec: ComponentSpec {
            options: &SINK_OPTIONS,
            batch_size: Some(batch_size),
            ..spec(ComponentKind::Sink, |settings, findings| {
                let extra = SinkExtra::read(settings, findings).is_some();
                let plugin = |spec| SinkPlugin::new(host(), spec, 1).plugin().clone();
                check(Kind::Sink, settings, findings, plugin) && extra
            })
        },
        build: |settings| {
            let spec = read(Kind::Sink, settings)?;
            Ok(Box::new(SinkPlugin::new(host(), spec, SinkExtra::of(settings)?.batch_size.0)))
        },
    },
    interceptor: Type {
        spec: spec(ComponentKind::Interceptor, |settings, findings| {
            let plugin = |spec| InterceptorPlugin::new(host(), spec).plugin().clone();
            check(Kind::Interceptor, settings, findings, plugin)
        }),
        build: |settings| Ok(Box::new(InterceptorPlugin::new(host(), read(Kind::Interceptor, settings)?))),
    },
    serializer: SerializerType {
        spec: spec(ComponentKind::Serializer, |settings, findings| {
            let plugin = |spec| SerializerPlugin::new(host(), spec).plugin().clone();
            check(Kind::Serializer, settings, findings, plugin)
        }),
        build: |settings| Ok(Box::new(SerializerPlugin::new(host(), read(Kind::Serializer, settings)?))),
    },
    deserializer: Type {
        spec: spec(ComponentKind::Deserializer, |settings, findings| {
            let plugin = |spec| DeserializerPlugin::new(host(), spec).plugin().clone();
            check(Kind::Deserializer, settings, findings, plugin)
        }),
        build: |settings| Ok(Box::new(DeserializerPlugin::new(host(), read(Kind::Deserializer, settings)?))),
    },
    selector: PluginSelectorType {
        spec: spec(ComponentKind::Selector, |settings, findings| {
            // Put there by the check of the source, which alone knows them.
            let channels: Vec<String> = settings.words("channels").into_iter().map(str::to_owned).collect();
            let plugin = |spec| SelectorPlugin::new(host(), spec, &channels).plugin().clone();
            check(Kind::Selector, settings, findings, plugin)
        }),
        build: |settings, channels| {
            Ok(Box::new(SelectorPlugin::new(host(), read(Kind::Selector, settings)?, channels)))
        },
    },
    http_handler: Type {
        spec: spec(ComponentKind::HttpHandler, |settings, findings| {
            let plugin = |spec| HandlerPlugin::new(host(), spec).plugin().clone();
            check(Kind::HttpHandler, settings, findings, plugin)
        }),
        build: |settings| Ok(Box::new(HandlerPlugin::new(host(), read(Kind::HttpHandler, settings)?))),
    },
};

const fn spec(kind: ComponentKind, check: fn(&Settings, &mut Diagnostics) -> bool) -> ComponentSpec {
    ComponentSpec { check, ..ComponentSpec::of::<PluginOptions>(kind, PLUGIN, &[]) }
}

fn batch_size(settings: &Settings) -> usize {
    SinkExtra::of(settings).map_or(1, |extra| extra.batch_size.0)
}

fn read(kind: Kind, settings: &Settings) -> Result<PluginSpec, Diagnostics> {
    Diagnostics::or(|findings| options::read(kind, settings, findings))
}

/// Whether the settings can be read and the component be loaded with them.
fn check<P: AnyPlugin + 'static>(
    kind: Kind,
    settings: &Settings,
    findings: &mut Diagnostics,
    plugin: impl FnOnce(PluginSpec) -> Arc<P>,
) -> bool {
    let Some(spec) = options::read(kind, settings, findings) else { return false };
    match block_on(AnyPlugin::load(plugin(spec))) {
        Ok(()) => true,
        Err(error) => {
            findings.push(finding(settings, &error));
            false
        }
    }
}

/// A load that failed, at the line of what caused it.
fn finding(settings: &Settings, error: &LoadError) -> Diagnostic {
    let (code, guest_key, help) = match error {
        LoadError::Config { key, .. } => (
            "plugin-config",
            key.as_deref(),
            "the component itself says this of its options; see its documentation",
        ),
        LoadError::Read { .. } => (
            "plugin-file",
            None,
            "the path is relative to the configuration file's folder; check it and the permissions",
        ),
        LoadError::Unusable { .. } => ("plugin-unusable", None, "`flumen plugin check FILE` says what it is"),
        LoadError::Imports { .. } => ("plugin-grant", None, "grant what it needs, or use another component"),
        LoadError::Forbidden { .. } => ("plugin-forbidden", None, "ask whoever keeps the tenants file"),
        LoadError::Configure(_) | LoadError::SelfTest(_) => (
            "plugin-broken",
            None,
            "the fault is the component's: try it alone with `flumen plugin test FILE`",
        ),
        _ => ("plugin-load", None, "see the cause"),
    };
    let key = options::guest_key(settings, guest_key);
    Diagnostic::error(code, format!("plugin `{}`: {error}", settings.path()))
        .at(&settings.origin(&key))
        .on(format!("{}.{key}", settings.path()))
        .help(help)
}
