//! `syslogtcp`: Flume's `SyslogTcpSource`.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use flumen_config::options::{Below, Count};
use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings, join_options, options};
use tokio::net::TcpStream;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::{listen, serve, tls};

use super::client::{ClientHeaders, Ports};
use super::connection::{self, Shared};
use super::decoder::Rules;
use super::framing::Framing;
use super::host_names::HostNames;
use super::keep::KeepFields;
use super::rows::Names;
use super::{format, read};

/// Flume's least `eventSize`.
const EVENT_BYTES_LEAST: usize = 10;

options! {
    /// Listens on a TCP port for syslog messages, as rsyslog, syslog-ng, `logger` and many devices send them: RFC 3164,
    /// RFC 5424 and what is like them, each ended by a line feed or preceded by its length (RFC 6587).
    ///
    /// Every event has the headers `Facility` and `Severity`. Of a message of a known form there are also
    /// `priority`, `version` (RFC 5424), `timestamp` (milliseconds since 1970) and `host`, and the body is what stands
    /// behind the host. All else becomes an event too, with the whole text as its body: text without a valid
    /// priority in front has the header `flume.syslog.status = Invalid`, and a piece of a message that is longer than
    /// `eventSize` has `Incomplete`. As in Flume, `priority` and `version` stay on the events of a connection until
    /// another message sets them.
    ///
    /// A full channel makes senders wait; nothing is dropped. The last message of a connection needs no line feed.
    /// Dates without a zone are of this machine's time zone; of those without a year the nearest counts, from eleven
    /// months back to one month ahead.
    pub struct SyslogTcpOptions {
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16,
        /// Host name or address to listen on; all if it is not set.
        "host" => host: Option<String>,
        /// The same as `host`, as most other sources call it.
        "bind" => bind: Option<String>,
        /// Most bytes of one message, priority included; at least 10. What is longer becomes several events, of which all
        /// but the last have the status `Incomplete`, if they begin with a priority, or else `Invalid`.
        "eventSize" => event_size: Count = Count(2500),
        /// Which fields are put back in front of the body: `none`, `all` (the body is the whole message), or some of
        /// `priority`, `version`, `timestamp`, `hostname`. One that a message does not have reads `null`.
        "keepFields" => keep_fields: KeepFields = KeepFields::default(),
        /// Name of a header for the sender's address. It must not be one of the headers above.
        "clientIPHeader" => client_ip_header: Option<String>,
        /// Name of a header for the sender's host name. It is asked for once when a connection begins, and kept for five
        /// minutes; the address stands in its place if there is none, or none within 2 s.
        "clientHostnameHeader" => client_hostname_header: Option<String>,
        /// A further form of messages, tried in front of the known ones. `format.regex`: a Java pattern for the whole
        /// message, whose groups are 1 priority, 2 version, 3 date, 4 host, 5 body. `format.dateFormat`: the form of the
        /// date in the letters of Java's `SimpleDateFormat` (y M d D E u a H k K h m s S z Z X). `format.search` and
        /// `format.replace`: a pattern and its replacement, applied to the date before. Several forms have names:
        /// `format.NAME.regex` and so on, tried in the order of the names, numbers first.
        "format." => formats: Below,
        /// How messages are separated: `lines`; `octet-counting`, a decimal length and a blank in front of each; or
        /// `auto`: as the first message of the connection is. For `auto` a length counts only if a priority
        /// follows, and if the message ends where it says: with the input, a line feed or another length. So no
        /// sender of lines is taken for one that counts.
        "framing" => framing: Framing = Framing::Auto,
        /// Most connections at once; more are closed at once. Flumen only.
        "connectionsMax" => connections_max: Count = Count(100_000),
        /// Brings Flume's wrong timestamps back, for those who have come to depend on them: with a fraction of a second
        /// the offset is not looked at and the time taken for local, and `.1` means one millisecond.
        "flumeTimestamps" => flume_timestamps: bool = false,
        /// Brings Flume's line ends back: a carriage return in front of the line feed belongs to the message, which then
        /// has no known form.
        "flumeLineEnds" => flume_line_ends: bool = false,
    }
}

pub(in crate::sources) const TCP: SourceType = SourceType {
    spec: ComponentSpec {
        options: join_options!(SyslogTcpOptions::OPTIONS, tls::SERVER_OPTIONS),
        check: |settings, diagnostics| make(settings, diagnostics).is_some(),
        ..ComponentSpec::of::<SyslogTcpOptions>(
            ComponentKind::Source,
            "syslogtcp",
            &["org.apache.flume.source.SyslogTcpSource"],
        )
    },
    build: |settings| {
        Diagnostics::or(|diagnostics| make(settings, diagnostics)).map(|source| Box::new(source) as _)
    },
};

/// What messages become.
pub(super) fn rules(settings: &Settings) -> Result<Rules, Diagnostics> {
    Diagnostics::or(|diagnostics| make(settings, diagnostics)).map(|source| (*source.rules).clone())
}

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<SyslogTcp> {
    let options = SyslogTcpOptions::read(settings, diagnostics);
    let formats = format::read(settings, diagnostics);
    let headers = ClientHeaders::read(settings, &Names::classic(), Ports::One, diagnostics);
    let tls = tls::server(settings, diagnostics);
    let host = read::host(settings, diagnostics);
    let options = options?;
    let event_bytes_max = read::event_bytes(options.event_size, EVENT_BYTES_LEAST, settings, diagnostics);
    let rules = Rules {
        keep: options.keep_fields,
        framing: options.framing,
        line_ends: options.flume_line_ends.into(),
        dates: options.flume_timestamps.into(),
        ..Rules::classic(formats?, event_bytes_max)
    };
    Some(SyslogTcp {
        host,
        port: options.port,
        rules: Arc::new(rules),
        headers: Arc::new(headers?),
        tls: tls?,
        connections_max: options.connections_max.0,
        shared: Arc::new(Shared::new("syslogtcp")),
        host_names: Arc::default(),
    })
}

struct SyslogTcp {
    host: String,
    port: u16,
    rules: Arc<Rules>,
    headers: Arc<ClientHeaders>,
    tls: Option<tls::ServerTls>,
    connections_max: usize,
    shared: Arc<Shared>,
    host_names: Arc<HostNames>,
}

#[async_trait]
impl Source for SyslogTcp {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let acceptor = self.tls.as_ref().map(tls::ServerTls::acceptor).transpose()?;
        let listener = listen::tcp(&self.host, self.port).await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "Syslog TCP Source starting...");
        context.ready();
        serve::connections(listener, self.connections_max, context, |stream, peer| {
            self.serve((stream, acceptor.clone()), (peer, address.port()), context.clone())
        })
        .await;
        Ok(SourceEnd::Stopped)
    }
}

impl SyslogTcp {
    fn serve(
        &self,
        (stream, acceptor): (TcpStream, Option<tls::Acceptor>),
        (peer, port): (SocketAddr, u16),
        context: SourceContext,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (rules, headers, shared, names) =
            (self.rules.clone(), self.headers.clone(), self.shared.clone(), self.host_names.clone());
        async move {
            let Some(stream) = tls::accept(acceptor.as_ref(), stream, peer).await else { return };
            let constants = headers.of_connection(peer, port, &names).await;
            if let Err(error) = connection::serve(stream, &rules, &shared, constants, &context).await {
                tracing::debug!(%peer, %error, "a syslog connection broke");
            }
        }
    }
}
