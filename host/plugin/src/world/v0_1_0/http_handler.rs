//! World `http-handler`.

use flumen_connect::{HttpRequest, Refusal};
use flumen_event::Batch;
use futures_util::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::flumen::plugin::handle;
use super::columns::{Bounds, Breach, events_from};
use super::{Call, pairs};
use crate::error::Failure;
use crate::instance::Live;
use crate::plugin::World;
use crate::spec::Kind;
use crate::store::PluginState;

/// The longest message that a client is shown; the rest is cut off.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The world.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpHandler;

impl World for HttpHandler {
    const KIND: Kind = Kind::HttpHandler;
    type Indices = handle::GuestIndices;
    type Bindings = handle::Guest;
    type Answer = ();

    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Self::Indices> {
        handle::GuestIndices::new(pre)
    }
    fn load(
        indices: &Self::Indices,
        store: &mut Store<PluginState>,
        instance: &Instance,
    ) -> wasmtime::Result<Self::Bindings> {
        indices.load(store, instance)
    }
    fn configure<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a Self::Bindings,
        options: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(bindings.call_configure(store, &pairs(options)).await??) })
    }
    /// There is no request that every handler must take.
    fn self_test<'a>(
        &'a self,
        _store: &'a mut Store<PluginState>,
        _bindings: &'a mut Self::Bindings,
        _answer: &'a (),
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// The events of a request, or the guest's refusal.
pub type Handled = Result<Batch, Refusal>;

/// One request through one instance, checked.
pub fn handle(
    mut live: Live<HttpHandler>,
    request: HttpRequest,
    bounds: Bounds,
) -> Call<HttpHandler, Handled> {
    Box::pin(async move {
        let result = on_request(&mut live, &request, &bounds).await;
        (live, result)
    })
}

async fn on_request(
    live: &mut Live<HttpHandler>,
    request: &HttpRequest,
    bounds: &Bounds,
) -> Result<Handled, Failure> {
    let headers: Vec<(&str, &str)> = pairs(&request.headers);
    let param = handle::Request {
        method: &request.method,
        path: &request.path,
        headers: &headers,
        body: &request.body,
    };
    match live.bindings.call_handle(&mut live.store, param).await? {
        Ok(events) => Ok(Ok(events_from(events, bounds)?)),
        Err(handle::Refusal { status, .. }) if !(400..=599).contains(&status) => {
            Err(Breach::Status { status }.into())
        }
        Err(handle::Refusal { status, mut message }) => {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            Ok(Err(Refusal { status, message }))
        }
    }
}
