//! `multiport_syslogtcp`: Flume's `MultiportSyslogTCPSource`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::options::{Below, Count, Words};
use flumen_config::{
    ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, join_options, options,
};
use jiff::tz::TimeZone;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::charset::Charset;
use crate::listen::ListenError;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::{listen, serve, tls};

use super::client::{ClientHeaders, Ports};
use super::connection::{self, Shared};
use super::decoder::{Dialect, Rules};
use super::framing::Framing;
use super::host_names::HostNames;
use super::keep::KeepFields;
use super::read;
use super::rows::Names;

options! {
    /// Listens on several TCP ports for syslog messages. It differs from `syslogtcp` as Flume's does: the headers are
    /// `Facility`, `Severity`, `Priority`, `Version`, `timestamp` and `host`; dates of RFC 3164 are UTC; a date `-` is the
    /// time of arrival; and what is not `<PRI>`, date, host and text of this order, or not valid in the charset of the
    /// port, has no header but `flume.syslog.status = Invalid` and goes on as it came. A date of RFC 3164 that is none
    /// gives the timestamp 0.
    ///
    /// A full channel makes senders wait; nothing is dropped. Lines without text are passed over. A port that cannot be
    /// listened on is tried again every 3 s while the others are served; only if there is none the source fails.
    pub struct MultiportSyslogOptions {
        /// Ports to listen on, separated by white space.
        "ports" => ports: Words,
        /// Host name or address to listen on; all if it is not set.
        "host" => host: Option<String>,
        /// The same as `host`, as most other sources call it.
        "bind" => bind: Option<String>,
        /// Most bytes of one message, line feed not included. What is longer becomes several events, of which all but
        /// the last have the status `Incomplete`, if they are of the right form, or else `Invalid`.
        "eventSize" => event_size: Count = Count(2500),
        /// Which fields are put back in front of the body: `none`, `all` (the body is the whole message), or some of
        /// `priority`, `version`, `timestamp`, `hostname`.
        "keepFields" => keep_fields: KeepFields = KeepFields::default(),
        /// Name of a header for the port a message came to.
        "portHeader" => port_header: Option<String>,
        /// Name of a header for the sender's address. It must not be one of the headers above.
        "clientIPHeader" => client_ip_header: Option<String>,
        /// Name of a header for the sender's host name. It is asked for once when a connection begins, and kept for five
        /// minutes; the address stands in its place if there is none, or none within 2 s.
        "clientHostnameHeader" => client_hostname_header: Option<String>,
        /// Charset of all ports that have none of their own, under its Java name. Bodies stay in it.
        "charset.default" => charset_default: Charset = Charset::Utf8,
        /// Charset of one port: `charset.port.10514 = ISO-8859-1`.
        "charset.port." => charset_port: Below,
        /// Most events of one put into the channels. (What came in one read goes in at once up to this.)
        "batchSize" => batch_size: Count = Count(100),
        /// Bytes that are read from a connection at once while many connections have much to send. Otherwise, and with all
        /// connections together taking up to 32 MiB, a read is up to 256 KiB.
        "readBufferBytes" => read_buffer_bytes: Option<Count>,
        /// The same as `readBufferBytes`, as Flume's user guide calls it.
        "readBufferSize" => read_buffer_size: Option<Count>,
        /// In Flume the number of threads. Here all sources of the process share its threads, one per core: a value is
        /// accepted, and said to have no effect.
        "numProcessors" => num_processors: Option<Count>,
        /// How messages are separated: `lines`, `octet-counting` or `auto`; see `syslogtcp`.
        "framing" => framing: Framing = Framing::Auto,
        /// Most connections at once, all ports together; more are closed at once. Flumen only.
        "connectionsMax" => connections_max: Count = Count(100_000),
        /// Brings Flume's wrong timestamps back, for those who have come to depend on them: most dates without a year are
        /// in 1999 or 2001, and of one with a single digit for the day and one blank the first letter of the host is lost.
        "flumeTimestamps" => flume_timestamps: bool = false,
        /// Brings Flume's line ends back: a carriage return in front of the line feed belongs to the body.
        "flumeLineEnds" => flume_line_ends: bool = false,
    }
}

