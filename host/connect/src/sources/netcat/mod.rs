//! `netcat`: lines over TCP, each answered with `OK`.

mod connection;
mod lines;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::charset::Charset;
use crate::listen;
use crate::source::{Source, SourceContext, SourceEnd};

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

/// After how long without traffic the kernel asks whether the peer is still there: half-open connections
/// end by it.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(300);
/// How long connections get to finish their current answer when the source stops.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Pause after a failed accept (no file descriptors left), so that it is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

struct NetcatSource {
    options: NetcatOptions,
    charset: Charset,
    large_reads: Arc<connection::LargeReads>,
}

#[async_trait]
impl Source for NetcatSource {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let listener = listen::tcp(&self.options.bind, self.options.port).await?;
        let address = listener.local_addr()?;
        tracing::info!("Created serverSocket:[{}]", listen::as_java_prints(address));
        context.ready();
        let mut connections = JoinSet::new();
        self.accept_until_stop(&listener, context, &mut connections).await;
        drop(listener);
        let closing = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_WITHIN, closing).await.is_err() {
            // What they had not answered yet, their senders still have.
            connections.shutdown().await;
        }
        Ok(SourceEnd::Stopped)
    }
}

impl NetcatSource {
    async fn accept_until_stop(
        &self,
        listener: &TcpListener,
        context: &SourceContext,
        connections: &mut JoinSet<()>,
    ) {
        loop {
            tokio::select! {
                () = context.stop.requested() => return,
                Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(self.serve(stream, context.clone()))),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection; is the limit of open files too low?");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    fn serve(&self, stream: TcpStream, context: SourceContext) -> impl Future<Output = ()> + Send + 'static {
        let limits =
            lines::LineRules { max_characters: self.options.max_line_length.0, charset: self.charset };
        let ack = self.options.ack_every_event;
        let large_reads = self.large_reads.clone();
        async move {
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
            if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
                tracing::debug!(%error, "no keep-alive on a connection");
            }
            // Answers of one read may go out in several pieces; without this, each but the first would wait for
            // the client's delayed acknowledgement, 40 ms.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "answers of a connection may be late");
            }
            let open = OpenConnection::count(&context);
            if let Err(error) = connection::serve(&stream, &limits, ack, &large_reads, &context).await {
                tracing::debug!(%error, "a netcat connection broke");
            }
            drop(open);
        }
    }
}

/// Keeps the gauge of open connections right, also when the task is aborted.
struct OpenConnection(SourceContext);

impl OpenConnection {
    fn count(context: &SourceContext) -> Self {
        context.counters.open_connections.fetch_add(1, Relaxed);
        Self(context.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.counters.open_connections.fetch_sub(1, Relaxed);
    }
}
