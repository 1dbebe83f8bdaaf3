//! HTTP handlers: they turn the requests that an `http` source gets into events.

pub use crate::batch::{Events, NewEvent};
pub use crate::export_http_handler as export;
super::prelude!();

use std::fmt;

use crate::bindings::flumen::plugin::types;
use crate::bindings::http_handler::exports::flumen::plugin::handle as wire;
use crate::glue::Slot;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, as in `POST`.
    pub method: String,
    /// With the query, as it was sent.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; unpacked where the request was compressed.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    /// The MIME type of the body, in lower case and without its parameters.
    pub fn content_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }
}

/// Why a request is not taken. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// An HTTP status from 400 to 599.
    pub status: u16,
    /// What the sender is told.
    pub message: String,
}
impl Refusal {
    /// A refusal; a status outside 400 to 599 is taken for 500.
    pub fn new(status: u16, message: impl fmt::Display) -> Self {
        let status = if (400..600).contains(&status) { status } else { 500 };
        Self { status, message: message.to_string() }
    }
    /// 400: the request is wrong.
    pub fn bad_request(message: impl fmt::Display) -> Self {
        Self::new(400, message)
    }
}

/// An HTTP handler.
pub trait HttpHandler: Sized {
    /// Called once, before anything else.
    ///
    /// # Errors
    /// What is wrong with the options. Those that were not read are refused afterwards.
    fn configure(options: &Options) -> Result<Self, ConfigError>;
    /// Adds the events of a request.
    ///
    /// # Errors
    /// If the request is not taken.
    fn handle(&mut self, request: &Request, events: &mut Events) -> Result<(), Refusal>;
}

/// What a component keeps.
#[doc(hidden)]
pub type Kept<T> = Slot<T>;

#[doc(hidden)]
pub fn handle<T: HttpHandler>(
    kept: &Kept<T>,
    request: wire::Request,
) -> Result<types::Events, wire::Refusal> {
    let wire::Request { method, path, headers, body } = request;
    let mut events = Events::unbounded();
    kept.with(|plugin| plugin.handle(&Request { method, path, headers, body }, &mut events))
        .map(|()| events.finish())
        .map_err(|Refusal { status, message }| wire::Refusal { status, message })
}

/// `export!(Type)`: makes this component an HTTP handler.
#[macro_export]
macro_rules! export_http_handler {
    ($plugin:ty) => {
        // Names like `flumen:plugin/…@0.1.0#…` are for a component; a native linker does not take them.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::std::result::Result;
            use $crate::bindings::flumen::plugin::types;
            use $crate::bindings::http_handler::exports::flumen::plugin::handle::{Guest, Refusal, Request};
            use $crate::http_handler::{self, HttpHandler};
            ::std::thread_local! {
                static KEPT: http_handler::Kept<$plugin> = const { http_handler::Kept::empty() };
            }
            struct Component;
            impl Guest for Component {
                fn configure(options: types::Options) -> Result<(), types::Error> {
                    KEPT.with(|kept| kept.configure(options, <$plugin as HttpHandler>::configure))
                }
                fn handle(request: Request) -> Result<types::Events, Refusal> {
                    KEPT.with(|kept| http_handler::handle(kept, request))
                }
            }
    $crate::bindings::http_handler::export!(Component with_types_in $crate::bindings::http_handler);
        };
    };
}