pub(in crate::sources) const MULTIPORT: SourceType = SourceType {
    spec: ComponentSpec {
        options: join_options!(MultiportSyslogOptions::OPTIONS, tls::SERVER_OPTIONS),
        check: |settings, diagnostics| make(settings, diagnostics).is_some(),
        batch_size: Some(|settings| {
            MultiportSyslogOptions::of(settings).map_or(0, |options| options.batch_size.0)
        }),
        ..ComponentSpec::of::<MultiportSyslogOptions>(
            ComponentKind::Source,
            "multiport_syslogtcp",
            &["org.apache.flume.source.MultiportSyslogTCPSource"],
        )
    },
    build: |settings| {
        Diagnostics::or(|diagnostics| make(settings, diagnostics)).map(|source| Box::new(source) as _)
    },
};

/// The initial size in Flume.
const READ_BYTES_MIN: usize = 1024;
/// A read is never less, so that a mistake does not cost a system call for each byte.
const READ_BYTES_LEAST: usize = 64;
/// Pause between attempts to listen on a port.
const RETRY: Duration = Duration::from_secs(3);

/// What messages of the first port become.
pub(super) fn rules(settings: &Settings) -> Result<Rules, Diagnostics> {
    let source = Diagnostics::or(|diagnostics| make(settings, diagnostics))?;
    let first = source.parts.ports.values().next();
    first.map(|rules| (**rules).clone()).ok_or_else(Diagnostics::default)
}

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Multiport> {
    let options = MultiportSyslogOptions::read(settings, diagnostics);
    let names = Names::multiport();
    let headers = ClientHeaders::read(settings, &names, Ports::Many, diagnostics);
    let tls = tls::server(settings, diagnostics);
    let host = read::host(settings, diagnostics);
    let charsets = port_charsets(settings, diagnostics);
    let options = options?;
    let ports = ports(&options.ports, settings, diagnostics);
    if options.num_processors.is_some() {
        let message =
            "`numProcessors` has no effect: all sources share the threads of the process, one per core";
        let finding = Diagnostic::warning("no-effect", message).on(settings.path());
        diagnostics.push(finding.at(&settings.key_origin("numProcessors")).help("remove it"));
    }
    let (ports, charsets) = (ports?, charsets?);
    for (port, key) in charsets
        .keys()
        .filter(|port| !ports.contains(port))
        .map(|port| (port, format!("charset.port.{port}")))
    {
        let message = format!("`{key}` has no effect: {port} is not one of the `ports`");
        diagnostics.push(
            Diagnostic::warning("no-effect", message).on(settings.path()).at(&settings.key_origin(&key)),
        );
    }
    let rules = Rules {
        dialect: Dialect::Strict,
        names,
        keep: options.keep_fields,
        formats: Arc::new([]),
        charset: options.charset_default,
        framing: options.framing,
        line_ends: options.flume_line_ends.into(),
        dates: options.flume_timestamps.into(),
        event_bytes_max: read::event_bytes(options.event_size, 1, settings, diagnostics),
        zone: TimeZone::system(),
    };
    let read_bytes =
        options.read_buffer_bytes.or(options.read_buffer_size).map_or(READ_BYTES_MIN, |bytes| bytes.0);
    let shared = Shared {
        read_bytes_min: read_bytes.clamp(READ_BYTES_LEAST, super::buffers::READ_BYTES_MAX),
        batch_events_max: options.batch_size.0,
        counts_invalid: true,
        ..Shared::new("multiport_syslogtcp")
    };
    let with_charset = |port: u16| {
        let charset = charsets.get(&port).copied().unwrap_or(rules.charset);
        (port, Arc::new(Rules { charset, ..rules.clone() }))
    };
    let ports = ports.iter().copied().map(with_charset).collect();
    let parts = Parts {
        host,
        ports,
        headers: headers?,
        tls: tls?,
        connections_max: options.connections_max.0,
        shared,
        host_names: HostNames::default(),
    };
    Some(Multiport { parts: Arc::new(parts) })
}

/// The ports, each once, in the order of the list.
fn ports(words: &Words, settings: &Settings, diagnostics: &mut Diagnostics) -> Option<Vec<u16>> {
    let mut error = |message: String| {
        let finding =
            Diagnostic::error("bad-value", message).on(settings.path()).at(&settings.origin("ports"));
        diagnostics.push(finding.help("give port numbers separated by blanks, such as `10001 10002`"));
    };
    let mut ports = Vec::new();
    for word in &words.0 {
        match word.parse::<u16>() {
            Ok(port) if ports.contains(&port) => {}
            Ok(port) => ports.push(port),
            Err(_) => {
                error(format!("`ports`: `{word}` is not a whole number from 0 to 65535"));
                return None;
            }
        }
    }
    if ports.is_empty() {
        error("`ports` names no port".to_owned());
        return None;
    }
    Some(ports)
}

