//! Bodies on their way, both directions.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::{Error, WasiBody};

use super::share::Way;
use super::{Egress, HEADER_BYTES_MAX, header_bytes};

/// Counts a body's bytes and holds them to the rates of its plugin and its tenant.
pub(super) struct Paced {
    body: WasiBody,
    egress: Arc<Egress>,
    way: Way,
    /// The next piece comes after this.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(body: WasiBody, egress: Arc<Egress>, way: Way) -> Self {
        Self { body, egress, way, pause: None }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let (way, bytes) = (self.way, data.len());
            let wait = self.egress.own.spend(way, bytes).max(self.egress.tenant.spend(way, bytes));
            if !wait.is_zero() {
                self.pause = Some(Box::pin(tokio::time::sleep(wait)));
            }
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body with its end: too long, too slow, or done. Holds the connection.
pub(super) struct Limited {
    body: Paced,
    /// Dropping it closes the connection and gives the request's places back.
    driver: Option<AbortOnDropJoinHandle<()>>,
    bytes_left: usize,
    bytes_max: usize,
    between_bytes: Duration,
    all: Instant,
    patience: Pin<Box<Sleep>>,
}

impl Limited {
    pub(super) fn new(
        body: Paced,
        driver: AbortOnDropJoinHandle<()>,
        bytes_max: usize,
        (between_bytes, all): (Duration, Instant),
    ) -> Self {
        let patience = Box::pin(tokio::time::sleep_until((Instant::now() + between_bytes).min(all)));
        Self { body, driver: Some(driver), bytes_left: bytes_max, bytes_max, between_bytes, all, patience }
    }

    fn end(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.driver = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.driver.is_none() {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(None) => {
                self.driver = None;
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => return self.end(error),
            Poll::Pending => {
                ready!(self.patience.as_mut().poll(cx));
                let over = Instant::now() >= self.all;
                return self.end(if over {
                    Error::HttpResponseTimeout
                } else {
                    Error::ConnectionReadTimeout
                });
            }
        };
        if let Some(trailers) =
            frame.trailers_ref().filter(|trailers| header_bytes(trailers) > HEADER_BYTES_MAX)
        {
            let bytes = u32::try_from(header_bytes(trailers)).ok();
            return self.end(Error::HttpResponseTrailerSectionSize(bytes));
        }
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        if bytes > self.bytes_left {
            let max = self.bytes_max as u64;
            return self.end(Error::HttpResponseBodySize(Some(max)));
        }
        self.bytes_left -= bytes;
        // A slow drip keeps `between_bytes` alive, and ends with the whole time.
        let until = (Instant::now() + self.between_bytes).min(self.all);
        self.patience.as_mut().reset(until);
        Poll::Ready(Some(Ok(frame)))
    }
    fn is_end_stream(&self) -> bool {
        self.driver.is_none() || self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
