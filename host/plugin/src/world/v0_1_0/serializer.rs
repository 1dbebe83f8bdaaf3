//! World `serializer`: one instance for each open file, with one encoder.

use flumen_event::Batch;
use futures_util::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, ResourceAny};

use super::bindings::exports::flumen::plugin::serialize;
use super::columns::{Reads, Scratch};
use super::{Call, SELF_TEST_BYTES_MAX, bounded, pairs};
use crate::error::Failure;
use crate::instance::Live;
use crate::plugin::World;
use crate::spec::Kind;
use crate::store::PluginState;

/// The world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serializer;

/// An instance's exports, and its encoder.
pub struct Bindings {
    guest: serialize::Guest,
    scratch: Scratch,
    encoder: Option<ResourceAny>,
}

/// What `configure` answered.
#[derive(Clone, Debug)]
pub struct Format {
    /// What it reads of each batch.
    pub reads: Reads,
    /// What the file's name should end with; empty when the sink decides.
    pub suffix: String,
    /// Its MIME type; empty when unknown.
    pub content_type: String,
}

/// What the encoder is to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// The first bytes of a new file: makes the encoder.
    Begin,
    /// The bytes of some events.
    Write(Batch),
    /// All that was kept back.
    Flush,
    /// Forget what came since the last flush.
    Discard,
    /// The last bytes of the file.
    Finish,
}

/// The longest suffix or MIME type.
const NAME_BYTES_MAX: usize = 255;

impl World for Serializer {
    const KIND: Kind = Kind::Serializer;
    type Indices = serialize::GuestIndices;
    type Bindings = Bindings;
    type Answer = Format;

    fn indices(pre: &InstancePre<PluginState>) -> wasmtime::Result<Self::Indices> {
        serialize::GuestIndices::new(pre)
    }
    fn load(
        indices: &Self::Indices,
        store: &mut Store<PluginState>,
        instance: &Instance,
    ) -> wasmtime::Result<Bindings> {
        Ok(Bindings { guest: indices.load(store, instance)?, scratch: Scratch::default(), encoder: None })
    }
    fn configure<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a Bindings,
        options: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<Format, Failure>> {
        Box::pin(async move {
            let format = bindings.guest.call_configure(store, &pairs(options)).await??;
            let suffix_is_bad = format.suffix.chars().any(|c| c.is_control() || c == '/');
            if suffix_is_bad || format.suffix.len().max(format.content_type.len()) > NAME_BYTES_MAX {
                let what = "suffix or content-type: too long, or not usable in a file's name";
                return Err(Failure::Breach(what.to_owned()));
            }
            let reads = Reads::new(format.needs, flumen_event::Limits::default().columns_max)?;
            Ok(Format { reads, suffix: format.suffix, content_type: format.content_type })
        })
    }
    fn self_test<'a>(
        &'a self,
        store: &'a mut Store<PluginState>,
        bindings: &'a mut Bindings,
        answer: &'a Format,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            for step in [Step::Begin, Step::Write(Batch::default()), Step::Flush, Step::Finish] {
                take((store, bindings, &answer.reads), step, SELF_TEST_BYTES_MAX).await?;
            }
            Ok(())
        })
    }
}

/// One step of the instance's encoder; what it answers belongs at the end of the file.
pub fn step(mut live: Live<Serializer>, step: Step, bytes_max: usize) -> Call<Serializer, Vec<u8>> {
    Box::pin(async move {
        let answer = live.answer.clone();
        let guest = (&mut live.store, &mut live.bindings, &answer.reads);
        let result = take(guest, step, bytes_max).await;
        (live, result)
    })
}

type Guest<'a> = (&'a mut Store<PluginState>, &'a mut Bindings, &'a Reads);

async fn take((store, bindings, reads): Guest<'_>, step: Step, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let guest = bindings.guest.encoder();
    if matches!(step, Step::Begin)
        && let Some(former) = bindings.encoder.take()
    {
        former.resource_drop_async(&mut *store).await?;
    }
    let encoder = match bindings.encoder {
        Some(encoder) => encoder,
        None => *bindings.encoder.insert(guest.call_constructor(&mut *store).await?),
    };
    let bytes = match step {
        Step::Begin => guest.call_begin(&mut *store, encoder).await??,
        Step::Write(batch) => {
            let encoded = bindings.scratch.encode(&batch, reads);
            guest.call_write(&mut *store, encoder, encoded.as_param()).await??
        }
        Step::Flush => guest.call_flush(&mut *store, encoder).await??,
        Step::Discard => {
            guest.call_discard(&mut *store, encoder).await?;
            Vec::new()
        }
        Step::Finish => {
            let bytes = guest.call_finish(&mut *store, encoder).await??;
            bindings.encoder = None;
            encoder.resource_drop_async(&mut *store).await?;
            bytes
        }
    };
    bounded(bytes, bytes_max)
}
