//! Sixteen bytes at once: SIMD in WebAssembly with `simd128`, plain loops anywhere else.
//!
//! Written out, because the compiler does not see these through: the same in plain loops was ten times slower.
//! A mask has all bits of a byte set, or none.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{
        i8x16_bitmask, u8x16_eq, u8x16_le, u8x16_shr, u8x16_splat, u8x16_sub, u8x16_swizzle, v128, v128_and,
        v128_andnot, v128_any_true, v128_bitselect, v128_load, v128_or, v128_store,
    };

    #[derive(Clone, Copy, Debug)]
    pub struct Vector(v128);

    impl Vector {
        #[inline(always)]
        pub fn load(bytes: &[u8; 16]) -> Self {
            // SAFETY: the reference is to sixteen readable bytes, and this load needs no alignment.
            Self(unsafe { v128_load(bytes.as_ptr().cast()) })
        }
        #[inline(always)]
        pub fn store(self, bytes: &mut [u8; 16]) {
            // SAFETY: the reference is to sixteen writable bytes, and this store needs no alignment.
            unsafe { v128_store(bytes.as_mut_ptr().cast(), self.0) }
        }
        #[inline(always)]
        pub fn all(byte: u8) -> Self {
            Self(u8x16_splat(byte))
        }
        #[inline(always)]
        pub fn eq(self, other: Self) -> Self {
            Self(u8x16_eq(self.0, other.0))
        }
        #[inline(always)]
        pub fn at_most(self, other: Self) -> Self {
            Self(u8x16_le(self.0, other.0))
        }
        #[inline(always)]
        pub fn minus(self, other: Self) -> Self {
            Self(u8x16_sub(self.0, other.0))
        }
        #[inline(always)]
        pub fn and(self, other: Self) -> Self {
            Self(v128_and(self.0, other.0))
        }
        #[inline(always)]
        pub fn and_not(self, other: Self) -> Self {
            Self(v128_andnot(self.0, other.0))
        }
        #[inline(always)]
        pub fn or(self, other: Self) -> Self {
            Self(v128_or(self.0, other.0))
        }
        #[inline(always)]
        pub fn high_nibbles(self) -> Self {
            Self(u8x16_shr(self.0, 4))
        }
        /// The bytes of this at the places that `places` has; all below 16.
        #[inline(always)]
        pub fn at(self, places: Self) -> Self {
            Self(u8x16_swizzle(self.0, places.0))
        }
        /// This where the mask is set, else the other.
        #[inline(always)]
        pub fn or_else(self, other: Self, mask: Self) -> Self {
            Self(v128_bitselect(self.0, other.0, mask.0))
        }
        #[inline(always)]
        pub fn any(self) -> bool {
            v128_any_true(self.0)
        }
        /// One bit for each byte of a mask.
        #[inline(always)]
        pub fn bits(self) -> u16 {
            i8x16_bitmask(self.0)
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    use std::array::from_fn;

    #[derive(Clone, Copy, Debug)]
    pub struct Vector([u8; 16]);

    const fn mask(set: bool) -> u8 {
        if set { 0xff } else { 0 }
    }

    impl Vector {
        pub fn load(bytes: &[u8; 16]) -> Self {
            Self(*bytes)
        }
        pub fn store(self, bytes: &mut [u8; 16]) {
            *bytes = self.0;
        }
        pub fn all(byte: u8) -> Self {
            Self([byte; 16])
        }
        pub fn eq(self, other: Self) -> Self {
            Self(from_fn(|i| mask(self.0[i] == other.0[i])))
        }
        pub fn at_most(self, other: Self) -> Self {
            Self(from_fn(|i| mask(self.0[i] <= other.0[i])))
        }
        pub fn minus(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i].wrapping_sub(other.0[i])))
        }
        pub fn and(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] & other.0[i]))
        }
        pub fn and_not(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] & !other.0[i]))
        }
        pub fn or(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] | other.0[i]))
        }
        pub fn high_nibbles(self) -> Self {
            Self(from_fn(|i| self.0[i] >> 4))
        }
        pub fn at(self, places: Self) -> Self {
            Self(from_fn(|i| self.0[usize::from(places.0[i] & 15)]))
        }
        pub fn or_else(self, other: Self, mask: Self) -> Self {
            Self(from_fn(|i| (self.0[i] & mask.0[i]) | (other.0[i] & !mask.0[i])))
        }
        pub fn any(self) -> bool {
            self.0 != [0; 16]
        }
        pub fn bits(self) -> u16 {
            (0..16).fold(0, |bits, i| bits | u16::from(self.0[i] >> 7) << i)
        }
    }
}

pub(super) use imp::Vector;
