//! Search, count and replace in bytes, quick in WebAssembly.
//!
//! The host can interrupt a plugin at every turn of a loop, and the check for that costs about as much as a turn of
//! a SIMD loop does. So these work on 64 bytes a turn, and take what is left without a loop. Build with
//! `-Ctarget-feature=+simd128`; without it they are right, but slow.

mod append;
mod blocks;
mod class;
mod find;
mod lines;
mod vector;

pub use append::append;
pub use class::Class;
pub use find::{Finder, contains, find, find_byte};
pub use lines::{Lines, lines};

/// Whether all bytes are ASCII.
pub fn is_ascii(bytes: &[u8]) -> bool {
    !Class::NOT_ASCII.is_in(bytes)
}

/// Replaces every ASCII digit, and answers how many there were.
pub fn replace_digits(bytes: &mut [u8], with: u8) -> usize {
    Class::DIGITS.replace(bytes, with)
}
