//! Serializers: events to the bytes of a file or object.

pub use crate::batch::{Batch, Event};
pub use crate::export_serializer as export;
pub use crate::needs::Needs;
super::prelude!();

use std::cell::RefCell;

use crate::bindings::flumen::plugin::columns as wire;
use crate::bindings::flumen::plugin::types;
use crate::bindings::serializer::exports::flumen::plugin::serialize;
use crate::glue::Slot;

/// What the host is told about the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// What a file's name should end with, as in `.csv`; empty: the sink decides.
    pub suffix: String,
    /// Its MIME type; empty: unknown.
    pub content_type: String,
}

/// A serializer. For each file: `begin`, any number of `write`, `flush` and `discard`, `finish`; several files may be
/// open at a time.
pub trait Serializer: Sized {
    /// What belongs to one open file; `()` when there is nothing.
    type File: Default;

    /// Called once, before anything else.
    ///
    /// # Errors
    /// What is wrong with the options. Those that were not read are refused afterwards.
    fn configure(options: &Options) -> Result<Self, ConfigError>;
    /// What `write` reads. Called once, behind `configure`.
    fn needs(&self) -> Needs {
        Needs::everything()
    }
    /// What the host is told about the files. Called once, behind `configure`.
    fn format(&self) -> Format {
        Format::default()
    }
    /// Appends the first bytes of a new file.
    ///
    /// # Errors
    /// If the file cannot be begun.
    fn begin(&mut self, _file: &mut Self::File, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
    /// Appends the events. May keep bytes back in `file` (a compressed block).
    ///
    /// # Errors
    /// If these events cannot be written.
    fn write(&mut self, file: &mut Self::File, batch: &Batch, out: &mut Vec<u8>) -> Result<()>;
    /// Appends what was kept back: all that was written can be read from the file after it.
    ///
    /// # Errors
    /// If it cannot.
    fn flush(&mut self, _file: &mut Self::File, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
    /// The events since the last `flush` were not stored, and the file was cut back to what it was then: forget
    /// them, they will be written again. Right as it is when `write` keeps nothing in `file`.
    fn discard(&mut self, _file: &mut Self::File) {}
    /// Appends the last bytes of the file.
    ///
    /// # Errors
    /// If the file cannot be finished.
    fn finish(&mut self, _file: &mut Self::File, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}

/// What a component keeps.
#[doc(hidden)]
pub type Kept<T> = Slot<(T, Needs)>;

#[doc(hidden)]
pub fn configure<T: Serializer>(
    kept: &Kept<T>,
    options: types::Options,
) -> Result<serialize::Format, types::Error> {
    kept.configure(options, |options| {
        let plugin = T::configure(options)?;
        let needs = plugin.needs();
        Ok((plugin, needs))
    })?;
    Ok(kept.with(|(plugin, needs)| {
        let Format { suffix, content_type } = plugin.format();
        serialize::Format { needs: needs.to_wire(), suffix, content_type }
    }))
}

/// One open file.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Encoder<F>(RefCell<F>);

impl<F> Encoder<F> {
    #[doc(hidden)]
    pub fn call<T: Serializer<File = F>>(
        &self,
        kept: &Kept<T>,
        step: impl FnOnce(&mut T, &mut F, &mut Vec<u8>) -> Result<()>,
    ) -> Result<Vec<u8>, types::Error> {
        kept.call(|(plugin, _)| {
            let mut out = Vec::new();
            step(plugin, &mut self.0.borrow_mut(), &mut out)?;
            Ok(out)
        })
    }
    #[doc(hidden)]
    pub fn write<T: Serializer<File = F>>(
        &self,
        kept: &Kept<T>,
        batch: wire::Batch,
    ) -> Result<Vec<u8>, types::Error> {
        kept.call(|(plugin, needs)| {
            let bodies = batch.bodies.as_ref().map_or(0, |bodies| bodies.data.len());
            // Most formats add a little to each event.
            let mut out = Vec::with_capacity(bodies + 16 * batch.count as usize);
            plugin.write(&mut self.0.borrow_mut(), &Batch::new(batch, needs), &mut out)?;
            Ok(out)
        })
    }
    #[doc(hidden)]
    pub fn discard<T: Serializer<File = F>>(&self, kept: &Kept<T>) {
        kept.with(|(plugin, _)| plugin.discard(&mut self.0.borrow_mut()));
    }
}

/// `export!(Type)`: makes this component a serializer.
#[macro_export]
macro_rules! export_serializer {
    ($plugin:ty) => {
        // Names like `flumen:plugin/…@0.1.0#…` are for a component; a native linker does not take them.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::std::{result::Result, vec::Vec};
            use $crate::bindings::flumen::plugin::{columns, types};
            use $crate::bindings::serializer::exports::flumen::plugin::serialize::{
                Format, Guest, GuestEncoder,
            };
            use $crate::serializer::{self, Serializer};
            ::std::thread_local! {
                static KEPT: serializer::Kept<$plugin> = const { serializer::Kept::empty() };
            }
            struct Component;
            struct Encoder(serializer::Encoder<<$plugin as Serializer>::File>);
            impl Guest for Component {
                type Encoder = Encoder;
                fn configure(options: types::Options) -> Result<Format, types::Error> {
                    KEPT.with(|kept| serializer::configure(kept, options))
                }
            }
            impl GuestEncoder for Encoder {
                fn new() -> Self {
                    Self(::std::default::Default::default())
                }
                fn begin(&self) -> Result<Vec<u8>, types::Error> {
                    KEPT.with(|kept| self.0.call(kept, |plugin, file, out| plugin.begin(file, out)))
                }
                fn write(&self, batch: columns::Batch) -> Result<Vec<u8>, types::Error> {
                    KEPT.with(|kept| self.0.write(kept, batch))
                }
                fn flush(&self) -> Result<Vec<u8>, types::Error> {
                    KEPT.with(|kept| self.0.call(kept, |plugin, file, out| plugin.flush(file, out)))
                }
                fn discard(&self) {
                    KEPT.with(|kept| self.0.discard(kept));
                }
                fn finish(&self) -> Result<Vec<u8>, types::Error> {
                    KEPT.with(|kept| self.0.call(kept, |plugin, file, out| plugin.finish(file, out)))
                }
            }
    $crate::bindings::serializer::export!(Component with_types_in $crate::bindings::serializer);
        };
    };
}
