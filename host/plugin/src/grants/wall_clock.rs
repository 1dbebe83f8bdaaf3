//! `wasi:clocks/wall-clock`, which stands at the epoch for a plugin without `grants.clock = wall`.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};

use crate::imports::{HasImports, View};

struct WallClock;
impl HasData for WallClock {
    type Data<'a> = View<'a>;
}

pub(super) fn add_to_linker<T: HasImports>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wall_clock::add_to_linker::<_, WallClock>(linker, T::imports)
}

impl wall_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        if !self.imports.may_read_wall_clock() {
            return Ok(Datetime { seconds: 0, nanoseconds: 0 });
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }
    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        Ok(Datetime { seconds: 0, nanoseconds: 1 })
    }
}
