//! Sixteen bytes at once: SIMD in WebAssembly, plain code in tests. A mask has all bits of a byte set, or none.

pub(super) use imp::{Vector, above, any, bits_of, both_of, either, equal, splat};

/// Eight bytes and eight bytes.
#[inline(always)]
pub(super) fn join(low: &[u8; 8], high: &[u8; 8]) -> Vector {
    imp::of(u64::from_le_bytes(*low), u64::from_le_bytes(*high))
}

/// Becomes one load.
#[inline(always)]
pub(super) fn load(bytes: &[u8; 16]) -> Vector {
    let [low, high] = [0, 1].map(|i| u64::from_le_bytes(bytes.as_chunks::<8>().0[i]));
    imp::of(low, high)
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    pub(crate) use core::arch::wasm32::{
        i8x16_bitmask as bits_of, i8x16_gt as above, u8x16_eq as equal, u8x16_splat as splat, u64x2 as of,
        v128 as Vector, v128_and as both_of, v128_any_true as any, v128_or as either,
    };
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    use std::array::from_fn;

    pub(crate) type Vector = [u8; 16];

    pub(crate) fn of(low: u64, high: u64) -> Vector {
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }
    pub(crate) fn splat(byte: u8) -> Vector {
        [byte; 16]
    }
    pub(crate) fn equal(a: Vector, b: Vector) -> Vector {
        from_fn(|i| if a[i] == b[i] { 0xff } else { 0 })
    }
    /// As signed bytes.
    pub(crate) fn above(a: Vector, b: Vector) -> Vector {
        from_fn(|i| if a[i].cast_signed() > b[i].cast_signed() { 0xff } else { 0 })
    }
    pub(crate) fn both_of(a: Vector, b: Vector) -> Vector {
        from_fn(|i| a[i] & b[i])
    }
    pub(crate) fn either(a: Vector, b: Vector) -> Vector {
        from_fn(|i| a[i] | b[i])
    }
    pub(crate) fn any(a: Vector) -> bool {
        a != [0; 16]
    }
    pub(crate) fn bits_of(a: Vector) -> u16 {
        (0..16).fold(0, |bits, i| bits | u16::from(a[i] >> 7) << i)
    }
}
