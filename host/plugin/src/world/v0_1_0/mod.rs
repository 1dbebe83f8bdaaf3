//! Version 0.1.0 of the package: what each kind's world looks like from the host.
//!
//! A file for each kind finds the exports, calls `configure`, and makes of each call a function that takes an instance
//! and gives it back with the checked answer. What becomes of answers and failures is not decided here.

use futures_util::future::BoxFuture;

use crate::error::{Failure, Overrun};
use crate::instance::Live;

pub mod bindings;
pub mod columns;
pub mod deserializer;
pub mod http_handler;
pub mod interceptor;
pub mod selector;
pub mod serializer;
pub mod sink;
pub mod source;

/// A call under way: it owns its instance, and gives it back with the answer.
pub type Call<W, T> = BoxFuture<'static, (Live<W>, Result<T, Failure>)>;

/// What an instance may answer to its self-test: headers that are set for no event, a file's beginning and end.
const SELF_TEST_BYTES_MAX: usize = 1 << 20;

/// Owned pairs as the bindings take them.
fn pairs(list: &[(String, String)]) -> Vec<(&str, &str)> {
    list.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// Bytes that are not more than may be answered.
fn bounded(bytes: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    match bytes.len() {
        wanted if wanted > bytes_max => Err(Failure::Overrun(Overrun::Output { wanted, max: bytes_max })),
        _ => Ok(bytes),
    }
}
