//! One component, loaded to be tried: the production engine and adapters, without an agent around them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flumen_config::{Diagnostics, Settings, render};
use flumen_connect::dead_letter::line;
use flumen_connect::{
    AsyncInterceptor, AsyncSelector, Deserializer, DeserializerFactory, Drops, HttpHandler, HttpRequest,
    Rows, SerializerFactory, Sink,
};
use flumen_event::{Batch, BatchBuilder};
use flumen_plugin::deliver::SinkPlugin;
use flumen_plugin::deserialize::DeserializerPlugin;
use flumen_plugin::handle::HandlerPlugin;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::plugin::AnyPlugin;
use flumen_plugin::select::SelectorPlugin;
use flumen_plugin::serialize::SerializerPlugin;
use flumen_plugin::spec::{Kind, OnError, PluginSpec};
use flumen_plugin::{host, options};

use super::check;
use crate::cli::TrialArgs;
use crate::commands::plugins;

/// The most bytes that a deserializer gets at once, as in production.
const DECODE_BYTES: usize = 256 << 10;

/// A component that is ready to be called.
pub(super) enum Trial {
    Interceptor(InterceptorPlugin),
    Serializer(SerializerPlugin),
    Deserializer(DeserializerPlugin),
    Selector(SelectorPlugin, Vec<String>),
    Sink(Box<SinkPlugin>),
    Handler(HandlerPlugin),
}

/// What came out of a call.
#[derive(Default)]
pub(super) struct Answer {
    /// As it is printed and compared.
    pub(super) text: Vec<u8>,
    /// What became of input that did not come out.
    pub(super) lost: BTreeMap<String, usize>,
    /// Events that came out.
    pub(super) events: usize,
}

impl Answer {
    fn note(&mut self, drops: &Drops) {
        for (cause, events) in drops.iter() {
            *self.lost.entry(cause.to_owned()).or_default() += events;
        }
    }
    fn lines(&mut self, batch: &Batch) {
        batch.iter().for_each(|event| line::write(event, &mut self.text));
        self.events += batch.len();
    }
}

