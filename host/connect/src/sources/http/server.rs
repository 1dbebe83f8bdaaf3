//! HTTP/1 connections of a source: the limits that every one of them has, and an orderly end.
//!
//! ```text
//! accept ─▶ TLS ─▶ head (idle timeout, size) ─▶ answer(request) ─▶ write (idle timeout) ─▶ next head …
//!                                                stop: the answer under way is finished, then the connection ends
//! ```

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::answer::Answer;
use crate::source::SourceContext;
use crate::tls;

/// What is read ahead of a connection; a head may be larger if it is configured so.
const READ_BYTES_MAX: usize = 32 * 1024;

/// What holds for all connections of a source.
#[derive(Clone)]
pub(in crate::sources) struct ServerOptions {
    /// For TLS.
    pub acceptor: Option<tls::Acceptor>,
    /// How long a client may take for a head, and for taking its answer; how long it may say nothing.
    pub idle_timeout: Duration,
    /// Of a request line and its headers.
    pub head_bytes_max: usize,
    /// Whether a connection serves several requests.
    pub keeps_connections: bool,
    /// Whether answers say what time it is.
    pub sends_date: bool,
}

/// Serves one connection until its client, the agent or a limit ends it.
pub(in crate::sources) async fn serve<A, F>(
    options: &ServerOptions,
    stream: TcpStream,
    peer: SocketAddr,
    context: &SourceContext,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Answer>,
{
    let Some(stream) = tls::accept(options.acceptor.as_ref(), stream, peer).await else { return };
    let io = TokioIo::new(Impatient::new(stream, options.idle_timeout));
    let service = service_fn(|request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.idle_timeout)
        .max_buf_size(READ_BYTES_MAX.max(options.head_bytes_max))
        // A client may close its side while it waits for the answer.
        .half_close(true)
        // Not `pipeline_flush`: with it, the answers to a client that sends on and never reads pile up without limit.
        .keep_alive(options.keeps_connections)
        .auto_date_header(options.sends_date)
        .serve_connection(io, service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = context.stop.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an HTTP connection broke");
    }
}

/// A stream that breaks when its peer takes nothing for a while: one that never reads must not keep its answers,
/// and the connection's memory, for ever.
struct Impatient<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }
    fn judge<T>(&mut self, context: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.waiting = None;
            return done;
        }
        let patience = self.patience;
        let waiting =
            self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, done)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.judge(context, done)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, done)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, done)
    }
}
