//! `netcat`: lines over TCP, each answered with `OK`.

mod connection;
mod lines;

use std::sync::Arc;

use async_trait::async_trait;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};
use tokio::net::TcpStream;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::charset::Charset;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::sources::large_reads::LargeReads;
use crate::{listen, serve};

options! {
    /// Listens on a TCP port and makes an event of each line. A line ends at a line feed; a carriage return
    /// in front of it stays in the body, as in Flume. The last line of a connection needs its line feed, or it
    /// is dropped.
    ///
    /// Each line is answered: `OK`, or `FAILED: ` and the reason, if the channels have no room within their
    /// keep-alive (the connection stays), or if the line is too long (the connection is closed).
    /// A line that is answered with `OK` is in every required channel, or was dropped on purpose by an interceptor or
    /// the selector, and counted.
    pub struct NetcatOptions {
        /// Host name or address to listen on. `0.0.0.0` means all, IPv6 included.
        "bind" => bind: String,
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16,
        /// Whether each stored line is answered with `OK`. Failures are answered in any case.
        "ack-every-event" => ack_every_event: bool = true,
        /// Longest line in characters, line feed included.
        "max-line-length" => max_line_length: Count = Count(512),
        /// Charset of the incoming text, under its Java name. Bodies are UTF-8. Bytes that are not valid in
        /// UTF-8 input are kept as they are, where Flume closes the connection and loses the lines.
        "encoding" => encoding: String = "utf-8".to_owned(),
        /// Most connections at once; more are closed at once. Flumen only.
        "connectionsMax" => connections_max: Count = Count(100_000),
    }
}

pub(super) const NETCAT: SourceType = SourceType {
    spec: ComponentSpec {
        kind: ComponentKind::Source,
        name: "netcat",
        aliases: &["org.apache.flume.source.NetcatSource"],
        doc: NetcatOptions::DOC,
        options: NetcatOptions::OPTIONS,
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        batch_size: None,
        transaction_capacity: None,
    },
    build: |settings| {
        let mut diagnostics = Diagnostics::default();
        read(settings, &mut diagnostics).map(|source| Box::new(source) as _).ok_or(diagnostics)
    },
};

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<NetcatSource> {
    let options = NetcatOptions::read(settings, diagnostics)?;
    let Some(charset) = Charset::named(&options.encoding) else {
        diagnostics.push(
            Diagnostic::error("bad-value", Charset::unknown(&options.encoding))
                .on(settings.path())
                .at(&settings.origin("encoding")),
        );
        return None;
    };
    Some(NetcatSource { options, charset, large_reads: Arc::default() })
}

struct NetcatSource {
    options: NetcatOptions,
    charset: Charset,
    large_reads: Arc<LargeReads>,
}

#[async_trait]
impl Source for NetcatSource {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let listener = listen::tcp(&self.options.bind, self.options.port).await?;
        let address = listener.local_addr()?;
        tracing::info!("Created serverSocket:[{}]", listen::as_java_prints(address));
        context.ready();
        let connections_max = self.options.connections_max.0;
        serve::connections(listener, connections_max, context, |stream, _| {
            self.serve(stream, context.clone())
        })
        .await;
        Ok(SourceEnd::Stopped)
    }
}

impl NetcatSource {
    fn serve(&self, stream: TcpStream, context: SourceContext) -> impl Future<Output = ()> + Send + 'static {
        let limits =
            lines::LineRules { max_characters: self.options.max_line_length.0, charset: self.charset };
        let ack = self.options.ack_every_event;
        let large_reads = self.large_reads.clone();
        async move {
            if let Err(error) = connection::serve(&stream, &limits, ack, &large_reads, &context).await {
                tracing::debug!(%error, "a netcat connection broke");
            }
        }
    }
}