fn port_charsets(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<BTreeMap<u16, Charset>> {
    let below = settings.below("charset.port.");
    let (mut charsets, mut failed) = (BTreeMap::new(), false);
    for (key, setting) in below.iter() {
        let found = (key.parse::<u16>(), Charset::named(&setting.value));
        if let (Ok(port), Some(charset)) = found {
            charsets.insert(port, charset);
            continue;
        }
        failed = true;
        let message = match found.0 {
            Err(_) => format!("`charset.port.{key}`: `{key}` is not a port"),
            Ok(_) => format!("`charset.port.{key}`: {}", Charset::unknown(&setting.value)),
        };
        diagnostics.push(Diagnostic::error("bad-value", message).on(settings.path()).at(&setting.origin));
    }
    (!failed).then_some(charsets)
}

struct Multiport {
    parts: Arc<Parts>,
}

struct Parts {
    host: String,
    ports: BTreeMap<u16, Arc<Rules>>,
    headers: ClientHeaders,
    tls: Option<tls::ServerTls>,
    connections_max: usize,
    shared: Shared,
    host_names: HostNames,
}

#[async_trait]
impl Source for Multiport {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let parts = &self.parts;
        let acceptor = parts.tls.as_ref().map(tls::ServerTls::acceptor).transpose()?;
        let (mut listening, mut last) = (Vec::new(), None);
        let mut refused = Vec::new();
        for (port, rules) in &parts.ports {
            match listen::tcp(&parts.host, *port).await {
                Ok(listener) => listening.push((listener, rules.clone())),
                Err(error) => {
                    tracing::error!(port, %error, "cannot listen on one of the ports");
                    last = Some(error);
                    refused.push((*port, rules.clone()));
                }
            }
        }
        if let (true, Some(error)) = (listening.is_empty(), last) {
            return Err(error.into());
        }
        let mut serving = JoinSet::new();
        for (listener, rules) in listening {
            serving.spawn(serve_port((listener, acceptor.clone()), rules, parts.clone(), context.clone()));
        }
        for (port, rules) in refused {
            let (parts, context, acceptor) = (parts.clone(), context.clone(), acceptor.clone());
            serving.spawn(async move {
                if let Some(listener) = listen_again(&parts.host, port, &context).await {
                    serve_port((listener, acceptor), rules, parts, context).await;
                }
            });
        }
        context.ready();
        while serving.join_next().await.is_some() {}
        Ok(SourceEnd::Stopped)
    }
}

/// Tries until it works, or stop is requested.
async fn listen_again(host: &str, port: u16, context: &SourceContext) -> Option<TcpListener> {
    loop {
        tokio::select! {
            () = context.stop.requested() => return None,
            () = tokio::time::sleep(RETRY) => {}
        }
        let tried: Result<TcpListener, ListenError> = listen::tcp(host, port).await;
        match tried {
            Ok(listener) => return Some(listener),
            Err(error) => tracing::debug!(port, %error, "still cannot listen"),
        }
    }
}

async fn serve_port(
    (listener, acceptor): (TcpListener, Option<tls::Acceptor>),
    rules: Arc<Rules>,
    parts: Arc<Parts>,
    context: SourceContext,
) {
    let Ok(address) = listener.local_addr() else { return };
    tracing::info!(%address, "Multiport Syslog TCP source listens");
    serve::connections(listener, parts.connections_max, &context, |stream, peer| {
        serve_connection(
            (stream, acceptor.clone()),
            (peer, address.port()),
            (rules.clone(), parts.clone()),
            context.clone(),
        )
    })
    .await;
}

async fn serve_connection(
    (stream, acceptor): (TcpStream, Option<tls::Acceptor>),
    (peer, port): (SocketAddr, u16),
    (rules, parts): (Arc<Rules>, Arc<Parts>),
    context: SourceContext,
) {
    let Some(stream) = tls::accept(acceptor.as_ref(), stream, peer).await else { return };
    let constants = parts.headers.of_connection(peer, port, &parts.host_names).await;
    if let Err(error) = connection::serve(stream, &rules, &parts.shared, constants, &context).await {
        tracing::debug!(%peer, %error, "a syslog connection broke");
    }
}
