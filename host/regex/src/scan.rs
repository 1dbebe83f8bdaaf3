//! Looking for a literal, and the checks for ASCII and for line ends: what nearly every text goes through.
//!
//! Native code leaves both to memchr and simdutf8. In WebAssembly a host may be able to interrupt a loop at each of its
//! turns, and that check costs about as much as a turn of a SIMD loop: there, 64 bytes are one turn, and what is left is
//! done without a loop. A literal is looked for by two of its bytes, those that are probably the rarest; only where both
//! stand at their distance it is compared.

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) use imp::{Copier, Literal, append, is_plain_line, is_utf8};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use wide::{Copier, Literal, append, is_plain_line, is_utf8};

#[cfg(any(test, all(target_arch = "wasm32", target_feature = "simd128")))]
mod vector;
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "simd128")))]
mod wide;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    use memchr::memmem;

    /// A text that is looked for many times.
    #[derive(Debug)]
    pub(crate) struct Literal(memmem::Finder<'static>);

    impl Literal {
        pub(crate) fn new(text: &[u8]) -> Self {
            Self(memmem::Finder::new(text).into_owned())
        }
        pub(crate) fn len(&self) -> usize {
            self.0.needle().len()
        }
        /// The first place where it stands.
        #[inline]
        pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
            self.0.find(text)
        }
        /// The first of its places that `holds` takes.
        #[inline]
        pub(crate) fn find_where(&self, text: &[u8], holds: impl Fn(usize) -> bool) -> Option<usize> {
            let mut at = 0;
            loop {
                let place = at + self.0.find(&text[at..])?;
                if holds(place) {
                    return Some(place);
                }
                at = place + 1;
            }
        }
    }

    /// Copies pieces of a text behind a buffer, and notes whether they are ASCII.
    #[derive(Debug)]
    pub(crate) struct Copier<'a> {
        out: &'a mut Vec<u8>,
        is_ascii: bool,
    }

    impl<'a> Copier<'a> {
        pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
            Self { out, is_ascii: true }
        }
        /// Whether all that was copied is ASCII.
        pub(crate) fn is_ascii(&self) -> bool {
            self.is_ascii
        }
        /// Appends what is not looked at.
        #[inline]
        pub(crate) fn put(&mut self, bytes: &[u8]) {
            self.out.extend_from_slice(bytes);
        }
        /// Copies a piece.
        #[inline]
        pub(crate) fn copy(&mut self, piece: &[u8]) {
            self.is_ascii &= piece.is_ascii();
            self.out.extend_from_slice(piece);
        }
        /// Copies up to where the literal stands, and answers that place; all if it stands nowhere.
        #[inline]
        pub(crate) fn copy_until(&mut self, literal: &Literal, text: &[u8]) -> Option<usize> {
            let place = literal.find(text);
            self.copy(&text[..place.unwrap_or(text.len())]);
            place
        }
    }

    #[inline]
    pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
        simdutf8::basic::from_utf8(bytes).is_ok()
    }
    /// Whether all of it is ASCII, without a line feed or a carriage return.
    #[inline]
    pub(crate) fn is_plain_line(bytes: &[u8]) -> bool {
        bytes.is_ascii() && memchr::memchr2(b'\n', b'\r', bytes).is_none()
    }
    #[inline]
    pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(bytes);
    }
}
