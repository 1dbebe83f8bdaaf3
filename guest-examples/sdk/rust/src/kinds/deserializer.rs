//! Deserializers: bytes to events.
//!
//! The SDK keeps what the plugin has not taken yet, so a plugin sees one growing piece of the stream and takes whole
//! records from its front. Where the plugin stopped is the position that is stored: a plugin takes a record only
//! when it has made all its events.

pub use crate::batch::{Events, NewEvent};
pub use crate::export_deserializer as export;
super::prelude!();

use std::cell::RefCell;

#[doc(hidden)]
pub use crate::bindings::deserializer::exports::flumen::plugin::deserialize::Decoded as WireDecoded;
use crate::bindings::flumen::plugin::types;
use crate::glue::Slot;

/// What is there of a stream, from the first byte that was not taken yet.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether the stream ends behind them.
    pub last: bool,
}

/// A deserializer.
pub trait Deserializer: Sized {
    /// What belongs to one stream; `()` when there is nothing.
    type Stream;

    /// Called once, before anything else.
    ///
    /// # Errors
    /// What is wrong with the options. Those that were not read are refused afterwards.
    fn configure(options: &Options) -> Result<Self, ConfigError>;
    /// A stream of bytes. name: of the file, or empty. position: 0, or one behind a record that was taken earlier.
    fn open(&mut self, name: &str, position: u64) -> Self::Stream;
    /// Takes records from the front of `input` until `events.is_full()` and answers how many bytes they had. 0: there
    /// is no whole record yet; it is called again with more bytes. What is left at the end of the stream stays
    /// untaken.
    ///
    /// # Errors
    /// If the stream cannot be read any further.
    fn decode(&mut self, stream: &mut Self::Stream, input: Input<'_>, events: &mut Events) -> Result<usize>;
}

/// What a component keeps.
#[doc(hidden)]
pub type Kept<T> = Slot<T>;

/// One stream.
#[doc(hidden)]
#[derive(Debug)]
pub struct Decoder<S>(RefCell<Reading<S>>);

#[derive(Debug)]
struct Reading<S> {
    stream: S,
    /// Bytes that came and were not taken, from `taken` on.
    pending: Vec<u8>,
    taken: usize,
    /// The position of `pending[taken]` in the stream.
    position: u64,
}

impl<S> Decoder<S> {
    #[doc(hidden)]
    pub fn new<T: Deserializer<Stream = S>>(kept: &Kept<T>, name: &str, position: u64) -> Self {
        let stream = kept.with(|plugin| plugin.open(name, position));
        Self(RefCell::new(Reading { stream, pending: Vec::new(), taken: 0, position }))
    }
    #[doc(hidden)]
    pub fn decode<T: Deserializer<Stream = S>>(
        &self,
        kept: &Kept<T>,
        bytes: Vec<u8>,
        max: u32,
    ) -> Result<WireDecoded, types::Error> {
        self.0.borrow_mut().append(bytes);
        self.read(kept, max, false)
    }
    #[doc(hidden)]
    pub fn finish<T: Deserializer<Stream = S>>(
        &self,
        kept: &Kept<T>,
        max: u32,
    ) -> Result<WireDecoded, types::Error> {
        self.read(kept, max, true)
    }

    fn read<T: Deserializer<Stream = S>>(
        &self,
        kept: &Kept<T>,
        max: u32,
        last: bool,
    ) -> Result<WireDecoded, types::Error> {
        let reading = &mut *self.0.borrow_mut();
        let mut events = Events::new(max);
        while !events.is_full() {
            let bytes = &reading.pending[reading.taken..];
            if bytes.is_empty() {
                break;
            }
            let stream = &mut reading.stream;
            let taken = kept.call(|plugin| plugin.decode(stream, Input { bytes, last }, &mut events))?;
            if taken == 0 {
                break;
            }
            if taken > bytes.len() {
                let why = format!("decode took {taken} bytes of {}", bytes.len());
                return Err(types::Error::Fatal(why));
            }
            reading.taken += taken;
            reading.position += taken as u64;
        }
        Ok(WireDecoded { events: events.finish(), position: reading.position })
    }
}

impl<S> Reading<S> {
    fn append(&mut self, bytes: Vec<u8>) {
        if self.taken == self.pending.len() {
            self.pending = bytes;
        } else {
            self.pending.drain(..self.taken);
            self.pending.extend_from_slice(&bytes);
        }
        self.taken = 0;
    }
}

/// `export!(Type)`: makes this component a deserializer.
#[macro_export]
macro_rules! export_deserializer {
    ($plugin:ty) => {
        // Names like `flumen:plugin/…@0.1.0#…` are for a component; a native linker does not take them.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::std::{result::Result, string::String, vec::Vec};
            use $crate::bindings::deserializer::exports::flumen::plugin::deserialize::{
                Decoded, Guest, GuestDecoder,
            };
            use $crate::bindings::flumen::plugin::types;
            use $crate::deserializer::{self, Deserializer};
            ::std::thread_local! {
                static KEPT: deserializer::Kept<$plugin> = const { deserializer::Kept::empty() };
            }
            struct Component;
            struct Decoder(deserializer::Decoder<<$plugin as Deserializer>::Stream>);
            impl Guest for Component {
                type Decoder = Decoder;
                fn configure(options: types::Options) -> Result<(), types::Error> {
                    KEPT.with(|kept| kept.configure(options, <$plugin as Deserializer>::configure))
                }
            }
            impl GuestDecoder for Decoder {
                fn new(name: String, position: u64) -> Self {
                    Self(KEPT.with(|kept| deserializer::Decoder::new(kept, &name, position)))
                }
                fn decode(&self, bytes: Vec<u8>, max: u32) -> Result<Decoded, types::Error> {
                    KEPT.with(|kept| self.0.decode(kept, bytes, max))
                }
                fn finish(&self, max: u32) -> Result<Decoded, types::Error> {
                    KEPT.with(|kept| self.0.finish(kept, max))
                }
            }
    $crate::bindings::deserializer::export!(Component with_types_in $crate::bindings::deserializer);
        };
    };
}
