//! Why requests are refused, and how that is said to the client.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::http_handler::Refusal;
use crate::outlet::{RejectReason, Rejected};

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// A request that brought no events.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("TRACE and OPTIONS are not allowed")]
    Forbidden,
    #[error("events are sent with POST")]
    Method,
    #[error("this method is not known here: events are sent with POST")]
    UnknownMethod,
    #[error("the head of the request is larger than {bytes_max} bytes")]
    HeadTooLarge { bytes_max: usize },
    #[error("the body is larger than {bytes_max} bytes: send fewer events in one request")]
    TooLarge { bytes_max: usize },
    #[error("requests under way take {bytes_max} bytes already: try again")]
    NoRoom { bytes_max: usize },
    #[error("the body came too slowly")]
    TooSlow,
    #[error("the body ended early: {0}")]
    Broken(String),
    #[error("Content-Encoding {0} is not known: use gzip, deflate or zstd")]
    Encoding(String),
    #[error("the body is not packed as its Content-Encoding says: {0}")]
    Packing(String),
    #[error("{}", .0.message)]
    Handler(Refusal),
    #[error("{}{}", advice(.0), .0)]
    Rejected(Rejected),
    #[error("{0}")]
    Internal(String),
}

fn advice(rejected: &Rejected) -> &'static str {
    match rejected.reason {
        RejectReason::Channel(_) | RejectReason::Budget(_) => {
            "Error appending event to channel. Channel might be full. "
        }
        RejectReason::Interceptor(_) => "Unexpected error while appending event to channel. ",
    }
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnknownMethod => StatusCode::NOT_IMPLEMENTED,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) | Self::Packing(_) => StatusCode::BAD_REQUEST,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Handler(refusal) => {
                let status = StatusCode::from_u16(refusal.status).ok();
                let is_refusal = |status: &StatusCode| status.is_client_error() || status.is_server_error();
                status.filter(is_refusal).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Rejected(rejected) => match rejected.reason {
                RejectReason::Channel(_) | RejectReason::Budget(_) => StatusCode::SERVICE_UNAVAILABLE,
                RejectReason::Interceptor(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer that tells the client.
    pub(crate) fn answer(&self) -> Answer {
        let status = self.status();
        let mut answer = Response::new(Full::from(format!("{self}\n")));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}