/// What the component is and how it is to be run, from the arguments.
///
/// # Errors
/// Sentences: what is wrong with the file or the options.
pub(super) fn spec(args: &TrialArgs, more: &[(&str, &str)]) -> Result<PluginSpec, String> {
    let looked = check::look(&args.file)?;
    let name = args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut settings = Settings::new(format!("test.{}", name.replace('.', "-")));
    settings.set_base_dir(Arc::from(Path::new("")));
    let mut put = |key: &str, value: &str| {
        let origin = flumen_config::Origin::CommandLine;
        settings.insert(key, flumen_config::Setting { value: value.to_owned(), origin });
    };
    put("type", "wasm");
    put("component", &args.file.to_string_lossy());
    more.iter().for_each(|(key, value)| put(key, value));
    for (prefix, pairs) in [("config.", &args.config), ("", &args.set)] {
        for pair in pairs {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` is no KEY=VALUE"))?;
            put(&format!("{prefix}{}", key.trim()), value.trim());
        }
    }
    let unknown: Vec<String> = settings
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !options::is_option(key))
        .map(str::to_owned)
        .collect();
    if let Some(key) = unknown.first() {
        return Err(format!("`--set {key}=…`: a plugin has no such option; see conf/OPTIONS.md"));
    }
    let mut findings = Diagnostics::default();
    let spec = options::read(looked.kind, &settings, &mut findings);
    let texts: Vec<String> = findings.iter().map(render::line).collect();
    let mut spec = spec.ok_or_else(|| texts.join("\n"))?;
    if !args.set.iter().any(|pair| pair.starts_with("onError"))
        && matches!(spec.kind, Kind::Interceptor | Kind::Sink | Kind::Selector)
    {
        // What fails is to be seen, not to be tried for ever.
        spec.on_error = OnError::Drop;
    }
    Ok(spec)
}

impl Trial {
    /// Loads the component: compiles, configures and tests it.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub(super) async fn load(spec: PluginSpec, channels: &[String]) -> Result<Self, String> {
        let host = host();
        let trial = match spec.kind {
            Kind::Interceptor => Self::Interceptor(InterceptorPlugin::new(host, spec)),
            Kind::Serializer => Self::Serializer(SerializerPlugin::new(host, spec)),
            Kind::Deserializer => Self::Deserializer(DeserializerPlugin::new(host, spec)),
            Kind::Selector => Self::Selector(SelectorPlugin::new(host, spec, channels), channels.to_vec()),
            Kind::Sink => Self::Sink(Box::new(SinkPlugin::new(host, spec, 1000))),
            Kind::HttpHandler => Self::Handler(HandlerPlugin::new(host, spec)),
            Kind::Source => {
                return Err("a source takes no input: run it in an agent, into the logger sink".to_owned());
            }
        };
        trial.plugin().load().await.map_err(|error| error.to_string())?;
        Ok(trial)
    }

    /// The plugin, for its figures.
    pub(super) fn plugin(&self) -> Arc<dyn AnyPlugin> {
        match self {
            Self::Interceptor(plugin) => plugin.plugin().clone(),
            Self::Serializer(plugin) => plugin.plugin().clone(),
            Self::Deserializer(plugin) => plugin.plugin().clone(),
            Self::Selector(plugin, _) => plugin.plugin().clone(),
            Self::Sink(plugin) => plugin.plugin().clone(),
            Self::Handler(plugin) => plugin.plugin().clone(),
        }
    }

    /// Whether it takes bytes and not events.
    pub(super) fn takes_bytes(&self) -> bool {
        matches!(self, Self::Deserializer(_))
    }

    /// Gives it batches, one after the other.
    ///
    /// # Errors
    /// The first call that fails.
    pub(super) async fn give(&mut self, batches: &[Batch]) -> Result<Answer, String> {
        let mut answer = Answer::default();
        match self {
            Self::Interceptor(plugin) => {
                for batch in batches {
                    let mut drops = Drops::default();
                    let kept =
                        plugin.intercept(batch.clone(), &mut drops).await.map_err(|e| e.to_string())?;
                    answer.lines(&kept);
                    answer.note(&drops);
                }
            }
            Self::Serializer(plugin) => {
                let mut file = plugin.create();
                let out = &mut answer.text;
                file.begin(out).map_err(|e| e.to_string())?;
                for batch in batches {
                    file.write(batch, out).map_err(|e| e.to_string())?;
                }
                file.flush(out).map_err(|e| e.to_string())?;
                file.end(out).map_err(|e| e.to_string())?;
                answer.events = batches.iter().map(Batch::len).sum();
            }
            Self::Selector(plugin, channels) => {
                for batch in batches {
                    let legs = plugin.route(batch).await.map_err(|e| e.to_string())?;
                    routes(&legs, batch.len(), channels, &mut answer);
                }
            }
            Self::Sink(plugin) => {
                plugin.open().await.map_err(|e| e.to_string())?;
                for batch in batches {
                    let given = std::slice::from_ref(batch);
                    let delivery = plugin.deliver(given).await.map_err(|e| e.to_string())?;
                    answer.note(&delivery.dropped);
                    answer.events += batch.len() - delivery.dropped.total();
                }
                plugin.close().await.map_err(|e| e.to_string())?;
            }
            Self::Handler(plugin) => {
                for event in batches.iter().flat_map(Batch::iter) {
                    match plugin.handle(request(event)).await {
                        Ok(batch) => answer.lines(&batch),
                        Err(refusal) => *answer.lost.entry(format!("refused: {refusal}")).or_default() += 1,
                    }
                }
            }
            Self::Deserializer(_) => return Err("a deserializer takes bytes".to_owned()),
        }
        Ok(answer)
    }

    /// Gives bytes to a deserializer, as one stream.
    ///
    /// # Errors
    /// The first call that fails.
    pub(super) async fn decode(&mut self, bytes: &[u8], events_max: usize) -> Result<Answer, String> {
        let Self::Deserializer(plugin) = self else {
            return Err("only a deserializer takes bytes".to_owned());
        };
        let mut stream = plugin.open("input", 0).await.map_err(|e| e.to_string())?;
        let mut answer = Answer::default();
        for part in bytes.chunks(DECODE_BYTES) {
            drain(&mut *stream, Some(part), events_max, &mut answer).await?;
        }
        drain(&mut *stream, None, events_max, &mut answer).await?;
        Ok(answer)
    }
}

async fn drain(
    stream: &mut dyn Deserializer,
    bytes: Option<&[u8]>,
    events_max: usize,
    answer: &mut Answer,
) -> Result<(), String> {
    let mut next = bytes;
    loop {
        let decoded = match next {
            Some(bytes) => stream.decode(bytes, events_max).await,
            None => stream.finish(events_max).await,
        };
        let batch = decoded.map_err(|error| error.to_string())?.batch;
        answer.lines(&batch);
        if batch.len() < events_max {
            return Ok(());
        }
        next = next.map(|_| &[][..]);
    }
}

/// An event as a request: its headers and body.
fn request(event: flumen_event::EventRef<'_>) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: event.headers().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        body: Bytes::copy_from_slice(event.body()),
    }
}

/// One line for each event: `c1 c2 (c3)`, optional channels in brackets, `-` for none.
fn routes(legs: &[flumen_connect::Leg], events: usize, channels: &[String], answer: &mut Answer) {
    let mut lines = vec![Vec::new(); events];
    for leg in legs {
        let name = &channels[leg.channel];
        let word = if leg.required { name.clone() } else { format!("({name})") };
        match &leg.rows {
            Rows::All => lines.iter_mut().for_each(|line| line.push(word.clone())),
            Rows::Some(rows) => rows.iter().for_each(|row| lines[*row as usize].push(word.clone())),
        }
    }
    for line in lines {
        let text = if line.is_empty() { "-".to_owned() } else { line.join(" ") };
        answer.text.extend_from_slice(text.as_bytes());
        answer.text.push(b'\n');
        answer.events += 1;
    }
}

/// Events of a text: JSON lines if the first line is an event, else a body on each line.
///
/// # Errors
/// The first line that is no event.
pub(super) fn events(text: &[u8], batch_events: usize) -> Result<Vec<Batch>, String> {
    let lines: Vec<&[u8]> = text.strip_suffix(b"\n").unwrap_or(text).split(|b| *b == b'\n').collect();
    let is_json = lines.first().is_some_and(|first| line::read(first).is_ok());
    let mut batches = Vec::new();
    let mut builder = BatchBuilder::default();
    for (at, one) in lines.iter().enumerate().filter(|_| !text.is_empty()) {
        let event = if is_json {
            line::read(one).map_err(|error| format!("line {}: {error}", at + 1))?
        } else {
            line::LineEvent { headers: Vec::new(), body: one.to_vec() }
        };
        let headers: Vec<(&str, &str)> =
            event.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        builder.push(&event.body, headers).map_err(|_| format!("line {}: too large for a batch", at + 1))?;
        if builder.len() >= batch_events.max(1) {
            batches.push(builder.finish());
        }
    }
    if !builder.is_empty() {
        batches.push(builder.finish());
    }
    Ok(batches)
}

/// Runs the work with the plugins of a process of its own, whose state is in memory.
pub(super) fn run<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let _no_tenants_file = plugins::prepare(&BTreeMap::new(), &[], plugins::Use::Check);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("cannot start a runtime: {error}"))?.block_on(work)
}

/// `1.25 ms`, `830 ns`.
pub(super) fn shown(time: Duration) -> String {
    format!("{time:.2?}")
}
